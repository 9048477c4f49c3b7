"""The weather of Spot: what the runs of a platform tell each other of refusals, and how it is read.

There is an item in the run table for each month and CPU architecture. A run reads it before it asks
for Spot, and writes into it when Spot refuses it or takes its capacity back; what it writes shows
it the item, too, so that a run whom Spot alone troubles need not look again. Where other runs were
refused just now, it does not ask, and waits as if it had been refused. Once nobody has been refused
for a while, who looks first asks for all. The item is part of no transaction, is read as it may
have been a moment ago, and nothing depends on any of these calls: where one fails, the run goes on
at once.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import columns, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import TABLE, states_entered
from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.states import Catch, State, Task

WEATHER_SECONDS = 5
"""TimeoutSeconds of each call, which is not tried again: nothing waits for what it says."""

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


def note_refusal(*, waiting: State, judging: State) -> Task:
    """Return the Task that writes a refused launch down; most often, the run just waits then."""
    return _note(JobState.NOTE_REFUSAL, "statesEnteredToWait", waiting, judging)


def note(*, spot: State, judging: State) -> Task:
    """Return the Task that writes a reclaim down, or a launch that was refused before its start.

    For all else it makes no call. A reclaim that left progress behind leads straight to ``spot``.
    """
    return _note(JobState.NOTE_WEATHER, "statesEnteredAtOnce", spot, judging)


def _note(state_id: str, straight_on: str, following: State, judging: State) -> Task:
    """Return a Task that is followed by ``judging`` unless that could say one thing only.

    ``straight_on`` counts the states where it is so, and is else an error, which is caught.
    """
    noting = _call(
        state_id,
        "updateItem",
        {
            "UpdateExpression": expression("weatherChange"),
            "ExpressionAttributeNames": {"#refused_": expression("weatherSeen")},
            "ExpressionAttributeValues": expression("weatherValues"),
            "ReturnValues": "ALL_NEW",
        },
        comment="Refused or taken back? Other runs want to know, and have told.",
        assign={variables.STATES_ENTERED: expression(straight_on, more=1)},
    )
    noting.next_step = following
    noting.catches = [Catch(judging, error_equals=["States.ALL"], assign=states_entered(2))]
    return noting
