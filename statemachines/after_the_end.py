"""The small state machine that speaks for a run that could not: stopped, out of time, broken.

One for all jobs of a platform. Each job's EventBridge rule starts it for every execution of the job
that was FAILED, ABORTED or TIMED_OUT, with what it needs of the event and two things more, the name
of the job and the URL of its queue. A run that parked itself ended under an error of ours, so there
is nothing to do; one whose message the queue refused carries the error ``Steadyspot.NotParked`` and
is parked here.
"""

from __future__ import annotations

from steadyspot.contract import Status
from steadyspot.statemachines.calls import CALL_SECONDS, CONDITION_FAILED, patient, table_call
from steadyspot.statemachines.jsonata import (
    Catch,
    Choice,
    Fail,
    Machine,
    Rule,
    Succeed,
    Task,
    expression,
)

_WHOLE = """
$type($states.input.detail.executionArn) = 'string' and $type($states.input.job) = 'string'
and $type($states.input.queue) = 'string'
"""

_RUN_KEY = """
( $time := $request.scheduledTime;
  $type($time) = 'string' and $contains($time, /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$/)
    ? $replace($time, /[-:]/, '') : $type($request.runKey) = 'string' ? $request.runKey :
      $ended.name )
"""

_HOW = """
($ended.status = 'ABORTED' ? 'stopped' : $ended.status = 'TIMED_OUT' ? 'out of time'
  : 'broken off')
"""

_SPOKE = "$contains($ended.error, /^Steadyspot[.]/) and $ended.error != 'Steadyspot.NotParked'"

_SENTENCE = (
    f"'The execution was ' & {_HOW} & ' before the run had finished"
    "' & ($ended.status = 'FAILED' and $ended.error != '' ? ' (' & $ended.error & ')' : '') & '.'"
)

_NEXT_STEP = (
    "Redrive the run if it is still wanted; it resumes behind the work that is already durable."
)

_PARKED = f"""
$string({{ 'version': 1, 'job': $job, 'runKey': $key, 'scheduledTime':
  $exists($request.scheduledTime)
  ? $request.scheduledTime : '', 'execution': $ended.execution, 'cause': 'execution-ended',
  'sentence': {_SENTENCE}, 'nextStep': '{_NEXT_STEP}',
  'request': $merge([$request, {{ 'redrive': true }}, $exists($request.scheduledTime) ? {{}} : {{
    'runKey': $key }}]) }})
"""

_SUBJECT = f"'Steadyspot: ' & $job & ' ' & $key & ' was ' & {_HOW} & ', parked for redrive'"

_TEXT = f"""
$join([{_SUBJECT} & '.', '', {_SENTENCE}, 'What to do: {_NEXT_STEP}', '',
  'Execution: https://${{Region}}.console.aws.amazon.com/states/home?region=${{Region}}'
    & '#/v2/executions/details/' & $ended.execution],
  '\\n')
"""

_NOTIFICATION = f"""
{{ 'version': 1, 'job': $job, 'runKey': $key, 'outcome': 'stopped', 'severity': 'error',
  'cause': 'execution-ended',
  'sentence': {_SENTENCE}, 'nextStep': '{_NEXT_STEP}', 'execution': $ended.execution }}
"""


def build() -> Machine:
    """Return the definition, the platform's names still to be substituted."""
    asked_right = Choice("Is it all there?")
    odd = Fail(
        "Not an end",
        error="Steadyspot.NotAnEnd",
        cause="The input must be the event of an execution's end, and the job's name and queue.",
    )
    look = Task(
        "How did it end?",
        comment="Its error tells a run that the queue refused from one that parked itself.",
        resource="arn:aws:states:::aws-sdk:sfn:describeExecution",
        timeout_seconds=CALL_SECONDS,
        retry=patient(),
        arguments={"ExecutionArn": "{%$states.input.detail.executionArn%}"},
        assign={
            "request": expression(
                """( $input := $type($states.result.Input) = 'string' ? $parse($states.result.Input)
                : $states.result.Input; $type($input) = 'object' ? $input : {} )"""
            ),
            "ended": expression(
                """{ 'execution': $states.result.ExecutionArn, 'name': $states.result.Name,
                'status': $states.result.Status, 'error': $exists($states.result.Error) ?
                $states.result.Error : '' }"""
            ),
        },
        output={},
    )
    asked = Choice("Did it speak for itself?", comment="Who ends under a name of ours has parked.")
    mark = table_call(
        "Mark it unfinished",
        "updateItem",
        comment="Only if the record still names that execution and nobody marked it.",
        arguments={
            "TableName": "${Table}",
            "Key": {"job": {"S": "{%$job%}"}, "run_key": {"S": expression(_RUN_KEY)}},
            "UpdateExpression": "SET #status = :unfinished, #execution = :ended, #cause = :cause",
            "ConditionExpression": (
                "attribute_not_exists(#status) OR "
                "(#execution = :ended AND #status IN (:running, :committing, :also))"
            ),
            "ExpressionAttributeNames": {
                "#status": "status",
                "#execution": "execution",
                "#cause": "cause",
            },
            "ExpressionAttributeValues": {
                ":unfinished": {"S": Status.UNFINISHED.value},
                ":running": {"S": Status.RUNNING.value},
                ":committing": {"S": Status.COMMITTING.value},
                ":also": {
                    "S": expression(
                        f"$ended.error = 'Steadyspot.NotParked' ? '{Status.UNFINISHED}' : '-'"
                    )
                },
                ":ended": {"S": "{%$ended.execution%}"},
                ":cause": {"S": "execution-ended"},
            },
        },
        assign={"key": expression(_RUN_KEY)},
    )
    park = Task(
        "Park the run",
        resource="arn:aws:states:::sqs:sendMessage",
        timeout_seconds=CALL_SECONDS,
        retry=patient(),
        arguments={"QueueUrl": "{%$queue%}", "MessageBody": expression(_PARKED)},
        output={},
    )
    tell = Task(
        "Tell people",
        resource="arn:aws:states:::sns:publish",
        timeout_seconds=CALL_SECONDS,
        retry=patient("SNS.NotFoundException", "SNS.AuthorizationErrorException"),
        arguments={
            "TopicArn": "${Topic}",
            "MessageStructure": "json",
            "Subject": expression(f"$substring({_SUBJECT}, 0, 99)"),
            "Message": expression(
                f"$string({{ 'default': $string({_NOTIFICATION}), 'email': {_TEXT} }})"
            ),
            "MessageAttributes": {
                "job": {"DataType": "String", "StringValue": "{%$job%}"},
                "outcome": {"DataType": "String", "StringValue": "stopped"},
                "cause": {"DataType": "String", "StringValue": "execution-ended"},
                "severity": {"DataType": "String", "StringValue": "error"},
            },
        },
        output={},
    )
    done = Succeed("Done")
    named = {"job": "{%$states.input.job%}", "queue": "{%$states.input.queue%}"}
    asked_right.add_choice(Rule(_WHOLE, assign=named), look)
    asked_right.default_choice(odd)
    look.next_step = asked
    asked.add_choice(Rule(_SPOKE), done)
    asked.default_choice(mark)
    mark.next_step = park
    mark.add_catch(Catch(done, error_equals=[CONDITION_FAILED], comment="It spoke for itself."))
    park.next_step = tell
    tell.next_step = done
    tell.add_catch(Catch(done, error_equals=["States.ALL"]))
    return Machine(
        asked_right, comment="Marks, parks and tells for an execution that could not do so itself."
    )
