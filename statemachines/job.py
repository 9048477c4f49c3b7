"""The state machine of a job: claim, run on Spot, judge, wait, fall back, tell, park.

States are built in the order in which a run meets them; :func:`build` wires them into the picture
that the console shows. Tasks decide with others and make one call each; Choices decide alone. What
is evaluated stands in ``expressions/``, one named value a file.

Variables: ``job`` (the job's parameters), ``causes`` (the cause table), ``run`` (settings of this
execution), ``last`` (the latest attempt), ``attempts`` (those before it, those of earlier
executions included, each with its cause), ``work`` (what the record says of the work: status, the
worker's reason for the end, units done and in all, fraction), ``spotRefused`` (since when Spot is
refused, in milliseconds, and how often that was waited for), ``cause`` (the row of the cause table
that stopped the latest attempt), ``shards`` (see the module of that name) and ``statesEntered``
(how many, those of *Before the start* included, which is what a workflow costs; *Why did it stop?*
is counted by whatever leads there).
Budgets are counted from the attempts, so there is no counter that could be forgotten.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from steadyspot.contract import (
    WORKER_CONTAINER,
    Capacity,
    Status,
    columns,
    messages,
    variables,
)
from steadyspot.contract.keys import FIRST_RUN_KEY, LAST_RUN_KEY
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    CONDITION_FAILED,
    EXECUTION,
    EXPIRES,
    EXPIRES_OWN,
    EXPIRES_WORKERS,
    KEY,
    OPEN_AS_PARKED,
    PARKED,
    TURN_BACK,
    TURN_KEY,
    UNFINISHED_WORK,
    WORKER_KEY,
    change,
    patient,
    publishing,
    short_call,
    states_entered,
    table_call,
    transaction,
)
from steadyspot.statemachines.causes import Answer
from steadyspot.statemachines.claiming import claiming
from steadyspot.statemachines.composing import Expression, expression, variable
from steadyspot.statemachines.shards import (
    AND_WAIT,
    LONGEST_SECONDS,
    Ends,
    fanning_out,
    patient_start,
)
from steadyspot.statemachines.states import (
    Catch,
    Choice,
    Fail,
    Machine,
    Rule,
    State,
    Succeed,
    Task,
    Wait,
)
from steadyspot.statemachines.weather import look, note, note_refusal

CLOSED = {"cause": "finished", "class": "finished"}
"""The verdict on the attempt of a run that is closed."""
CALL_ERRORS = ("AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException")
"""Errors of the call itself: nothing was launched, so the record has nothing to say."""

LINES_READ = 40
"""Of a log, the worker's own included; ten of the job's are told."""

RECORDS = 50
"""Records that are read to learn the run time; a query brings 1 MB at most, and one is some KB."""


class Waits(NamedTuple):
    """What comes after a refusal: a wait for Spot, before a look at it, and one for all else.

    ``learning`` comes before the first of a run, ``telling`` before the first for on-demand.
    """

    for_spot: Wait
    for_all_else: Wait
    learning: Task
    telling: Task


class Finishes(NamedTuple):
    """Where what is complete goes: a shard, a run that has its job's turn, any other run."""

    shard: State
    in_turn: State
    alone: State


# --- running ------------------------------------------------------------------------------------


def choose_capacity() -> Choice:
    """Return the Choice that is asked before every launch."""
    return Choice(
        JobState.CHOOSE_CAPACITY,
        comment="Spot while budget and slack last, else on-demand.",
    )


