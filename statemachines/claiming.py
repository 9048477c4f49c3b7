"""Claiming a run: one execution works off a scheduled time, whatever is delivered twice.

The record in the run table decides. A run that another execution holds is left alone while that one
lives, and taken over once it is gone without a word.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import Status
from steadyspot.statemachines import expressions as x
from steadyspot.statemachines.calls import (
    CALL_SECONDS,
    CONDITION_FAILED,
    EXECUTION,
    NO_WORK,
    WORK,
    of_item,
    patient,
    table_call,
)
from steadyspot.statemachines.causes import CauseClass
from steadyspot.statemachines.jsonata import Catch, Choice, Rule, State, Task, expression

_INPUT = """
$input := $states.context.Execution.Input; $time := $input.scheduledTime;
$given := function($name, $default) { $exists($lookup($input, $name)) ? $lookup($input, $name) :
  $default };
"""

RUN_KEY = """
( $key := $exists($time) ? $replace($fromMillis($toMillis($time)), /[.][0-9]+|[-:]/, '')
    : $given('runKey', $states.context.Execution.Name);
  $type($key) = 'string' and $contains($key, /^[A-Za-z0-9._=-]+$/) ? $key
    : $error('runKey must be letters, digits and . _ = -') )
"""

SETTINGS = f"""
( {_INPUT}
  $atLeast0 := function($name, $default) {{( $value := $given($name, $default);
    $type($value) = 'number' and $value >= 0 ? $value : $error($name &
      ' must be a number, 0 or more') )}};
  $start := $toMillis($exists($time) ? $time : $states.context.Execution.StartTime);
  $within := $atLeast0('finishWithinMinutes', ${{FinishWithinMinutes}});
  $expected := 60 * $atLeast0('expectedMinutes', ${{ExpectedMinutes}});
  $capacity := $given('capacity', '${{Capacity}}');
  $command := $given('command', []);
  $budgets := $merge([{{ 'interruptions': ${{Interruptions}}, 'throttles': ${{Throttles}},
    'infrastructure': ${{Infrastructure}}, 'failures': ${{Failures}} }}, $given('budgets', {{}})]);
  $wrong := $capacity in ['spot-first', 'spot-only', 'on-demand-only']
    ? $type($command) != 'array' or $count($command[$type($) = 'string']) < $count($command)
      ? 'command must be a list of strings'
    : true in $each($budgets, function($value) {{ $type($value) != 'number' }})
      ? 'budgets must be numbers' : ''
    : 'capacity must be spot-first, spot-only or on-demand-only';
  $wrong = '' ? '' : $error($wrong);
  {{ 'key': $item.run_key.S, 'scheduledTime': $time & '', 'claims': $number($item.claims.N),
    'before': $count($item.attempts.L), 'finishBy': $within > 0 ? $start + 60000 * $within : 0,
    'hopeless': $within > 0 and $millis() + 1000 * (${{StartUpSeconds}} + $expected)
      > $start + 60000 * $within,
    'expected': $expected, 'limit': $max([3 * $expected, 3600]),
    'reserve': 2 * ${{StartUpSeconds}} + ${{StopTimeout}} + ${{MarginSeconds}},
    'yields': $within > 0 and $capacity != 'spot-only',
    'capacity': $capacity, 'command': $command, 'budgets': $budgets, 'learned': false }} )
"""
"""``run`` from the input and the job's defaults; an error, which is caught, if the input makes no
sense."""

KEY_ONLY = """
( $time := $states.context.Execution.Input.scheduledTime;
  $known := $type($time) = 'string' and $contains($time,
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/);
  $key := $states.context.Execution.Input.runKey;
  { 'key': $known ? $replace($time, /[-:]/, '') : $type($key) = 'string' ? $key :
    $states.context.Execution.Name,
    'scheduledTime': $known ? $time : '', 'finishBy': 0, 'before': 0 } )
