"""Reads runs out of the items of the run table, as far as they can be read.

Of a run's two items the worker's counts only if it names the execution that has the run: any
container of the job could have written it. What somebody has changed so that it cannot be read
makes a record that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from functools import wraps
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from steadyspot.contract import Capacity, Status, columns
from steadyspot.deploy.runs.records import (
    UNREADABLE,
    AttemptRecord,
    RunRecord,
    StopRecord,
    Totals,
)

if TYPE_CHECKING:
    from steadyspot.contract.records import AttemptColumn, BrokenOffColumn, StopReportColumn

_MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


def totals_of(item: Mapping[str, Any]) -> Totals:
    """Return the totals of an item of the table; what is no number counts nothing."""
    values = _plain(item)

    def number(name: str) -> float:
        value = values.get(name)
        return float(value) if isinstance(value, Decimal) else 0.0

    days = [name for name in values if name.startswith(columns.DAY)]
    return Totals(
        finished={day.removeprefix(columns.DAY): int(number(day)) for day in days},
        cost=number(columns.COST),
        cost_on_demand_only=number(columns.COST_ON_DEMAND_ONLY),
        latest_run=str(values.get(columns.LATEST_RUN, "")),
        latest_at=str(values.get(columns.LATEST_AT, "")),
    )


def _as_far_as_it_can_be_read(read: Callable[..., RunRecord]) -> Callable[..., RunRecord]:
    """Make a record that somebody has changed one that says so, and not the end of a listing."""

    @wraps(read)
    def reading(item: Mapping[str, Any], worker_item: Mapping[str, Any]) -> RunRecord:
        try:
            return _of_right_types(read(item, worker_item))
        except _MALFORMED as error:
            why = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
        if worker_item:  # Any container of the job may have written it: the run is still known.
            known = reading(item, {})
            told = known.unreadable or f"What its worker has written cannot be read: {why}."
            return replace(known, unreadable=told)
        return _unreadable(item, why)

    return reading


def _of_right_types(run: RunRecord) -> RunRecord:
    parts: tuple[RunRecord | AttemptRecord, ...] = (run, *run.attempts)
    for one in parts:
        for known in fields(one):
            if known.type == "str" and not isinstance(getattr(one, known.name), str):
                raise TypeError(f"{known.name} is no text")
    for name, value in (run.completion or {}).items():
        if not isinstance(value, str | int | Decimal):
            raise TypeError(f"{columns.COMPLETION}.{name} is neither text nor number")
    return run


def _unreadable(item: Mapping[str, Any], why: str) -> RunRecord:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    return RunRecord(
        job=text(columns.JOB),
        run_key=text(columns.RUN_KEY),
        status=UNREADABLE,
        execution=text(columns.EXECUTION),
        scheduled_time=text(columns.SCHEDULED_TIME),
        claimed_at=text(columns.CLAIMED_AT),
        cause="",
        attempts=(),
        units_done=0,
        units_total=0,
        completion=None,
        warnings=(),
        stop=None,
        fence=0,
        transitions=0,
        seconds={},
        unreadable=f"The run's record in the table cannot be read: {why}.",
    )


@_as_far_as_it_can_be_read
def run_of(item: Mapping[str, Any], worker_item: Mapping[str, Any]) -> RunRecord:
    """Return a run from the workflow's item of the table and the worker's."""
    values, written = _plain(item), _plain(worker_item)
    if written.get(columns.EXECUTION) != values.get(columns.EXECUTION):
        written = {}
    status = values.get(columns.STATUS, "")
    if (status, written.get(columns.STATUS)) == (Status.RUNNING, Status.COMMITTING):
        status = Status.COMMITTING.value
    progress: Any = written.get(columns.PROGRESS, {})
    attempts = [attempt_of(attempt) for attempt in values.get(columns.ATTEMPTS, [])]
    shards = int(values.get(columns.SHARDS, 1))
    totals = values.get(columns.MONEY, {})
    ended = Counter({how: int(times) for how, times in totals.get("ended", {}).items()})
    seconds = {name: float(total) for name, total in totals.items() if name.endswith("_seconds")}
    if column := values.get(columns.BROKEN_OFF):
        broken = _broken_off(column, written)
        attempts.append(broken)
        ended[f"{broken.cause}/{broken.capacity}"] += 1
        of_capacity = "spot_seconds" if broken.capacity == Capacity.SPOT else "on_demand_seconds"
        for name, more in (
            (of_capacity, broken.seconds),
            ("wasted_seconds", broken.lost_seconds),
        ):
            seconds[name] = seconds.get(name, 0.0) + more
    if attempts and status == Status.COMPLETE:
        # A run that is closed at once does not look at what its one attempt has done.
        attempts[-1] = replace(
            attempts[-1], cause="finished", units_done=int(progress.get("units_done", 0))
        )
    return RunRecord(
        job=values[columns.JOB].removesuffix(columns.SHARDS_SUFFIX),
        run_key=values[columns.RUN_KEY],
        status=status,
        execution=values.get(columns.EXECUTION, ""),
        scheduled_time=values.get(columns.SCHEDULED_TIME, ""),
        claimed_at=values.get(columns.CLAIMED_AT, ""),
        cause=values.get(columns.CAUSE, ""),
        attempts=tuple(attempts),
        units_done=int(progress.get("units_done", 0)),
        units_total=int(progress.get("units_total", 0)),
        completion=written.get(columns.COMPLETION),
        warnings=tuple(str(sentence) for sentence in written.get(columns.WARNINGS, [])),
        stop=_stop(written.get(columns.STOP_REPORT, {})),
        fence=int(written.get(columns.FENCE, 0)),
        transitions=int(totals.get("transitions", 0)),
        seconds=seconds,
        skipped_for=values.get(columns.SKIPPED_FOR, ""),
        shards=shards,
        shards_done=shards if shards > 1 and status == Status.COMPLETE else 0,
        ended=dict(ended),
    )


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def _stop(column: StopReportColumn) -> StopRecord | None:
    if "grace_seconds" not in column:
        return None
    return StopRecord(float(column["grace_seconds"]), float(column["grace_saving_seconds"]))


def attempt_of(column: AttemptColumn) -> AttemptRecord:
    """Return an attempt from its column, or as the workflow carries it along."""
    return _attempt(
        column,
        exit_code=int(column["exit_code"]),
        stopped_reason=column["stopped_reason"],
        units_done=int(column["units_done"]),
        lost_seconds=float(column["lost_seconds"]),
        billed_seconds=float(column.get("billed_seconds", 0)),
    )


def _broken_off(column: BrokenOffColumn, written: Mapping[str, Any]) -> AttemptRecord:
    """Return the attempt that ended with its execution, which knew nothing of its work.

    What its worker wrote in its grace, if it came to that, says what was lost; else all is.
    """
    report: Any = written.get(columns.STOP_REPORT, {})
    is_its_own = report.get("fence", 0) == written.get(columns.FENCE, -1)
    seconds = column["seconds"]
    return _attempt(
        column,
        exit_code=-1,
        stopped_reason="",
        units_done=int(written.get(columns.PROGRESS, {}).get("units_done", 0)),
        lost_seconds=float(min(seconds, report["lost_seconds"]) if is_its_own else seconds),
    )


def _attempt(column: AttemptColumn | BrokenOffColumn, **known: Any) -> AttemptRecord:
    """Return an attempt from what both columns of one say, and what is known of it beside."""
    return AttemptRecord(
        attempt=int(column["attempt"]),
        capacity=column["capacity"],
        zone=column["zone"],
        started_at=column["started_at"],
        ended_at=column["ended_at"],
        seconds=float(column["seconds"]),
        cause=column.get("cause", ""),
        task=column["task"],
        **known,
    )
