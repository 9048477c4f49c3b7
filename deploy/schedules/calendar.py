"""When a schedule is due: at, rate and cron, with time zone, start and end.

Pure functions of times that are given; the clock that waits for them is
``deploy.local.scheduler``. Cron is read by aws-croniter, which knows only UTC, so it is asked in
the schedule's wall-clock time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\((.+)\)")
_PRECISION = timedelta(seconds=60)
_SKIPS = 400


class BadExpression(ValueError):
    """An expression or a time zone that Scheduler would not take."""


@dataclass(frozen=True)
class Timing:
    """When a schedule runs.

    ``begun_at`` is when it was made or last changed, which is when AWS begins to look at it; all
    times are aware. ``start`` and ``end`` do not concern one-time schedules, as in AWS.
    """

    expression: str
    zone: str
    begun_at: datetime
    start: datetime | None = None
    end: datetime | None = None

    @property
    def once(self) -> bool:
        """Whether it is a one-time schedule."""
        return self.expression.startswith("at(")


def next_due(timing: Timing, after: datetime | None) -> datetime | None:
    """The first time that is due after ``after``, in UTC; None when there is none any more.

    ``after`` is the time that was due last, None before the first. A rate without a start begins at
    once; an hour that the change to summer time leaves out is skipped, and one that the change back
    repeats counts once (AWS's user guide). A one-time schedule whose time passed within the minute
    before it was made is still due: a minute is Scheduler's precision.

    Raises
    ------
    BadExpression
        The expression or the time zone is none of Scheduler's.
    """
    if match := _AT.fullmatch(timing.expression):
        return _next_at(match[1], timing, after)
    due: datetime | None
    if match := _RATE.fullmatch(timing.expression):
        due = _next_rate(int(match[1]), match[2], timing, after)
    elif match := _CRON.fullmatch(timing.expression):
        due = _next_cron(match[1], timing, after)
    else:
        raise BadExpression(f"Invalid Schedule Expression {timing.expression}.")
    if due is None or (timing.end is not None and due > timing.end):
        return None
    return due


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadExpression(f"Invalid Schedule Expression Timezone {name}.") from error


def _next_at(text: str, timing: Timing, after: datetime | None) -> datetime | None:
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=_zone(timing.zone))
    except ValueError as error:
        raise BadExpression(f"Invalid Schedule Expression {timing.expression}.") from error
    due = local.astimezone(UTC)
    return due if after is None and due >= timing.begun_at - _PRECISION else None


def _next_rate(count: int, unit: str, timing: Timing, after: datetime | None) -> datetime:
    if count < 1:
        raise BadExpression(f"Invalid Schedule Expression {timing.expression}.")
    step = timedelta(**{f"{unit}s": count})
    first = (timing.start or timing.begun_at).astimezone(UTC).replace(microsecond=0)
    if after is not None:
        return after + step
    missed = max(0, -((first - timing.begun_at.replace(microsecond=0)) // step))
    return first + missed * step


def _next_cron(text: str, timing: Timing, after: datetime | None) -> datetime | None:
    from aws_croniter import AwsCroniter

    zone = _zone(timing.zone)
    try:
        cron = AwsCroniter(text)
    except Exception as error:  # the library's errors have no common base
        raise BadExpression(f"Invalid Schedule Expression {timing.expression}.") from error
    begin = max(timing.begun_at, timing.start or timing.begun_at)
    last = after if after is not None else begin - timedelta(microseconds=1)
    # The library counts in minutes, and looks only after the one that it is given.
    wall = (last - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=UTC)
    for _ in range(_SKIPS):
        found = cron.get_next(wall)[0]
        if found is None:
            return None
        wall = found
        due = _from_wall(found, zone)
        if due is not None and due > last:
            return due
    return None


def _from_wall(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment at which the clock of a zone shows a time, the first if twice, None if never."""
    due = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    shown = due.astimezone(zone).replace(tzinfo=UTC)
    return due if shown == wall else None
