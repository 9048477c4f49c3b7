"""JSONata that more than one state uses.

Every expression here is total: a Choice, a Wait and a catcher have no Catch, so an undefined value
there would end the run unseen. A ``Cause`` is read as text and never parsed: it may be empty, cut
at 32,768 characters or no JSON at all. Marks carry their unescaped quotes, which an environment
value inside the same JSON cannot forge, since there its quotes are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from statemachines.causes import Cause
from statemachines.jsonata import expression
from worker.contract import FENCE_PER_CLAIM, WORKER_CONTAINER

EXIT_TAIL_SECONDS = 60
"""What may pass, beside the stopTimeout, between a stop-by time and the end that the workflow
sees."""


def quoted(text: str) -> str:
    """Return a JSONata string literal; like JSON it knows no escaped apostrophe."""
    return json.dumps(text, ensure_ascii=False) if "'" in text or "\\" in text else f"'{text}'"


def condition(cause: Cause) -> str:
    """Return the test of a row of the cause table, on ``$last`` and ``$work``."""
    test = " or ".join(_tests(cause))
    if cause.never_started:
        return f"$not($last.started) and $last.exit_code < 0 and ({test})"
    return test


def _tests(cause: Cause) -> Iterator[str]:
    if cause.complete:
        yield "$work.status = 'complete'"
    if cause.errors:
        yield _in("$last.error", cause.errors)
    if cause.stop_codes:
        yield _in("$last.stop_code", cause.stop_codes)
    if cause.says:
        also = [_contains("$last.said", cause.also_says)] if cause.also_says else []
        yield " and ".join([_contains("$last.said", cause.says), *also])
    if cause.words:
        yield _in("$work.word", tuple(cause.words))
    if cause.exit_codes:
        codes = ",".join(str(int(code)) for code in cause.exit_codes)
        yield f"$work.word = '' and $last.exit_code in [{codes}]"
    if cause.any_exit_code:
        yield "$work.word = '' and $last.exit_code > 0"
    if cause.any_ecs_error:
        yield "$contains($last.error, /^ECS[.]/)"


def _in(value: str, texts: tuple[str, ...]) -> str:
    if len(texts) == 1:
        return f"{value} = {quoted(texts[0])}"
    return f"{value} in [{','.join(quoted(text) for text in texts)}]"


def _contains(value: str, texts: tuple[str, ...]) -> str:
    escaped = "|".join(text.replace(".", "[.]").replace("/", "\\/") for text in texts)
    return f"$contains({value}, /{escaped}/)"


def sentence(text: str) -> str:
    """Return a sentence of the cause table, an expression where something is to be filled in."""
    values = {
        "{exit_code}": "($last.exit_code < 0 ? 'none' : $string($last.exit_code))",
        "{said}": "$last.said",
        "{memory_gb}": "'${MemoryGb}'",
    }
    parts = [text]
    for placeholder in values:
        parts = [piece for part in parts for piece in _split(part, placeholder)]
    if len(parts) == 1:
        return text
    return expression(" & ".join(values.get(part, quoted(part)) for part in parts if part))


def _split(part: str, placeholder: str) -> list[str]:
    before, found, after = part.partition(placeholder)
    return [before, found, after] if found else [before]


FENCE = f"$run.claims * {FENCE_PER_CLAIM} + $launches"

REFUSED = """
$calm := $max([$run.before, $attempts[class != 'refused'].attempt]);
$refused := $attempts[attempt > $calm];
"""
"""``$refused``: the refusals since something else happened."""

SLACK_ENDS = (
    REFUSED
    + """
$ends := $run.finishBy > 0 ? $run.finishBy - 1000 * ($run.reserve + $run.expected * (1 -
$work.fraction))
  : ($exists($refused) ? $toMillis($refused[0].started_at) : $millis()) + 60000 *
  ${MaximumWaitMinutes};
"""
)
"""``$ends``: the last safe moment in milliseconds. Until then Spot may be tried; then only
on-demand is on time. Without a deadline, the longest wait that the job allows counts from the first
of the refusals in a row."""

STALLED = """
$gain := $max([$run.before, $attempts[gained].attempt]);
$stalled := $count($attempts[attempt > $gain and class in ['interrupted', 'incomplete',
  'timed-out']]);
