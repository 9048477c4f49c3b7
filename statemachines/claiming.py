"""Claiming a run: one execution works off a scheduled time, whatever is delivered twice.

The record in the run table decides. A new run is claimed at once, both its items made in one
transaction. Else it is looked up who holds the run: it is left alone while that execution lives,
and taken over once it has ended without marking it, where a redrive asks for it, or where that
execution hands it over. What no claim
made is *tampered*: it is thrown away, and people are told instead of anything being run.
Where runs of a job must not overlap, the job's turn is taken in the transaction of the claim, and
``turns`` says what comes of a run whose turn it is not.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import Status, columns, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    CANCELED,
    EXECUTION,
    KEY,
    TABLE,
    TURN_KEY,
    WORKER_KEY,
    change,
    short_call,
    states_entered,
    transaction,
)
from steadyspot.statemachines.causes import attempts
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Choice, Rule, State, Task
from steadyspot.statemachines.turns import not_its_turn

NO_CAUSE = {
    "name": "none",
    "class": "none",
    "answer": "none",
    "budget": "none",
    "staysOnSpot": True,
}
"""The variable ``cause`` before anything has stopped the run."""

TAKING = (
    "SET #status = :running, execution = :me, claimed_at = :now, scheduled_time = :time,"
    " claims = :claims, shards = :shards, is_open = :open, open_as = :open_as"
)
NEW_OR_OURS = f"attribute_not_exists({columns.JOB}) OR execution = :me"
"""Of the worker's item. Ours: the reply to an earlier try of the same call was lost."""


def claim() -> Task:
    """Take a run that is new; a redrive always looks first."""
    run_key = {"S": expression("keyOfRun")}
    none: dict[str, Any] = {"shardsBefore": 0, "shardsLeft": [], "shardsOfJob": "${Shards}"}
    values = {
        ":running": {"S": Status.RUNNING.value},
        ":me": {"S": EXECUTION},
        ":now": {"S": expression("claimedAt")},
        ":time": {"S": expression("timeOfRun")},
        ":claims": {"N": "1"},
        ":shards": {"N": expression("shardsAtClaim", **none)},
        ":open": {"S": expression("openness")},
        ":open_as": {"S": expression("openRunning")},
    }
    # The variable `job` is known from the next state on.
    partition = {"S": expression("partitionOfRun", nameOfJob="${Job}")}
    own = {columns.JOB: partition, columns.RUN_KEY: run_key}
    made = {
        columns.JOB: {"S": "${Job}" + columns.WORKER_SUFFIX},
        columns.RUN_KEY: run_key,
        columns.STATUS: {"S": Status.RUNNING.value},
        columns.EXECUTION: {"S": EXECUTION},
    }
    nothing = {
        "claimsBefore": 0,
        "attemptsBefore": 0,
        "secondsBefore": {},
        "statesWaited": 0,
        "handedOver": {},
    }
    return transaction(
        JobState.CLAIM,
        change(TAKING, expression("claimCondition"), values, key=own, table="${Table}"),
        {
            "Put": {
                "TableName": "${Table}",
                "Item": made,
                "ConditionExpression": NEW_OR_OURS,
                "ExpressionAttributeValues": {":me": {"S": EXECUTION}},
            }
        },
        expression("turnOfClaim", nameOfJob="${Job}", tableOfJob="${Table}", overlap="${Overlap}"),
        comment="One execution works off a scheduled time, whatever is delivered twice.",
        assign={
            variables.JOB: expression("parameters"),
            variables.CAUSES: [cause.as_data() for cause in attempts()],
            variables.RUN: expression("runClaimed", **nothing),
            variables.ATTEMPTS: [],
            variables.WORK: expression("workUnclaimed"),
            variables.LAST: expression("lastClaimed", attemptsBefore=0),
            variables.CAUSE: NO_CAUSE,
            variables.SPOT_REFUSED: expression("spotNotRefused"),
            variables.SHARDS: expression("shardsClaimed", **none),
            variables.STATES_ENTERED: 1,
        },
    )


def who_holds_it() -> Task:
    """Read the run's items and the job's turn at once, as they were at one moment."""
    return short_call(
        JobState.WHO_HOLDS_IT,
        "aws-sdk:dynamodb:transactGetItems",
        arguments={
            "TransactItems": [
                {"Get": {"TableName": TABLE, "Key": key}} for key in (KEY, WORKER_KEY, TURN_KEY)
            ]
        },
        assign={
            variables.HOLDER: expression("holderOfRecord"),
            variables.ATTEMPTS: expression("attemptsOfRecord"),
            variables.WORK: expression("workNow", workerReason=""),
            variables.TURN: expression("turnOfRecord"),
            **states_entered(),
        },
        output={},
    )