def launch(
    state_id: str,
    capacity: Capacity,
    *,
    placement: dict[str, Any],
    environment: str,
    timeout: str,
    comment: str,
) -> Task:
    """Return the Task that runs the container once and waits for its end."""
    return Task(
        state_id,
        comment=comment,
        resource="arn:aws:states:::ecs:runTask.sync",
        timeout_seconds=expression(timeout),
        arguments={
            "Cluster": variable("$job.cluster"),
            "TaskDefinition": variable("$job.taskDefinition"),
            # The role may follow and stop what bears the job's name.
            "PropagateTags": "TASK_DEFINITION",
            "EnableExecuteCommand": expression("isDebugged"),
            **placement,
            "NetworkConfiguration": {"AwsvpcConfiguration": variable("$job.network")},
            "Overrides": {
                "ContainerOverrides": [
                    {"Name": WORKER_CONTAINER, "Environment": expression(environment)}
                ]
            },
        },
        assign=attempted("lastSucceeded", capacity, expression("statesOfEnded")),
        output={},
    )


def attempted(last: str, capacity: Capacity, states: Expression) -> dict[str, Any]:
    """Return what the end of an attempt assigns; ``states`` are those entered until then."""
    return {
        variables.ATTEMPTS: expression("allAttempts"),
        variables.LAST: expression(last, capacity=capacity.value),
        variables.STATES_ENTERED: states,
    }


def ledger(to_come: int, **verdict: Any) -> dict[str, Any]:
    """Return the record's columns of attempts and money; so many states follow, this one too."""
    return {
        ":attempts": {"L": expression("attemptsColumn", **verdict)},
        ":money": {"M": expression("moneyColumn", toCome=to_come, **verdict)},
    }


def add_to_totals(to_come: int, **given: Any) -> Expression:
    """Return the update that adds a complete run to the totals of its month.

    They are there so that a look at all jobs need not look at all runs, and decide nothing: where a
    reply was lost, a run may be counted twice.
    """
    return expression("totalsAdded", toCome=to_come, **given)


def on_spot() -> Task:
    """Run the task on Spot, all subnets offered."""
    return launch(
        JobState.RUN_ON_SPOT,
        Capacity.SPOT,
        placement={"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]},
        environment="workerOnSpot",
        timeout="timeoutOnSpot",
        comment="All zones are offered; the worker stops itself in time for on-demand to finish.",
    )


def on_demand() -> Task:
    """Run the task on on-demand Fargate."""
    return launch(
        JobState.RUN_ON_DEMAND,
        Capacity.ON_DEMAND,
        placement={"LaunchType": "FARGATE"},
        environment="workerOnDemand",
        timeout="timeoutOnDemand",
        comment="Resumes behind the work that is already durable.",
    )


def close() -> Task:
    """End a quiet run: its work is complete and no attempt before this one is written down."""
    return transaction(
        JobState.CLOSE,
        change(
            f"SET #status = :complete, attempts = :attempts, money = :money, {EXPIRES}"
            " REMOVE is_open, open_as",
            expression("closeCondition"),
            {
                **EXPIRES_OWN,
                ":complete": {"S": Status.COMPLETE.value},
                ":running": {"S": Status.RUNNING.value},
                ":me": {"S": EXECUTION},
                **ledger(1, verdict=CLOSED),
            },
        ),
        change(
            f"SET {EXPIRES}",
            "#status = :complete AND execution = :me"
            " AND attribute_not_exists(completion.left_behind)"
            " AND attribute_not_exists(warnings)",
            {
                **EXPIRES_WORKERS,
                ":complete": {"S": Status.COMPLETE.value},
                ":me": {"S": EXECUTION},
            },
            key=WORKER_KEY,
        ),
        add_to_totals(1, verdict=CLOSED),
        TURN_BACK,
        comment="No success without the record. A run with trouble behind it goes on, to be told.",
        output=finished_output(),
    )


def finished_output() -> dict[str, Any]:
    """Return the output of an execution that finished its run, for what comes after it."""
    return {
        messages.OUTCOME: "finished",
        messages.SCHEDULE_KEPT: expression("keptSchedule"),
        messages.RUN_KEY: variable("$run.key"),
        "attempts": variable("$last.attempt"),
        "outputs": expression("outputs"),
    }


def how_far() -> Task:
    """Read what the worker wrote, and find what stopped the attempt."""
    return table_call(
        JobState.HOW_FAR,
        "getItem",
        comment="Complete all the same? How far did it get, and what stopped it?",
        arguments={"Key": WORKER_KEY, "ConsistentRead": True},
        assign={
            variables.CAUSE: expression("causeRecorded"),
            variables.WORK: expression("workNow"),
            variables.SPOT_REFUSED: expression("spotRefusedNow"),
            variables.LAST: expression("lastRecorded"),
            **states_entered(),
        },
    )


def record() -> Task:
    """Write the attempt down, with what stopped it; and the run as complete, if its work is."""
    return table_call(
        JobState.RECORD_ATTEMPT,
        "updateItem",
        comment="Also one whose worker never started.",
        arguments={
            "Key": KEY,
            "UpdateExpression": expression("recordChange"),
            "ConditionExpression": "execution = :me AND attribute_exists(#status)",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":me": {"S": EXECUTION},
                ":status": {"S": expression("statusNow")},
                **ledger(6),
            },
        },
        assign=states_entered(),
    )


