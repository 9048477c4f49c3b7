"""The drill in which two runs of a job meet, and what its overlap has to make of that."""

from __future__ import annotations

from collections.abc import Iterator

from steadyspot.contract import Overlap, Status, messages
from steadyspot.deploy.drills.copies import throwaway
from steadyspot.deploy.drills.stage import Observation, Observations, Stage, key_of, told_of
from steadyspot.deploy.drills.topic_listener import listening

_WORKS_A_WHILE = ("python", "-c", "import time; time.sleep(8)")
_APART_SECONDS = 2.0
"""Runs by hand are due when they start, to the second, and one has to be due before the other."""


def overlap(stage: Stage) -> Observations:
    """Start a copy's second run while its first one works; its overlap must be kept to."""
    policy = stage.job.overlap if stage.job.overlap != Overlap.ALLOW else Overlap.QUEUE
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy(_WORKS_A_WHILE, Overlap=policy, TellEveryRun="true")
        began = stage.clock()
        first = copy.stage.start({})
        copy.stage.running_task(first)
        stage.pause(_APART_SECONDS)
        second = copy.stage.start({})
        status = copy.stage.follow(second)
        yield Observation(f"the second run ended as {status}", status == "SUCCEEDED")
        yield from _kept_to(policy, copy.stage, first, second)
        yield told_of(ear, first if policy == Overlap.REPLACE else second)
        yield Observation(f"it took {stage.clock() - began:.0f} s from the first run to here")


def _kept_to(policy: Overlap, stage: Stage, first: str, second: str) -> Iterator[Observation]:
    """Yield whether the two runs went as the policy says, once both have ended."""
    ended = stage.follow(first)
    one, other = (stage.record(key_of(execution)) for execution in (first, second))
    if one is None or other is None:
        yield Observation("both runs have a record", good=False)
    elif policy == Overlap.SKIP:
        yield Observation("it was skipped", other.status == Status.SKIPPED)
        yield Observation("the first one's record says complete", one.complete)
    elif policy == Overlap.REPLACE:
        yield Observation(f"the first one ended as {ended}", ended == "ABORTED")
        yield Observation("its record says replaced", one.cause == messages.REPLACED)
        yield Observation("the second one's record says complete", other.complete)
    else:
        after = other.attempts and one.attempts and one.attempts[-1].ended_at
        good = bool(after) and other.attempts[0].started_at >= str(after)
        yield Observation("it began once the first one had ended", good)
        yield Observation("both records say complete", one.complete and other.complete)
