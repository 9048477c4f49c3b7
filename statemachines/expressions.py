"""JSONata that more than one state uses.

Every expression here is total: a Choice, a Wait and a catcher have no Catch, so an undefined value
there would end the run unseen. A ``Cause`` is read as text and never parsed: it may be empty, cut
at 32,768 characters or no JSON at all. Marks carry their unescaped quotes, which an environment
value inside the same JSON cannot forge, since there its quotes are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from steadyspot.contract import FENCE_PER_CLAIM, WORKER_CONTAINER
from steadyspot.statemachines.causes import Cause
from steadyspot.statemachines.jsonata import expression


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


def entered(states: int = 1) -> dict[str, str]:
    """Return the assignment that counts states as entered."""
    return {"entered": f"{{% $entered + {states} %}}"}


ATTEMPT = "($last.attempt + 1)"
"""Number of the attempt that is launched now; ``$last.attempt`` is the one before."""

FENCE = f"$run.claims * {FENCE_PER_CLAIM} + $last.attempt - $run.before"
"""Fence of the attempt that ended last; that of the next one is one more."""

ALL = """
$append($attempts, $last.attempt > $run.before
  ? [$merge([$last, { 'cause': $cause.name, 'class': $cause.class }])] : [])
""".strip()
"""All attempts, the latest with its cause; ``$attempts`` ends with the one before."""

NEVER = "9e15"
"""Milliseconds, later than anything."""

NO_DROUGHT = f"{{ 'since': {NEVER}, 'waits': 0 }}"

ENDS = """
($run.finishBy > 0 ? $run.finishBy - 1000 * ($run.reserve + $run.expected * (1 - $work.fraction))
  : $drought.since + 60000 * ${MaximumWaitMinutes})
""".strip()
"""The last moment, in milliseconds, at which an attempt may begin on Spot, make nothing of it, and
leave on-demand enough time. Without a deadline, the longest wait that the job allows counts from
the first of the refusals in a row."""

SLACK = f"$millis() + 1000 <= {ENDS}"
"""There is time for Spot, after a wait of a second even."""

SPOT_AGAIN = f"$last.capacity = 'spot' and {SLACK}"

STALLED = """
$gain := $max([$run.before, $all[gained].attempt]);
$stalled := $count($all[attempt > $gain and class in ['interrupted', 'incomplete', 'timed-out']]);
"""
"""``$stalled``: attempts stopped since the run last made progress; progress gives the budget
back. On ``$all``."""

STOP_BY_LIMIT = "$millis() + 1000 * $run.limit"
STOP_BY_SLACK = (
    f"($run.yields ? $min([{ENDS} + 1000 * ${{StartUpSeconds}}, {STOP_BY_LIMIT}])"
    f" : {STOP_BY_LIMIT})"
)
"""When a worker stops that has made no progress. What it makes moves this on, see the contract."""

STATE_ENDS = f"""
( $left := 1000 * $run.expected * (1 - $work.fraction); $by := {STOP_BY_SLACK};
  $run.yields ? $max([$by, $min([$millis() + 1000 * ${{StartUpSeconds}} + 1.2 * $left,
    $by + $left])]) : $by )
""".strip()
"""When an attempt on Spot is given up, for all that goes as expected and a fifth more: the latest
that its worker's stop-by time can move to, if the deadline is near."""


TIMEOUT_SPOT = f"$max([1, $ceil(({STATE_ENDS} - $millis()) * 0.001)])"
TIMEOUT_ON_DEMAND = "$ceil($run.limit)"
"""Seconds, a positive integer always, after which an attempt is given up but for its leave."""


BEGUN = f"""
$begun := {{ 'attempt': {ATTEMPT}, 'capacity': $on,
  'started_at': $fromMillis($toMillis($states.context.State.EnteredTime)), 'ended_at': $now(),
  'gained': false, 'units_done': $work.done, 'lost_seconds': 0, 'error': '', 'stop_code': '',
  'said': '', 'zone': '', 'task': '', 'exit_code': -1, 'started': false, 'seconds': 0 }};
""".strip()
"""``$begun``: an attempt of which nothing is known but its beginning. On ``$on``, its capacity."""

