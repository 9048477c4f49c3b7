"""What can be done from a page. Each says first what it will do; the verbs do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.drills import DRILLS
from steadyspot.deploy.drills.announcing import announcement
from steadyspot.deploy.runs.executions import start
from steadyspot.deploy.runs.lookup import Finder
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.redrive import redrive_of
from steadyspot.deploy.runs.stopping import stop
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.pausing import set_paused
from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.drilling import ON_COPY, Drilling

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

DRILL = "drill-"
"""How the name of an action begins that drills."""


@dataclass(frozen=True)
class Hands:
    """With what things are done."""

    target: Target
    drilling: Drilling


@dataclass(frozen=True)
class Action:
    """Something that a person may ask for; ``do`` returns what is to be said when it is done.

    ``will`` says what it does, with ``{job}`` and ``{run}`` in it; ``of_a_run`` whether it needs
    one. ``more`` says what it takes and costs.
    """

    name: str
    will: str
    of_a_run: bool
    do: Callable[[Hands, Job, str], str]
    more: Callable[[Job, Prices, bool], Sequence[str]] = lambda _job, _prices, _here: ()

    def told(self, job: Job, run: str, prices: Prices, *, here: bool) -> list[str]:
        """Return what it will do, for who has to agree; ``here``: on this machine, for nothing."""
        return [self.will.format(job=job.name, run=run), *self.more(job, prices, here)]


def _start(hands: Hands, job: Job, _run: str) -> str:
    target = hands.target
    execution = start(target.client("stepfunctions"), target.job(job)["StateMachine"], {})
    return f"Run {execution.rsplit(':', 1)[-1]} is started."


def _start_takes(job: Job, prices: Prices, here: bool) -> Sequence[str]:
    minutes = job.expected_minutes
    full = 60 * minutes * prices.second(vcpu=job.vcpu, memory_gb=job.memory_gb) * job.shards
    cost = (
        f", and costs about {dollars(full * prices.spot_ratio)} on Spot, {dollars(full)} on "
        "on-demand"
    )
    return (
        f"It is expected to take {duration(60 * minutes)}{'' if here else cost}. "
        f"Size: {job.vcpu:g} vCPU, {job.memory_gb:g} GB, {job.capacity}.",
    )


def _stop(hands: Hands, job: Job, run: str) -> str:
    target = hands.target
    sfn = target.client("stepfunctions")
    machine = target.job(job)["StateMachine"]
    found = Finder(table=target.runs, sfn=sfn, job=job.name, machine=machine).find(run)
    who = target.client("sts").get_caller_identity()["Arn"]
    execution = found.execution["executionArn"] if found.execution else ""
    if not stop(sfn, execution, f"{who}: steadyspot ui"):
        raise Trouble(f"Run {run} is not under way.", "Look at it again: it may have ended by now.")
    return f"Run {run} is stopped; it waits for a redrive."


def _redrive(hands: Hands, job: Job, run: str) -> str:
    target = hands.target
    found = next(iter(redrive_of(target, job, target.job(job)).run(lambda _: None, run)), None)
    if found is None:
        raise Trouble(
            f"Run {run} does not wait in the dead-letter queue.",
            "It may be under way again, or was taken up by somebody else.",
        )
    if not found.good:
        raise Trouble(f"Run {run}: {found.note}.", "It waits in the queue as before.")
    return f"Run {run} {found.note}."


def _pause(hands: Hands, job: Job, _run: str) -> str:
    set_paused(hands.target, job, lambda _: None, paused=True)
    return f"{job.name} rests: no run is scheduled, and none counts as missed."


def _resume(hands: Hands, job: Job, _run: str) -> str:
    set_paused(hands.target, job, lambda _: None, paused=False)
    return f"{job.name} is scheduled again."


def _drill(name: str) -> Action:
    def do(hands: Hands, job: Job, _run: str) -> str:
        hands.drilling.ask(job, name)
        return f"The drill {name} of {job.name} is begun."

    def more(job: Job, prices: Prices, here: bool) -> Sequence[str]:
        return announcement(DRILLS[name], job, prices, here=here)

    will = f"This carries out the drill {name} on a copy of {{job}}."
    return Action(f"{DRILL}{name}", will, of_a_run=False, do=do, more=more)


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(
            "start",
            "This starts a run of {job} now, with its own command and settings.",
            of_a_run=False,
            do=_start,
            more=_start_takes,
        ),
        Action(
            "pause",
            "This lets the schedule of {job} rest until it is resumed; runs under way go on.",
            of_a_run=False,
            do=_pause,
        ),
        Action(
            "resume",
            "This lets the schedule of {job} start runs again.",
            of_a_run=False,
            do=_resume,
        ),
        Action(
            "stop",
            "This ends run {run} of {job}. What is done is saved; people are told, and the run "
            "waits for a redrive.",
            of_a_run=True,
            do=_stop,
        ),
        Action(
            "redrive",
            "This takes run {run} of {job} up again from the dead-letter queue, as it was asked "
            "for; what is done already is not done again.",
            of_a_run=True,
            do=_redrive,
        ),
        *map(_drill, ON_COPY),
    )
}
