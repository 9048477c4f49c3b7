"""The small state machine that speaks for a run that could not: stopped, out of time, broken.

One for all jobs of a platform. Each job's EventBridge rule starts it for every execution of the job
that was FAILED, ABORTED or TIMED_OUT, with what it needs of the event and two things more, the name
of the job and the URL of its queue. A run that parked itself ended under an error of ours, so there
is nothing to do; one whose message the queue refused carries the error ``Steadyspot.NotParked`` and
is parked here.
"""

from __future__ import annotations

from steadyspot.contract import Status, columns
from steadyspot.contract.states import AfterTheEndState
from steadyspot.statemachines.calls import CONDITION_FAILED, short_call, table_call
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Choice, Fail, Machine, Rule, Succeed, Task


def mark() -> Task:
    """Mark the run unfinished, if the execution that ended still held it."""
    return table_call(
        AfterTheEndState.MARK_UNFINISHED,
        "updateItem",
        comment="Only if the record still names that execution and nobody marked it.",
        arguments={
            "TableName": "${Table}",
            "Key": {
                columns.JOB: {"S": variable("$jobName")},
                columns.RUN_KEY: {"S": expression("keyOfEnded")},
            },
            "UpdateExpression": "SET #status = :unfinished, #execution = :ended, #cause = :cause",
            "ConditionExpression": expression("markCondition"),
            "ExpressionAttributeNames": {
                "#status": columns.STATUS,
                "#execution": columns.EXECUTION,
                "#cause": columns.CAUSE,
            },
            "ExpressionAttributeValues": {
                ":unfinished": {"S": Status.UNFINISHED.value},
                ":complete": {"S": Status.COMPLETE.value},
                ":ended": {"S": variable("$ended.execution")},
                ":cause": {"S": expression("causeOfEnded")},
            },
        },
        assign={"key": expression("keyOfEnded")},
    )


def build() -> Machine:
    """Return the definition, the platform's names still to be filled in."""
    asked_right = Choice(AfterTheEndState.IS_IT_ALL_THERE)
    odd = Fail(
        AfterTheEndState.NOT_AN_END,
        error="Steadyspot.NotAnEnd",
        cause="The input must be the event of an execution's end, and the job's name and queue.",
    )
    look = short_call(
        AfterTheEndState.HOW_DID_IT_END,
        "aws-sdk:sfn:describeExecution",
        comment="Its error tells a run that the queue refused from one that parked itself.",
        arguments={"ExecutionArn": variable("$states.input.detail.executionArn")},
        assign={
            "request": expression("requestOfEnded"),
            "ended": expression("executionEnded"),
        },
        output={},
    )
    asked = Choice(
        AfterTheEndState.DID_IT_SPEAK, comment="Who ends under a name of ours has parked."
    )
    marking = mark()
    park = short_call(
        AfterTheEndState.PARK,
        "sqs:sendMessage",
        arguments={"QueueUrl": variable("$queue"), "MessageBody": expression("endedParked")},
        output={},
    )
    tell = short_call(
        AfterTheEndState.TELL,
        "sns:publish",
        "SNS.NotFoundException",
        "SNS.AuthorizationErrorException",
        arguments={
            "TopicArn": "${Topic}",
            "MessageStructure": "json",
            "Subject": expression("endedSubject"),
            "Message": expression("endedMessage"),
            "MessageAttributes": expression("endedAttributes"),
        },
        output={},
    )
    done = Succeed(AfterTheEndState.DONE)
    named = {
        "jobName": variable("$states.input.job"),
        "queue": variable("$states.input.queue"),
        "region": "${Region}",
    }
    asked_right.add_choice(Rule(expression("isWholeEvent"), assign=named), look)
    asked_right.default_choice(odd)
    look.next_step = asked
    asked.add_choice(Rule(expression("hasSpoken")), done)
    asked.default_choice(marking)
    marking.next_step = park
    marking.add_catch(Catch(done, error_equals=[CONDITION_FAILED], comment="It spoke for itself."))
    park.next_step = tell
    tell.next_step = done
    tell.add_catch(Catch(done, error_equals=["States.ALL"]))
    return Machine(
        asked_right, comment="Marks, parks and tells for an execution that could not do so itself."
    )
