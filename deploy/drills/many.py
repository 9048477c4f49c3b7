"""Drills in which several runs are one work: shards, and a job that comes after another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from steadyspot.contract import Env, messages
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.drills.copies import throwaway
from steadyspot.deploy.drills.stage import (
    TASK_SECONDS,
    Observation,
    Observations,
    Stage,
    key_of,
    told_of,
)
from steadyspot.deploy.drills.topic_listener import listening
from steadyspot.deploy.runs.chain import chain_of, told

SHARDS, RECLAIMED = 4, (0, 2)
_WORKS_UNTIL_RECLAIMED = (
    "python",
    "-c",
    f"import os, time; first = os.environ['{Env.ATTEMPT}'] == '1'; "
    f"time.sleep(600 * (first and int(os.environ['{Env.SHARD}']) in {RECLAIMED}))",
)


def shards(stage: Stage) -> Observations:
    """Reclaim two shards of a copy's run; both must resume, and the run be complete."""
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy(
            _WORKS_UNTIL_RECLAIMED,
            Shards=str(SHARDS),
            ShardsAtOnce=str(SHARDS),
            TellEveryRun="true",
        )
        fault = stage.clock()
        execution = copy.stage.start({})
        for shard in RECLAIMED:
            task = copy.stage.running_task(execution, shard)
            stage.reclaim(task)
        status = copy.stage.follow(execution)
        yield Observation(f"the execution ended as {status}", status == "SUCCEEDED")
        yield from _whole(copy.stage, key_of(execution))
        yield told_of(ear, execution)
        yield Observation(f"it took {stage.clock() - fault:.0f} s from the fault to here")


def _whole(stage: Stage, key: str) -> Iterator[Observation]:
    run, found = stage.record(key), stage.target.runs.of_run(stage.job.name, key)
    yield Observation("the run's record says complete", run is not None and run.complete)
    yield Observation(
        f"each of its {SHARDS} shards is complete",
        len(found) == SHARDS and all(shard.complete for shard in found),
    )
    causes = [[attempt.cause for attempt in shard.attempts] for shard in found]
    wanted = [
        ["reclaimed", "finished"] if shard in RECLAIMED else ["finished"] for shard in range(SHARDS)
    ]
    yield Observation(
        f"shards {' and '.join(map(str, RECLAIMED))} were stopped as reclaimed, and no other",
        causes == wanted,
    )


def after(stage: Stage) -> Observations:
    """Run a copy, and have another one come after it; that one must begin by itself."""
    with (
        listening(stage.target) as ear,
        throwaway(stage) as first,
        throwaway(stage, after=(first.job.name,)) as second,
    ):
        first.deploy()
        second.deploy(TellEveryRun="true")
        time = scheduled_time_of(datetime.now(UTC))
        key, fault = run_key_of(time), stage.clock()
        status = first.stage.follow(first.stage.start({messages.SCHEDULED_TIME: time}))
        yield Observation(f"the first one's run ended as {status}", status == "SUCCEEDED")
        follower = second.stage
        begun = stage.until(lambda: follower.record(key) is not None, TASK_SECONDS)
        yield Observation("the other one's run of the same time began by itself", begun)
        run = follower.record(key)
        if run is not None:
            status = follower.follow(run.execution)
            yield Observation(f"it ended as {status}", status == "SUCCEEDED")
            yield told_of(ear, run.execution)
        links = tuple(chain_of(stage.target, second.job, key))
        said = told(links, follows=False)
        yield Observation(
            f"explain says that it comes after {said}",
            said == f"{first.job.name} (complete)",
        )
        yield Observation(f"it took {stage.clock() - fault:.0f} s from the first start to here")