def give_back() -> Task:
    """Give the turn back after a run that was not quiet; it is written down as complete."""
    return table_call(
        JobState.GIVE_BACK,
        "updateItem",
        comment="Before people are told, so that the next run need not wait for that.",
        arguments={
            "Key": TURN_KEY,
            "UpdateExpression": "DELETE taken_by :mine",
            "ExpressionAttributeValues": {":mine": {"SS": [variable("$run.key")]}},
        },
        assign=states_entered(),
    )


# --- judging ------------------------------------------------------------------------------------


def answered(*answers: Answer) -> Expression:
    """Return the condition that the cause has one of these answers."""
    return expression("answered", answers=[answer.value for answer in answers])


def why_did_it_stop(
    *,
    finished: Finishes,
    choose: State,
    waits: Waits,
    spot: State,
    stop: State,
    hand_over: State,
    hangs: State,
) -> Choice:
    """Return the Choice with a rule for each answer of the cause table.

    What happens to Spot goes back to Spot without asking anew: a refusal waits and a reclaim that
    left progress behind does not, both while there is slack. Most of it never gets here, see
    ``weather``; the first time, the run time is learned before.
    """
    choice = Choice(
        JobState.WHY_DID_IT_STOP,
        comment="One rule for each answer of the cause table.",
    )
    for condition, comment, following in (
        (expression("isFinishedShard"), "Its run is told, once all are.", finished.shard),
        (expression("isFinishedInTurn"), "The record is complete; others wait.", finished.in_turn),
        (expression("isFinished"), "The record is complete.", finished.alone),
        (expression("isTooMany"), "This execution carries no more along.", hand_over),
        (expression("isToLearn"), "Back to Spot, for the first time.", waits.learning),
        (expression("isSpotAfterWait"), "There is time to wait for Spot.", waits.for_spot),
        (expression("isSpotAtOnce"), "It was getting on.", spot),
        (expression("isToldToWait"), "Nothing else is left to try.", waits.telling),
        (
            answered(Answer.WAIT_FOR_SPOT, Answer.WAIT),
            "It may be better in a while.",
            waits.for_all_else,
        ),
        (answered(Answer.STOP, Answer.FINISH), "Trying again would not help.", stop),
        (expression("isToldToHang"), "It came to no end.", hangs),
    ):
        choice.add_choice(Rule(condition, comment=comment), following)
    choice.default_choice(choose)  # It is decided anew.
    return choice


