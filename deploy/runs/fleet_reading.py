"""What ``fleet`` judges, read from AWS: schedules, records, totals, alarms and tasks.

What is read does not grow with finished runs: open runs come from an index, finished ones from
totals that each run's end adds to, and whether a time was missed from the one record that it would
have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from steadyspot.contract import Env, Status
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.runs.fleet import (
    DAYS,
    JobStatus,
    Scheduled,
    Seen,
    due_before,
    judged,
    months_of,
    worst_first,
)
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.shards import ShardsStand, stand_of
from steadyspot.deploy.runs.table import RunTable

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

T = TypeVar("T")


def read(target: Target, now: datetime) -> list[JobStatus]:
    """Read how all jobs stand, worst first.

    Calls for 300 jobs: 2 for the platform, 3 for schedules, 1 for the index, 1 for alarms, 7 for
    records and totals, 3 more in the first week of a month, and 2 for the tasks of 100 runs. Where
    runs under way are spread over shards, 1 for the index of those, and 1 a run.
    """
    schedules = _by_job(schedules_of(target))
    names = list(dict.fromkeys([*target.config.jobs, *schedules]))
    this, before = months_of(now)
    opened = [run for run in target.runs.open_runs(now) if run[0] in names]
    months = [this, before] if now.day < DAYS else [this]
    runs, totals = target.runs.of_jobs(opened, [(name, of) for name in names for of in months])
    under_way = any(run.status != Status.UNFINISHED for run in runs.values())
    tasks = _by_job(_tasks(target)) if under_way else {}
    stands = _by_job(_stands(target.runs, runs, now))
    runs_of = _by_job(runs)
    ringing = _ringing(target)
    seen = [
        Seen(
            name=name,
            job=target.config.jobs.get(name),
            schedules=schedules.get(name, {}),
            open_runs=[*runs_of.get(name, {}).values()],
            months={of: totals[name, of] for of in months if (name, of) in totals},
            tasks=tasks.get(name, {}),
            parked_alarm=f"{target.platform_stack}-{name}-parked" in ringing,
            stands=stands.get(name, {}),
        )
        for name in names
    ]
    whole = _with_due(target.runs, seen, before, now)
    return worst_first([judged(one, target.config.platform.prices, now) for one in whole])


def _stands(
    table: RunTable, runs: Mapping[tuple[str, str], RunRecord], now: datetime
) -> dict[tuple[str, str], ShardsStand]:
    """Return how the shards stand of the runs under way that are spread over them."""
    spread = {
        key: run for key, run in runs.items() if run.shards > 1 and run.status != Status.UNFINISHED
    }
    opened = table.open_shards(now) if spread else []
    return {
        key: stand_of(run, table.shards_begun(run.job, run.run_key), opened)
        for key, run in spread.items()
    }


def _by_job(values: Mapping[tuple[str, str], T]) -> dict[str, dict[str, T]]:
    """Return by job what is by job and another name."""
    found: dict[str, dict[str, T]] = {}
    for (job, name), value in values.items():
        found.setdefault(job, {})[name] = value
    return found


def _with_due(table: RunTable, seen: Sequence[Seen], before: str, now: datetime) -> Iterator[Seen]:
    """Yield what was seen with the runs that were due last, and the month before where needed."""
    due_at = {one.name: due_before(one, now) for one in seen}
    wanted = [(name, run_key_of(scheduled_time_of(due))) for name, due in due_at.items() if due]
    quiet = [(one.name, before) for one in seen if not one.months]
    runs, totals = table.of_jobs(wanted, quiet, with_workers=False)
    for one in seen:
        due = due_at[one.name]
        yield replace(
            one,
            due_at=due,
            due=runs.get((one.name, run_key_of(scheduled_time_of(due)))) if due else None,
            months={
                **one.months,
                **{of: totals[one.name, of] for of in [before] if (one.name, of) in totals},
            },
        )


def schedules_of(target: Target, job: str = "") -> dict[tuple[str, str], Scheduled]:
    """Return the schedules of all jobs by job and name; no job's name has a dot.

    Given a job, of those whose name begins like it.
    """
    pages = (
        target.client("scheduler")
        .get_paginator("list_schedules")
        .paginate(
            GroupName=target.platform["ScheduleGroup"], **({"NamePrefix": job} if job else {})
        )
    )
    return {
        (one["Name"].partition(".")[0], one["Name"].partition(".")[2]): Scheduled(
            enabled=one["State"] == "ENABLED",
            since=one.get("LastModificationDate") or one["CreationDate"],
        )
        for page in pages
        for one in page["Schedules"]
    }


def _ringing(target: Target) -> set[str]:
    pages = (
        target.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{target.platform_stack}-", StateValue="ALARM")
    )
    # The embedded AWS looks at the prefix alone.
    return {
        alarm["AlarmName"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if alarm["StateValue"] == "ALARM"
    }


def _tasks(target: Target) -> dict[tuple[str, str], str]:
    """Return the capacity of each task of the cluster by job and run key."""
    ecs, cluster = target.client("ecs"), target.platform["ClusterName"]
    found: dict[tuple[str, str], str] = {}
    for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster):
        tasks = (
            ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"]) if page["taskArns"] else {}
        )
        for task in tasks.get("tasks", []):
            job = task.get("group", "").removeprefix(f"family:{target.platform_stack}-")
            given = {
                one["name"]: one.get("value", "")
                for container in task.get("overrides", {}).get("containerOverrides", [])
                for one in container.get("environment", [])
            }
            found[job, given.get(Env.RUN_KEY, "")] = given.get(Env.CAPACITY, "")
    return found
