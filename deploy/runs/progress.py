"""How far a run is while it is followed: units, time so far, and about what is left.

What is left comes from the pace seen while following. Before that, from ``expected_minutes``, but
it is no more than the time so far tells: waits made that longer, and nothing made it shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from steadyspot.deploy.runs.history import Moment
from steadyspot.deploy.runs.records import RunRecord

LOOK_SECONDS = 15.0
"""Between two looks at the record."""


class Progress:
    """Tells how far a run is, where that has changed.

    Parameters
    ----------
    read
        Returns the run's record, None before it is claimed.
    expected_seconds
        What an undisturbed run takes.
    of_shards
        Returns how the shards of a run that is spread over them stand, at a moment.
    """

    def __init__(
        self,
        read: Callable[[], RunRecord | None],
        expected_seconds: float,
        of_shards: Callable[[RunRecord, datetime], str],
    ) -> None:
        self._read = read
        self._expected = expected_seconds
        self._of_shards = of_shards
        self._said = ""
        self._looked: datetime | None = None
        self._first: tuple[datetime, int] | None = None
        self._told = 0

    def due(self, now: datetime) -> bool:
        """Return whether it is time for a look, which takes a call or two."""
        return self._looked is None or (now - self._looked).total_seconds() >= LOOK_SECONDS

    def look(self, now: datetime) -> Moment | None:
        """Return how far the run is, None where nothing is new."""
        self._looked = now
        run = self._read()
        if run is None or run.complete:
            return None
        if run.shards > 1:
            said, self._said = self._said, self._of_shards(run, now)
            return Moment(now, self._said) if self._said != said else None
        if run.units_done == 0:
            return None
        if self._first is None:
            self._first = (now, run.units_done)
        if run.units_done <= self._told:
            return None
        self._told = run.units_done
        return Moment(now, self._text(run, now))

    def _text(self, run: RunRecord, now: datetime) -> str:
        total = f" of {run.units_total}" if run.units_total else ""
        told = [f"{run.units_done}{total} unit{'s' * (run.units_done != 1 or bool(total))} done"]
        if run.claimed_at:
            told.append(f"{duration(_so_far(run, now))} so far")
        if run.units_total > run.units_done:
            told.append(f"about {duration(self._left(run, now))} left")
        return ", ".join(told)

    def _left(self, run: RunRecord, now: datetime) -> float:
        since, units = self._first or (now, run.units_done)
        if run.units_done > units:
            each = (now - since).total_seconds() / (run.units_done - units)
            return each * (run.units_total - run.units_done)
        left = run.units_total - run.units_done
        by_expected = self._expected * left / run.units_total
        if not run.claimed_at:
            return by_expected
        return min(by_expected, _so_far(run, now) * left / run.units_done)


def _so_far(run: RunRecord, now: datetime) -> float:
    return (now - datetime.fromisoformat(run.claimed_at).astimezone(UTC)).total_seconds()


def duration(seconds: float) -> str:
    """Return a duration for people: ``45 s``, ``12 min``, ``3 h 05 min``."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
