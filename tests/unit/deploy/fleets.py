"""A platform of many jobs as `status` meets it: the run table on moto, the rest made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3

from steadyspot.contract import Env, Status, columns
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.stacks.config import Config, Job, Platform
from tests.unit.mocked import mocked
from tests.unit.templates import of_type

TABLE = "runs"


def items_of(
    job: str, at: datetime, status: str = Status.COMPLETE, **worker: Any
) -> Iterable[dict[str, Any]]:
    """The two items of a run of a scheduled time, as the workflow leaves them."""
    time = scheduled_time_of(at)
    own: dict[str, Any] = {
        columns.JOB: {"S": job},
        columns.RUN_KEY: {"S": run_key_of(time)},
        columns.STATUS: {"S": status},
        columns.EXECUTION: {"S": f"arn:{job}:{time}"},
        columns.SCHEDULED_TIME: {"S": time},
        columns.CLAIMED_AT: {"S": time},
        columns.ATTEMPTS: {"L": []},
        columns.MONEY: {"M": {"spot_seconds": {"N": "3600"}}},
    }
    if status != Status.COMPLETE:
        parked = status == Status.UNFINISHED
        since = columns.PARKED_SINCE if parked else columns.RUNNING_SINCE
        own[columns.IS_OPEN] = {"S": columns.OPEN}
        own[columns.OPEN_AS] = {"S": f"{since}{time}"}
    yield own
    shared = (columns.RUN_KEY, columns.EXECUTION, columns.STATUS)
    yield {
        columns.JOB: {"S": columns.worker_partition(job)},
        **{name: own[name] for name in shared},
        **worker,
    }


def totals_item(
    job: str, month: str, days: Mapping[int, int], latest: datetime, cost: float = 0.0
) -> dict[str, Any]:
    """The totals of a job's month: finished runs by day; on-demand costs three times that."""
    time = scheduled_time_of(latest)
    return {
        columns.JOB: {"S": job},
        columns.RUN_KEY: {"S": f"{columns.TOTALS}{month}"},
        **{f"{columns.DAY}{day:02}": {"N": str(count)} for day, count in days.items()},
        columns.COST: {"N": str(cost)},
        columns.COST_ON_DEMAND_ONLY: {"N": str(cost * 3)},
        columns.LATEST_RUN: {"S": run_key_of(time)},
        columns.LATEST_AT: {"S": time},
    }


@contextmanager
def run_table() -> Iterator[Any]:
    """A client of moto's DynamoDB while the run table is there."""
    with mocked():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        make_table(client)
        try:
            yield client
        finally:
            client.delete_table(TableName=TABLE)


def make_table(client: Any) -> None:
    """Make the run table as the template has it."""
    (made,) = of_type("platform", "AWS::DynamoDB::Table").values()
    keys = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=TABLE, **{key: made[key] for key in keys})


class Counted:
    """Services whose calls are counted, a page of a list each."""

    def __init__(
        self,
        *,
        schedules: Mapping[str, tuple[bool, datetime]],
        tasks: Iterable[tuple[str, str, str]] = (),
        ringing: Iterable[str] = (),
    ) -> None:
        self.calls = 0
        pages = [
            {"Name": name, "State": "ENABLED" if on else "DISABLED", "CreationDate": since}
            for name, (on, since) in schedules.items()
        ]
        described = [
            {
                "group": f"family:shop-{job}",
                "overrides": {
                    "containerOverrides": [
                        {
                            "name": "worker",
                            "environment": [
                                {"name": Env.RUN_KEY, "value": key},
                                {"name": Env.CAPACITY, "value": capacity},
                            ],
                        }
                    ]
                },
            }
            for job, key, capacity in tasks
        ]
        self._pages: dict[str, list[Any]] = {
            "list_schedules": [
                {"Schedules": pages[n : n + 100]} for n in range(0, len(pages), 100)
            ],
            "describe_alarms": [
                {"MetricAlarms": [{"AlarmName": name, "StateValue": "ALARM"} for name in ringing]}
            ],
            "list_tasks": [{"taskArns": [str(n) for n in range(len(described))]}],
        }
        self._described = described

    def get_paginator(self, name: str) -> Any:
        """A paginator over what was given."""

        def paginate(**_: Any) -> Iterable[Any]:
            for page in self._pages[name]:
                self.calls += 1
                yield page

        return SimpleNamespace(paginate=paginate)

    def describe_tasks(self, **_: Any) -> Any:
        """All tasks."""
        self.calls += 1
        return {"tasks": self._described}


def target_of(dynamodb: Any, jobs: Iterable[Job], services: Counted) -> Any:
    """A target with these jobs, as far as `status` needs one."""
    config = Config(Path("steadyspot.toml"), Platform("shop"), {job.name: job for job in jobs})

    def count(**_: Any) -> None:
        services.calls += 1

    dynamodb.meta.events.register("before-call.dynamodb", count)
    return SimpleNamespace(
        config=config,
        client=lambda _name: services,
        platform_stack="shop",
        platform={"ScheduleGroup": "shop", "ClusterName": "shop"},
        runs=RunTable(dynamodb, TABLE),
    )


def nightly(number: int) -> Job:
    """One of many jobs that are due at 2 o'clock."""
    return Job(f"job-{number:03}", "image", schedule="cron(0 2 * * ? *)", finish_within_minutes=600)


def days_before(now: datetime, days: int) -> datetime:
    """Two o'clock so many days before."""
    return now.replace(hour=2, minute=0) - timedelta(days=days)
