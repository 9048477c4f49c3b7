"""Compares stacks with the configuration side by side, and shows what `up` would do to each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from steadyspot.deploy.stacks.side_by_side import Ended, in_order
from steadyspot.deploy.stacks.up import Difference, Wanted, difference

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


def compare(
    target: Target, stacks: Sequence[Wanted], screen: Screen, at_once: int
) -> list[Ended[Difference]]:
    """Return what `up` would do to each stack, or the trouble that it met; print it, too."""
    work = {stack.stack: partial(difference, target, stack) for stack in stacks}
    ended = in_order(work, at_once)
    for one in ended:
        screen.heading(f"Stack {one.stack}")
        if one.result and one.result.plan:
            screen.plan(one.result.plan)
        else:
            screen.say(f"  {_note(one)}")
    return ended


def as_data(one: Ended[Difference]) -> dict[str, Any]:
    """Return what `up` would do to a stack in the form of JSON."""
    plan = one.result.plan if one.result else None
    if plan is None:
        new = one.result is not None and one.result.is_new
        return {"stack": one.stack, "new": new, "changes": [], "note": _note(one)}
    return {
        "stack": one.stack,
        "new": plan.new,
        "parameters": {name: list(both) for name, both in plan.parameters.items()},
        "changes": [change.as_data() for change in plan.changes],
        "states": [
            {"state": state.state, "change": state.how, "lines": list(state.lines)}
            for state in plan.states
        ],
    }


def _note(one: Ended[Difference]) -> str:
    return one.result.note if one.result else one.trouble.what if one.trouble else ""
