"""Letting a job's schedule rest, and go on again: one verb's work, told in its own sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target


def change(
    target: Target,
    screen: Screen,
    job: str | None,
    told: Callable[[Job, bool], Sequence[str]],
    *,
    paused: bool,
    machine: bool,
) -> None:
    """Set whether the schedule rests, and say so; ``told`` knows whether that was a change."""
    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.pausing import set_paused

    wanted = target.config.job(job)
    shown = silent() if machine else screen
    changed = set_paused(target, wanted, shown.stack_event, paused=paused)
    if machine:
        screen.json({"job": wanted.name, "paused": paused, "changed": changed})
        return
    for sentence in told(wanted, changed):
        screen.say(sentence)
