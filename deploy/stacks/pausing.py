"""Lets a job's schedule rest, and go on.

That a job rests is a parameter of its stack: it lies in AWS as everything that is deployed does,
the next ``up`` leaves it, and CloudFormation keeps the schedule and the missed alarm to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from steadyspot.deploy.stacks.cloudformation import PAUSED
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.following import OnEvent
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target


def is_paused(target: Target, job: Job) -> bool:
    """Return whether the job's schedule rests."""
    return target.stacks.parameters(target.config.job_stack(job)).get(PAUSED) == "true"


def set_paused(target: Target, job: Job, told: OnEvent, *, paused: bool) -> bool:
    """Let the schedule start nothing more, or runs again; return whether that was a change.

    Raises
    ------
    Trouble
        When the job is not deployed, has no schedule, or CloudFormation cannot change its stack.
    """
    name = target.config.job_stack(job)
    target.stacks.outputs(name)  # Says what to do where it is not there, or not whole.
    there = target.stacks.parameters(name)
    if not there.get("ScheduleExpression") and not job.schedules:
        raise Trouble(
            f"{job.name} is deployed without a schedule.",
            "Give it one (schedule in steadyspot.toml), then run steadyspot up.",
        )
    if PAUSED not in there:
        raise Trouble(
            f"{job.name} was deployed by a version that knows no pause.", "Run steadyspot up first."
        )
    wanted = {**there, PAUSED: str(paused).lower()}
    return target.stacks.deploy(name, target.stacks.template(name), wanted, told)