def learn() -> Task:
    """Read what the latest finished runs of the schedule took; 19 of 20 took no longer.

    The author's ``expected_minutes`` is a guess; the latest start of Spot is better taken from what
    runs took. One query, at the first trouble of a run that has a deadline.
    """
    return short_call(
        JobState.LEARN_RUN_TIME,
        "aws-sdk:dynamodb:query",
        comment="What 19 of 20 finished runs took at most, in place of expected_minutes.",
        arguments={
            "TableName": variable("$job.table"),
            "KeyConditionExpression": "job = :job AND run_key BETWEEN :first AND :last",
            "FilterExpression": "#status = :complete",
            "ProjectionExpression": "money",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":job": {"S": expression("partitionOfRun")},
                ":first": {"S": FIRST_RUN_KEY},
                ":last": {"S": LAST_RUN_KEY},
                ":complete": {"S": Status.COMPLETE.value},
            },
            "ScanIndexForward": False,
            "Limit": RECORDS,
        },
        assign={variables.RUN: expression("runLearned"), **states_entered()},
        output={},
    )


def wait_for_spot(state_id: str, comment: str) -> Wait:
    """Wait for a back-off that grows, is capped, and ends at the latest start of Spot."""
    return Wait(
        state_id,
        comment=comment,
        seconds=expression("secondsForSpot"),
        assign={variables.SPOT_REFUSED: expression("spotRefusedLonger"), **states_entered()},
    )


def wait_a_moment() -> Wait:
    """Wait before what is tried again for another reason; not at all before on-demand is taken."""
    return Wait(
        JobState.WAIT_A_MOMENT,
        comment="Backs off; then it is decided anew.",
        seconds=expression("secondsForAllElse"),
        assign=states_entered(),
    )


# --- going on -----------------------------------------------------------------------------------


def hand_over() -> Task:
    """Write down all attempts, those included that never got a task, for the next execution."""
    return table_call(
        JobState.HAND_OVER,
        "updateItem",
        comment="One execution carries so many attempts along; the next one reads the latest.",
        arguments={
            "Key": KEY,
            "UpdateExpression": "SET attempts = :attempts, money = :money",
            "ConditionExpression": "execution = :me AND #status = :running",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":me": {"S": EXECUTION},
                ":running": {"S": Status.RUNNING.value},
                **ledger(3),
            },
        },
        assign=states_entered(),
    )


def go_on() -> Task:
    """Start the execution in which the run goes on; it takes the claim that is handed over."""
    return short_call(
        JobState.GO_ON,
        "aws-sdk:sfn:startExecution",
        comment="A history and what is carried along would else grow without end.",
        arguments={
            "StateMachineArn": variable("$states.context.StateMachine.Id"),
            "Name": expression("nameOfNext"),
            "Input": expression("textOfNext"),
        },
        output=gone_on(),
    )


def go_on_and_wait() -> Task:
    """Start the execution in which a shard goes on, and wait for it as the shard's run does.

    The Map of the run waits for the shard's first execution alone. What comes of the next one
    stands in the shard's record.
    """
    return Task(
        JobState.GO_ON_AND_WAIT,
        comment="The Map waits for this execution, and for none that it has not started.",
        resource=AND_WAIT,
        timeout_seconds=LONGEST_SECONDS,
        arguments={
            "StateMachineArn": variable("$states.context.StateMachine.Id"),
            "Name": expression("nameOfNext"),
            "Input": expression("inputOfNext"),
        },
        retry=patient_start(),
        output={},
    )


def gone_on() -> dict[str, Any]:
    """Return the output of an execution whose run goes on in another."""
    return {
        messages.OUTCOME: messages.GONE_ON,
        messages.RUN_KEY: variable("$run.key"),
        messages.EXECUTION: expression("executionOfNext"),
    }


