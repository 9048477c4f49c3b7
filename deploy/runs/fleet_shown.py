"""How all jobs stand, as rows of a table, a sentence and what to type next; pure.

``fleet`` judges it. The command line and the page show the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from steadyspot.deploy.aws.prices import dollars
from steadyspot.deploy.runs.fleet import MARKS, NO_RUN, STATES, JobStatus

COLUMNS = ("job", "state", "now or last (UTC)", "next", "7 days", "cost", "saved")


def as_data(one: JobStatus) -> dict[str, Any]:
    """Return how a job stands for machines."""
    return {**asdict(one), "saving": one.saving}


def cells(one: JobStatus) -> tuple[str, ...]:
    """Return the cells of a job, as :data:`COLUMNS` names them."""
    return (
        one.job,
        f"{one.state} {one.parked}" if one.state == "parked" else one.state,
        _now_or_last(one),
        _short(one.next_due) or ("paused" if one.paused else "-"),
        "".join(MARKS[mark] for mark in one.days),
        f"${one.cost:.2f}" if one.cost else "-",
        f"{one.saving:.0%}" if one.cost_on_demand_only else "-",
    )


def _now_or_last(one: JobStatus) -> str:
    if one.missed:
        return f"due {_short(one.missed)}, no run"
    if one.running and one.state != "parked":
        run = min(one.running, key=lambda run: run.deadline or "9")
        units = f"{run.units_done}/{run.units_total}" if run.units_total else f"{run.units_done}"
        if run.shards:
            units = f"{run.shards.done}/{run.shards.of} shards"
        more = f" +{len(one.running) - 1}" if len(one.running) > 1 else ""
        until = f" by {_short(run.deadline)}" if run.deadline else ""
        return f"{run.capacity or 'no capacity'} {units}{until}{more}"
    if one.last_at:
        return f"{_short(one.last_at)} {one.last_status}"
    return one.note or "-"


def _short(time: str) -> str:
    return time[5:16].replace("T", " ")


def summary(jobs: Sequence[JobStatus]) -> str:
    """Return one sentence on all jobs."""
    counts = [(state, sum(one.state == state for one in jobs)) for state in (*STATES, NO_RUN)]
    told = ", ".join(f"{count} {state}" for state, count in counts if count)
    cost = sum(one.cost for one in jobs)
    full = sum(one.cost_on_demand_only for one in jobs)
    saved = f", {1 - cost / full:.0%} saved" if full else ""
    month = f"This month's compute: {dollars(cost)}{saved}."
    return f"{len(jobs)} job{'s' * (len(jobs) != 1)}: {told}. {month}"


LEGEND = (
    "7 days of UTC, today last: + finished, x unfinished, ! missed, . none. Cost and saving are of "
    "compute this month; with all that AWS bills: steadyspot cost."
)


def next_steps(jobs: Sequence[JobStatus]) -> Iterator[str]:
    """Yield what to type for what is missed or parked; of many, the first."""
    missed = [one for one in jobs if one.missed]
    parked = [one for one in jobs if one.parked]
    if missed:
        yield f"Missed: steadyspot redrive {missed[0].job} --from {missed[0].missed}"
    if len(parked) > 1:
        yield "Parked: steadyspot redrive --all"
    elif parked:
        yield f"Parked: steadyspot redrive {parked[0].job}"
