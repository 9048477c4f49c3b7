"""``steadyspot run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import Config
    from steadyspot.deploy.target import Target


def _refuse(config: Config, *, job: str | None, request: Any, given: Any, **_: Any) -> None:
    """Refuse parameters and a command that the job does not take."""
    from steadyspot.deploy.runs.executions import for_job

    for_job(config.job(job), request, given)


@click.command(name="run")
@options.job
@click.option(
    "--input",
    "request",
    type=options.Checked("runs.executions", "request_of"),
    default="{}",
    help='Run request as JSON, such as \'{"capacity": "spot-only"}\'.',
)
@options.parameters
@click.option(
    "--logs",
    is_flag=True,
    help="Show what the attempts print, too; an AWS made for this command always does.",
)
@click.option("--no-follow", is_flag=True, help="Start it and come back.")
@options.as_json
@options.on_target_unless(_refuse, begins=True)
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    request: dict[str, Any],
    given: tuple[str, ...],
    logs: bool,
    no_follow: bool,
    machine: bool,
) -> None:
    """Start JOB now and follow it to its end."""
    from steadyspot.deploy.runs.executions import for_job, start
    from steadyspot.deploy.runs.following import watch
    from steadyspot.deploy.stacks.images import runs_here_as

    wanted = target.config.job(job)
    request = for_job(wanted, request, given)
    outputs = target.job(wanted)
    execution = start(target.client("stepfunctions"), outputs["StateMachine"], request)
    if not machine:
        if stand_in := runs_here_as(target, wanted, wanted.image):
            screen.say(stand_in)
        screen.say(f"{wanted.name}: execution {execution.rsplit(':', 1)[-1]}")
    if no_follow:
        if machine:
            screen.json({"execution": execution, "status": "RUNNING", "run": None})
        return
    watch(target, screen, wanted, execution, logs=logs, machine=machine)
