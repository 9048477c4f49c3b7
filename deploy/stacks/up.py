"""Brings the platform and its jobs up.

The platform comes first, since the jobs import what it exports; in a job's stack the schedule
comes after what it starts. A stack that is as it should be costs three calls and no change set.
Nothing about a deployment is kept outside AWS, so a laptop and a pipeline do the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from steadyspot.deploy.stacks.changes import Plan, StateChange, states_that_change
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.marks import Mark, with_mark
from steadyspot.deploy.stacks.notify_parts import with_notify
from steadyspot.deploy.stacks.parameters import of_job, of_platform
from steadyspot.deploy.stacks.parts import with_egress, with_parts
from steadyspot.deploy.stacks.templates import (
    LARGEST_BYTES,
    Template,
    job_template,
    platform_template,
)
from steadyspot.deploy.stacks.waits import WAITING, end_waits
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


class NotAgreed(Trouble):
    """Somebody would have had to agree to a plan, and has not."""


@dataclass(frozen=True)
class Wanted:
    """A stack as the configuration wants it."""

    stack: str
    template: Template
    parameters: Mapping[str, str]


def platform_of(target: Target) -> Wanted:
    """Return the platform's stack as the configuration wants it.

    Raises
    ------
    Trouble
        When so many are told that AWS would not take its template.
    """
    platform = target.config.platform
    notify = target.config.notify
    template = platform_template(lambda text: with_egress(platform, with_notify(notify, text)))
    size = len(with_mark(template.text, Mark(platform.name)).encode())
    if size > LARGEST_BYTES:
        raise Trouble(
            f"With so many entries of [[notify]] the platform's template has {size:,} bytes, and "
            f"AWS takes {LARGEST_BYTES:,}.",
            "Leave out a topic, webhook or sender, or let one entry name several jobs.",
        )
    return Wanted(target.platform_stack, template, of_platform(platform))


def stack_of(target: Target, job: Job) -> Wanted:
    """Return a job's stack as the configuration wants it."""
    parameters = of_job(target.config.platform, job)
    edit = partial(with_parts, job, home=target.config.platform, notify=target.config.notify)
    template = job_template(edit, target.config.platform.below)
    return Wanted(target.config.job_stack(job), template, parameters)


def bring(target: Target, stack: Wanted, screen: Screen, agreed: Callable[[Plan], bool]) -> bool:
    """Bring one stack up; return whether there was anything to change.

    Raises
    ------
    NotAgreed
        When its plan is not agreed to.
    Trouble
        When CloudFormation cannot carry it out.
    """
    screen.heading(f"Stack {stack.stack}")
    if target.stacks.is_current(stack.stack, stack.template.text, stack.parameters):
        screen.say("  nothing to change")
        return False
    target.stacks.settle(stack.stack, screen.stack_event)
    plan = planned(target, stack)
    if plan is None:
        screen.say("  nothing to change")
        return False
    screen.plan(plan)
    try:
        if not agreed(plan):
            raise NotAgreed(_not_agreed(plan), "It was not made; what stands above it was.")
    except BaseException:  # Ctrl-C at the question, too
        target.stacks.discard(plan)
        raise
    upload(target, stack.template)
    if plan.removed & WAITING:
        end_waits(target, stack.stack, plan.removed)
    target.stacks.execute(plan, screen.stack_event)
    screen.say("  up to date")
    return True


def _not_agreed(plan: Plan) -> str:
    if not plan.foreign:
        return f"The change of {plan.stack} was not agreed to."
    return (
        f"The change of {plan.stack} takes away {', '.join(plan.foreign)}, which no deployment of "
        "Steadyspot has brought, and was not agreed to in a terminal, for which --yes does not do."
    )


@dataclass(frozen=True)
class Difference:
    """What ``up`` would do to a stack: a plan, or a note that says why there is none."""

    wanted: Wanted
    plan: Plan | None = None
    note: str = ""

    @property
    def is_current(self) -> bool:
        """Whether the stack is as it should be."""
        return self.note == _CURRENT

    @property
    def is_new(self) -> bool:
        """Whether there is no such stack yet."""
        return self.plan.new if self.plan else self.note == _BEFORE_ITS_PLATFORM


_CURRENT = "nothing to change"
_BEFORE_ITS_PLATFORM = "new, once its platform is there"


def difference(target: Target, stack: Wanted) -> Difference:
    """Return what ``up`` would do to a stack.

    Leaves nothing behind: the change set is dropped again.
    """
    found = target.stacks.describe(stack.stack)
    a_job = stack.stack != target.platform_stack
    if found is None and a_job and not target.stacks.exists(target.platform_stack):
        return Difference(stack, note=_BEFORE_ITS_PLATFORM)
    if found is not None and not found["StackStatus"].endswith(("E_COMPLETE", "K_COMPLETE")):
        return Difference(stack, note=f"it is {found['StackStatus']}: up settles that first")
    if target.stacks.is_current(stack.stack, stack.template.text, stack.parameters):
        return Difference(stack, note=_CURRENT)
    plan = planned(target, stack)
    if plan is None:
        return Difference(stack, note=_CURRENT)
    target.stacks.discard(plan)
    return Difference(stack, plan)


def planned(target: Target, stack: Wanted) -> Plan | None:
    """Return what CloudFormation would do to a stack, or None where that is nothing."""
    template = stack.template
    plan = target.stacks.plan(stack.stack, template.text, stack.parameters)
    changed = [machine for machine in template.definitions if plan and machine in plan.modified]
    if plan is None or not changed:
        return plan
    outputs, sfn = target.stacks.outputs(stack.stack), target.client("stepfunctions")
    states: list[StateChange] = []
    for machine in changed:
        shown = sfn.describe_state_machine(stateMachineArn=outputs[machine])["definition"]
        states += states_that_change(json.loads(shown), template.graph(machine))
    return replace(plan, states=tuple(states))
