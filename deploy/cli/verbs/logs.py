"""``steadyspot logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="logs")
@options.job
@options.run_named
@options.as_json
@options.on_target
def command(
    target: Target, screen: Screen, job: str | None, run: str | None, machine: bool
) -> None:
    """Show what the attempts of JOB's last run printed, or of the one named RUN."""
    from steadyspot.deploy.runs.executions import history
    from steadyspot.deploy.runs.logs import RunLog, tasks_in
    from steadyspot.deploy.runs.lookup import Finder

    wanted = target.config.job(job)
    outputs = target.job(wanted)
    sfn = target.client("stepfunctions")
    found = Finder(
        table=target.runs, sfn=sfn, job=wanted.name, machine=outputs["StateMachine"]
    ).find(run)
    tasks = [attempt.task for attempt in found.run.attempts if attempt.task] if found.run else []
    if found.execution:
        tasks += tasks_in(history(sfn, found.execution["executionArn"]))
    tasks = list(dict.fromkeys(task.rsplit("/", 1)[-1] for task in tasks))
    log = RunLog(target.client("logs"), outputs["LogGroup"])
    lines = [line for task in tasks for line in log.news([task])]
    if machine:
        screen.json(
            [{"at": f"{x.at:%Y-%m-%dT%H:%M:%S.%fZ}", "task": x.task, "text": x.text} for x in lines]
        )
        return
    for line in lines:
        screen.log_line(line)
    if not lines:
        screen.say("Its attempts printed nothing, or none came to run.")
