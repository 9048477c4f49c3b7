"""The weather of Spot: what the runs of a platform tell each other of refusals, and how it is read.

There is an item in the run table for each month and CPU architecture. A run writes into it when
Spot refuses it or takes its capacity back, and reads it before each launch on Spot: where other
runs were refused just now, it does not ask, and waits as if it had been refused. Once nobody has
been refused for a while, who looks first asks for all. The item is part of no transaction, is read
as it may have been a moment ago, and nothing depends on either call: where one fails, the run goes
on at once.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import columns, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import TABLE, states_entered
from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.states import Catch, State, Task

WEATHER_SECONDS = 5
"""TimeoutSeconds of both calls, which are not tried again: nothing waits for what they say."""

KEY = {
    columns.JOB: {"S": columns.WEATHER},
    columns.RUN_KEY: {"S": expression("weatherMonth")},
}


def _call(state_id: str, action: str, arguments: dict[str, Any], **fields: Any) -> Task:
    return Task(
        state_id,
        resource=f"arn:aws:states:::dynamodb:{action}",
        timeout_seconds=WEATHER_SECONDS,
        arguments={"TableName": TABLE, "Key": KEY, **arguments},
        output={},
        **fields,
    )


def look(*, fair: State, held: State) -> Task:
    """Return the Task that stands before each launch on Spot: a quiet run enters no Choice.

    ``fair`` is the launch. It is an error, which is caught, that Spot is not next, or is refused to
    others; then, and where the item cannot be read, ``held`` decides.
    """
    looking = _call(
        JobState.LOOK_AT_WEATHER,
        "getItem",
        {},
        comment="Is Spot refused to others just now? Then this run does not ask.",
        assign={variables.STATES_ENTERED: expression("statesEnteredIfFair", more=1)},
    )
    looking.next_step = fair
    waiting = {
        variables.CAUSE: expression("causeHeld"),
        variables.LAST: expression("lastHeld"),
        **states_entered(),
    }
    looking.catches = [
        Catch(held, error_equals=["States.QueryEvaluationError"], assign=waiting),
        Catch(held, error_equals=["States.ALL"], assign=states_entered()),
    ]
    return looking


def note(*, following: State) -> Task:
    """Return the Task that writes a refusal or a reclaim down; for all else it makes no call."""
    noting = _call(
        JobState.NOTE_WEATHER,
        "updateItem",
        {
            "UpdateExpression": expression("weatherChange"),
            "ExpressionAttributeNames": {"#refused_": expression("weatherSeen")},
            "ExpressionAttributeValues": expression("weatherValues"),
        },
        comment="Refused or taken back? Other runs want to know.",
        assign=states_entered(),
    )
    noting.next_step = following
    noting.catches = [Catch(following, error_equals=["States.ALL"], assign=states_entered())]
    return noting
