"""Follows an execution on the screen to its end, then shows the run's attempts and what it cost.

The log lines of its attempts come in between on request; both together keep to one pace of calls.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Status
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.runs import shards
from steadyspot.deploy.runs.executions import Follower, next_of, run_key_in
from steadyspot.deploy.runs.local_mails import Arriving, line_of
from steadyspot.deploy.runs.logs import LogLine, Printing, RunLog
from steadyspot.deploy.runs.progress import Progress
from steadyspot.deploy.runs.records import RunRecord, money
from steadyspot.deploy.runs.story import step_after
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble, how_stopped

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


def utc_now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def watch(
    target: Target,
    screen: Screen,
    job: Job,
    execution: str,
    *,
    logs: bool,
    machine: bool,
    shard: int | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Follow an execution, and those in which its run goes on; leave with 0 if it succeeded.

    It works off one ``shard`` of its run, or the run itself.
    """
    sfn = target.client("stepfunctions")
    described = sfn.describe_execution(executionArn=execution)
    name = key = run_key_in(described.get("input", "{}")) or execution.rsplit(":", 1)[-1]
    if shard is not None:
        name, key = f"{key} --shard {shard}", shard_key(key, shard)
    pace = Pace()
    mails = None if machine else Arriving(target, lambda mail: screen.say(line_of(mail)))
    beside = None if machine else _beside(target, screen, job, key, pace, logs, clock)
    following = execution
    try:
        while following:
            execution = following
            follower = Follower(sfn, execution, pace, beside)
            for moment in follower.moments():
                if mails is not None:
                    screen.moment(moment)
                    mails.look()
            following = next_of(sfn, execution) if follower.status == "SUCCEEDED" else ""
    except KeyboardInterrupt as stop:
        how, code = how_stopped(stop)
        raise Trouble(
            f"Stopped by {how}; the run goes on.",
            f"Follow it again: steadyspot watch {job.name} {name}.",
            code,
        ) from None
    if mails is not None:
        mails.look()
    run = target.runs.get(job.name, key)
    if machine:
        screen.json(
            {
                "execution": execution,
                "status": follower.status,
                "run": asdict(run) if run else None,
            }
        )
    elif run:
        _show_end(screen, shards.whole(target.runs, run), execution, job, target)
    sys.exit(0 if follower.status == "SUCCEEDED" else 1)


def _show_end(screen: Screen, run: RunRecord, execution: str, job: Job, target: Target) -> None:
    """Print what became of a run, and where this execution ended it, what is to be done."""
    elsewhere = _worked_off_elsewhere(run, execution)
    if elsewhere:
        screen.say(elsewhere, "bold")
    show_run(screen, run, job, target.config.prices_of(job))
    if not elsewhere and run.status in (Status.UNFINISHED, Status.SKIPPED):
        screen.pair("what to do", step_after(run))


def _worked_off_elsewhere(run: RunRecord, execution: str) -> str:
    """Return what is to be said where this execution left its run to another, else nothing."""
    if run.execution == execution:
        return ""
    if run.complete:
        return f"Run {run.run_key} was complete already: nothing was run."
    return (
        f"Another execution works run {run.run_key} off: nothing was run here. Follow it: "
        f"steadyspot watch {run.job} {run.run_key}"
    )


def show_run(screen: Screen, run: RunRecord, job: Job, prices: Prices) -> None:
    """Print a run's attempts, or how those of its shards ended, and its money line."""
    if run.shards > 1:
        screen.say()
        screen.say(shards.ends_told(run))
    elif run.attempts:
        screen.say()
        screen.attempts(run.attempts)
    if run.attempts_ended:
        cost = money(run, prices, vcpu=job.vcpu, memory_gb=job.memory_gb)
        screen.money(cost, prices.date, complete=run.complete)


def _beside(
    target: Target,
    screen: Screen,
    job: Job,
    key: str,
    pace: Pace,
    logs: bool,
    clock: Callable[[], datetime],
) -> Callable[[Sequence[Any]], bool]:
    """Return what shows the run's progress, and its log where that is wanted."""
    progress = Progress(
        lambda: target.runs.get(job.name, key),
        60 * job.expected_minutes,
        lambda run, now: shards.told(shards.read_stand(target.runs, run, now), now),
    )
    printed = None
    if logs:
        log = RunLog(target.client("logs"), target.job(job)["LogGroup"])
        printed = shown_beside(Printing(log), screen.log_line, pace)

    def look(events: Sequence[Any]) -> bool:
        found = printed is not None and printed(events)
        now = clock()
        # What has happened is told first.
        if not events and progress.due(now):
            pace.spend()
            if moment := progress.look(now):
                screen.moment(moment)
        return found

    return look


def shown_beside(
    printing: Printing, show: Callable[[LogLine], None], pace: Pace
) -> Callable[[Sequence[Any]], bool]:
    """Return what shows new lines of an execution's attempts, given its new events.

    Of two looks that bring no event, one leaves the log out: the end is not to be missed for it.
    """
    rests = False

    def look(events: Sequence[Any]) -> bool:
        nonlocal rests
        printing.tasks.tell(events)
        rests = not events and not rests
        if rests:
            return False
        pace.spend()
        lines = printing.news()
        for line in lines:
            show(line)
        return bool(lines)

    return look