def going_on(marking: State, duplicate: State) -> Task:
    """Return the first state of handing a run over to its next execution, with all that follow."""
    handing, starting, waiting = hand_over(), go_on(), go_on_and_wait()
    gone = Succeed(JobState.GONE_ON, output=gone_on())
    asked = Choice(JobState.DOES_ITS_RUN_WAIT, comment="Of a shard, until its execution has ended.")
    stuck = {
        variables.ATTEMPTS: expression("allAttempts"),
        variables.CAUSE: expression("causeNotContinued"),
        **states_entered(),
    }
    give_up = Catch(marking, error_equals=["States.ALL"], assign=stuck)
    _choose(
        asked,
        ("isShard", "So this execution waits for the next one.", waiting),
        ("always", "Nobody waits for it.", starting),
    )
    handing.next_step = asked
    handing.catches = [Catch(duplicate, error_equals=[CONDITION_FAILED]), give_up]
    starting.catches = [give_up]
    waiting.next_step = gone
    waiting.catches = [Catch(gone, error_equals=["States.TaskFailed"]), give_up]
    return handing


# --- ending -------------------------------------------------------------------------------------


def mark() -> Task:
    """Write into the record that the run ended unfinished, before anybody can redrive it.

    The worker's item is closed to its worker with it, unless the work is complete.
    """
    values = {
        ":unfinished": {"S": Status.UNFINISHED.value},
        ":complete": {"S": Status.COMPLETE.value},
        ":me": {"S": EXECUTION},
    }
    return transaction(
        JobState.MARK_UNFINISHED,
        change(
            "SET #status = :unfinished, attempts = :attempts, money = :money, cause = :cause,"
            f" shards_left = :left, {OPEN_AS_PARKED}",
            "execution = :me AND #status <> :complete",
            {
                **values,
                **ledger(7),
                **PARKED,
                ":cause": {"S": variable("$cause.name")},
                ":left": {"S": expression("shardsLeftColumn")},
            },
        ),
        change(*UNFINISHED_WORK, values, key=WORKER_KEY),
        TURN_BACK,
        comment="Before it is parked, so that a redrive never meets a run that still looks alive.",
    )


def park() -> Task:
    """Put the run into the job's dead-letter queue, from where it can be redriven for 14 days."""
    return short_call(
        JobState.PARK,
        "sqs:sendMessage",
        comment="It waits there for a redrive; an alarm rings.",
        arguments={"QueueUrl": variable("$job.queue"), "MessageBody": expression("parkedMessage")},
        assign={variables.WORK: expression("workUnfinished")},
        output={},
    )


def add_up() -> Task:
    """Add a complete run to its month's totals, and say when its items may be deleted.

    Nothing waits for that: the row of totals is the job's, so that another run may be at it, which
    is the one thing that is to be expected to cancel it.
    """
    ours = {":complete": {"S": Status.COMPLETE.value}, ":me": {"S": EXECUTION}}
    condition = "#status = :complete AND execution = :me"
    return transaction(
        JobState.ADD_UP,
        change(f"SET {EXPIRES}", condition, {**ours, **EXPIRES_OWN}),
        change(f"SET {EXPIRES}", condition, {**ours, **EXPIRES_WORKERS}, key=WORKER_KEY),
        add_to_totals(1),
        comment="Close the run does it for a run without trouble.",
        retry=patient(),
    )


def read_log(telling: State) -> Task:
    """Read what the job printed last, for the mail; without it people are told all the same.

    A task that never ran has no log, and lines may be longer than a state takes.
    """
    unread: dict[str, Any] = {variables.PRINTED: []}
    reading = short_call(
        JobState.READ_LOG,
        "aws-sdk:cloudwatchlogs:getLogEvents",
        "CloudWatchLogs.ResourceNotFoundException",
        comment="Its last lines stand in the mail.",
        arguments={
            "LogGroupName": variable("$job.log"),
            "LogStreamName": expression("logStream"),
            "Limit": LINES_READ,
        },
        assign={variables.PRINTED: expression("printedLast")},
        output={},
    )
    reading.next_step = telling
    reading.catches = [
        Catch(telling, error_equals=["States.DataLimitExceeded"], assign=unread),
        Catch(telling, error_equals=["States.ALL"], assign=unread),
    ]
    return reading


def tell() -> Task:
    """Publish what became of the run; a mail that can't be sent never fails it."""
    return publish(JobState.TELL, {})


