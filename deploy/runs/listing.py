"""The last runs of a job, from the run table and the state machine's executions.

The table holds every run that was claimed; executions that never came so far (a claim that was
refused, an input that made no sense) are only known to Step Functions, which keeps them for 90
days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract import Status
from steadyspot.contract.keys import scheduled_time_of
from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.runs.records import RunRecord, RunTable, money

_NO_RECORD = {"FAILED", "ABORTED", "TIMED_OUT", "RUNNING"}


@dataclass(frozen=True)
class Line:
    """One run as a listing shows it; times are ISO in UTC, money US dollars."""

    run_key: str
    status: str
    begun: str
    attempts: int
    spot_seconds: float
    on_demand_seconds: float
    units: str
    cause: str
    cost: float
    saved: float
    execution: str


def lines_of(
    runs: Sequence[RunRecord],
    executions: Sequence[Mapping[str, Any]],
    prices: Prices,
    *,
    vcpu: float,
    memory_gb: float,
) -> list[Line]:
    """Return runs and executions without one as lines, newest first; pure."""
    named = {run.execution for run in runs}
    unclaimed = (
        _of_execution(execution)
        for execution in executions
        if execution["executionArn"] not in named and execution["status"] in _NO_RECORD
    )
    lines = [*(_of_run(run, prices, vcpu, memory_gb) for run in runs), *unclaimed]
    return sorted(lines, key=lambda line: line.begun, reverse=True)


def _of_run(run: RunRecord, prices: Prices, vcpu: float, memory_gb: float) -> Line:
    cost = money(run, prices, vcpu=vcpu, memory_gb=memory_gb)
    total = f"/{run.units_total}" if run.units_total else ""
    return Line(
        run_key=run.run_key,
        status=run.status,
        begun=run.claimed_at,
        attempts=len(run.attempts),
        spot_seconds=cost.spot_seconds,
        on_demand_seconds=cost.on_demand_seconds,
        units=f"{run.units_done}{total}",
        cause=_trouble(run),
        cost=cost.cost,
        saved=cost.saving,
        execution=run.execution,
    )


def _trouble(run: RunRecord) -> str:
    if run.unreadable:
        return run.unreadable
    if run.status == Status.UNFINISHED:
        return run.cause
    return ", ".join(
        dict.fromkeys(a.cause for a in run.attempts if a.cause not in ("", "finished"))
    )


def _of_execution(execution: Mapping[str, Any]) -> Line:
    begun: datetime = execution["startDate"]
    return Line(
        run_key="(no record)",
        status=execution["status"].lower().replace("_", " "),
        begun=scheduled_time_of(begun.astimezone(UTC)),
        attempts=0,
        spot_seconds=0,
        on_demand_seconds=0,
        units="0",
        cause="see steadyspot explain",
        cost=0,
        saved=0,
        execution=execution["executionArn"],
    )


def latest(
    table: RunTable, sfn: Any, *, job: str, machine: str, most: int
) -> tuple[list[RunRecord], list[Mapping[str, Any]]]:
    """Return the last runs, scheduled and by hand, and the last executions; three calls."""
    executions = sfn.list_executions(stateMachineArn=machine, maxResults=min(1000, most))[
        "executions"
    ]
    runs = {run.run_key: run for run in table.scheduled(job, most)}
    by_hand = [execution["name"] for execution in executions if execution["name"] not in runs]
    runs.update((run.run_key, run) for run in table.several(job, by_hand))
    return sorted(runs.values(), key=lambda run: run.claimed_at, reverse=True)[:most], executions


def cells(line: Line) -> Iterator[str]:
    """Yield the cells of a line, as :data:`COLUMNS` names them."""
    yield line.run_key
    yield line.status
    yield line.begun[:16].replace("T", " ")
    yield str(line.attempts)
    yield line.units
    yield dollars(line.cost)
    yield line.cause or "-"


COLUMNS = ("run", "status", "begun (UTC)", "#", "units", "cost", "trouble")
