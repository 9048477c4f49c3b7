"""What the page of a job shows: its settings, its last runs, and what they took; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any

from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.money.costs import Terms, knobs, together
from steadyspot.deploy.runs.fleet import Seen
from steadyspot.deploy.runs.listing import Line
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.cloudformation import PAUSED
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.calendar_view import WEEKDAYS, Month, months
from steadyspot.deploy.ui.charts import Chart
from steadyspot.deploy.ui.over_time import CausesByWeek, causes_by_week, charts
from steadyspot.deploy.ui.tones import SIGNS, tone_of

LINES = 30
"""Of the runs that are read, those that are listed."""
_UNTOLD = ("name", "image", "environment")
"""Settings that are shown elsewhere, or may hold what is not meant for everybody."""


@dataclass(frozen=True)
class RunRow:
    """A line of the table of runs; ``tone`` is one of :data:`tones.SIGNS`."""

    run: str
    status: str
    tone: str
    begun: str
    attempts: int
    units: str
    cost: str
    trouble: str

    @property
    def sign(self) -> str:
        """A sign that says the same as the colour."""
        return SIGNS[self.tone]


@dataclass(frozen=True)
class Knob:
    """What the runs would have cost had a knob been turned."""

    change: str
    cost: str
    difference: str


@dataclass(frozen=True)
class Asked:
    """What was read of a job, newest runs first; ``parameters`` are those of its stack."""

    runs: Sequence[RunRecord] = ()
    lines: Sequence[Line] = ()
    seen: Seen | None = None
    parameters: Mapping[str, str] | None = None


@dataclass(frozen=True)
class JobView:
    """All that the page of a job shows; ``over`` says of how many runs its charts are."""

    job: str
    facts: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    actions: tuple[str, ...]
    runs: tuple[RunRow, ...]
    months: tuple[Month, ...]
    charts: tuple[Chart, ...]
    causes: CausesByWeek | None
    over: int
    cost: str
    knobs: tuple[Knob, ...]

    weekdays = WEEKDAYS
    is_over = False
    """A job never is: its next run may begin."""


def job_view(job: Job, asked: Asked, prices: Prices, now: datetime) -> JobView:
    """Return what a job's page shows."""
    parameters = asked.parameters or {}
    paused = parameters.get(PAUSED) == "true"
    rest = () if not job.all_schedules else ("resume",) if paused else ("pause",)
    bill = together(job, asked.runs, Terms(prices))
    return JobView(
        job=job.name,
        facts=tuple(_facts(job, parameters, paused=paused)),
        settings=tuple(_settings(job)),
        actions=("start", *rest),
        runs=tuple(map(_row, asked.lines[:LINES])),
        months=months(asked.seen, now) if asked.seen else (),
        charts=tuple(charts(job, asked.runs, prices)),
        causes=causes_by_week(asked.runs),
        over=len(asked.runs),
        cost=dollars(bill.cost),
        knobs=tuple(_knobs(job, asked.runs, prices)) if bill.cost else (),
    )


def _knobs(job: Job, runs: Sequence[RunRecord], prices: Prices) -> Iterator[Knob]:
    bill = together(job, runs, Terms(prices))
    for one in knobs(job, bill, prices):
        if one.saves > 0:
            yield Knob(
                one.text, dollars(bill.cost - one.saves), f"{dollars(one.saves)} less at best"
            )
    dearer = bill.cost_on_demand_only - bill.cost
    if bill.spot_seconds:
        how = "more" if dearer >= 0 else "less"
        yield Knob(
            'capacity = "on-demand-only": never interrupted, so that nothing is done twice',
            dollars(bill.cost_on_demand_only),
            f"{dollars(abs(dearer))} {how}",
        )


def _facts(job: Job, parameters: Mapping[str, str], *, paused: bool) -> Iterator[tuple[str, str]]:
    rests = ", rests" if paused else ""
    for name, one in job.all_schedules.items():
        yield f"schedule {name}".rstrip(), f"{one.schedule} {one.timezone}{rests}"
    if not job.all_schedules:
        yield "schedule", "by hand only"
    yield "image", job.image
    if (deployed := parameters.get("Image", "")) and deployed != job.image:
        yield "deployed image", deployed
    yield "size", f"{job.vcpu:g} vCPU, {job.memory_gb:g} GB, {job.architecture}"
    yield "capacity", job.capacity
    yield "expected", duration(60 * job.expected_minutes)
    within = job.finish_within_minutes
    yield "due", f"{duration(60 * within)} after its time" if within else "no deadline"


def _settings(job: Job) -> Iterator[tuple[str, str]]:
    """Yield what the configuration says otherwise than by default, by the job's own names."""
    for one in fields(job):
        value = getattr(job, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if one.name not in _UNTOLD and value != default:
            yield one.name, json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return {one.name: getattr(value, one.name) for one in fields(value)}


def _row(line: Line) -> RunRow:
    total = f"/{line.units_total}" if line.units_total else ""
    return RunRow(
        run=line.run_key,
        status=line.status,
        tone=tone_of(line.status),
        begun=line.begun[:16].replace("T", " "),
        attempts=line.attempts,
        units=f"{line.units_done}{total}",
        cost=dollars(line.cost),
        trouble=line.cause or "-",
    )
