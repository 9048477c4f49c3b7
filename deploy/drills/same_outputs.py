"""Whether a stop changes what a job publishes: a run that is left alone, beside one that is not.

Both are runs of the job itself, one after the other, so that the job learns before a Spot reclaim
does it what its next attempt lacks. Its biggest drawback: a job that writes the time of day, or
anything at random, into its outputs never makes the same twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from steadyspot.contract import Reason, logs
from steadyspot.deploy.drills.stage import Observation, Observations, Stage, key_of
from steadyspot.deploy.forms import shown
from steadyspot.deploy.runs.outputs import hashes
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.trouble import Trouble


def same_outputs(stage: Stage) -> Observations:
    """Leave a run alone and stop the next in its midst; both must publish the same.

    Raises
    ------
    Trouble
        When the run that is left alone publishes nothing.
    """
    execution = stage.start({})
    status = stage.follow(execution)
    yield Observation(f"the run that was left alone ended as {status}", status == "SUCCEEDED")
    alone = stage.record(key_of(execution))
    if alone is None or alone.completion is None:
        return
    expected = hashes(stage.target, alone)
    if not expected:
        raise Trouble(
            f"{stage.job.name} publishes nothing, so that there is nothing to compare.",
            f"See it interrupted: steadyspot drill interrupt {stage.job.name}.",
        )
    execution = stage.start({})
    task = stage.running_task(execution)
    seconds = float(alone.completion["seconds"]) / 2
    stage.tell(f"the next run is stopped in its midst, in {seconds:.0f} s")
    stage.pause(seconds)
    stage.reclaim(task)
    status = stage.follow(execution)
    yield Observation(f"the one that was stopped ended as {status}", status == "SUCCEEDED")
    stopped = stage.record(key_of(execution))
    if stopped is not None and stopped.completion is not None:
        yield from _went_on(stage, stopped)
        yield from compared(expected, hashes(stage.target, stopped))


def _went_on(stage: Stage, run: RunRecord) -> Iterator[Observation]:
    """Yield whether the run was stopped at all, and how it went on."""
    first, *later = run.attempts
    yield Observation("its first attempt was stopped as reclaimed", first.cause == "reclaimed")
    anew = next((one for one in later if one.cause == Reason.KEPT_IN_MEMORY), None)
    if anew is not None:
        yield Observation("it began anew, so that a stop costs all that was done before")
        if line := stage.said(anew.task, logs.REASON):
            yield Observation(f"since {line.sentence}")
    elif first.units_done:
        units = f"{first.units_done} unit{'s' * (first.units_done > 1)}"
        yield Observation(f"it went on behind {units} already done")


def compared(alone: Mapping[str, str], stopped: Mapping[str, str]) -> Iterator[Observation]:
    """Yield what two runs have published differently, given hashes by name; pure."""
    differ = [name for name in alone.keys() & stopped.keys() if alone[name] != stopped[name]]
    for names, how in (
        (alone.keys() - stopped.keys(), "missing after the stop"),
        (stopped.keys() - alone.keys(), "there only after the stop"),
        (differ, "other than without the stop"),
    ):
        if names:
            first = shown(min(names))
            yield Observation(f"outputs {how}: {len(names)}, the first is {first}", good=False)
    if alone == stopped:
        yield Observation(f"outputs that are the same, byte for byte: {len(alone)}")
