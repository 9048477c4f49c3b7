"""What the page of all jobs shows; pure. ``steadyspot status`` says the same on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadyspot.contract import Status
from steadyspot.deploy.runs import fleet
from steadyspot.deploy.runs.fleet import JobStatus
from steadyspot.deploy.ui.tones import SIGNS

_TONES = {
    "missed": "bad",
    "parked": "bad",
    "late": "bad",
    "waiting": "care",
    Status.RUNNING: "care",
    "not deployed": "quiet",
    "paused": "quiet",
    "finished": "good",
}
_MARK_SIGNS = {"finished": "✓", Status.UNFINISHED: "✕", "missed": "!", "none": "·"}


@dataclass(frozen=True)
class Mark:
    """A day of a job."""

    kind: str
    sign: str
    told: str


@dataclass(frozen=True)
class JobRow:
    """A line of the table of jobs; ``run`` is the one to look at, empty where there is none."""

    job: str
    state: str
    tone: str
    sign: str
    run: str
    now_or_last: str
    next: str
    marks: tuple[Mark, ...]
    cost: str
    saved: str

    @property
    def told_days(self) -> str:
        """The marks in words, for who cannot see them."""
        return ", ".join(mark.told for mark in self.marks)


@dataclass(frozen=True)
class FleetView:
    """All that the page of all jobs shows, worst first."""

    summary: str
    next_steps: tuple[str, ...]
    jobs: tuple[JobRow, ...]
    days: int
    legend: str

    is_over = False
    """A fleet never is."""


def fleet_view(jobs: Sequence[JobStatus]) -> FleetView:
    """Return what the page shows of how jobs stand."""
    return FleetView(
        summary=fleet.summary(jobs),
        next_steps=tuple(fleet.next_steps(jobs)),
        jobs=tuple(map(_row, jobs)),
        days=fleet.DAYS,
        legend="Days of UTC, today last: ✓ finished, ✕ unfinished, ! missed, · none.",
    )


def _row(one: JobStatus) -> JobRow:
    tone = _TONES.get(one.state, "quiet")
    _, state, now_or_last, following, _, cost, saved = fleet.cells(one)
    return JobRow(
        job=one.job,
        state=state,
        tone=tone,
        sign=SIGNS[tone],
        run=one.running[0].run_key if one.running else one.last_run,
        now_or_last=now_or_last,
        next=following,
        marks=tuple(
            Mark(kind, _MARK_SIGNS[kind], f"{_day(fleet.DAYS - 1 - index)}: {kind}")
            for index, kind in enumerate(one.days)
        ),
        cost=cost,
        saved=saved,
    )


def _day(back: int) -> str:
    return {0: "today", 1: "yesterday"}.get(back, f"{back} days ago")
