"""When a schedule is due: at, rate and cron, with time zone, start and end.

Pure functions of times that are given; the clock that waits for them is
``deploy.local.scheduler``. Expressions are read by ``expressions``; they mean wall-clock times of a
zone, which a change of its clocks leaves out or repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from steadyspot.deploy.schedules.cron import Cron
from steadyspot.deploy.schedules.expressions import At, Rate, read, zone_of

_PRECISION = timedelta(seconds=60)


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
    zone = zone_of(timing.zone)
    match read(timing.expression):
        case At() as at:
            return _next_at(at, zone, timing, after)
        case Rate() as rate:
            due = _next_rate(rate, timing, after)
        case cron:
            due = _next_cron(cron, zone, timing, after)
    if due is None or (timing.end is not None and due > timing.end):
        return None
    return due


def _next_at(at: At, zone: ZoneInfo, timing: Timing, after: datetime | None) -> datetime | None:
    try:
        due = at.wall.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # the first and the last hours of datetime's years
        return None
    return due if after is None and due >= timing.begun_at - _PRECISION else None


def _next_rate(rate: Rate, timing: Timing, after: datetime | None) -> datetime | None:
    first = (timing.start or timing.begun_at).astimezone(UTC).replace(microsecond=0)
    begun = timing.begun_at.replace(microsecond=0)
    try:
        if after is not None:
            return after + rate.step
        return first + max(0, -((first - begun) // rate.step)) * rate.step
    except OverflowError:  # beyond the year 9999
        return None


def _next_cron(
    cron: Cron, zone: ZoneInfo, timing: Timing, after: datetime | None
) -> datetime | None:
    begin = max(timing.begun_at, timing.start or timing.begun_at)
    last = after if after is not None else begin - timedelta(microseconds=1)
    shown = last.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    dues = (_from_wall(wall, zone) for wall in cron.times(shown))
    return next((due for due in dues if due is not None and due > last), None)


def _from_wall(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment at which the clock of a zone shows a time, the first if twice, None if never."""
    due = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return due if due.astimezone(zone).replace(tzinfo=None) == wall else None


_LOOKS = tuple(timedelta(days=days) for days in (0.05, 1.1, 8, 32, 400))
"""How far back a last time is looked for, step by step; a rarer schedule has none."""


def last_due(timing: Timing, until: datetime) -> datetime | None:
    """The last time that was due until ``until``, in UTC; None where there was none in 400 days.

    Raises
    ------
    BadExpression
        As :func:`next_due`.
    """
    form = read(timing.expression)
    if isinstance(form, Rate):
        first = next_due(timing, None)
        if first is None or first > until:
            return None
        return first + (until - first) // form.step * form.step
    for span in _LOOKS:
        begun = max(timing.begun_at, until - span)
        due, last = next_due(replace(timing, begun_at=begun), None), None
        while due is not None and due <= until:
            last, due = due, next_due(timing, due)
        if last is not None or begun == timing.begun_at:
            return last
    return None
