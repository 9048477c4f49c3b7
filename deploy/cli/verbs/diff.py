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
@options.as_json
@options.on_target
def command(target: Target, screen: Screen, job: str | None, tells: bool, machine: bool) -> None:
    """Show what `up` would change, and change nothing."""
    from steadyspot.deploy.stacks.pausing import is_paused
    from steadyspot.deploy.stacks.up import difference, platform_of, stack_of

    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    found: list[dict[str, Any]] = []
    for stack in (platform_of(target), *(stack_of(target, one) for one in wanted)):
        plan, note = difference(target, stack)
        found.append(_as_data(stack.stack, plan, note))
        if not machine:
            screen.heading(f"Stack {stack.stack}")
            if plan:
                screen.plan(plan)
            else:
                screen.say(f"  {note}")
    resting = [one.name for one in wanted if is_paused(target, one)]
    if machine:
        screen.json({"stacks": found, "paused": resting})
    elif resting:
        screen.say()
        screen.say(f"Paused, and left so by up: {', '.join(resting)}.", "yellow")
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
