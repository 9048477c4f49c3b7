"""The small state machine that tells people when a run's deadline passes while the run goes on.

One for each job, whose own workflow cannot speak then: as a rule it is within the one state that
runs the container. So an EventBridge rule starts this machine for every execution that begins with
a deadline, with what the event says of it. Its wait costs nothing. A run that was in time costs two
states: the call whose result says that the run is over ends the execution. The record remembers for
which execution people were told, so that an event that comes twice is told once.
"""

from __future__ import annotations

from steadyspot.contract import Status, columns, variables
from steadyspot.contract.states import AtTheDeadlineState
from steadyspot.statemachines.calls import CONDITION_FAILED, EXECUTION, publishing, short_call
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Machine, Succeed, Task, Wait

QUERY_FAILED = "States.QueryEvaluationError"
TABLE, MINUTES = "${Table}", "${FinishWithinMinutes}"
KEY = {columns.JOB: {"S": variable("$jobName")}, columns.RUN_KEY: {"S": variable("$key")}}


def look() -> Task:
    """Read the run's record; an error, which is caught, if the run is still under way."""
    return short_call(
        AtTheDeadlineState.IS_IT_OVER,
        "aws-sdk:dynamodb:transactGetItems",
        comment="If the run is still under way, its output is an error, which is caught.",
        arguments={"TransactItems": [{"Get": {"TableName": TABLE, "Key": KEY}}]},
        output=expression("underWay"),
    )


def remember() -> Task:
    """Write down that people are told for the run's execution, if nobody else did."""
    return short_call(
        AtTheDeadlineState.REMEMBER,
        "dynamodb:updateItem",
        CONDITION_FAILED,
        comment="Only if nobody did.",
        arguments={
            "TableName": TABLE,
            "Key": KEY,
            "UpdateExpression": "SET told_late = :run, told_late_by = :me",
            "ConditionExpression": (
                "execution = :run AND #status = :running AND"
                " (attribute_not_exists(told_late) OR told_late <> :run OR told_late_by = :me)"
            ),
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":run": {"S": variable("$begun")},
                ":me": {"S": EXECUTION},
                ":running": {"S": Status.RUNNING.value},
            },
        },
        output={},
    )


def build() -> Machine:
    """Return the definition, the job's names still to be filled in."""
    wait = Wait(
        AtTheDeadlineState.WAIT,
        comment="To the deadline, or not at all where there is none.",
        seconds=expression("secondsToDeadline", jobMinutes=MINUTES),
        assign={
            "jobName": "${Job}",
            "region": "${Region}",
            variables.JOB: {"zoneOffsets": "${ZoneOffsets}"},
            "begun": variable("$states.input.executionArn"),
            "key": expression("keyOfBegun"),
            "deadline": expression("dueOfBegun", jobMinutes=MINUTES),
        },
    )
    looking, remembering = look(), remember()
    tell = publishing(
        AtTheDeadlineState.TELL,
        "${Topic}",
        subject=expression("lateSubject"),
        message=expression("lateMessage"),
        attributes=expression("lateAttributes"),
    )
    done = Succeed(AtTheDeadlineState.DONE)
    wait.next_step = looking
    looking.add_catch(Catch(remembering, error_equals=[QUERY_FAILED]))
    remembering.next_step = tell
    remembering.add_catch(Catch(done, error_equals=[CONDITION_FAILED]))
    tell.next_step = done
    tell.add_catch(Catch(done, error_equals=["States.ALL"]))
    return Machine(wait, comment="Tells people that a run's deadline has passed.")
