"""The small state machine that speaks for a run that could not: stopped, out of time, broken.

One for each job, whose EventBridge rule starts it for every execution that was FAILED, ABORTED or
TIMED_OUT, with what it needs of the event and two things more, the name of the job and the URL of
its queue. A run that parked itself ended under an error of ours, so there
is nothing to do; one whose message the queue refused carries the error ``Steadyspot.NotParked`` and
is parked here. A write that another call met, or that DynamoDB refused for now, is tried again for
an hour or so; after that the run is parked and told without being marked.
"""

from __future__ import annotations

from steadyspot.contract import Status, columns, variables
from steadyspot.contract.states import AfterTheEndState
from steadyspot.statemachines.calls import (
    EXECUTION,
    EXPIRES,
    EXPIRES_OWN,
    EXPIRES_WORKERS,
    OPEN_AS_PARKED,
    PARKED,
    UNFINISHED_WORK,
    change,
    publishing,
    short_call,
    transaction,
)
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.counting import count
from steadyspot.statemachines.states import (
    Catch,
    Choice,
    Fail,
    Machine,
    Retry,
    Rule,
    Succeed,
    Task,
    Wait,
)

ENDED = {"S": variable("$ended.execution")}
TABLE = "${Table}"


KEY = {columns.JOB: {"S": variable("$partition")}, columns.RUN_KEY: {"S": variable("$key")}}
EVENTS_READ = 10
"""Of a history, the newest; a launch makes four."""

TURN_BACK = {
    "Update": {
        "TableName": TABLE,
        "Key": {
            columns.JOB: {"S": expression("partitionOfTurn")},
            columns.RUN_KEY: {"S": columns.TURN},
        },
        "UpdateExpression": "DELETE taken_by :mine, queued :place",
        "ExpressionAttributeValues": {
            ":mine": {"SS": [variable("$key")]},
            ":place": {"SS": [expression("placeOfEnded")]},
        },
    }
}
"""Gives the job's turn back if the run had it, and its place if it waited: it has ended."""
WORKER_KEY = {**KEY, columns.JOB: {"S": expression("workerOfEnded")}}
ONE_MORE = {
    "Update": {
        "TableName": TABLE,
        "Key": {**KEY, columns.RUN_KEY: {"S": expression("totalsKeyOfEnded")}},
        "UpdateExpression": "SET latest_run = :run, latest_at = :now ADD #day_ :one",
        "ExpressionAttributeNames": {"#day_": expression("totalsDayOfEnded")},
        "ExpressionAttributeValues": {
            ":run": {"S": variable("$key")},
            ":now": {"S": expression("claimedAt")},
            ":one": {"N": "1"},
        },
    }
}
"""Counts the run in its month's totals; what it cost stands in its record alone."""


def mark() -> Task:
    """Mark the run unfinished, if the execution that ended held it and its work is not complete."""
    values = {
        ":unfinished": {"S": Status.UNFINISHED.value},
        ":complete": {"S": Status.COMPLETE.value},
    }
    return transaction(
        AfterTheEndState.MARK_UNFINISHED,
        change(
            "SET #status = :unfinished, execution = :ended, cause = :cause, marked_by = :me,"
            f" {columns.BROKEN_OFF} = :attempt, {OPEN_AS_PARKED}",
            expression("markCondition"),
            {
                **values,
                **PARKED,
                ":open": {"S": expression("opennessOfEnded")},
                ":ended": ENDED,
                ":me": {"S": EXECUTION},
                ":attempt": {"M": expression("attemptEnded")},
                ":before": {"S": expression("beforeEnded")},
                ":cause": {"S": variable("$row.name")},
            },
            key=KEY,
            table=TABLE,
        ),
        change(*UNFINISHED_WORK, {**values, ":me": ENDED}, key=WORKER_KEY, table=TABLE),
        TURN_BACK,
        comment="Only if nobody did.",
    )


def close() -> Task:
    """Close the run whose worker had finished all the same."""
    complete, running = {"S": Status.COMPLETE.value}, {"S": Status.RUNNING.value}
    return transaction(
        AfterTheEndState.CLOSE,
        change(
            f"SET #status = :complete, {EXPIRES} REMOVE is_open, open_as",
            "execution = :ended AND #status = :running",
            {":complete": complete, ":running": running, ":ended": ENDED, **EXPIRES_OWN},
            key=KEY,
            table=TABLE,
        ),
        change(
            f"SET {EXPIRES}",
            "#status = :complete AND execution = :ended",
            {":complete": complete, ":ended": ENDED, **EXPIRES_WORKERS},
            key=WORKER_KEY,
            table=TABLE,
        ),
        TURN_BACK,
        ONE_MORE,
        comment="Its work may be complete all the same.",
    )


