"""``steadyspot pause``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="pause")
@options.job
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, machine: bool) -> None:
    """Let JOB's schedule rest until `resume`, also through `up`; runs under way go on."""
    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.pausing import pause

    wanted = target.config.job(job)
    shown = silent() if machine else screen
    changed = pause(target, wanted, shown.stack_event)
    if machine:
        screen.json({"job": wanted.name, "paused": True, "changed": changed})
    else:
        rests = "rests now" if changed else "rests already"
        screen.say(f"{wanted.name} {rests}: no run is scheduled, and none counts as missed.")
        screen.say(f"It goes on with: steadyspot resume {wanted.name}")
