"""The days of this month and the last one, each with how its runs went; pure.

Finished runs are counted by the month's totals, so that a job which runs every minute takes no more
reading than one that runs at night.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from steadyspot.contract import Status
from steadyspot.deploy.runs.fleet import RUNNING, UNFINISHED, Seen, marks_of_days, months_of
from steadyspot.deploy.runs.records import RunRecord

DAY_SIGNS = {"finished": "✓", UNFINISHED: "✕", "missed": "!", RUNNING: "…", "none": "·"}
WEEKDAYS = tuple(calendar.day_abbr)


@dataclass(frozen=True)
class Day:
    """A day of UTC; ``number`` is 0 for a place of a week outside of the month."""

    number: int = 0
    kind: str = ""
    sign: str = ""
    told: str = ""


@dataclass(frozen=True)
class Month:
    """A month, such as 2026-11, in weeks that begin on a Monday."""

    name: str
    weeks: tuple[tuple[Day, ...], ...]


def months(seen: Seen, now: datetime) -> tuple[Month, ...]:
    """Return the last month and this one as far as it has come."""
    this, before = months_of(now)
    first = date.fromisoformat(f"{before}-01")
    span = (now.date() - first).days + 1
    marks = dict(
        zip(
            (date.fromordinal(first.toordinal() + back) for back in range(span)),
            marks_of_days(seen, now, span),
            strict=True,
        )
    )
    return tuple(_month(name, seen, marks, now) for name in (before, this))


def _month(name: str, seen: Seen, marks: Mapping[date, str], now: datetime) -> Month:
    year, month = map(int, name.split("-"))
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    return Month(
        name,
        tuple(
            tuple(_day(day, seen, marks, now) if day.month == month else Day() for day in week)
            for week in weeks
        ),
    )


def _day(day: date, seen: Seen, marks: Mapping[date, str], now: datetime) -> Day:
    kind = marks.get(day, "")
    if not kind:
        return Day(day.day, "ahead", "", f"{day:%m-%d}: to come")
    under_way = any(_is_of(run.scheduled_time or run.claimed_at, day) for run in _running(seen))
    if kind == "none" and under_way:
        kind = RUNNING
    totals = seen.months.get(f"{day:%Y-%m}")
    finished = totals.finished.get(f"{day:%d}", 0) if totals else 0
    count = f", {finished} finished" if finished > 1 else ""
    today = " (today)" if day == now.date() else ""
    return Day(day.day, kind, DAY_SIGNS[kind], f"{day:%m-%d}{today}: {kind}{count}")


def _running(seen: Seen) -> Iterator[RunRecord]:
    return (run for run in seen.open_runs if run.status != Status.UNFINISHED)


def _is_of(time: str, day: date) -> bool:
    return time[:10] == f"{day:%Y-%m-%d}"