def what_did_it_run() -> Task:
    """Find the attempt that ended with the execution, which did not write it down."""
    return short_call(
        AfterTheEndState.WHAT_DID_IT_RUN,
        "aws-sdk:sfn:getExecutionHistory",
        comment="If that is no task, what it assigns is an error, which is caught.",
        arguments={
            "ExecutionArn": variable("$ended.execution"),
            "ReverseOrder": True,
            "MaxResults": EVENTS_READ,
            "IncludeExecutionData": True,
        },
        assign={"launch": expression("launchOfEnded")},
        output={},
    )


def how_fared_the_task() -> Task:
    """Ask where the task ran, and since when; it may still be within its grace."""
    return short_call(
        AfterTheEndState.HOW_FARED_THE_TASK,
        "aws-sdk:ecs:describeTasks",
        arguments={"Cluster": variable("$launch.cluster"), "Tasks": [variable("$launch.task")]},
        assign={"launch": expression("launchFared")},
        retry=[Retry(error_equals=["States.ALL"])],
        output={},
    )


def build() -> Machine:
    """Return the definition, the platform's names still to be filled in."""
    asked_right = Choice(AfterTheEndState.IS_IT_ALL_THERE)
    odd = Fail(
        AfterTheEndState.NOT_AN_END,
        error="Steadyspot.NotAnEnd",
        cause="The input must be the event of an execution's end, and the job's name and queue.",
    )
    look = short_call(
        AfterTheEndState.HOW_DID_IT_END,
        "aws-sdk:sfn:describeExecution",
        comment="Its error tells whether it parked itself.",
        arguments={"ExecutionArn": variable("$states.input.detail.executionArn")},
        assign={
            "request": expression("requestOfEnded"),
            "ended": expression("executionEnded"),
            "row": expression("rowOfEnd"),
        },
        output={},
    )
    asked = Choice(
        AfterTheEndState.DID_IT_SPEAK, comment="Who ends under a name of ours has parked."
    )
    ran, fared = what_did_it_run(), how_fared_the_task()
    marking, closing = mark(), close()
    park = short_call(
        AfterTheEndState.PARK,
        "sqs:sendMessage",
        arguments={"QueueUrl": variable("$queue"), "MessageBody": expression("endedParked")},
        assign={"title": expression("endedSubject", isParked=True), "isParked": True},
        output={},
    )
    tell = publishing(
        AfterTheEndState.TELL,
        "${Topic}",
        subject=variable("$title"),
        message=expression("endedMessage"),
        attributes=expression("endedAttributes"),
    )
    done = Succeed(AfterTheEndState.DONE)
    again = Wait(AfterTheEndState.WAIT, comment="Backs off.", seconds=expression("secondsForWrite"))
    met = Choice(AfterTheEndState.WAS_IT_MET, comment="That passes; a false condition does not.")
    named = {
        "jobName": variable("$states.input.job"),
        "queue": variable("$states.input.queue"),
        "region": "${Region}",
        variables.JOB: {"keepRunsDays": "${KeepRunsDays}"},
        "refusal": {"times": 0},
        "launch": {},
    }
    asked_right.add_choice(Rule(expression("isWholeEvent"), assign=named), look)
    asked_right.default_choice(odd)
    look.next_step = asked
    asked.add_choice(Rule(expression("hasSpoken")), done)
    # An end is known by its key from here on, and told in one sentence.
    known = {
        "key": expression("keyOfEnded"),
        "partition": expression("partitionOfEnded"),
        "sentence": expression("endedSentence"),
    }
    asked.add_choice(Rule(expression("always"), assign=known), ran)
    ran.next_step = fared
    ran.catches = [
        # What a state takes in has a limit, which States.ALL does not catch.
        Catch(marking, error_equals=["States.DataLimitExceeded"]),
        Catch(marking, error_equals=["States.ALL"]),
    ]
    fared.next_step = marking
    fared.add_catch(Catch(marking, error_equals=["States.ALL"]))
    shard = Choice(AfterTheEndState.IS_IT_A_SHARD, comment="Its run is parked and told.")
    shard.add_choice(Rule(expression("isShardEnded")), done)
    shard.default_choice(park)
    marking.next_step = shard
    for writing in (marking, closing):
        refusal = expression("refusalOfEnd", isOfClose=writing is closing)
        writing.add_catch(Catch(met, error_equals=["States.ALL"], assign={"refusal": refusal}))
    for condition, comment, following in (
        (expression("isSettled"), "It is in good hands.", done),
        (variable("$refusal.isCondition"), "It is marked, or complete.", closing),
        (expression("isToTryAgain"), "Another call met it, or the like.", again),
    ):
        met.add_choice(Rule(condition, comment=comment), following)
    met.default_choice(shard)  # Not marked, but told.
    again.next_step = marking
    closing.next_step = done
    park.next_step = counting = count(AfterTheEndState.COUNT, "metricsOfEnded", tell)
    unparked = {"title": expression("endedSubject", isParked=False), "isParked": False}
    park.add_catch(Catch(counting, error_equals=["States.ALL"], assign=unparked))
    tell.next_step = done
    tell.add_catch(Catch(done, error_equals=["States.ALL"]))
    return Machine(
        asked_right, comment="Marks, parks and tells for an execution that could not do so itself."
    )
