"""The run table of a platform, read consistently: which items a question takes, in few calls.

The table is the one place where it is decided who may do what; it is the history, too. What an item
says is read by ``items``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Status, columns
from steadyspot.contract.keys import FIRST_RUN_KEY, LAST_RUN_KEY
from steadyspot.contract.shards import shard_of, shards_prefix
from steadyspot.deploy.runs.items import run_of, totals_of
from steadyspot.deploy.runs.records import RunRecord, Totals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_OF_JOB = f"{columns.JOB} = :job"
_BATCH = 100

OPEN_DAYS = 31
"""A run that ended unfinished longer ago is shown no longer; its queue forgets it after 14 days."""


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
