"""Runs as the run table keeps them, and what they cost.

The table is the one place where it is decided who may do what; it is the history, too. Of a run's
two items the worker's counts only if it names the execution that has the run: any container of the
job could have written it. The record keeps what a run cost at the prices of its day; here it is
worked out at those of today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from steadyspot.contract import FENCE_PER_CLAIM, Capacity, Status, columns
from steadyspot.contract.keys import FIRST_RUN_KEY, LAST_RUN_KEY
from steadyspot.contract.shards import shard_of, shards_prefix
from steadyspot.deploy.aws.prices import Prices

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from steadyspot.contract.records import AttemptColumn, BrokenOffColumn, StopReportColumn


_OF_JOB = f"{columns.JOB} = :job"
_BATCH = 100
_MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)

OPEN_DAYS = 31
"""A run that ended unfinished longer ago is shown no longer; its queue forgets it after 14 days."""
UNREADABLE = "unreadable"
"""Status of a run whose record somebody has changed so that nothing else is known of it."""


@dataclass(frozen=True)
class AttemptRecord:
    """One launch of the task; times are ISO in UTC, ``exit_code`` is -1 where there was none.

    ``billed_seconds`` count from the start of the image's pull, 0 where that is not known.
    """

    attempt: int
    capacity: str
    zone: str
    started_at: str
    ended_at: str
    seconds: float
    exit_code: int
    cause: str
    stopped_reason: str
    task: str
    units_done: int
    lost_seconds: float
    billed_seconds: float = 0


@dataclass(frozen=True)
class StopRecord:
    """A stop of an attempt: the seconds of its grace, and what it took after the job had ended."""

    grace_seconds: float
    saving_seconds: float


@dataclass(frozen=True)
class RunRecord:
    """One scheduled time of one job. ``cause`` is what ended it unfinished, else empty.

    ``warnings`` are the worker's sentences about what ended no attempt, ``stop`` is the last stop.
    ``fence`` is the number of the attempt whose worker holds the run, 0 before one did;
    ``transitions`` the states that its last execution entered, those of the watch on its launches
    included, as far as it wrote that down.
    ``seconds`` are the record's totals, by the columns of its money: they count attempts, too, that
    a long series of redrives has pushed out of ``attempts``. ``skipped_for`` is the run that was
    under way when this one was skipped. ``shards``: over how many tasks it is spread, 1 for one of
    them; ``shards_done`` are those that are complete, and ``ended`` is how often their attempts, or
    those of a shard, ended how, by ``cause/capacity``. ``unreadable`` says what is wrong with
    items that somebody else has changed; if the workflow's is one, little else is known.
    """

    job: str
    run_key: str
    status: str
    execution: str
    scheduled_time: str
    claimed_at: str
    cause: str
    attempts: tuple[AttemptRecord, ...]
    units_done: int
    units_total: int
    completion: Mapping[str, Any] | None
    warnings: tuple[str, ...]
    stop: StopRecord | None
    fence: int
    transitions: int
    seconds: Mapping[str, float]
    unreadable: str = ""
    skipped_for: str = ""
    shards: int = 1
    shards_done: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)

    @property
    def attempts_ended(self) -> int:
        """How many attempts have ended, of shards those of all of them."""
        return sum(self.ended.values()) if self.shards > 1 else len(self.attempts)

    @property
    def attempts_begun(self) -> int:
        """How many attempts were asked for, as far as a record tells.

        One whose worker holds the run is not among ``attempts``, nor are refusals before it; its
        fence counts the launches of this claim. Of shards, those that have ended.
        """
        if self.shards > 1:
            return self.attempts_ended
        before = [one.attempt for one in self.attempts if one.ended_at <= self.claimed_at]
        written = max((one.attempt for one in self.attempts), default=0)
        return max(written, max(before, default=0) + self.fence % FENCE_PER_CLAIM)

    @property
    def complete(self) -> bool:
        """Whether the worker finished it."""
        return self.status == Status.COMPLETE


@dataclass(frozen=True)
class Money:
    """Seconds and US dollars of one run, and of the same on on-demand only.

    The workflow's transitions are counted beside that.
    """

    spot_seconds: float
    on_demand_seconds: float
    wasted_seconds: float
    cost: float
    cost_on_demand_only: float
    transitions: int
    transitions_cost: float

    @property
    def saving(self) -> float:
        """Share saved after waste, negative where Spot cost more; 0 for a run that did nothing."""
        return 1 - self.cost / self.cost_on_demand_only if self.cost_on_demand_only else 0.0


@dataclass(frozen=True)
class Totals:
    """The finished runs of one job and month: how many of each day (``01``), and US dollars.

    ``latest_run`` wrote into it last, at ``latest_at``; it may not have finished since.
    """

    finished: Mapping[str, int]
    cost: float
    cost_on_demand_only: float
    latest_run: str
    latest_at: str


@dataclass(frozen=True)
class OpenShard:
    """A shard that is under way or ended unfinished, and since when, ISO in UTC.

    ``run_key`` is the shard's own.
    """

    job: str
    run_key: str
    runs: bool
    since: str


class RunTable:
    """The run table of a platform, read consistently."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, job: str, run_key: str) -> RunRecord | None:
        """Return a run, or None where the table has none of that key."""
        return next(iter(self.several(job, [run_key])), None)

    def scheduled(self, job: str, most: int) -> list[RunRecord]:
        """Return the latest runs of scheduled times, newest first; runs by hand have other keys."""
        return self._with_workers(job, self._latest(job, most))

    def latest_scheduled(self, job: str, most: int) -> list[RunRecord]:
        """Return the same by the workflow's items alone, in one call: no units, no warnings."""
        return [run_of(item, {}) for item in self._latest(job, most)]

    def _latest(self, job: str, most: int) -> list[Mapping[str, Any]]:
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression=f"{_OF_JOB} AND {columns.RUN_KEY} BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":job": {"S": job},
                ":first": {"S": FIRST_RUN_KEY},
                ":last": {"S": LAST_RUN_KEY},
            },
            ScanIndexForward=False,
            Limit=most,
            ConsistentRead=True,
        )
        return [*found["Items"]]

    def several(self, job: str, run_keys: Sequence[str]) -> list[RunRecord]:
        """Return those of the runs that the table has, in no order."""
        keys = dict.fromkeys(run_keys)
        found = self._all_of([(_partition(job, key), key) for key in keys])
        return self._with_workers(job, found)

    def of_run(self, job: str, run_key: str) -> list[RunRecord]:
        """Return the shards of a run that were begun, in order."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{_OF_JOB} AND begins_with({columns.RUN_KEY}, :begins)",
            ExpressionAttributeValues={
                ":job": {"S": columns.shards_partition(job)},
                ":begins": {"S": shards_prefix(run_key)},
            },
            ConsistentRead=True,
        )
        return self._with_workers(job, [item for page in pages for item in page["Items"]])

    def shards_begun(self, job: str, run_key: str) -> int:
        """Return how many shards of a run were begun, which they are in their order; one call."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression=f"{_OF_JOB} AND begins_with({columns.RUN_KEY}, :begins)",
            ExpressionAttributeValues={
                ":job": {"S": columns.shards_partition(job)},
                ":begins": {"S": shards_prefix(run_key)},
            },
            ProjectionExpression=columns.RUN_KEY,
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )["Items"]
        _, last = shard_of(found[0][columns.RUN_KEY]["S"]) or ("", -1) if found else ("", -1)
        return last + 1

    def since(self, job: str, claimed: str) -> list[RunRecord]:
        """Return all runs that were last claimed at that ISO time or later, oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=_OF_JOB,
            FilterExpression=f"{columns.CLAIMED_AT} >= :claimed",
            ExpressionAttributeValues={":job": {"S": job}, ":claimed": {"S": claimed}},
        )
        runs = self._with_workers(job, [item for page in pages for item in page["Items"]])
        return sorted(runs, key=lambda run: run.claimed_at)

    def open_runs(self, now: datetime) -> list[tuple[str, str]]:
        """Return job and key of the runs of all jobs that are under way or ended unfinished.

        Of the latter those since :data:`OPEN_DAYS`. One call, as long as these are below some
        thousands; the index follows a change within a second or so.
        """
        return [
            (item[columns.JOB]["S"], item[columns.RUN_KEY]["S"])
            for item in self._open(columns.OPEN, now)
        ]

    def open_shards(self, now: datetime) -> list[OpenShard]:
        """Return the same of the shards of all runs; one call for some thousands of them."""
        return [
            OpenShard(
                job=item[columns.JOB]["S"].removesuffix(columns.SHARDS_SUFFIX),
                run_key=item[columns.RUN_KEY]["S"],
                runs=item[columns.OPEN_AS]["S"].startswith(columns.RUNNING_SINCE),
                since=item[columns.OPEN_AS]["S"].partition(" ")[2],
            )
            for item in self._open(columns.OPEN_SHARD, now)
        ]

    def _open(self, which: str, now: datetime) -> Iterator[Mapping[str, Any]]:
        since = now - timedelta(days=OPEN_DAYS)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=columns.IS_OPEN,
            KeyConditionExpression=f"{columns.IS_OPEN} = :open AND {columns.OPEN_AS} >= :since",
            ExpressionAttributeValues={
                ":open": {"S": which},
                # What runs is sorted behind what is parked, so it is read whatever its time.
                ":since": {"S": f"{columns.PARKED_SINCE}{since:%Y-%m-%dT%H:%M:%S}"},
            },
        )
        for page in pages:
            yield from page["Items"]

    def of_jobs(
        self,
        runs: Sequence[tuple[str, str]],
        months: Sequence[tuple[str, str]],
        *,
        with_workers: bool = True,
    ) -> tuple[dict[tuple[str, str], RunRecord], dict[tuple[str, str], Totals]]:
        """Return runs by job and key, and totals by job and month (2026-11); a call a hundred.

        The worker's item of a run, which tells how far it is, is read for another of the hundred.
        """
        keys = {*runs}
        if with_workers:
            keys |= {(columns.worker_partition(job), key) for job, key in runs}
        keys |= {(job, f"{columns.TOTALS}{month}") for job, month in months}
        items = {
            (item[columns.JOB]["S"], item[columns.RUN_KEY]["S"]): item
            for item in self._all_of(sorted(keys))
        }
        found = {
            (job, key): run_of(items[job, key], items.get((columns.worker_partition(job), key), {}))
            for job, key in runs
            if (job, key) in items
        }
        sums = {
            (job, month): totals_of(items[job, f"{columns.TOTALS}{month}"])
            for job, month in months
            if (job, f"{columns.TOTALS}{month}") in items
        }
        return found, sums

    def weather(
        self, architectures: Sequence[str], months: Sequence[str]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Return the columns of Spot's weather by architecture, an item a month; one call."""
        keys = {
            (columns.WEATHER, f"{one.upper()}/{month}"): one
            for one in architectures
            for month in months
        }
        found: dict[str, list[Mapping[str, Any]]] = {one: [] for one in architectures}
        for item in self._all_of(sorted(keys)):
            found[keys[item[columns.JOB]["S"], item[columns.RUN_KEY]["S"]]].append(item)
        return found

    def close(self, job: str, run_key: str) -> None:
        """Take a run that ended unfinished out of what is open, since nobody will redrive it."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key={columns.JOB: {"S": _partition(job, run_key)}, columns.RUN_KEY: {"S": run_key}},
                UpdateExpression=f"REMOVE {columns.IS_OPEN}, {columns.OPEN_AS}",
                ConditionExpression="#status = :unfinished",
                ExpressionAttributeNames={"#status": columns.STATUS},
                ExpressionAttributeValues={":unfinished": {"S": Status.UNFINISHED}},
            )

    def queue_of(self, job: str) -> dict[str, str]:
        """Return the runs of a job that wait for their turn: run key to its execution's name."""
        key = {columns.JOB: columns.turn_partition(job), columns.RUN_KEY: columns.TURN}
        item = self._client.get_item(
            TableName=self._table,
            Key={name: {"S": value} for name, value in key.items()},
            ConsistentRead=True,
        ).get("Item", {})
        places = item.get(columns.QUEUED, {}).get("SS", [])
        return {place.split("/")[1]: place.split("/")[2] for place in places}

    def forget(self, job: str) -> None:
        """Delete the records of all runs of a job."""
        partitions = (columns.worker_partition, columns.turn_partition, columns.shards_partition)
        for partition in (job, *(of(job) for of in partitions)):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression=_OF_JOB,
                ExpressionAttributeValues={":job": {"S": partition}},
                ProjectionExpression=columns.RUN_KEY,
            )
            for page in pages:
                for item in page["Items"]:
                    key = {columns.JOB: {"S": partition}, columns.RUN_KEY: item[columns.RUN_KEY]}
                    self._client.delete_item(TableName=self._table, Key=key)

    def _with_workers(self, job: str, items: Sequence[Mapping[str, Any]]) -> list[RunRecord]:
        run_keys = [item[columns.RUN_KEY]["S"] for item in items]
        found = self._items(columns.worker_partition(job), run_keys)
        workers = {item[columns.RUN_KEY]["S"]: item for item in found}
        return [
            run_of(item, workers.get(key, {})) for key, item in zip(run_keys, items, strict=True)
        ]

    def _items(self, partition: str, run_keys: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return those of the items that there are, in no order; one call for each hundred."""
        return self._all_of([(partition, key) for key in dict.fromkeys(run_keys)])

    def _all_of(self, of: Sequence[tuple[str, str]]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for begin in range(0, len(of), _BATCH):
            keys: list[Any] = [
                {columns.JOB: {"S": partition}, columns.RUN_KEY: {"S": key}}
                for partition, key in of[begin : begin + _BATCH]
            ]
            while keys:
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
                found += answer["Responses"].get(self._table, [])
                left: Any = answer.get("UnprocessedKeys", {})
                keys = list(left.get(self._table, {}).get("Keys", []))
        return found


def _partition(job: str, run_key: str) -> str:
    """Return where the workflow's item of a run lies, or of a shard."""
    return columns.shards_partition(job) if shard_of(run_key) else job


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
    return AttemptRecord(
        attempt=int(column["attempt"]),
        capacity=column["capacity"],
        zone=column["zone"],
        started_at=column["started_at"],
        ended_at=column["ended_at"],
        seconds=float(column["seconds"]),
        exit_code=int(column["exit_code"]),
        cause=column.get("cause", ""),
        stopped_reason=column["stopped_reason"],
        task=column["task"],
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
    return AttemptRecord(
        attempt=int(column["attempt"]),
        capacity=column["capacity"],
        zone=column["zone"],
        started_at=column["started_at"],
        ended_at=column["ended_at"],
        seconds=float(seconds),
        exit_code=-1,
        cause=column["cause"],
        stopped_reason="",
        task=column["task"],
        units_done=int(written.get(columns.PROGRESS, {}).get("units_done", 0)),
        lost_seconds=float(min(seconds, report["lost_seconds"]) if is_its_own else seconds),
    )


def added_up(run: RunRecord, shards: Sequence[RunRecord]) -> RunRecord:
    """Return a run that is spread over shards with the sums of what they have come to; pure."""
    seconds: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for shard in shards:
        seconds.update(shard.seconds)
        ended.update(shard.ended)
    return replace(
        run,
        seconds=dict(seconds),
        ended=dict(ended),
        # What ended by itself has counted those of its shards.
        transitions=max(run.transitions, sum(shard.transitions for shard in shards)),
        shards_done=sum(shard.complete for shard in shards),
    )


def money(run: RunRecord, prices: Prices, *, vcpu: float, memory_gb: float) -> Money:
    """Return what a run cost, and its useful seconds on on-demand only would have."""
    attempts = run.attempts
    spot = sum(a.seconds for a in attempts if a.capacity == Capacity.SPOT)
    on_demand = sum(a.seconds for a in attempts if a.capacity == Capacity.ON_DEMAND)
    wasted = sum(a.lost_seconds for a in attempts)
    spot = max(spot, run.seconds.get("spot_seconds", 0))
    on_demand = max(on_demand, run.seconds.get("on_demand_seconds", 0))
    wasted = max(wasted, run.seconds.get("wasted_seconds", 0))
    second = prices.second(vcpu=vcpu, memory_gb=memory_gb)
    return Money(
        spot_seconds=spot,
        on_demand_seconds=on_demand,
        wasted_seconds=wasted,
        cost=second * (spot * prices.spot_ratio + on_demand),
        cost_on_demand_only=second * max(0.0, spot + on_demand - wasted),
        transitions=run.transitions,
        transitions_cost=prices.transition * run.transitions,
    )