def tell_it_waits() -> Task:
    """Publish that on-demand is refused; without a word that may go on for days."""
    return publish(
        JobState.TELL_IT_WAITS,
        {"outcome": "waiting", "severity": "warning", "toCome": 1},
        comment="On-demand is refused, which may last for hours.",
        assign=states_entered(),
    )


def tell_it_is_skipped() -> Task:
    """Publish that the run was not begun, under an outcome of its own."""
    return publish(
        JobState.TELL_IT_IS_SKIPPED,
        {"outcome": messages.SKIPPED, "severity": "info", "toCome": 2},
        comment="Subscriptions can filter it out by its outcome.",
    )


def tell_it_hangs(choosing: State) -> Task:
    """Publish that an attempt used up its limit without an end; the run goes on in another."""
    told = publish(
        JobState.TELL_IT_HANGS,
        {"outcome": "hanging", "severity": "warning", "toCome": 1},
        comment="An attempt came to no end within its limit; another one may do the same.",
        assign=states_entered(),
    )
    told.next_step = choosing
    told.catches = [Catch(choosing, error_equals=["States.ALL"], assign=states_entered())]
    return told


def publish(state_id: str, given: dict[str, Any], **fields: Any) -> Task:
    """Return a Task that publishes; ``given`` stands in for expressions about the run's end."""
    return publishing(
        state_id,
        variable("$job.topic"),
        subject=expression("subject", **given),
        message=expression("message", **given),
        attributes=expression("messageAttributes", **given),
        **fields,
    )


def _goes_on_to(following: State, task: Task) -> None:
    """Let a task go on to the same state, whatever becomes of its call."""
    task.next_step = following
    task.catches = [Catch(following, error_equals=["States.ALL"], assign=states_entered())]


def _ends_by(following: State, task: Task) -> None:
    """Let a task of the run's end go on, whatever becomes of its call; it is counted before."""
    task.next_step = following
    task.add_catch(Catch(following, error_equals=["States.ALL"]))


def _choose(choosing: Choice, *rules: tuple[str, str, State]) -> None:
    """Add rules, each the name of a condition, a comment and what follows."""
    for condition, comment, following in rules:
        rule = Rule(expression(condition), comment=comment, assign=states_entered())
        choosing.add_choice(rule, following)


def _let_end(
    attempt: Task,
    capacity: Capacity,
    closing: State,
    reading: State,
    refused: State,
    *,
    states: int,
) -> None:
    """Let an attempt end: in a quiet run, in trouble, or as a call that is ``refused``.

    ``states`` are those entered by a call that is refused; *Why did it stop?* is counted with it.
    """
    attempt.next_step = closing
    refusing = {
        **attempted("lastRefused", capacity, expression("statesEnteredNow", more=states)),
        variables.CAUSE: expression("causeRefused", capacity=capacity.value),
        variables.WORK: expression("workUnread"),
    }
    failing = attempted("lastFailed", capacity, expression("statesOfFailed"))
    attempt.catches = [
        Catch(refused, error_equals=list(CALL_ERRORS), assign=refusing),
        Catch(reading, error_equals=["States.ALL"], assign=failing),
    ]