def is_it_running() -> Task:
    """Ask Step Functions whether the execution that holds the run still runs, and which run."""
    return short_call(
        JobState.IS_IT_RUNNING,
        "aws-sdk:sfn:describeExecution",
        "Sfn.ExecutionDoesNotExistException",
        arguments={"ExecutionArn": variable("$holder.execution")},
        assign={
            variables.HOLDER: expression("holderDescribed"),
            variables.HOLDER_STATUS: variable("$states.result.Status"),
            **states_entered(2),
        },
        output={},
    )


def take_over() -> Task:
    """Take what the record shows, unless somebody was faster; what is not a claim's is thrown away.

    The worker's item is made new where there is none, or none that the claim before this one made.
    """
    return transaction(
        JobState.TAKE_OVER,
        change(
            f"{TAKING}, attempts = :attempts REMOVE {columns.BROKEN_OFF}",
            expression("takeOverCondition"),
            expression("takeOverValues"),
        ),
        expression("workerTakenOver"),
        expression("turnOfTakeOver"),
        comment="The record must still be as it was read.",
        assign={
            variables.RUN: expression("runClaimed"),
            variables.LAST: expression("lastClaimed"),
            variables.CAUSE: expression("causeTakenOver", noCause=NO_CAUSE),
            variables.WORK: expression("workTakenOver"),
            variables.SPOT_REFUSED: expression("spotRefusedBefore"),
            variables.SHARDS: expression("shardsClaimed"),
            variables.STATES_ENTERED: expression("statesTakenOver"),
        },
    )


def claiming(
    *,
    new: State,
    go_on: State,
    completed: State,
    parked: State,
    marked: State,
    duplicate: State,
    told: Task,
) -> Task:
    """Return the first state, with all that follows where the run is not simply ``new``."""
    first, holder, running, takeover = claim(), who_holds_it(), is_it_running(), take_over()
    other = not_its_turn(look=holder, duplicate=duplicate, told=told, lost=parked)
    settled, abandoned = Choice(JobState.IS_IT_SETTLED), Choice(JobState.WAS_IT_ABANDONED)
    given_up: dict[str, Any] = {variables.CAUSE: expression("causeNotClaimed")}
    give_up = Catch(parked, error_equals=["States.ALL"], assign=given_up)
    nothing = {
        variables.JOB: expression("parameters"),
        variables.CAUSES: [cause.as_data() for cause in attempts()],
        variables.RUN: expression("runUnclaimed"),
        variables.ATTEMPTS: [],
        variables.WORK: expression("workUnclaimed"),
        variables.LAST: expression("lastUnclaimed"),
        variables.STATES_ENTERED: 1,
        variables.GONE_RIVAL: "",
        variables.SHARDS: expression("shardsClaimed", shardsToBegin=1, shardsLeft=[]),
    }
    first.next_step = new
    first.catches = [Catch(holder, error_equals=["States.ALL"], assign={**nothing, **given_up})]
    holder.next_step = settled
    holder.catches = [give_up]
    # A run that cannot be marked meets who holds it, where it turns out that it was finished.
    marked.catches = [Catch(holder, error_equals=[CANCELED], assign=states_entered())]
    for condition, comment, following in (
        ("isOursAndComplete", "It was finished all the same.", completed),
        ("isOurs", "It was claimed, but its input makes no sense.", marked),
        ("isToTakeOverNow", "Nobody's, a redrive's, a stranger's, or handed over.", takeover),
        ("isToTakeOver", "It is to be had, but another run has the turn.", other),
        ("isOver", "Another execution has worked it off, or parked it.", duplicate),
    ):
        rule = Rule(expression(condition), comment=comment, assign=states_entered())
        settled.add_choice(rule, following)
    settled.default_choice(running)
    running.next_step = abandoned
    forgotten = {variables.HOLDER_STATUS: "", **states_entered(2)}
    gone = Catch(abandoned, error_equals=["Sfn.ExecutionDoesNotExistException"], assign=forgotten)
    running.catches = [gone, give_up]
    abandoned.add_choice(Rule(expression("holderLives")), duplicate)
    abandoned.add_choice(Rule(expression("isItsTurn"), assign=states_entered()), takeover)
    abandoned.add_choice(Rule(expression("always"), assign=states_entered()), other)
    takeover.next_step = go_on
    takeover.catches = [
        Catch(holder, error_equals=[CANCELED], assign=states_entered()),
        # It is ours now, but what it asks for makes no sense.
        Catch(
            marked,
            error_equals=["States.QueryEvaluationError"],
            assign={**given_up, **states_entered()},
        ),
        give_up,
    ]
    return first
