"""``steadyspot resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="resume")
@options.job
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, machine: bool) -> None:
    """Let JOB's schedule start runs again after `pause`; what was due meanwhile is not made up."""
    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.pausing import resume

    wanted = target.config.job(job)
    shown = silent() if machine else screen
    changed = resume(target, wanted, shown.stack_event)
    if machine:
        screen.json({"job": wanted.name, "paused": False, "changed": changed})
        return
    screen.say(f"{wanted.name} {'no longer rests' if changed else 'did not rest'}.")
    if not wanted.enabled:
        screen.say("Its schedule starts nothing all the same: enabled = false in steadyspot.toml.")
    elif changed:
        screen.say(f"For times that it missed: steadyspot redrive {wanted.name} --from TIME")
