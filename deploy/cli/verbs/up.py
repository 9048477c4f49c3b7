"""``steadyspot up``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.changes import Plan
    from steadyspot.deploy.target import Target


@click.command(name="up")
@options.job
@click.option("--image", help="Deploy JOB with this image, best named by digest, as it is.")
@options.yes
@options.as_json
@options.on_target
def command(
    target: Target, screen: Screen, job: str | None, image: str | None, yes: bool, machine: bool
) -> None:
    """Deploy the platform and its jobs, or one JOB of them."""
    from dataclasses import replace

    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.definitions import tidy
    from steadyspot.deploy.stacks.images import pinned
    from steadyspot.deploy.stacks.up import bring, platform_of, stack_of

    wanted = [target.config.job(job)] if job or image else list(target.config.jobs.values())
    shown = silent() if machine else screen
    agreed = (lambda _plan: True) if yes or machine else _agreed
    changed: dict[str, bool] = {}
    whole = False
    try:
        platform = platform_of(target)
        changed[platform.stack] = bring(target, platform, shown, agreed)
        for one in wanted:
            ready = replace(one, image=pinned(target, one, shown, image))
            stack = stack_of(target, ready)
            changed[stack.stack] = bring(target, stack, shown, agreed)
        if any(changed.values()):
            tidy(target)
        whole = True
    finally:
        if machine:  # Also where it broke off: what was done until then must be known.
            stacks = [{"stack": name, "changed": did} for name, did in changed.items()]
            screen.json({"stacks": stacks, "whole": whole})
    if not machine and not any(changed.values()):
        screen.say()
        screen.say("Nothing to change: AWS is as the configuration says.")


def _agreed(plan: Plan) -> bool:
    """Ask where something that holds data would go; a pipe cannot be asked and does not agree."""
    lost = [change.resource for change in plan.changes if change.loses_data]
    if not lost:
        return True
    if not sys.stdin.isatty():
        return False
    return click.confirm(f"What {', '.join(lost)} holds will no longer be used. Go on?")
