"""What people and machines are told: the mail, its JSON form, and the parked message.

Built as JSONata from ``run``, ``cause`` and ``attempts``. No Error, Cause or environment value is
passed on: only sentences of the cause table and what AWS says in words. The JSON form is described
by ``schemas/notification.schema.json``, the parked message by ``schemas/parked-run.schema.json``.
"""

from __future__ import annotations

from typing import Any

from steadyspot.statemachines.expressions import ALL
from steadyspot.statemachines.jsonata import expression
from steadyspot.statemachines.money import TRANSITION_PRICE, money

SHOWN_ATTEMPTS = 20
"""Attempts that a mail lists; a long drought makes more."""

OUTCOME = {
    "outcome": "finished",
    "runKey": "{%$run.key%}",
    "attempts": "{%$last.attempt%}",
}

_LATE = "$run.finishBy > 0 and $millis() > $run.finishBy"

_OUTCOME = """
($work.status != 'complete' ? 'failed'
  : $last.capacity = 'on-demand' and 'spot' in $attempts.capacity ? 'fell-back' : 'finished')
"""

_SEVERITY = f"($work.status != 'complete' ? 'error' : {_LATE} ? 'warning' : 'info')"

_TROUBLE = (
    "($work.status = 'complete' and $count($attempts) > 0 ? $attempts[-1].cause : $cause.name)"
)

_SUBJECT = f"""
$substring('Steadyspot: ${{Job}} ' & $run.key & ($work.status = 'complete'
  ? ' finished ' & ({_LATE} ? 'late ' : '') & 'on ' & $last.capacity & ' after ' & $last.attempt
    & ($last.attempt = 1 ? ' attempt' : ' attempts')
  : ' failed: ' & $cause.name & ($cause.parked = false ? '' : ', parked for redrive')), 0, 99)
"""

_TOLD = f"""
$all := {ALL}; $done := $work.status = 'complete';
$money := {money("$all", "$entered + ($work.status = 'complete' ? 2 : 4)")};
$without := $money.cost_on_demand_only;
$dollars := function($usd) {{ '$' & $formatNumber($usd, '0.0000##') }};
$outputs := 's3://${{Bucket}}/outputs/${{Job}}/' & $run.key & '/';
$why := $done ? 'The run is complete and its outputs are published.' : $cause.sentence;
$step := $done ? 'Nothing to do.' : $cause.nextStep;
$text := $join([{_SUBJECT} & '.', '', $why, $step,
  $run.finishBy = 0 ? [] : ($run.hopeless ? 'Its deadline could not be met from the start'
    : {_LATE} ? 'It is late' : 'It is in time') & ', due at ' & $fromMillis($run.finishBy) & '.',
  '', 'Attempts (UTC; last column: units done):',
  $map($all[attempt > $last.attempt - {SHOWN_ATTEMPTS}], function($a) {{
    $pad($string($a.attempt), -3) & '  ' & $pad($a.capacity, 9) & '  ' & $pad($a.zone, 14) & '  '
    & $substring($a.started_at, 11, 8) & '-' & $substring($a.ended_at, 11, 8) & '  '
    & $pad($a.seconds & ' s', -7) & '  ' & $pad($a.cause, 22) & ' ' & $a.units_done
    & ($work.total > 0 ? '/' & $work.total) }}), '',
  'Spot ' & $money.spot_seconds & ' s, on-demand ' & $money.on_demand_seconds
    & ' s, of these wasted ' & $money.wasted_seconds & ' s. Cost '
    & $dollars($money.cost) & ', on on-demand only ' & $dollars($without)
    & ': saving ' & ($without > 0 ? $round(100 * (1 - $money.cost / $without)) : 0)
    & ' % (prices of ${{PriceDate}}). Beside that ' & $money.transitions & ' transitions, '
    & $dollars({TRANSITION_PRICE} * $money.transitions) & '.', '',
  'Execution: https://${{Region}}.console.aws.amazon.com/states/home?region=${{Region}}#/v2/executions/details/'
    & $states.context.Execution.Id, 'Logs: ${{Log}}', 'Outputs: ' & $outputs], '\n');
$json := $string({{ 'version': 1, 'job': '${{Job}}', 'runKey': $run.key,
  'scheduledTime': $run.scheduledTime, 'outcome': {_OUTCOME}, 'severity': {_SEVERITY},
  'cause': {_TROUBLE}, 'sentence': $why, 'nextStep': $step, 'late': {_LATE},
  'execution': $states.context.Execution.Id, 'outputs': $outputs,
  'attempts': [$map($all, function($a) {{ {{ 'attempt': $a.attempt, 'capacity': $a.capacity,
    'zone': $a.zone, 'from': $a.started_at, 'to': $a.ended_at, 'seconds': $a.seconds,
    'cause': $a.cause, 'unitsDone': $a.units_done }} }})],
  'spotSeconds': $money.spot_seconds, 'onDemandSeconds': $money.on_demand_seconds,
  'wastedSeconds': $money.wasted_seconds, 'transitions': $money.transitions,
  'cost': $money.cost, 'costOnDemandOnly': $without, 'priceDate': '${{PriceDate}}' }});
"""


_ATTRIBUTES = f"""
$merge($each({{ 'job': '${{Job}}', 'outcome': {_OUTCOME}, 'cause': {_TROUBLE},
  'severity': {_SEVERITY} }}, function($value, $name) {{
  {{ $name: {{ 'DataType': 'String', 'StringValue': $value }} }} }}))
"""


def publish_arguments() -> dict[str, Any]:
    """Return the arguments of ``sns:publish``: a text for mail, JSON for all else."""
    return {
        "TopicArn": "${Topic}",
        "MessageStructure": "json",
        "Subject": expression(_SUBJECT),
        "Message": expression(f"( {_TOLD} $string({{ 'default': $json, 'email': $text }}) )"),
        "MessageAttributes": expression(_ATTRIBUTES),
    }


PARKED = """
{ 'version': 1, 'job': '${Job}', 'runKey': $run.key, 'scheduledTime': $run.scheduledTime,
  'execution': $states.context.Execution.Id, 'cause': $cause.name, 'sentence': $cause.sentence,
  'nextStep': $cause.nextStep, 'request': $merge([
    $type($states.context.Execution.Input) = 'object' ? $states.context.Execution.Input : {}, {
      'redrive': true },
    $run.scheduledTime = '' ? { 'runKey': $run.key } : {}]) }
"""
