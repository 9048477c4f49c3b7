"""A run as a picture has it: attempts and waits as bars between moments, units as a curve; pure.

Told from the run's record and its story. What neither knows is left out: a history is kept for 90
days, and then a picture has no deadline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from steadyspot.contract import Capacity
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.records import AttemptRecord, RunRecord
from steadyspot.deploy.runs.story import Explanation

_PAUSE = timedelta(seconds=2)
"""What lies between two attempts and is shorter is the workflow's own time, and no wait."""
_FAR = 3
"""What lies more than so many times the run's length beside it would make the run a line."""


class Ended(StrEnum):
    """How an attempt looks at its end."""

    FINISHED = "finished"
    STOPPED = "stopped"
    UNDER_WAY = "under way"


@dataclass(frozen=True)
class Bar:
    """An attempt; times are aware UTC."""

    number: int
    capacity: str
    begin: datetime
    end: datetime
    ended: Ended
    told: str

    @property
    def seconds(self) -> float:
        """How long it took, or takes so far."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True)
class Gap:
    """A time in which no attempt was under way; times are aware UTC."""

    begin: datetime
    end: datetime
    told: str


@dataclass(frozen=True)
class Timeline:
    """A run between its scheduled time and its end; times are aware UTC.

    ``curve`` are shares of the units done, between 0 and 1, at moments in their order; empty where
    the job has not told how many units there are.
    """

    begin: datetime
    end: datetime
    bars: tuple[Bar, ...]
    gaps: tuple[Gap, ...]
    scheduled: datetime | None
    deadline: datetime | None
    latest_spot_start: datetime | None
    curve: tuple[tuple[datetime, float], ...]


def timeline_of(story: Explanation, now: datetime) -> Timeline | None:
    """Return what is to be drawn of a story; None where no attempt is known.

    ``now`` is when an attempt that is under way is looked at.
    """
    run = story.run
    bars = tuple(_bars(run, story, now))
    if not bars:
        return None
    scheduled = _moment(run.scheduled_time) if run else None
    begin, end = bars[0].begin, max(bar.end for bar in bars)
    if scheduled and scheduled > begin - _FAR * (end - begin):
        begin = min(begin, scheduled)
    if story.deadline and (story.under_way or story.deadline < end + _FAR * (end - begin)):
        end = max(end, story.deadline)
    return Timeline(
        begin=begin,
        end=end,
        bars=bars,
        gaps=tuple(_gaps(bars)),
        scheduled=scheduled,
        deadline=story.deadline,
        latest_spot_start=story.latest_spot_start,
        curve=tuple(_curve(run, bars)) if run and run.units_total else (),
    )


def _bars(run: RunRecord | None, story: Explanation, now: datetime) -> Iterator[Bar]:
    attempts = run.attempts if run else ()
    for attempt in attempts:
        begin, end = _moment(attempt.started_at), _moment(attempt.ended_at)
        if begin is None:
            continue
        ended = Ended.FINISHED if attempt.cause == "finished" else Ended.STOPPED
        yield Bar(
            number=attempt.attempt,
            capacity=attempt.capacity,
            begin=begin,
            end=max(begin, end or begin),
            ended=ended,
            told=_told(attempt),
        )
    if launch := story.under_way:
        yield Bar(
            number=launch.number,
            capacity=launch.capacity,
            begin=launch.at,
            end=max(launch.at, now),
            ended=Ended.UNDER_WAY,
            told=f"attempt {launch.number} on {_name(launch.capacity)}, under way",
        )


def _told(attempt: AttemptRecord) -> str:
    where = f" in {attempt.zone}" if attempt.zone else ""
    return (
        f"attempt {attempt.attempt} on {_name(attempt.capacity)}{where}, "
        f"{duration(attempt.seconds)}: {attempt.cause or 'ended'}, {attempt.units_done} units done"
    )


def _name(capacity: str) -> str:
    return "Spot" if capacity == Capacity.SPOT else Capacity.ON_DEMAND.value


def _gaps(bars: Sequence[Bar]) -> Iterator[Gap]:
    for before, after in pairwise(bars):
        if after.begin - before.end > _PAUSE:
            seconds = (after.begin - before.end).total_seconds()
            yield Gap(before.end, after.begin, f"waited {duration(seconds)}")


def _curve(run: RunRecord, bars: Sequence[Bar]) -> Iterator[tuple[datetime, float]]:
    done = {attempt.attempt: attempt.units_done for attempt in run.attempts}
    share = 0.0
    for bar in bars:
        yield bar.begin, share
        units = done.get(bar.number, run.units_done)
        # What a stop threw away is done again: a curve may fall, and never passes all.
        share = min(1.0, units / run.units_total)
        yield bar.end, share


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except ValueError:
        return None
