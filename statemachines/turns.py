"""Taking turns: what comes of a run that is due while another run of its job is under way.

A job whose runs must not overlap has one item in the run table, its turn. A run takes it in the
transaction that claims the run, and gives it back in the one that ends it, so that a quiet run
enters no further state. Here are the states of a run whose turn it is not. Who stands in its way
is asked for: one whose execution has ended is passed over. Else the run is skipped, waits in the
queue, which is a set of the item that is sorted by when the runs were due, or stops the other.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import Status, columns, messages, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    CONDITION_FAILED,
    EXECUTION,
    KEY,
    TURN_KEY,
    short_call,
    states_entered,
    table_call,
)
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.counting import count
from steadyspot.statemachines.states import Catch, Choice, Rule, State, Succeed, Task, Wait


def does_the_other_run() -> Task:
    """Ask Step Functions of the execution that stands in the way."""
    return short_call(
        JobState.DOES_THE_OTHER_RUN,
        "aws-sdk:sfn:describeExecution",
        "Sfn.ExecutionDoesNotExistException",
        arguments={"ExecutionArn": variable("$turn.inTheWay")},
        assign={variables.RIVAL: expression("otherDescribed"), **states_entered()},
        output={},
    )


def change_turn(state_id: str, update: Any, condition: Any, values: Any, comment: str) -> Task:
    """Return a Task that changes the job's turn alone."""
    return table_call(
        state_id,
        "updateItem",
        comment=comment,
        arguments={
            "Key": TURN_KEY,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        },
        assign=states_entered(),
    )


def pass_over() -> Task:
    """Take the turn from a run whose execution is gone, or the place from one that waited."""
    return change_turn(
        JobState.PASS_OVER,
        expression("passOver"),
        expression("passOverCondition"),
        expression("passOverValues"),
        "Its execution has ended, and nobody has given its turn back.",
    )


def queue() -> Task:
    """Join those that wait, unless they are as many as may."""
    return change_turn(
        JobState.QUEUE,
        "ADD queued :mine",
        "attribute_not_exists(queued) OR size(queued) < :most",
        {
            ":mine": {"SS": [expression("ownPlace")]},
            ":most": {"N": expression("mostInQueue")},
        },
        "Who was due first goes first.",
    )


def wait() -> Wait:
    """Wait before the next look, the longer the more was waited."""
    return Wait(
        JobState.WAIT_FOR_TURN,
        comment="Every look is billed, so they become rarer.",
        seconds=expression("secondsForTurn"),
        assign=states_entered(),
    )


def stop() -> Task:
    """Stop the execution that has the turn; After the end marks, parks and tells for it."""
    return short_call(
        JobState.STOP_THE_OTHER,
        "aws-sdk:sfn:stopExecution",
        comment="Its task may still save, but no longer publish once its run is marked.",
        arguments={
            "ExecutionArn": variable("$rival.execution"),
            "Error": messages.REPLACING,
            "Cause": expression("replacedWith"),
        },
        assign=states_entered(),
        output={},
    )


def skip() -> Task:
    """Write down that the run is skipped, so that it is not begun if it is delivered again."""
    return table_call(
        JobState.SKIP,
        "updateItem",
        comment="It can still be redriven by its scheduled time.",
        arguments={
            "Key": KEY,
            "UpdateExpression": (
                "SET #status = :skipped, execution = :me, claimed_at = :now,"
                " scheduled_time = :time, claims = :none, cause = :cause, skipped_for = :other"
            ),
            # Ours: the reply to an earlier try was lost.
            "ConditionExpression": "attribute_not_exists(execution) OR execution = :me",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":skipped": {"S": Status.SKIPPED.value},
                ":me": {"S": EXECUTION},
                ":now": {"S": expression("claimedAt")},
                ":time": {"S": expression("timeOfRun")},
                ":none": {"N": "0"},
                ":cause": {"S": expression("causeOfSkip")},
                ":other": {"S": expression("otherRun")},
            },
        },
        assign={variables.CAUSE: expression("causeSkipped"), **states_entered()},
    )


def not_its_turn(*, look: Task, duplicate: State, told: Task, lost: State) -> Task:
    """Return the first state of a run that somebody stands in the way of.

    ``look`` reads the items anew, ``told`` tells people of a run that is skipped, ``lost`` is for
    one that could not be taken up at all.
    """
    other, judged = does_the_other_run(), Choice(JobState.WHAT_OF_THE_OTHER)
    passed, stopped = pass_over(), stop()
    queued, waited, skipped = queue(), wait(), skip()
    give_up = Catch(
        lost,
        error_equals=["States.ALL"],
        assign={variables.CAUSE: expression("causeNotClaimed")},
    )
    other.next_step = judged
    unknown = {variables.RIVAL: expression("otherUnknown"), **states_entered()}
    other.catches = [
        Catch(judged, error_equals=["Sfn.ExecutionDoesNotExistException"], assign=unknown),
        give_up,
    ]
    next_one = {variables.TURN: expression("turnOfNext")}
    seen = {variables.GONE_RIVAL: variable("$rival.execution")}
    for condition, comment, assigned, following in (
        ("otherWentOn", "Its run goes on in another execution.", next_one, other),
        ("otherIsGone", "It will not give way by itself.", {}, passed),
        ("otherJustEnded", "Its turn may be given back any moment.", seen, waited),
        ("isToReplace", "It was due earlier than this run.", {}, stopped),
        ("waitsForTurn", "It is in the queue.", {}, waited),
        ("isToQueue", "There is room in the queue.", {}, queued),
        ("always", "It is not begun.", {}, skipped),
    ):
        rule = Rule(expression(condition), comment=comment, assign={**assigned, **states_entered()})
        judged.add_choice(rule, following)
    passed.next_step = look
    passed.catches = [
        Catch(look, error_equals=[CONDITION_FAILED], assign=states_entered()),
        give_up,
    ]
    queued.next_step = waited
    queued.catches = [
        Catch(look, error_equals=[CONDITION_FAILED], assign=states_entered()),
        give_up,
    ]
    waited.next_step = look
    stopped.next_step = waited
    stopped.catches = [Catch(waited, error_equals=["States.ALL"], assign=states_entered())]
    skipped.next_step = told
    skipped.catches = [Catch(duplicate, error_equals=[CONDITION_FAILED]), give_up]
    ended = Succeed(
        JobState.SKIPPED,
        comment="No run of its own.",
        output={messages.OUTCOME: messages.SKIPPED, messages.RUN_KEY: variable("$run.key")},
    )
    told.next_step = counted = count(JobState.COUNT_IT_AS_SKIPPED, "metricsOfSkipped", ended)
    told.catches = [Catch(counted, error_equals=["States.ALL"])]
    return other
