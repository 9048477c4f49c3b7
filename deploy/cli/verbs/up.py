"""``steadyspot up``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.changes import Plan
    from steadyspot.deploy.stacks.up import Wanted
    from steadyspot.deploy.target import Target


@click.command(name="up")
@options.job
@click.option(
    "--image",
    type=options.Checked("stacks.image_names", "name_of_image"),
    help="Deploy JOB with this image, best named by digest, as it is.",
)
@options.at_once
@options.yes
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    image: str | None,
    at_once: int,
    yes: bool,
    machine: bool,
) -> None:
    """Deploy the platform and its jobs, or one JOB of them."""
    from dataclasses import replace

    from steadyspot.deploy.cli.many_stacks import bring_all
    from steadyspot.deploy.cli.screen import silent
    from steadyspot.deploy.stacks.definitions import tidy
    from steadyspot.deploy.stacks.images import pinned
    from steadyspot.deploy.stacks.up import bring, platform_of, stack_of

    wanted = [target.config.job(job)] if job or image else list(target.config.jobs.values())
    shown = silent() if machine else screen
    platform = platform_of(target)
    target.stacks.refuse_names({platform.stack, *map(target.config.job_stack, wanted)})

    def agreed(plan: Plan) -> bool:
        return _agreed(plan, asks=not machine, yes=yes or machine)

    def needs_nobody(plan: Plan) -> bool:
        return not _questions(plan, yes=yes or machine)

    changed: dict[str, bool] = {}
    whole = False
    try:
        changed[platform.stack] = bring(target, platform, shown, agreed)
        stacks: list[Wanted] = []
        for one in wanted:
            ready = replace(one, image=pinned(target, one, shown, image))
            stacks.append(stack_of(target, ready))
        for stack, did in bring_all(target, stacks, shown, agreed, needs_nobody, at_once):
            changed[stack] = did
        if any(changed.values()):
            tidy(target)
        whole = True
    finally:
        if machine:  # Also where it broke off: what was done until then must be known.
            done = [{"stack": name, "changed": did} for name, did in changed.items()]
            screen.json({"stacks": done, "whole": whole})
    if not machine and not any(changed.values()):
        screen.say()
        screen.say("Nothing to change: AWS is as the configuration says.")


def _agreed(plan: Plan, *, asks: bool, yes: bool) -> bool:
    """Ask where something of somebody else's would go, or something that holds data.

    A pipe cannot be asked and does not agree; ``--yes`` agrees to the loss of what is ours only.
    """
    questions = _questions(plan, yes=yes)
    if questions and not (asks and sys.stdin.isatty()):
        return False
    return all(click.confirm(question) for question in questions)


def _questions(plan: Plan, *, yes: bool) -> list[str]:
    lost = [change.resource for change in plan.changes if change.loses_data]
    questions = []
    if plan.foreign:
        questions.append(f"No deployment of Steadyspot brought {', '.join(plan.foreign)}. Remove?")
    if lost and not yes:
        questions.append(f"What {', '.join(lost)} holds will no longer be used. Go on?")
    return questions
