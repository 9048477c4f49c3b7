"""``steadyspot diff``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target

DIFFERS = 3
"""Exit code where `up` would change something: neither that of trouble nor of a wrong usage."""


@click.command(name="diff")
@options.job
@click.option(
    "--exit-code", "tells", is_flag=True, help=f"Exit with {DIFFERS} where something would change."
)
@options.at_once
@options.as_json
@options.on_target
def command(
    target: Target, screen: Screen, *, job: str | None, tells: bool, at_once: int, machine: bool
) -> None:
    """Show what `up` would change, and change nothing."""
    from functools import partial

    from steadyspot.deploy.cli.comparing import as_data, compare
    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.pausing import is_paused
    from steadyspot.deploy.stacks.side_by_side import failure_of, in_order
    from steadyspot.deploy.stacks.up import platform_of, stack_of

    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    stacks = [platform_of(target), *(stack_of(target, one) for one in wanted)]
    ended = compare(target, stacks, silent() if machine else screen, at_once)
    looks = {job.name: partial(is_paused, target, job) for job in wanted}
    resting = [one.stack for one in in_order(looks, at_once) if one.result]
    if machine:
        screen.json({"stacks": [as_data(one) for one in ended], "paused": resting})
    elif resting:
        screen.say()
        screen.say(f"Paused, and left so by up: {', '.join(resting)}.", "yellow")
    if failed := failure_of(ended, "compared"):
        raise failed
    if tells and not all(one.result and one.result.is_current for one in ended):
        sys.exit(DIFFERS)
