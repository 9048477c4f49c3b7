"""Going on in a new execution, since neither a history nor what is carried along may grow for ever.

The claim is handed over with the last attempts; the next execution takes it as any other would.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import Status, columns, messages, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    CONDITION_FAILED,
    EXECUTION,
    KEY,
    choose,
    ledger,
    short_call,
    states_entered,
    table_call,
)
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.shards import start_and_wait
from steadyspot.statemachines.states import (
    Catch,
    Choice,
    State,
    Succeed,
    Task,
)


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
    return start_and_wait(
        JobState.GO_ON_AND_WAIT,
        "The Map waits for this execution, and for none that it has not started.",
        machine=variable("$states.context.StateMachine.Id"),
        name=expression("nameOfNext"),
        request=expression("inputOfNext"),
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
    choose(
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
