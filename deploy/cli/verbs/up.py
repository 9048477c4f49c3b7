"""``steadyspot up``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadyspot.deploy.cli import options

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.changes import Plan
    from steadyspot.deploy.stacks.plans import Reviewed
    from steadyspot.deploy.stacks.up import Wanted
    from steadyspot.deploy.target import Target


@click.command(name="up")
@click.argument("job", required=False, type=options.JobOrPlan(), metavar="[JOB|FILE]")
@click.option(
    "--image",
    type=options.Checked("stacks.image_names", "name_of_image"),
    help="Deploy JOB with this image, best named by digest, as it is.",
)
@click.option(
    "--plan",
    "plan_file",
    type=options.NewFile(),
    help="Change nothing; write what would be done into this file, for `up FILE`. Images are "
    "pushed, since a plan names them by digest.",
)
@options.at_once
@options.yes
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | Path | None,
    image: str | None,
    plan_file: Path | None,
    at_once: int,
    yes: bool,
    machine: bool,
) -> None:
    """Deploy the platform and its jobs, one JOB of them, or the plan in FILE."""
    from steadyspot.deploy.cli.screen import silent

    if isinstance(job, Path) and (image or plan_file):
        raise click.UsageError("A plan says all: no --image and no --plan beside it.")
    if plan_file and machine:
        raise click.UsageError("A plan is JSON: print its file instead of --json.")
    shown = silent() if machine else screen
    work = _of_plan(target, job) if isinstance(job, Path) else _of_config(target, shown, job, image)
    if plan_file:
        _write_plan(target, screen, work, plan_file, at_once)
        return
    changed: dict[str, bool] = {}
    whole = False
    try:
        for stack, did in _brought(target, work, shown, at_once, asks=not machine, yes=yes):
            changed[stack] = did
        whole = True
    finally:
        if machine:  # Also where it broke off: what was done until then must be known.
            done = [{"stack": name, "changed": did} for name, did in changed.items()]
            screen.json({"stacks": done, "whole": whole})
    if not machine and not any(changed.values()):
        screen.say()
        screen.say("Nothing to change: AWS is as the configuration says.")


@dataclass(frozen=True)
class _Work:
    """What is to be brought up: first these, then the stacks of jobs, side by side.

    ``jobs`` is asked for once the platform is there, since images are pushed to its repository.
    ``seen`` is what somebody has seen of a stack, by its name; empty without a plan.
    """

    first: Sequence[Wanted]
    jobs: Callable[[], Sequence[Wanted]]
    seen: Mapping[str, Reviewed] = field(default_factory=dict)


def _of_config(target: Target, shown: Screen, job: str | None, image: str | None) -> _Work:
    from steadyspot.deploy.stacks.images import pinned
    from steadyspot.deploy.stacks.up import platform_of, stack_of

    wanted = [target.config.job(job)] if job or image else list(target.config.jobs.values())
    platform = platform_of(target)
    target.stacks.refuse_names({platform.stack, *map(target.config.job_stack, wanted)})

    def jobs() -> list[Wanted]:
        ready = (replace(one, image=pinned(target, one, shown, image)) for one in wanted)
        return [stack_of(target, one) for one in ready]

    return _Work([platform], jobs)


def _of_plan(target: Target, path: Path) -> _Work:
    from steadyspot.deploy.stacks.plans import read

    seen = {one.wanted.stack: one for one in read(target, path)}
    first = [one.wanted for name, one in seen.items() if name == target.platform_stack]
    others = [one.wanted for name, one in seen.items() if name != target.platform_stack]
    return _Work(first, lambda: others, seen)


def _write_plan(target: Target, screen: Screen, work: _Work, path: Path, at_once: int) -> None:
    from steadyspot.deploy.cli.comparing import compare
    from steadyspot.deploy.stacks.plans import reviewed, write
    from steadyspot.deploy.stacks.side_by_side import failure_of

    ended = compare(target, [*work.first, *work.jobs()], screen, at_once)
    if failed := failure_of(ended, "compared"):
        raise failed
    plan = reviewed(target, [one.result for one in ended if one.result])
    write(target, plan, path)
    screen.say()
    screen.say(f"Written to {path}. To do that and nothing else: steadyspot up {path}")


def _brought(
    target: Target, work: _Work, shown: Screen, at_once: int, *, asks: bool, yes: bool
) -> Iterator[tuple[str, bool]]:
    """Bring the stacks up; yield each that is, and whether there was anything to change."""
    from steadyspot.deploy.cli.many_stacks import bring_all
    from steadyspot.deploy.stacks.definitions import tidy
    from steadyspot.deploy.stacks.up import bring

    def as_seen(plan: Plan) -> bool:
        if plan.stack in work.seen:
            work.seen[plan.stack].refuse_another(plan)
        return True

    def agreed(plan: Plan) -> bool:
        return as_seen(plan) and _agreed(plan, asks=asks, yes=yes or not asks)

    def needs_nobody(plan: Plan) -> bool:
        return as_seen(plan) and not _questions(plan, yes=yes or not asks)

    changed = False
    for stack in work.first:
        did = bring(target, stack, shown, agreed)
        changed |= did
        yield stack.stack, did
    if jobs := work.jobs():
        for name, did in bring_all(target, jobs, shown, agreed, needs_nobody, at_once):
            changed |= did
            yield name, did
    if changed:
        tidy(target)


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
