"""``steadyspot diff``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.changes import Plan
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

    from steadyspot.deploy.stacks.pausing import is_paused
    from steadyspot.deploy.stacks.side_by_side import failure_of, in_order
    from steadyspot.deploy.stacks.up import difference, platform_of, stack_of

    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    found: list[dict[str, Any]] = []
    stacks = (platform_of(target), *(stack_of(target, one) for one in wanted))
    work = {stack.stack: partial(difference, target, stack) for stack in stacks}
    ended = in_order(work, at_once)
    for one in ended:
        plan, note = one.result or (None, one.trouble.what if one.trouble else "")
        found.append(_as_data(one.stack, plan, note))
        if not machine:
            screen.heading(f"Stack {one.stack}")
            if plan:
                screen.plan(plan)
            else:
                screen.say(f"  {note}")
    looks = {job.name: partial(is_paused, target, job) for job in wanted}
    resting = [one.stack for one in in_order(looks, at_once) if one.result]
    if machine:
        screen.json({"stacks": found, "paused": resting})
    elif resting:
        screen.say()
        screen.say(f"Paused, and left so by up: {', '.join(resting)}.", "yellow")
    if failed := failure_of(ended, "compared"):
        raise failed
    if tells and any(one["changes"] or one["new"] for one in found):
        sys.exit(DIFFERS)


def _as_data(stack: str, plan: Plan | None, note: str) -> dict[str, Any]:
    if plan is None:
        return {"stack": stack, "new": note != "nothing to change", "changes": [], "note": note}
    return {
        "stack": stack,
        "new": plan.new,
        "parameters": {name: list(both) for name, both in plan.parameters.items()},
        "changes": [
            {
                "action": change.action,
                "resource": change.resource,
                "type": change.kind,
                "replaces": change.replaces,
                "properties": list(change.properties),
            }
            for change in plan.changes
        ],
        "states": [
            {"state": state.state, "change": state.how, "lines": list(state.lines)}
            for state in plan.states
        ],
    }