"""
"""``$stalled``: attempts stopped since the run last made progress; progress gives the budget
back."""

STOP_BY_LIMIT = "$millis() + 1000 * $run.limit"
STOP_BY_SLACK = (
    f"( {SLACK_ENDS} $run.finishBy > 0 ? $min([$ends, {STOP_BY_LIMIT}]) : {STOP_BY_LIMIT} )"
)

TIMEOUT_SECONDS = (
    "$max([1, $ceil(($stopBy - $millis()) * 0.001)])"
    f" + ${{StopTimeoutSeconds}} + {EXIT_TAIL_SECONDS}"
)
"""What stands behind the worker's stop-by time; a positive integer always."""


_ATTEMPT = """
'attempt': $run.before + $launches, 'capacity': '{capacity}',
'started_at': $fromMillis($toMillis($states.context.State.EnteredTime)), 'ended_at': $now(),
'gained': false, 'units_done': 0, 'lost_seconds': 0
""".strip()


def failed_attempt(capacity: str) -> str:
    """Return ``$last`` for an attempt that failed: what its Error and Cause say, read as text."""
    return f"""
( $e := $states.errorOutput; $error := $exists($e.Error) ? $string($e.Error) : '';
  $cause := $exists($e.Cause) ? $string($e.Cause) : '';
  $json := $substring($cause, 0, 1) = '{{';
  $own := $json ? $substringBefore($cause, '"Overrides":') : '';
  $text := function($mark) {{ $json and $contains($cause, $mark)
    ? $substringBefore($substringAfter($cause, $mark), '"') : '' }};
  $digits := function($part, $mark) {{( $found := $match($substringAfter($part, $mark),
    /^[0-9]+/).match;
    $contains($part, $mark) and $exists($found) ? $number($found) : -1 )}};
  $worker := $split($own, '"ContainerArn":"')[$contains($, '"Name":"{WORKER_CONTAINER}"')][0];
  $reasons := $map($split($own, '"Reason":"'), function($part, $i) {{
    $i > 0 ? $substringBefore($part, '"') : $text('"StoppedReason":"') }});
  $from := $digits($cause, '"StartedAt":'); $to := $digits($cause, '"StoppedAt":');
  $late := $error = 'States.Timeout';
  $exit := $exists($worker) ? $digits($worker, '"ExitCode":') : -1;
  {{ {_ATTEMPT.replace("{capacity}", capacity)}, 'error': $error, 'stop_code':
    $text('"StopCode":"'),
    'said': $substring($json ? $trim($join($reasons, ' ')) : $cause, 0, 500),
    'zone': $text('"AvailabilityZone":"'), 'task': $text('"TaskArn":"'),
    'exit_code': $exit,
    'started': $late or $exit >= 0 or $contains($cause, '"StartedAt":'),
    'seconds': $late ? $round(($millis() - $toMillis($states.context.State.EnteredTime)) * 0.001)
      : $from > 0 and $to > $from ? $round(($to - $from) * 0.001) : 0 }} )
"""


def succeeded_attempt(capacity: str) -> str:
    """Return ``$last`` for a task whose state succeeded, whether or not the run did."""
    return f"""
( $t := $states.result;
  $at := function($time) {{ $type($time) = 'string' ? $toMillis($time) : $exists($time) ? $time : 0
    }};
  $code := $t.Containers[Name = '{WORKER_CONTAINER}'][0].ExitCode;
  {{ {_ATTEMPT.replace("{capacity}", capacity)}, 'error': '', 'stop_code': $t.StopCode & '',
    'said': $t.StoppedReason & '', 'zone': $t.AvailabilityZone & '', 'task': $t.TaskArn & '',
      'started': true,
    'exit_code': $exists($code) ? $code : -1,
    'seconds': $max([0, $round(($at($t.StoppedAt) - $at($t.StartedAt)) * 0.001)]) }} )
"""


def with_cause(name: str, cause_class: str) -> str:
    """Return ``$attempts`` with the latest attempt, under the name and class of its cause."""
    return f"$append($attempts, [$merge([$last, {{'cause': '{name}', 'class': '{cause_class}'}}])])"


def to_dynamodb(rows: str) -> str:
    """Return a list of flat objects as a DynamoDB list."""
    return f"""
[$map([{rows}], function($row) {{ {{'M': $merge($each($row, function($v, $k) {{ {{$k: $type($v) =
  'number'
  ? {{'N': $string($v)}} : $type($v) = 'boolean' ? {{'BOOL': $v}} : {{'S': $v}} }} }}))}} }})]
"""


FROM_DYNAMODB = """
[$map([$item.attempts.L.M], function($row) { $merge($each($row, function($v, $k) {
  {$k: $exists($v.N) ? $number($v.N) : $exists($v.S) ? $v.S : $v.BOOL} })) })]
"""