"""
"""``run`` where it could not be claimed: total, whatever the input, and enough to park and tell."""


def claim_arguments(condition: str, **values: Any) -> dict[str, Any]:
    """Return the call that writes this execution into the record, under ``condition``."""
    return {
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {":me": {"S": EXECUTION}, **values},
    }


def claim() -> Task:
    """Take the run: it is new, or already ours, or ended unfinished and is redriven."""
    redriven = "$states.context.Execution.Input.redrive = true"
    return table_call(
        "Claim the run",
        "updateItem",
        comment="One execution works off a scheduled time, whatever is delivered twice.",
        arguments={
            "Key": {
                "job": {"S": "${Job}"},
                "run_key": {"S": expression(f"( {_INPUT} {RUN_KEY} )")},
            },
            "UpdateExpression": (
                "SET #status=:running,execution=:me,claimed_at=:now,scheduled_time=:time"
                " ADD claims :one"
            ),
            **claim_arguments(
                "attribute_not_exists(#status) OR execution=:me OR #status=:claimable",
                **{
                    ":claimable": {"S": f"{{% {redriven} ? '{Status.UNFINISHED}' : '-' %}}"},
                    ":running": {"S": Status.RUNNING.value},
                    ":now": {"S": "{%$now()%}"},
                    ":time": {"S": "{%$states.context.Execution.Input.scheduledTime & ''%}"},
                    ":one": {"N": "1"},
                },
            ),
            "ReturnValues": "ALL_NEW",
        },
        assign={
            "run": of_item(SETTINGS),
            "attempts": of_item(x.FROM_DYNAMODB),
            "work": of_item(WORK.replace("WORD", "''")),
            "last": of_item(
                "{ 'attempt': $count($item.attempts.L), 'capacity': '', 'started': false }"
            ),
            "cause": {"name": "", "class": ""},
            "drought": expression(x.NO_DROUGHT),
            "entered": 1,
        },
    )


def who_holds_it() -> Task:
    """Read the record, consistently."""
    return table_call(
        "Who holds it?",
        "getItem",
        arguments={
            "ConsistentRead": True,
            "ProjectionExpression": "#status,execution,attempts",
        },
        assign={
            "work": "{%$merge([$work, {'status': $states.result.Item.status.S & ''}])%}",
            "holder": "{%$states.result.Item.execution.S & ''%}",
            "attempts": expression(f"( $item := $states.result.Item; {x.FROM_DYNAMODB} )"),
        },
    )


def is_it_running() -> Task:
    """Ask Step Functions whether the execution that holds the run still runs."""
    return Task(
        "Is it still running?",
        resource="arn:aws:states:::aws-sdk:sfn:describeExecution",
        timeout_seconds=CALL_SECONDS,
        retry=patient("Sfn.ExecutionDoesNotExistException"),
        arguments={"ExecutionArn": "{%$holder%}", "IncludedData": "METADATA_ONLY"},
        assign={"holderStatus": "{%$states.result.Status%}"},
        output={},
    )


def take_over() -> Task:
    """Take a run whose execution ended without saying so, unless somebody else was faster."""
    return table_call(
        "Take the run over",
        "updateItem",
        comment="Its execution is gone without a word; the record must still name it.",
        arguments={
            "UpdateExpression": "SET execution=:me",
            **claim_arguments(
                "execution=:holder AND #status<>:complete",
                **{":holder": {"S": "{%$holder%}"}, ":complete": {"S": Status.COMPLETE.value}},
            ),
        },
    )


def not_claimed() -> dict[str, Any]:
    """Return the cause assigned where the run could not be taken at all; total."""
    return {
        "name": "not-claimed",
        "class": CauseClass.MISCONFIGURED.value,
        "sentence": expression(
            """( $e := $states.errorOutput; 'The run could not be taken up: ' & $e.Error & ' '
            & $substring($e.Cause & '', -200) )"""
        ),
        "nextStep": "Correct the input, or what the text names; then redrive the run.",
    }


def claiming(*, go_on: State, told: State, parked: State, marked: State, duplicate: State) -> Task:
    """Return the first state, with all that follows where the run is not simply ours."""
    first, holder, running, takeover = claim(), who_holds_it(), is_it_running(), take_over()
    settled, abandoned = Choice("Is it settled?"), Choice("Was it abandoned?")
    given_up = {"cause": not_claimed()}
    give_up = Catch(parked, error_equals=["States.ALL"], assign=given_up)
    nothing = {
        "run": expression(KEY_ONLY),
        "attempts": [],
        "work": NO_WORK,
        "last": {"attempt": 0, "exit_code": -1},
        "holder": "",
        "entered": 1,
    }
    first.next_step = go_on
    first.catches = [Catch(holder, error_equals=["States.ALL"], assign={**nothing, **given_up})]
    holder.next_step = settled
    holder.catches = [give_up]
    # A run that cannot be marked meets who holds it, where it turns out that it was finished.
    marked.catches = [Catch(holder, error_equals=[CONDITION_FAILED], assign=x.entered())]
    ours = "$holder = $states.context.Execution.Id"
    complete = f"{ours} and $work.status = 'complete'"
    settled.add_choice(Rule(complete, assign=x.entered(2)), told)
    settled.add_choice(Rule(ours, assign=x.entered(2)), marked)
    settled.add_choice(Rule("$holder = ''", assign=x.entered()), parked)
    settled.add_choice(Rule("$work.status in ['complete', 'unfinished']"), duplicate)
    settled.default_choice(running)
    running.next_step = abandoned
    running.catches = [
        Catch(takeover, error_equals=["Sfn.ExecutionDoesNotExistException"]),
        give_up,
    ]
    abandoned.add_choice(Rule("$holderStatus in ['RUNNING', 'PENDING_REDRIVE']"), duplicate)
    abandoned.default_choice(takeover)
    takeover.next_step = first
    takeover.catches = [Catch(duplicate, error_equals=[CONDITION_FAILED]), give_up]
    return first
