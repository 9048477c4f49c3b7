"""What the page of a job shows: its settings, its last runs, and what they took; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steadyspot.contract import Status
from steadyspot.deploy.aws.prices import dollars
from steadyspot.deploy.runs.listing import Line
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.pictures import Chart, Column, chart_of
from steadyspot.deploy.ui.tones import SIGNS

_UNDER_WAY = (Status.RUNNING, Status.COMMITTING)


@dataclass(frozen=True)
class RunRow:
    """A line of the table of runs; ``tone`` is good, bad or care."""

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
class JobView:
    """All that the page of a job shows."""

    job: str
    facts: tuple[tuple[str, str], ...]
    actions: tuple[str, ...]
    runs: tuple[RunRow, ...]
    chart: Chart | None

    is_over = False
    """A job never is: its next run may begin."""


def job_view(job: Job, lines: Sequence[Line], *, paused: bool | None) -> JobView:
    """Return what a job's page shows; ``paused`` is None where it has no schedule to rest."""
    rest = () if paused is None else ("resume",) if paused else ("pause",)
    rows = tuple(map(_row, lines))
    columns = [
        Column(
            value=line.spot_seconds + line.on_demand_seconds,
            kind=row.tone,
            sign=row.sign,
            told=f"{line.run_key}: {duration(line.spot_seconds + line.on_demand_seconds)}, "
            f"{line.status}",
        )
        for line, row in zip(lines, rows, strict=True)
        if line.attempts
    ]
    return JobView(
        job=job.name,
        facts=tuple(_facts(job, paused=bool(paused))),
        actions=("start", *rest),
        runs=rows,
        chart=chart_of(columns[::-1], lambda seconds: f"at most {duration(seconds)}"),
    )


def _facts(job: Job, *, paused: bool) -> Iterator[tuple[str, str]]:
    rests = ", rests" if paused else ""
    for name, one in job.all_schedules.items():
        yield f"schedule {name}".rstrip(), f"{one.schedule} {one.timezone}{rests}"
    if not job.all_schedules:
        yield "schedule", "by hand only"
    yield "image", job.image
    yield "size", f"{job.vcpu:g} vCPU, {job.memory_gb:g} GB, {job.architecture}"
    yield "capacity", job.capacity
    yield "expected", duration(60 * job.expected_minutes)
    within = job.finish_within_minutes
    yield "due", f"{duration(60 * within)} after its time" if within else "no deadline"


def _row(line: Line) -> RunRow:
    good, under_way = line.status == Status.COMPLETE, line.status in _UNDER_WAY
    total = f"/{line.units_total}" if line.units_total else ""
    return RunRow(
        run=line.run_key,
        status=line.status,
        tone="good" if good else "care" if under_way else "bad",
        begun=line.begun[:16].replace("T", " "),
        attempts=line.attempts,
        units=f"{line.units_done}{total}",
        cost=dollars(line.cost),
        trouble=line.cause or "-",
    )
