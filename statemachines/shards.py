"""Fan-out: the states of a run that is spread over many tasks, each of which works off one shard.

A Distributed Map starts an execution of this same state machine for each shard and waits for its
end, so that nothing of what is decided for a run is written twice: a shard has a claim, a fence,
attempts and a record of its own. What became of them is read from their records, not from the Map:
a shard may have been finished by an earlier execution of the run, and what a Map gives back is
limited. Then the run is published as a whole, or ends unfinished with the numbers of the shards
that are.

A shard tells nobody and is parked nowhere; its run is. Its biggest drawback: beside its own states
each shard costs two, the wait that spreads the starts and the one that waits for its end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from steadyspot.contract import Status, columns, variables
from steadyspot.contract.shards import MOST_SHARDS
from steadyspot.contract.states import JobState, ShardState
from steadyspot.statemachines.calls import (
    EXECUTION,
    KEY,
    TABLE,
    TURN_BACK,
    WORKER_KEY,
    change,
    short_call,
    states_entered,
    transaction,
)
from steadyspot.statemachines.composing import Expression, expression, named, variable
from steadyspot.statemachines.states import (
    Catch,
    Choice,
    Map,
    Retry,
    Rule,
    State,
    Succeed,
    Task,
    Wait,
)

LONGEST_SECONDS = 99_999_999
"""TimeoutSeconds at most: a shard has its own limits and deadline."""


AND_WAIT = "arn:aws:states:::states:startExecution.sync:2"
"""Starts an execution and waits for its end; with who waits, it is stopped."""


def patient_start() -> list[Retry]:
    """Return the retriers of a start: how the execution ended is no reason to start it again."""
    return [
        Retry(
            error_equals=[
                "States.TaskFailed",
                "States.QueryEvaluationError",
                "StepFunctions.ExecutionAlreadyExistsException",
            ],
            max_attempts=0,
        ),
        Retry(
            error_equals=["States.ALL"],
            max_attempts=8,
            max_delay_seconds=30,
            jitter_strategy="FULL",
        ),
    ]


def start_and_wait(state: str, comment: str, *, machine: Any, name: Any, request: Any) -> Task:
    """Return a state that starts an execution and waits for its end, however long that takes."""
    return Task(
        state,
        comment=comment,
        resource=AND_WAIT,
        timeout_seconds=LONGEST_SECONDS,
        arguments={"StateMachineArn": machine, "Name": name, "Input": request},
        retry=patient_start(),
        output={},
    )


class Ends(NamedTuple):
    """Where a run goes once its shards have ended."""

    unfinished: State
    told: State
    quiet: State


def run_shards() -> Map:
    """Start an execution of this state machine for each shard, and wait for all of them.

    A shard that fails ends no other one, and its end says nothing that its record does not.
    """
    spreading = Wait(
        ShardState.SPREAD,
        comment="One after the other, as Fargate launches them.",
        seconds=variable("$states.input.seconds"),
    )
    running = start_and_wait(
        ShardState.RUN_SHARD,
        "Its record says how it ended.",
        machine=variable("$states.input.machine"),
        name=variable("$states.input.name"),
        request=variable("$states.input.request"),
    )
    ended = Succeed(ShardState.NOT_COMPLETE, comment="Its run says so.", output={})
    spreading.next_step = running
    running.catches = [Catch(ended, error_equals=["States.ALL"])]
    return Map(
        JobState.RUN_SHARDS,
        comment="Each shard is worked off by an execution of its own.",
        label="Shards",
        items=expression("shardsToRun"),
        max_concurrency=expression("atOnce"),
        tolerated_failure_count=MOST_SHARDS,
        item_selector={
            "seconds": expression("secondsToSpread"),
            "name": expression("nameOfShard"),
            "request": expression("requestOfShard"),
            "machine": variable("$states.context.StateMachine.Id"),
        },
        processor=spreading,
        assign=shards_ended(),
        output={},
    )


def shards_ended() -> dict[str, Any]:
    """Return what the end of all shards assigns; the records are read from the first on."""
    return {variables.SHARDS: expression("shardsEnded"), **states_entered()}


def read(state_id: str, partition: Expression, first: str, last: str, **fields: Any) -> Task:
    """Read some items of shards, from one key to another."""
    return short_call(
        state_id,
        "aws-sdk:dynamodb:query",
        arguments={
            "TableName": TABLE,
            "ConsistentRead": True,
            "KeyConditionExpression": "job = :job AND run_key BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":job": {"S": partition},
                ":first": {"S": expression(first)},
                ":last": {"S": expression(last)},
            },
            **fields.pop("wanted"),
        },
        output={},
        **fields,
    )


def read_shards() -> Task:
    """Read how some more shards ended."""
    return read(
        JobState.READ_SHARDS,
        expression("partitionOfShards"),
        "firstKeyOfPage",
        "lastKeyOfPage",
        comment="What their records say counts.",
        wanted={"ProjectionExpression": "run_key, #status, cause, money"},
        assign={variables.SHARDS: expression("shardsRead"), **states_entered()},
    )


def read_their_work() -> Task:
    """Read what the shards that were read last have made."""
    return read(
        JobState.READ_THEIR_WORK,
        expression("workerPartition"),
        "firstKeyRead",
        "lastKeyRead",
        comment="Their outputs by number, size and hash.",
        wanted={"ProjectionExpression": "run_key, #status, completion, warnings"},
        assign={variables.SHARDS: expression("shardsMade"), **states_entered()},
    )


def put(state_id: str, what: str, **fields: Any) -> Task:
    """Write a JSON object beside the run's outputs, locked as they are.

    All of its arguments are one expression: a lock is there or not.
    """
    return short_call(
        state_id, "aws-sdk:s3:putObject", arguments=expression(what), output={}, **fields
    )


def complete() -> Task:
    """Write down that the run is complete; its outputs are those of its shards."""
    values = {":complete": {"S": Status.COMPLETE.value}, ":me": {"S": EXECUTION}}
    return transaction(
        JobState.COMPLETE,
        change(
            "SET #status = :complete, money = :money REMOVE is_open, open_as, shards_left",
            "execution = :me AND #status = :running",
            {
                **values,
                ":running": {"S": Status.RUNNING.value},
                ":money": {"M": expression("moneyColumn", toCome=named("statesOverShards"))},
            },
            key=KEY,
        ),
        change(
            "SET #status = :complete, completion = :completion",
            "execution = :me",
            {**values, ":completion": {"M": expression("completionColumn")}},
            key=WORKER_KEY,
        ),
        TURN_BACK,
        assign={
            variables.WORK: expression("workOfShards"),
            variables.CAUSE: expression("causeOfComplete"),
            **states_entered(2),
        },
    )


def fanning_out(ends: Ends) -> Map:
    """Return the first state of a run that is spread over tasks, with all that follow."""
    fanning, reading, looking = run_shards(), read_shards(), read_their_work()
    asked = Choice(JobState.ARE_ALL_READ, comment="So many are read at once.")
    listing = put(
        JobState.LIST_THEIR_WORK,
        "listToPut",
        comment="The completion record names the lists where there are many shards.",
        assign={variables.SHARDS: expression("shardsListed"), **states_entered()},
    )
    publishing = put(
        JobState.PUBLISH,
        "completionToPut",
        comment="Written last: where it is, all shards are complete.",
        assign=states_entered(),
    )
    completing = complete()
    telling = Choice(JobState.IS_THERE_TO_TELL, comment="Once, and not for each shard.")
    stuck = {variables.CAUSE: expression("causeOfStuck"), **states_entered()}
    give_up = Catch(ends.unfinished, error_equals=["States.ALL"], assign=stuck)

    fanning.next_step = reading
    fanning.catches = [
        Catch(reading, error_equals=[name], assign=shards_ended())
        for name in ("States.DataLimitExceeded", "States.ALL")
    ]
    reading.next_step = looking
    looking.next_step = asked
    unfinished = {variables.CAUSE: expression("causeOfShards"), **states_entered()}
    for condition, comment, assigned, following in (
        ("isToList", "There are too many for the record.", states_entered(), listing),
        ("isToRead", "There are more.", states_entered(), reading),
        ("areAllComplete", "Nothing is left to do.", states_entered(), publishing),
        ("always", "A redrive runs those that are left.", unfinished, ends.unfinished),
    ):
        asked.add_choice(Rule(expression(condition), comment=comment, assign=assigned), following)
    listing.next_step = asked
    publishing.next_step = completing
    completing.next_step = telling
    for task in (reading, looking, listing, publishing, completing):
        task.catches = [give_up]
    quiet = Rule(expression("isQuietOverShards"), comment="It went as it should.")
    telling.add_choice(quiet, ends.quiet)
    telling.default_choice(ends.told)
    return fanning
