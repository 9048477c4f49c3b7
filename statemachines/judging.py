"""What comes after an attempt: a rule for each answer of the cause table, and the waits.

How long is waited, and whether Spot is next, stands in ``expressions/``.
"""

from __future__ import annotations

from typing import NamedTuple

from steadyspot.contract import Status, columns, variables
from steadyspot.contract.keys import FIRST_RUN_KEY, LAST_RUN_KEY
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    short_call,
    states_entered,
)
from steadyspot.statemachines.causes.row import Answer
from steadyspot.statemachines.composing import Expression, expression, variable
from steadyspot.statemachines.states import (
    Catch,
    Choice,
    Rule,
    State,
    Task,
    Wait,
)

RECORDS = 50
"""Records that are read to learn the run time; a query brings 1 MB at most, and one is some KB."""


class Waits(NamedTuple):
    """What comes after a refusal: a wait for Spot, before a look at it, and one for all else.

    ``learning`` comes before the first of a run that has learned nothing yet, ``telling`` before
    the first for on-demand.
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
    ``weather``. A launch that is refused at once is not written down, so that the run time is
    learned here; else it is learned as soon as the attempt is written down.
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


def learn(state_id: str, following: State) -> Task:
    """Read what the latest finished runs of the schedule took; 19 of 20 took no longer.

    The author's ``expected_minutes`` is a guess; the latest start of Spot is better taken from what
    runs took. One query, at the first trouble of a run that has a deadline.
    """
    learning = short_call(
        state_id,
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
    unlearned = {variables.RUN: expression("runUnlearned"), **states_entered()}
    learning.next_step = following
    learning.catches = [Catch(following, error_equals=["States.ALL"], assign=unlearned)]
    return learning


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
