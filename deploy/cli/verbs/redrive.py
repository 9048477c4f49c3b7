"""``steadyspot redrive``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from steadyspot.contract import CapacityMode, Overlap, columns, messages
from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from datetime import datetime

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import Config, Job, Schedule
    from steadyspot.deploy.target import Target
    from steadyspot.deploy.trouble import Trouble


def _refuse(config: Config, **asked: Any) -> None:
    """Refuse what contradicts itself, or the configuration."""
    from datetime import UTC, datetime

    from steadyspot.deploy.trouble import Trouble

    first, last, every, job = (asked[name] for name in ("first", "last", "every", "job"))
    one = "Leave one of them out."
    if last and not first:
        raise Trouble("--to needs --from beside it.", "Name where the window begins.")
    given = "--capacity" if asked["capacity"] else "--set" if asked["given"] else ""
    if given and not first:
        raise Trouble(
            f"{given} needs --from beside it.",
            "What is parked runs as it was asked for; name a window of times, or leave it out.",
        )
    if asked["run"] and first:
        raise Trouble("--from is for a window of times, not for one run.", one)
    if every and job:
        raise Trouble("--all is for all jobs, not for one.", one)
    if first and first > (last or datetime.now(UTC)):
        raise Trouble("The window ends before it begins.", "Swap --from and --to.")
    wanted = [] if every else [config.job(job)]
    for named in wanted if first else ():
        _schedules_of(named)
        _request_of(named, asked["capacity"], asked["given"])


def _schedules_of(job: Job) -> dict[str, Schedule]:
    from steadyspot.deploy.trouble import Trouble

    if not job.all_schedules:
        raise Trouble(
            f"{job.name} has no schedule, so there are no scheduled times.",
            f"Start a run with one: steadyspot run {job.name} --input "
            """'{"scheduledTime": "2026-11-24T02:00:00Z"}'.""",
        )
    return job.all_schedules


def _request_of(job: Job, capacity: str | None, given: Sequence[str]) -> dict[str, Any]:
    from steadyspot.deploy.runs.executions import for_job

    return for_job(job, {messages.CAPACITY: capacity} if capacity else {}, given)


@click.command(name="redrive")
@options.job
@options.run_named
@click.option(
    "--from",
    "first",
    type=options.Checked("runs.backfill", "moment_of", "--from"),
    help="Instead of the queue: scheduled times from this one on (UTC).",
)
@click.option(
    "--to",
    "last",
    type=options.Checked("runs.backfill", "moment_of", "--to"),
    help="With --from: up to this time; else up to now.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 50),
    help="Runs at a time; else 2, or 1 where they take turns.",
)
@click.option(
    "--capacity",
    type=options.OneOf([mode.value for mode in CapacityMode]),
    help="With --from: what the runs may run on; else as the job says.",
)
@click.option("--all", "every", is_flag=True, help="Of all jobs, one after the other.")
@click.option("--dry-run", is_flag=True, help="Only list what would be run.")
@options.parameters
@options.as_json
@options.on_target_unless(_refuse)
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    run: str | None,
    first: datetime | None,
    last: datetime | None,
    every: bool,
    machine: bool,
    **how: Any,
) -> None:
    """Take up again what waits in JOB's dead-letter queue, RUN of it, or a window of times."""
    from functools import partial

    from steadyspot.deploy.cli.screen import silent

    tell = partial(_print, silent() if machine else screen)

    def of_job(one: Job) -> Iterator[dict[str, Any]]:
        if first and every and not one.all_schedules:
            return iter(())
        if first:
            return _window(target, one, (first, last), **how)
        return _queue(target, one, run, tell, dry_run=how["dry_run"])

    entries = _of_all(target, of_job) if every else of_job(target.config.job(job))
    shown: list[dict[str, Any]] = []
    try:
        for entry in entries:
            shown.append(entry)
            tell(entry)
    except KeyboardInterrupt as stop:
        raise _stopped(stop, target, job, shown) from None
    if run and not shown:
        raise _not_there(target.config.job(job), run)
    if machine:
        screen.json(shown)
    elif not shown:
        named = "any job" if every else target.config.job(job).name
        nothing = "There was no scheduled time in that window."
        screen.say(nothing if first else f"Nothing waits in the queue of {named}.")
    sys.exit(0 if all(entry.get("good", True) for entry in shown) else 1)


def _stopped(
    stop: KeyboardInterrupt, target: Target, job: str | None, shown: Sequence[dict[str, Any]]
) -> BaseException:
    """Return what says how to follow the last that was started; where none was, the stop itself."""
    from steadyspot.deploy.trouble import Trouble, how_stopped

    started = [entry for entry in shown if entry.get("execution")]
    if not started:
        return stop
    last, (how, code) = started[-1], how_stopped(stop)
    name = last.get(columns.JOB) or target.config.job(job).name
    return Trouble(
        f"Stopped by {how}; what it has started goes on.",
        f"Follow the last: steadyspot watch {name} {last[columns.RUN_KEY]}."
        " The same command takes up the rest.",
        code,
    )


