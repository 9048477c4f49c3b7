"""``steadyspot logs``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from steadyspot.contract import columns
from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.runs.logs import LogLine
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target


@click.command(name="logs")
@options.job
@options.run_named
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is printed, to its end.")
@click.option(
    "--since",
    type=options.Checked("runs.logs", "since_of"),
    help="Nothing printed before: 10m, 2h, 1d ago, or 2026-11-24T02:00:00Z.",
)
@options.shard_named
@click.option("--attempt", type=click.IntRange(1), help="Only of this attempt.")
@click.option("--tail", type=click.IntRange(0), help="Of what is there, only the last lines.")
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    run: str | None,
    follow: bool,
    tail: int | None,
    machine: bool,
    shard: int | None = None,
    **which: Any,
) -> None:
    """Show what the attempts of JOB's last run printed, or of the one named RUN.

    With --since and without JOB: what all jobs have printed since then.
    """
    from steadyspot.deploy.aws.pace import Pace
    from steadyspot.deploy.runs.executions import ENDED, Follower, history
    from steadyspot.deploy.runs.following import shown_beside
    from steadyspot.deploy.runs.logs import Printing, RunLog
    from steadyspot.deploy.runs.lookup import Finder
    from steadyspot.deploy.runs.shards import tasks_of_shards

    if job is None and which["since"] and len(target.config.jobs) > 1:
        _of_all(target, screen, which["since"], machine=machine, tail=tail)
        return
    wanted = target.config.job(job)
    outputs = target.job(wanted)
    sfn = target.client("stepfunctions")
    finder = Finder(table=target.runs, sfn=sfn, job=wanted.name, machine=outputs["StateMachine"])
    found = finder.find(run) if shard is None else finder.shard(run, shard)
    execution = found.execution["executionArn"] if found.execution else ""
    log = RunLog(target.client("logs"), outputs["LogGroup"], which["since"])
    printing = Printing(log, which["attempt"])
    events = history(sfn, execution) if execution else []
    printing.tasks.tell(events)
    recorded = found.run.attempts if found.run else ()
    earlier = {one.task.rsplit("/", 1)[-1]: one.attempt for one in recorded if one.task}
    lines = printing.all_of(earlier)

    def show(line: LogLine) -> None:
        if machine:
            screen.json_line(line.as_data())
        else:
            screen.log_line(line)

    for line in lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]:
        show(line)
    if follow and events and events[-1]["type"] not in ENDED:
        pace, known = Pace(), events[-1]["id"]
        beside = shown_beside(printing, show, pace)
        for _ in Follower(sfn, execution, pace, beside, behind_event=known).moments():
            pass  # Only what is printed is shown.
    elif not lines and not machine and found.run and found.run.shards > 1:
        screen.say(tasks_of_shards(found.run))
    elif not lines and not machine:
        screen.say("Its attempts printed nothing of that, or none came to run.")


def _of_all(
    target: Target, screen: Screen, since: datetime, *, machine: bool, tail: int | None
) -> None:
    """Show what all jobs have printed since a time, in its order; each line with its job."""
    from steadyspot.deploy.cli.of_all import of_all
    from steadyspot.deploy.runs.logs import RunLog

    client = target.client("logs")

    def of_job(job: Job) -> Iterator[tuple[datetime, str, LogLine]]:
        log = RunLog(client, target.job(job)["LogGroup"], since)
        return ((line.at, job.name, line) for line in log.everything())

    found, trouble = of_all(target.config.jobs.values(), of_job)
    found.sort(key=lambda one: one[:2])
    for _, name, line in found if tail is None else found[len(found) - min(tail, len(found)) :]:
        if machine:
            screen.json_line({columns.JOB: name, **line.as_data()})
        else:
            screen.log_line(replace(line, text=f"{name}: {line.text}"))
    if trouble:
        raise trouble
    if not found and not machine:
        screen.say("No job has printed anything since then.")
