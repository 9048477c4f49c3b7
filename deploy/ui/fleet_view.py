"""What the page of all jobs shows; pure. ``steadyspot status`` says the same on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steadyspot.contract import Status
from steadyspot.deploy.runs import fleet_shown
from steadyspot.deploy.runs.fleet import JobStatus
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.weather import Weather
from steadyspot.deploy.ui.strip import StripView, strip_of
from steadyspot.deploy.ui.tones import SIGNS
from steadyspot.deploy.ui.weather_view import HOURS, WeatherView, weather_views

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


@dataclass(frozen=True)
class Units:
    """How far a run is that is under way."""

    done: int
    total: int


@dataclass(frozen=True)
class JobRow:
    """A line of the table of jobs; ``run`` is the one to look at, empty where there is none.

    ``strip`` is None where its runs are not read yet, or there was none.
    """

    job: str
    state: str
    kind: str
    tone: str
    sign: str
    run: str
    now_or_last: str
    units: Units | None
    next: str
    strip: StripView | None
    cost: str
    saved: str


@dataclass(frozen=True)
class FleetView:
    """All that the page of all jobs shows, worst first; ``kinds`` are the states that there are."""

    summary: str
    next_steps: tuple[str, ...]
    jobs: tuple[JobRow, ...]
    kinds: tuple[str, ...]
    weather: tuple[WeatherView, ...]

    hours = HOURS
    is_over = False
    """A fleet never is."""


def fleet_view(
    jobs: Sequence[JobStatus],
    strips: Mapping[str, Sequence[RunRecord]],
    weather: Sequence[Weather],
) -> FleetView:
    """Return what the page shows of how jobs stand; ``strips`` are last runs, oldest first."""
    return FleetView(
        summary=fleet_shown.summary(jobs),
        next_steps=tuple(fleet_shown.next_steps(jobs)),
        jobs=tuple(_row(one, strips.get(one.job, ())) for one in jobs),
        kinds=tuple(dict.fromkeys(one.state for one in jobs)),
        weather=weather_views(weather),
    )


def _row(one: JobStatus, strip: Sequence[RunRecord]) -> JobRow:
    tone = _TONES.get(one.state, "quiet")
    _, state, now_or_last, following, _, cost, saved = fleet_shown.cells(one)
    first = one.running[0] if one.running else None
    return JobRow(
        job=one.job,
        state=state,
        kind=one.state,
        tone=tone,
        sign=SIGNS[tone],
        run=first.run_key if first else one.last_run,
        now_or_last=now_or_last,
        units=Units(first.units_done, first.units_total) if first and first.units_total else None,
        next=following,
        strip=strip_of(strip),
        cost=cost,
        saved=saved,
    )
