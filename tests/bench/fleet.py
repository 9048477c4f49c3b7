"""Measures of many jobs: how soon their status is there, and what side by side saves.

The status is that of the command itself, on the embedded AWS with the platform's own stack; what a
hundred thousand runs leave is put into its table at once, as their workflows would.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from rich.console import Console

from steadyspot.contract import Status
from steadyspot.deploy.cli.many_stacks import bring_all
from steadyspot.deploy.cli.screen import Screen, silent
from steadyspot.deploy.cli.verbs import status
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.changes import Plan
from steadyspot.deploy.stacks.config import Config, Platform
from steadyspot.deploy.stacks.up import bring, platform_of, stack_of
from steadyspot.deploy.target import Target
from tests.bench.report import Row, report
from tests.unit.deploy import slow_stacks
from tests.unit.deploy.fleets import days_before, items_of, nightly, totals_item

JOBS, RUNS = 300, 100_000
AT_WORK = 40
STATUS_SECONDS, STATUS_CALLS = 2.0, 20
STACKS, STACK_SECONDS, SHARE = 100, 0.3, 0.3


def main(arguments: list[str]) -> int:
    """Print the measures; 1 when something was not reached."""
    return report("Many jobs", rows(full="--full" in arguments))


def rows(*, full: bool) -> Iterator[Row]:
    """Yield each measure."""
    seconds, waited, calls, lines = status_of_many()
    what = f"status, {JOBS} jobs, {RUNS:,} runs in the table"
    reached = seconds <= STATUS_SECONDS and lines >= JOBS
    shown = f"{seconds:.2f} s of one processor ({waited:.2f} s here)"
    yield Row(what, shown, f"<= {STATUS_SECONDS:g} s", reached)
    yield Row(what, f"{calls} calls", f"<= {STATUS_CALLS}", calls <= STATUS_CALLS)
    took = {at_once: seconds_of_slow_stacks(at_once) for at_once in (1, 8)}
    share = took[8] / took[1]
    yield Row(
        f"up of {STACKS} new jobs, {STACK_SECONDS:g} s a stack in the place of 30",
        f"{took[8]:.1f} s with 8 at once, {took[1]:.1f} s with 1: {share:.2f}",
        f"<= {SHARE}",
        share <= SHARE,
    )
    stacks = STACKS if full else STACKS // 5
    here = {at_once: seconds_on_the_local_target(stacks, at_once) for at_once in (1, 8)}
    yield Row(
        f"up of {stacks} new jobs on the local target, which only computes",
        f"{here[8]:.1f} s with 8 at once, {here[1]:.1f} s with 1: {here[8] / here[1]:.2f}",
    )


def seconds_of_slow_stacks(at_once: int) -> float:
    """Return how long stacks take to come up on a CloudFormation that takes its time for each."""
    target = slow_stacks.target_of(slow_stacks.ManyStacks(STACK_SECONDS))
    begun = time.perf_counter()
    stacks = slow_stacks.wanted(STACKS)
    done = list(bring_all(target, stacks, silent(), agreed, agreed, at_once))
    assert len(done) == STACKS
    return time.perf_counter() - begun


def seconds_on_the_local_target(stacks: int, at_once: int) -> float:
    """Return how long as many new jobs take to come up on the embedded AWS."""
    jobs = {job.name: job for job in map(nightly, range(stacks))}
    with LocalAws() as aws, tempfile.TemporaryDirectory(prefix="steadyspot-") as folder:
        config = Config(Path(folder) / "steadyspot.toml", Platform("bench"), jobs)
        target = Target(config, aws.session())
        bring(target, platform_of(target), silent(), agreed)
        begun = time.perf_counter()
        wanted = [stack_of(target, job) for job in jobs.values()]
        done = list(bring_all(target, wanted, silent(), agreed, agreed, at_once))
        assert len(done) == stacks
        return time.perf_counter() - begun


def agreed(_: Plan) -> bool:
    return True


def status_of_many() -> tuple[float, float, int, int]:
    """Return seconds, calls and lines of one `status`; of three the best.

    First the seconds of a processor that the command and the embedded AWS took, which are all that
    it takes on a machine with nothing else to do; then those that it took here.
    """
    now = datetime.now(UTC)
    jobs = {job.name: job for job in map(nightly, range(JOBS))}
    with LocalAws() as aws, tempfile.TemporaryDirectory(prefix="steadyspot-") as folder:
        config = Config(Path(folder) / "steadyspot.toml", Platform("bench"), jobs)
        target = Target(config, aws.session())
        bring(target, platform_of(target), silent(), agreed)
        fill(target, now)
        times = []
        for _ in range(3):
            calls: Counter[str] = Counter()
            session = aws.session()
            session.events.register("before-call.*", partial(_count, calls))
            out = io.StringIO()
            verb = getattr(status.command.callback, "__wrapped__")  # noqa: B009
            begun, worked = time.perf_counter(), time.process_time()
            verb(Target(config, session), Screen(Console(file=out)), watch=False, machine=False)
            times.append((time.process_time() - worked, time.perf_counter() - begun))
    return *min(times), calls.total(), len(out.getvalue().splitlines())


def _count(calls: Counter[str], *, model: Any, **_: Any) -> None:
    calls.update([model.name])


def fill(target: Target, now: datetime) -> None:
    """Put schedules and runs where a year of every night would have left them."""
    scheduler, group = target.client("scheduler"), target.platform["ScheduleGroup"]
    for job in target.config.jobs.values():
        scheduler.create_schedule(
            Name=job.name,
            GroupName=group,
            ScheduleExpression=job.schedule,
            State="DISABLED" if job.name.endswith("7") else "ENABLED",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:bench",
                "RoleArn": "arn:aws:iam::123456789012:role/bench",
                "Input": json.dumps({}),
            },
        )
    (region,) = {target.session.region_name}
    backends: Any = dynamodb_backends
    (table,) = backends["123456789012"][region].tables.values()
    put = 0
    while put < RUNS:
        night = days_before(now, put // JOBS + 1)
        for number, name in enumerate(target.config.jobs):
            at_work = put // JOBS == 0 and number < AT_WORK
            for item in items_of(name, night, Status.RUNNING if at_work else Status.COMPLETE):
                table.put_item(item)
            put += 1
    for name in target.config.jobs:
        for month in (now, now.replace(day=1) - timedelta(days=1)):
            days = dict.fromkeys(range(1, 29), 1)
            table.put_item(totals_item(name, f"{month:%Y-%m}", days, now, cost=1.0))
