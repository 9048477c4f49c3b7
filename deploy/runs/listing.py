"""The last runs of a job, from the run table, the state machine's executions and the queue.

The table holds every run that was claimed; executions that never came so far (a claim that was
refused, an input that made no sense) are only known to Step Functions, which keeps them for 90
days; starts that the Scheduler could not deliver, only to the dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Status
from steadyspot.contract.keys import scheduled_time_from, scheduled_time_of
from steadyspot.contract.shards import shard_of_execution
from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.runs import shards
from steadyspot.deploy.runs.executions import described, history, run_key_in
from steadyspot.deploy.runs.records import RunRecord, money
from steadyspot.deploy.runs.redrive import Waiting, redrive_of
from steadyspot.deploy.runs.story import with_ended
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.stacks.config import Job

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

_GLANCED = 5
"""Executions that a glance looks at, a call each where they came to no run."""
_PAGES = 12
"""Of a thousand executions, which is more than one run has shards."""
_NO_RECORD = {"FAILED", "ABORTED", "TIMED_OUT", "RUNNING"}


@dataclass(frozen=True)
class Line:
    """One run as a listing shows it; times are ISO in UTC, money US dollars.

    ``units_total`` is 0 where the job has not told how many there are. Of a run that is spread over
    ``shards``, so many of which are done, the attempts are those of all of them that have ended.
    """

    job: str
    run_key: str
    status: str
    begun: str
    attempts: int
    spot_seconds: float
    on_demand_seconds: float
    units_done: int
    units_total: int
    cause: str
    cost: float
    saved: float
    execution: str
    shards: int = 1
    shards_done: int = 0


@dataclass(frozen=True)
class Stray:
    """An execution that has claimed no run, and the key of the run that it was started for."""

    run_key: str
    execution: Mapping[str, Any]


def lines_of(
    job: Job,
    runs: Sequence[RunRecord],
    strays: Sequence[Stray],
    waiting: Sequence[Waiting],
    prices: Prices,
) -> list[Line]:
    """Return runs, and what came to none, as lines, newest first; pure."""
    known = {run.run_key for run in runs} | {stray.run_key for stray in strays}
    lines = [
        *(_of_run(run, prices, job.vcpu, job.memory_gb) for run in runs),
        *(_of_stray(job.name, stray) for stray in strays),
        *(_of_waiting(job.name, one) for one in waiting if one.run_key not in known),
    ]
    return sorted(lines, key=lambda line: line.begun, reverse=True)


def _of_run(run: RunRecord, prices: Prices, vcpu: float, memory_gb: float) -> Line:
    cost = money(run, prices, vcpu=vcpu, memory_gb=memory_gb)
    return Line(
        job=run.job,
        run_key=run.run_key,
        status=run.status,
        begun=run.claimed_at,
        attempts=run.attempts_begun,
        spot_seconds=cost.spot_seconds,
        on_demand_seconds=cost.on_demand_seconds,
        units_done=run.units_done,
        units_total=run.units_total,
        cause=_trouble(run),
        cost=cost.cost,
        saved=cost.saving,
        execution=run.execution,
        shards=run.shards,
        shards_done=run.shards_done,
    )


def _trouble(run: RunRecord) -> str:
    if run.unreadable:
        return run.unreadable
    if run.status in (Status.UNFINISHED, Status.SKIPPED):
        return run.cause
    causes = [how.partition("/")[0] for how in run.ended] if run.shards > 1 else []
    causes += [attempt.cause for attempt in run.attempts]
    return ", ".join(dict.fromkeys(cause for cause in causes if cause not in ("", "finished")))


def _of_stray(job: str, stray: Stray) -> Line:
    begun: datetime = stray.execution["startDate"]
    status = stray.execution["status"].lower().replace("_", " ")
    at_work = stray.execution["status"] == "RUNNING"
    return Line(
        **_NOTHING,
        job=job,
        run_key=stray.run_key,
        status=status,
        begun=scheduled_time_of(begun.astimezone(UTC)),
        cause="" if at_work else "claimed no run: see explain",
        execution=stray.execution["executionArn"],
    )


def _of_waiting(job: str, waiting: Waiting) -> Line:
    return Line(
        **_NOTHING,
        job=job,
        run_key=waiting.run_key or "?",
        status="parked",
        begun=scheduled_time_from(waiting.run_key),
        cause=waiting.why or waiting.note,
        execution="",
    )


_NOTHING: Mapping[str, Any] = {
    "attempts": 0,
    "spot_seconds": 0,
    "on_demand_seconds": 0,
    "units_done": 0,
    "units_total": 0,
    "cost": 0,
    "saved": 0,
}


def latest(
    table: RunTable, sfn: Any, *, job: str, machine: str, most: int
) -> tuple[list[RunRecord], list[Mapping[str, Any]]]:
    """Return the last runs, scheduled and by hand, and their last executions; three calls.

    More only where runs are spread over shards, whose executions lie between those of runs.
    """
    executions = _last_executions(sfn, machine, min(1000, most))
    runs = {run.run_key: run for run in table.scheduled(job, most)}
    by_hand = [execution["name"] for execution in executions if execution["name"] not in runs]
    runs.update((run.run_key, run) for run in table.several(job, by_hand))
    return sorted(runs.values(), key=lambda run: run.claimed_at, reverse=True)[:most], executions


def _last_executions(sfn: Any, machine: str, most: int) -> list[Mapping[str, Any]]:
    """Return the last executions of a state machine, but for those of shards."""
    found: list[Mapping[str, Any]] = []
    request = {"stateMachineArn": machine, "maxResults": most}
    for _ in range(_PAGES):
        page = sfn.list_executions(**request)
        found += [one for one in page["executions"] if not shard_of_execution(one["name"])]
        if len(found) >= most or "nextToken" not in page or len(found) == len(page["executions"]):
            break
        request |= {"nextToken": page["nextToken"], "maxResults": 1000}
    return found[:most]


def strays(
    table: RunTable,
    sfn: Any,
    *,
    job: str,
    runs: Sequence[RunRecord],
    executions: Sequence[Mapping[str, Any]],
) -> list[Stray]:
    """Return the executions that came to no run; a call each for those that no record names.

    The execution that a run was redriven from is none of them, though the record names the last.
    """
    named = {run.execution for run in runs}
    found = []
    for execution in executions:
        if execution["executionArn"] in named or execution["status"] not in _NO_RECORD:
            continue
        shown = described(sfn, execution["executionArn"]) or {}
        found.append(Stray(run_key_in(shown.get("input", "{}")) or execution["name"], execution))
    claimed = {run.run_key for run in runs}
    claimed |= {run.run_key for run in table.several(job, [stray.run_key for stray in found])}
    return [stray for stray in found if stray.run_key not in claimed]


def listed(target: Target, job: Job, most: int) -> list[Line]:
    """Read the last runs of a job, and what came to none, newest first.

    Of a run that is under way the history is read, too, which alone knows how its last attempt
    ended before another one has written it down.

    Raises
    ------
    Trouble
        When the job is not deployed.
    """
    waiting = redrive_of(target, job, target.job(job)).waiting()
    runs, others = _read(target, job, most, executions_at_most=most)
    sfn = target.client("stepfunctions")
    told = [
        with_ended(run, history(sfn, run.execution))
        if run.status == Status.RUNNING and run.shards == 1
        else run
        for run in runs
    ]
    return lines_of(job, told, others, waiting, target.config.prices_of(job))


def glanced(target: Target, job: Job, most: int) -> tuple[list[RunRecord], list[Line]]:
    """Read the last runs of a job for who looks again and again, in some ten calls.

    Only the latest executions are looked at that came to no run, and the queue is left alone: who
    looks into it hides for a moment from a redrive what lies there. Returns the runs that have a
    record, and all as lines.

    Raises
    ------
    Trouble
        When the job is not deployed.
    """
    runs, others = _read(target, job, most, executions_at_most=_GLANCED)
    return runs, lines_of(job, runs, others, (), target.config.prices_of(job))


def _read(
    target: Target, job: Job, most: int, executions_at_most: int
) -> tuple[list[RunRecord], list[Stray]]:
    machine, sfn, table = (
        target.job(job)["StateMachine"],
        target.client("stepfunctions"),
        target.runs,
    )
    runs, executions = latest(table, sfn, job=job.name, machine=machine, most=most)
    latest_executions = executions[:executions_at_most]
    others = strays(table, sfn, job=job.name, runs=runs, executions=latest_executions)
    return [shards.whole(table, run) for run in runs], others


def cells(line: Line) -> Iterator[str]:
    """Yield the cells of a line, as :data:`COLUMNS` names them."""
    yield line.run_key
    yield line.status
    yield line.begun[:16].replace("T", " ")
    yield str(line.attempts)
    yield _units(line)
    yield dollars(line.cost)
    yield line.cause or "-"


def _units(line: Line) -> str:
    if line.shards > 1:
        return f"{line.shards_done}/{line.shards} shards"
    return f"{line.units_done}/{line.units_total}" if line.units_total else f"{line.units_done}"


def sentence(line: Line) -> str:
    """Return a line in words, for a terminal on which its columns have no room."""
    told = [line.status, f"begun {line.begun[:16].replace('T', ' ')} UTC" if line.begun else ""]
    if line.attempts:
        told.append(f"{line.attempts} attempt{'s' * (line.attempts > 1)}")
        told.append(f"{_units(line)}{' units' * (line.shards == 1)}, {dollars(line.cost)}")
    return ", ".join(filter(None, [*told, line.cause]))


LEAST_BESIDE_KEY = 63
"""Characters that the other columns take at least."""
COLUMNS = ("run", "status", "begun (UTC)", "#", "units", "cost", "trouble")
