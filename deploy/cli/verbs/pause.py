"""``steadyspot pause``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options
from steadyspot.deploy.cli.resting import change

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target


@click.command(name="pause")
@options.job
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, machine: bool) -> None:
    """Let JOB's schedule rest until `resume`, also through `up`; runs under way go on."""
    change(target, screen, job, _told, paused=True, machine=machine)


def _told(job: Job, changed: bool) -> list[str]:
    rests = "rests now" if changed else "rests already"
    return [
        f"{job.name} {rests}: no run is scheduled, and none counts as missed.",
        f"It goes on with: steadyspot resume {job.name}",
    ]
