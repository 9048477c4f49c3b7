"""What people and machines are told: the mail, its JSON form, and the parked message.

Built as JSONata from ``run``, ``cause`` and ``attempts``. No Error, Cause or environment value is
passed on: only sentences of the cause table and what AWS says in words. The JSON form is described
by ``schemas/notification.schema.json``, the parked message by ``schemas/parked-run.schema.json``.
"""

from __future__ import annotations

from typing import Any

from statemachines.jsonata import expression

SHOWN_ATTEMPTS = 20
"""Attempts that a mail lists; a long drought makes more."""

OUTCOME = {
    "outcome": "{% $work.status = 'complete' ? 'finished' : 'failed' %}",
    "runKey": "{% $run.key %}",
    "attempts": "{% $count($attempts) %}",
}

_OUTCOME = """
($work.status != 'complete' ? 'failed' : $count($distinct($attempts.capacity)) > 1 ? 'fell-back' :
  'finished')
"""

_TROUBLE = (
    "($work.status = 'complete' and $count($attempts) > 1 ? $attempts[-2].cause : $cause.name)"
)

_SUBJECT = """
( $done := $work.status = 'complete'; $n := $count($attempts);
  $substring('Steadyspot: ${Job} ' & $run.key & ($done ? ' finished on ' & $last.capacity &
    ' after ' & $n
    & ($n = 1 ? ' attempt' : ' attempts') : ' failed: ' & $cause.name & ', parked for redrive'), 0,
      99) )
"""

_TOLD = f"""
$done := $work.status = 'complete'; $n := $count($attempts);
$on := function($capacity) {{ $sum([$attempts[capacity = $capacity].seconds]) }};
$spot := $on('spot'); $onDemand := $on('on-demand'); $wasted := $sum([$attempts.lost_seconds]);
$second := (${{Vcpu}} * ${{VcpuHourPrice}} + ${{MemoryGb}} * ${{GbHourPrice}}) / 3600;
$cost := $second * ($spot * (1 - ${{SpotDiscount}}) + $onDemand);
$without := $second * $max([0, $spot + $onDemand - $wasted]);
$saved := $without > 0 ? $round(100 * (1 - $cost / $without)) : 0;
$late := $run.finishBy > 0 and $millis() > $run.finishBy;
$outputs := 's3://${{Bucket}}/outputs/${{Job}}/' & $run.key & '/';
$why := $done ? 'The run is complete and its outputs are published.' : $cause.sentence;
$step := $done ? 'Nothing to do.' : $cause.nextStep;
$line := function($a) {{ $pad($string($a.attempt), -3) & '  ' & $pad($a.capacity, 9) & '  ' &
  $pad($a.zone, 14) & '  '
  & $substring($a.started_at, 11, 8) & '-' & $substring($a.ended_at, 11, 8) & '  ' &
    $pad($a.seconds & ' s', -7)
  & '  ' & $pad($a.cause, 22) & ' ' & $a.units_done & ($work.total > 0 ? '/' & $work.total) }};
$text := $join([{_SUBJECT} & '.', '', $why, $step, $late ? 'It is late: due at ' &
  $fromMillis($run.finishBy) & '.' : '',
  'Attempts (UTC; last column: units done):',
  $map($attempts[attempt > $n - {SHOWN_ATTEMPTS}], $line), '',
  'Spot ' & $spot & ' s, on-demand ' & $onDemand & ' s, of these wasted ' & $wasted & ' s. Cost $'
    & $formatNumber($cost, '0.0000##') & ', on on-demand only $' & $formatNumber($without,
      '0.0000##') & ': saving '
    & $saved & ' % (prices of ${{PriceDate}}).', '',
  'Execution: https://${{Region}}.console.aws.amazon.com/states/home?region=${{Region}}#/v2/executions/details/'
    & $states.context.Execution.Id, 'Logs: ${{LogGroup}}', 'Outputs: ' & $outputs], '\\n');
$json := $string({{ 'version': 1, 'job': '${{Job}}', 'runKey': $run.key, 'scheduledTime':
  $run.scheduledTime,
  'outcome': {_OUTCOME}, 'severity': $done ? 'info' : 'error', 'cause': {_TROUBLE}, 'sentence':
    $why, 'nextStep': $step,
  'late': $late, 'execution': $states.context.Execution.Id, 'outputs': $outputs,
  'attempts': [$map($attempts, function($a) {{ {{ 'attempt': $a.attempt, 'capacity': $a.capacity,
    'zone': $a.zone,
    'from': $a.started_at, 'to': $a.ended_at, 'seconds': $a.seconds, 'cause': $a.cause,
      'unitsDone': $a.units_done }} }})],
  'spotSeconds': $spot, 'onDemandSeconds': $onDemand, 'wastedSeconds': $wasted, 'cost': $cost,
  'costOnDemandOnly': $without, 'priceDate': '${{PriceDate}}' }});
"""


def publish_arguments() -> dict[str, Any]:
    """Return the arguments of ``sns:publish``: a text for mail, JSON for all else."""

    def attribute(value: str) -> dict[str, str]:
        return {"DataType": "String", "StringValue": value}

    return {
        "TopicArn": "${Topic}",
        "MessageStructure": "json",
        "Subject": expression(_SUBJECT),
        "Message": expression(f"( {_TOLD} $string({{ 'default': $json, 'email': $text }}) )"),
        "MessageAttributes": {
            "job": attribute("${Job}"),
            "outcome": attribute(expression(_OUTCOME)),
            "cause": attribute(expression(_TROUBLE)),
            "severity": attribute("{% $work.status = 'complete' ? 'info' : 'error' %}"),
        },
    }


PARKED = """
{ 'version': 1, 'job': '${Job}', 'runKey': $run.key, 'scheduledTime': $run.scheduledTime,
  'execution': $states.context.Execution.Id, 'cause': $cause.name, 'sentence': $cause.sentence,
  'nextStep': $cause.nextStep, 'request': $merge([
    $type($states.context.Execution.Input) = 'object' ? $states.context.Execution.Input : {}, {
      'redrive': true },
    $run.scheduledTime = '' ? { 'runKey': $run.key } : {}]) }
"""