def _of_all(
    target: Target, of_job: Callable[[Job], Iterator[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Yield the entries of each job with its name; the trouble of one stops no other."""
    from steadyspot.deploy.trouble import Trouble

    for one in target.config.jobs.values():
        named = {columns.JOB: one.name}
        try:
            yield from ({**named, **entry} for entry in of_job(one))
        except Trouble as trouble:
            yield {**named, columns.RUN_KEY: "", "note": trouble.what, "good": False}


def _not_there(job: Job, run: str) -> Trouble:
    from steadyspot.deploy.trouble import Trouble

    return Trouble(
        f"Run {run} does not wait in the queue of {job.name}.",
        f"Look what does: steadyspot redrive {job.name} --dry-run.",
    )


def _print(screen: Screen, entry: dict[str, Any]) -> None:
    """Print what waits or was started; what it runs, and with what, on lines of their own."""
    told = (entry.get(name) for name in (columns.JOB, columns.RUN_KEY, "execution", "why", "note"))
    screen.say("  ".join(str(text) for text in told if text))
    if messages.REQUEST in entry:
        screen.quoted("  runs", shlex.join(entry[messages.COMMAND]) or "the command of its image")
        screen.quoted("  with", json.dumps(entry[messages.REQUEST]))


def _queue(
    target: Target,
    job: Job,
    run: str | None,
    before: Callable[[dict[str, Any]], None],
    *,
    dry_run: bool,
) -> Iterator[dict[str, Any]]:
    from steadyspot.deploy.runs.redrive import Waiting, redrive_of

    redriving = redrive_of(target, job, target.job(job))

    def told(waiting: Waiting) -> dict[str, Any]:
        entry: dict[str, Any] = {columns.RUN_KEY: waiting.run_key, "why": waiting.why}
        if waiting.request is not None:
            entry[messages.COMMAND] = waiting.request.get(messages.COMMAND) or _own_command(
                target, job
            )
            entry[messages.REQUEST] = dict(waiting.request)
        return {**entry, "note": waiting.note}

    if dry_run:
        yield from (told(one) for one in redriving.waiting() if run in (None, one.run_key))
        return
    shown: dict[str, Any] = {}

    def show(waiting: Waiting) -> None:
        shown.update(told(waiting))
        before(shown)

    for one in redriving.run(show, run):
        yield {
            columns.RUN_KEY: one.run_key,
            "execution": one.execution,
            "note": one.note,
            "good": one.good,
            "started": dict(shown),
        }
        shown.clear()


def _own_command(target: Target, job: Job) -> list[str]:
    """Return the command that is deployed for a job, empty where it is that of the image."""
    parameters = target.stacks.parameters(target.config.job_stack(job))
    return list(json.loads(parameters.get("Command", "[]")))


def _window(
    target: Target,
    job: Job,
    window: tuple[datetime, datetime | None],
    *,
    capacity: str | None,
    given: Sequence[str],
    at_once: int | None,
    dry_run: bool,
) -> Iterator[dict[str, Any]]:
    from datetime import UTC, datetime

    from steadyspot.deploy.runs.backfill import Backfill, times_of_all

    schedules, request = _schedules_of(job), _request_of(job, capacity, given)
    now = datetime.now(UTC)
    begin, end = window[0], window[1] or now
    outputs = target.job(job)
    moments = times_of_all(
        schedules,
        first=begin,
        last=min(end, now),
        anchor=lambda name: _anchor(target, job, name),
    )
    backfill = Backfill(
        sfn=target.client("stepfunctions"),
        runs=target.runs,
        job=job.name,
        machine=outputs["StateMachine"],
        at_once=at_once or (2 if job.overlap == Overlap.ALLOW else 1),
        takes_turns=job.overlap != Overlap.ALLOW,
        request=request,
    )
    due = backfill.due(moments)
    if dry_run:
        yield from (
            {columns.RUN_KEY: one.run_key, "note": one.note or "would be run"} for one in due
        )
    else:
        for started in backfill.run(due):
            yield {
                columns.RUN_KEY: started.run_key,
                "execution": started.execution,
                "note": started.note,
            }


def _anchor(target: Target, job: Job, schedule: str) -> datetime:
    """Return a time at which a rate was due; of several schedules, runs do not tell of which."""
    from datetime import UTC, datetime

    from steadyspot.deploy.runs.backfill import anchor_of

    made = target.client("scheduler").get_schedule(
        Name=job.scheduled_as(schedule), GroupName=target.platform["ScheduleGroup"]
    )
    runs = target.runs.scheduled(job.name, 20) if len(job.all_schedules) == 1 else []
    return anchor_of(runs, made.get("CreationDate", datetime.now(UTC)))