CALL_ERRORS = ("AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException")
"""Errors of the call itself: nothing was launched, so the record has nothing to say."""


def refused_attempt(capacity: str) -> str:
    """Return ``$last`` for a launch that failed as a call; the Cause is a text, or has a Reason."""
    return f"""
( $on := '{capacity}'; {BEGUN} $e := $states.errorOutput;
  $said := $match($e.Cause & '', /"Reason":"([^"]*)/, 1).groups[0];
  $merge([$begun, {{ 'error': $e.Error,
    'said': $substring($exists($said) ? $said : $e.Cause & '', 0, 500) }}]) )
"""


def failed_attempt(capacity: str) -> str:
    """Return ``$last`` for an attempt that failed: what its Error and Cause say, read as text."""
    return f"""
( $on := '{capacity}'; {BEGUN} $e := $states.errorOutput; $error := $e.Error & '';
  $cause := $e.Cause & '';
  $json := $substring($cause, 0, 1) = '{{';
  $own := $json ? $substringBefore($cause, '"Overrides":') : '';
  $in := function($text, $mark) {{ $match($text, $mark, 1).groups[0] }};
  $of := function($mark) {{ $json ? $in($cause, $mark) & '' : '' }};
  $at := function($mark) {{ $number('0' & $of($mark)) }};
  $mine := $split($own, '"ContainerArn":"')[$contains($, '"Name":"{WORKER_CONTAINER}"')][0] & '';
  $code := $in($mine, /"ExitCode":([0-9]+)/);
  $reasons := $match($exists($code) ? $mine : $own, /"Reason":"([^"]*)/).groups;
  $from := $at(/"StartedAt":([0-9]+)/); $to := $at(/"StoppedAt":([0-9]+)/);
  $late := $error = 'States.Timeout';
  $merge([$begun, {{ 'error': $error,
    'stop_code': $of(/"StopCode":"([^"]*)/),
    'said': $substring($json ? $trim($join($append($of(/"StoppedReason":"([^"]*)/), $reasons), ' '))
      : $cause, 0, 500),
    'zone': $of(/"AvailabilityZone":"([^"]*)/), 'task': $of(/"TaskArn":"([^"]*)/),
    'exit_code': $exists($code) ? $number($code) : -1,
    'started': $late or $exists($code) or $contains($cause, '"StartedAt":'),
    'seconds': $late ? $round(($millis() - $toMillis($states.context.State.EnteredTime)) * 0.001)
      : $from > 0 and $to > $from ? $round(($to - $from) * 0.001) : 0 }}]) )
"""


def succeeded_attempt(capacity: str) -> str:
    """Return ``$last`` for a task whose state succeeded, whether or not the run did."""
    return f"""
( $on := '{capacity}'; {BEGUN} $t := $states.result;
  $at := function($time) {{ $type($time) = 'string' ? $toMillis($time) : $exists($time) ? $time : 0
    }};
  $merge([$begun, {{ 'stop_code': $t.StopCode & '', 'said': $t.StoppedReason & '',
    'zone': $t.AvailabilityZone & '', 'task': $t.TaskArn & '', 'started': true,
    'exit_code': [$t.Containers[Name = '{WORKER_CONTAINER}'].ExitCode, -1][0],
    'seconds': $max([0, $round(($at($t.StoppedAt) - $at($t.StartedAt)) * 0.001)]) }}]) )
"""


def with_cause(name: str) -> str:
    """Return all attempts, the latest under a cause that is not yet assigned."""
    return f"$append($attempts, [$merge([$last, {{'cause': '{name}', 'class': '{name}'}}])])"


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