def build() -> Machine:
    """Return the definition, the job's parameters still to be filled in."""
    choosing, spot, demand, closing = choose_capacity(), on_spot(), on_demand(), close()
    looking = look(fair=spot, held=choosing)
    reading, recording, marking, parking, telling = how_far(), record(), mark(), park(), tell()
    waits = Waits(
        for_spot=wait_for_spot(
            JobState.WAIT_FOR_CAPACITY, "Backs off, never past the latest start of Spot."
        ),
        for_all_else=wait_a_moment(),
        learning=learn(),
        telling=tell_it_waits(),
    )
    hanging = tell_it_hangs(choosing)
    giving_back, adding_up = give_back(), add_up()
    duplicate = Succeed(
        "Duplicate",
        comment="Another execution works this scheduled time off, or has done so.",
        output={messages.OUTCOME: messages.DUPLICATE, messages.RUN_KEY: variable("$run.key")},
    )
    judging = why_did_it_stop(
        finished=Finishes(shard=adding_up, in_turn=giving_back, alone=telling),
        choose=choosing,
        waits=waits,
        spot=looking,
        stop=marking,
        hand_over=going_on(marking, duplicate),
        hangs=hanging,
    )
    finished = Succeed(
        "Finished",
        output=finished_output(),
    )
    # Under a name of ours, which EventBridge rules and people can read.
    failed = Fail("Failed", error=expression("failureName"), cause=expression("failureText"))
    asking = Choice(JobState.IS_IT_A_SHARD, comment="A shard is parked with its run.")
    asking.add_choice(Rule(expression("isShard")), failed)
    asking.default_choice(parking)
    fanning = fanning_out(Ends(unfinished=marking, told=telling, quiet=adding_up))
    first = claiming(
        go_on=choosing,
        new=looking,
        completed=reading,
        parked=asking,
        marked=marking,
        duplicate=duplicate,
        told=tell_it_is_skipped(),
    )

    _choose(
        choosing,
        ("isTampered", "Its record held what no claim had made.", marking),
        ("isFannedOut", "Many tasks work it off.", fanning),
        ("isSpent", "The budget of what stopped it is spent.", marking),
        ("isHeld", "Others are refused Spot, and there is time to wait.", waits.for_spot),
        ("isSpotNext", "There is slack and it leads somewhere, or Spot is all it may have.", spot),
        ("always", "On-demand is what is still on time, or all the job allows.", demand),
    )

    waiting = wait_for_spot(
        JobState.WAIT_TO_ASK_AGAIN, "Only Spot troubles the run, so nothing else is looked at."
    )
    waiting.next_step = spot
    noting = note(spot=spot, judging=judging)
    noting_refusal = note_refusal(waiting=waiting, judging=judging)
    _let_end(spot, Capacity.SPOT, closing, reading, noting_refusal, states=1)
    _let_end(demand, Capacity.ON_DEMAND, closing, reading, judging, states=2)
    closing.catches = [Catch(reading, error_equals=["States.ALL"], assign=states_entered())]
    reading.next_step = recording
    unread = {
        variables.CAUSE: expression("causeUnread"),
        variables.WORK: expression("workUnread"),
        variables.LAST: expression("lastShown"),
        **states_entered(),
    }
    reading.catches = [Catch(recording, error_equals=["States.ALL"], assign=unread)]
    recording.next_step = noting
    recording.catches = [
        Catch(duplicate, error_equals=[CONDITION_FAILED]),
        Catch(noting, error_equals=["States.ALL"], assign=states_entered()),
    ]
    _goes_on_to(telling, giving_back)
    waits.learning.next_step = waits.for_spot
    waits.learning.catches = [
        Catch(
            waits.for_spot,
            error_equals=["States.ALL"],
            assign={variables.RUN: expression("runUnlearned"), **states_entered()},
        )
    ]
    _goes_on_to(waits.for_all_else, waits.telling)
    waits.for_spot.next_step = looking
    waits.for_all_else.next_step = choosing

    _ends_by(asking, marking)
    parking.next_step = printing = read_log(telling)
    unparked = {
        variables.CAUSE: expression("causeNotParked"),
        variables.WORK: expression("workUnfinished"),
    }
    parking.catches = [Catch(printing, error_equals=["States.ALL"], assign=unparked)]
    ending = Choice(JobState.IS_IT_COMPLETE, comment="It was told either way.")
    ending.add_choice(Rule(expression("isComplete")), adding_up)
    ending.default_choice(failed)
    _ends_by(finished, adding_up)
    _ends_by(ending, telling)
    return Machine(
        first, comment="One run of a job, on Fargate Spot while there is slack, else on on-demand."
    )
