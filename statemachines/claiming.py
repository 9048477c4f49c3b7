"""Claiming a run: one execution works off a scheduled time, whatever is delivered twice.

The record in the run table decides. A run that another execution holds is left alone while that one
lives, and taken over once it has ended without marking it.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import Status, columns, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    CONDITION_FAILED,
    EXECUTION,
    short_call,
    states_entered,
    table_call,
)
from steadyspot.statemachines.causes import attempts
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Choice, Rule, State, Task

NO_CAUSE = {
    "name": "none",
    "class": "none",
    "answer": "none",
    "budget": "none",
    "staysOnSpot": True,
}
"""The variable ``cause`` before anything has stopped the run."""


def claim() -> Task:
    """Take the run: it is new, or already ours, or ended unfinished and is redriven."""
    return table_call(
        JobState.CLAIM,
        "updateItem",
        comment="One execution works off a scheduled time, whatever is delivered twice.",
        arguments={
            # The variable `job` is known from the next state on.
            "TableName": "${Table}",
            "Key": {columns.JOB: {"S": "${Job}"}, columns.RUN_KEY: {"S": expression("keyOfRun")}},
            "UpdateExpression": (
                "SET #status = :running, execution = :me, claimed_at = :now,"
                " scheduled_time = :time ADD claims :one"
            ),
            "ConditionExpression": expression("claimCondition"),
            "ExpressionAttributeValues": expression("claimValues"),
            "ReturnValues": "ALL_NEW",
        },
        assign={
            variables.JOB: expression("parameters"),
            variables.CAUSES: [cause.as_data() for cause in attempts()],
            variables.RUN: expression("runClaimed"),
            variables.ATTEMPTS: expression("attemptsOfRecord"),
            variables.WORK: expression("workNow", workerReason=""),
            variables.LAST: expression("lastClaimed"),
            variables.CAUSE: NO_CAUSE,
            variables.SPOT_REFUSED: expression("spotNotRefused"),
            variables.STATES_ENTERED: 1,
        },
    )


def who_holds_it() -> Task:
    """Read the record, consistently."""
    return table_call(
        JobState.WHO_HOLDS_IT,
        "getItem",
        arguments={
            "ConsistentRead": True,
            "ProjectionExpression": "#status, execution, attempts",
        },
        assign={
            variables.WORK: expression("workOfHolder"),
            variables.HOLDER: expression("holderOfRecord"),
            variables.ATTEMPTS: expression("attemptsOfRecord"),
        },
    )


def is_it_running() -> Task:
    """Ask Step Functions whether the execution that holds the run still runs."""
    return short_call(
        JobState.IS_IT_RUNNING,
        "aws-sdk:sfn:describeExecution",
        "Sfn.ExecutionDoesNotExistException",
        arguments={"ExecutionArn": variable("$holder"), "IncludedData": "METADATA_ONLY"},
        assign={variables.HOLDER_STATUS: variable("$states.result.Status")},
        output={},
    )


def take_over() -> Task:
    """Take a run whose execution ended without saying so, unless somebody else was faster."""
    return table_call(
        JobState.TAKE_OVER,
        "updateItem",
        comment="Its execution ended without marking it; the record must still name it.",
        arguments={
            "UpdateExpression": "SET execution = :me",
            "ConditionExpression": "execution = :holder AND #status <> :complete",
            "ExpressionAttributeValues": {
                ":me": {"S": EXECUTION},
                ":holder": {"S": variable("$holder")},
                ":complete": {"S": Status.COMPLETE.value},
            },
        },
    )


def claiming(*, go_on: State, told: State, parked: State, marked: State, duplicate: State) -> Task:
    """Return the first state, with all that follows where the run is not simply ours."""
    first, holder, running, takeover = claim(), who_holds_it(), is_it_running(), take_over()
    settled, abandoned = Choice(JobState.IS_IT_SETTLED), Choice(JobState.WAS_IT_ABANDONED)
    given_up: dict[str, Any] = {variables.CAUSE: expression("causeNotClaimed")}
    give_up = Catch(parked, error_equals=["States.ALL"], assign=given_up)
    nothing = {
        variables.JOB: expression("parameters"),
        variables.RUN: expression("runUnclaimed"),
        variables.ATTEMPTS: [],
        variables.WORK: expression("workUnclaimed"),
        variables.LAST: expression("lastUnclaimed"),
        variables.STATES_ENTERED: 1,
    }
    first.next_step = go_on
    first.catches = [Catch(holder, error_equals=["States.ALL"], assign={**nothing, **given_up})]
    holder.next_step = settled
    holder.catches = [give_up]
    # A run that cannot be marked meets who holds it, where it turns out that it was finished.
    marked.catches = [Catch(holder, error_equals=[CONDITION_FAILED], assign=states_entered())]
    for condition, assign, following in (
        ("isOursAndComplete", states_entered(2), told),
        ("isOurs", states_entered(2), marked),
        ("isHeldByNobody", states_entered(), parked),
        ("isOver", {}, duplicate),
    ):
        settled.add_choice(Rule(expression(condition), assign=assign), following)
    settled.default_choice(running)
    running.next_step = abandoned
    running.catches = [
        Catch(takeover, error_equals=["Sfn.ExecutionDoesNotExistException"]),
        give_up,
    ]
    abandoned.add_choice(Rule(expression("holderLives")), duplicate)
    abandoned.default_choice(takeover)
    takeover.next_step = first
    takeover.catches = [Catch(duplicate, error_equals=[CONDITION_FAILED]), give_up]
    return first
