"""``steadyspot resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options
from steadyspot.deploy.cli.resting import change

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target


@click.command(name="resume")
@options.job
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, machine: bool) -> None:
    """Let JOB's schedule start runs again after `pause`; what was due meanwhile is not made up."""
    change(target, screen, job, _told, paused=False, machine=machine)


def _told(job: Job, changed: bool) -> list[str]:
    said = [f"{job.name} {'no longer rests' if changed else 'did not rest'}."]
    if not job.enabled:
        said.append("Its schedule starts nothing all the same: enabled = false in steadyspot.toml.")
    elif changed:
        said.append(f"For times that it missed: steadyspot redrive {job.name} --from TIME")
    return said
