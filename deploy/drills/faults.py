"""The drills: cause a fault with ordinary calls, follow the run, check it, put everything back.

A drill is a function from a :class:`Stage` to findings. It raises ``Trouble`` only where
it cannot be tried at all; what it tried and found wrong is a finding that is not good.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from steadyspot.contract import CapacityMode, Env, Status, logs, messages
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.drills import rehearsal
from steadyspot.deploy.drills.copies import Copy, throwaway
from steadyspot.deploy.drills.stage import (
    TASK_SECONDS,
    Observation,
    Observations,
    Stage,
    key_of,
    told_of,
)
from steadyspot.deploy.drills.topic_listener import Ear, listening
from steadyspot.deploy.drills.undisturbed import undisturbed
from steadyspot.deploy.trouble import Trouble

UNDELIVERED_SECONDS = 420.0
_SLEEPS = ("python", "-c", "import time; time.sleep(86400)")
_DEAF_AT_FIRST = (
    "python",
    "-c",
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    f"time.sleep(600 if os.environ['{Env.ATTEMPT}'] == '1' else 0)",
)
_SIDECAR = """\
        - Name: sidecar
          Image: !Ref Image
          Essential: false
          EntryPoint:
            - python
            - -c
            - "import signal as s, time; s.signal(15, lambda *_: exit(137)); time.sleep(86400)"
"""
_BEFORE = "        - Name: worker\n"


def with_sidecar(template: str) -> str:
    """Return a job's template with a container beside the worker that does not stop cleanly."""
    return template.replace(_BEFORE, _SIDECAR + _BEFORE, 1)


def interrupt(stage: Stage) -> Observations:
    """Stop the first attempt as a reclaim would; the run must resume and finish."""
    with listening(stage.target) as ear:
        execution = stage.start({})
        yield from _reclaimed(stage, ear, execution)


def _reclaimed(stage: Stage, ear: Ear, execution: str) -> Iterator[Observation]:
    task = stage.running_task(execution)
    fault = stage.clock()
    stage.reclaim(task)
    status = stage.follow(execution)
    yield from _finished_after(stage, ear, execution, status, "reclaimed")
    yield _told(stage, task)
    yield _recovered(stage, fault)


def _told(stage: Stage, task: str) -> Observation:
    """Return which signal the worker took as a stop: what the image has AWS send."""
    if line := stage.said(task, logs.SIGNAL):
        signal = line.more[logs.SIGNAL]
        return Observation(f"the worker took {signal}, which its image has sent, as a stop")
    return Observation("no signal that is a stop reached the worker", good=False)


def no_capacity(stage: Stage) -> Observations:
    """Have Spot refused until the slack is used up; the run must finish on on-demand."""
    if stage.switches is None:
        yield from rehearsal.no_capacity(stage)
        return
    with listening(stage.target) as ear:
        fault = stage.clock()
        try:
            stage.switches.refuse(stage.family, times=2, how="failures")
            execution = stage.start({})
            status = stage.follow(execution)
        finally:
            with undisturbed():
                stage.switches.refuse(stage.family, times=0, how="failures")
        yield from _finished_after(stage, ear, execution, status, "no-capacity")
        yield _recovered(stage, fault)


def slow_launch(stage: Stage) -> Observations:
    """Give a copy's launches so little time that they are given up; on-demand must finish it.

    AWS takes longer than that for every launch, but on-demand is given more time after each; the
    embedded AWS is told to take longer for the one on Spot.
    """
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy(LaunchMinutes="0.02", MaximumWaitMinutes="0")
        fault, family = stage.clock(), copy.stage.family
        try:
            if stage.switches is not None:
                stage.switches.refuse(family, times=1, how="slow")
            execution = copy.stage.start(
                {messages.FINISH_WITHIN_MINUTES: 0, messages.CAPACITY: CapacityMode.SPOT_FIRST}
            )
            status = copy.stage.follow(execution)
        finally:
            if stage.switches is not None:
                with undisturbed():
                    stage.switches.refuse(family, times=0, how="slow")
        yield from _finished_after(copy.stage, ear, execution, status, "launch-given-up")
        yield _recovered(stage, fault)


def deregister(stage: Stage) -> Observations:
    """Take a copy's task definition away; its run is parked, and finishes once repaired."""
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy()
        stage.ecs.deregister_task_definition(taskDefinition=copy.stage.outputs["TaskDefinition"])
        yield from _parked_then_repaired(copy, ear, "definition-inactive")


def bad_image(stage: Stage) -> Observations:
    """Give a copy an image that is not there; its run is parked, and finishes once repaired."""
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy(Image="public.ecr.aws/docker/library/steadyspot-drill:there-is-none")
        yield from _parked_then_repaired(copy, ear, "image-missing")


def _parked_then_repaired(copy: Copy, ear: Ear, cause: str) -> Iterator[Observation]:
    stage, fault = copy.stage, copy.stage.clock()
    execution = stage.start({})
    status = stage.follow(execution)
    yield Observation(f"the execution ended as {status}", status == "FAILED")
    yield from _unfinished(stage, execution, cause)
    yield told_of(ear, execution)
    copy.deploy(Environment=json.dumps({"REPAIRED": "1"}))
    yield from _redriven(copy.stage)
    yield _recovered(stage, fault)


def _unfinished(stage: Stage, execution: str, cause: str) -> Iterator[Observation]:
    key = key_of(execution)
    run = stage.record(key)
    causes = [attempt.cause for attempt in run.attempts] if run else []
    yield Observation(f"an attempt was stopped as {cause}", cause in causes)
    yield Observation(
        "the record says unfinished", run is not None and run.status == Status.UNFINISHED
    )
    waits = stage.until(lambda: key in [w.run_key for w in stage.redrive().waiting()], 60)
    yield Observation("the run waits in the dead-letter queue", waits)


def _redriven(stage: Stage) -> Iterator[Observation]:
    for redriven in stage.redrive().run():
        status = stage.follow(redriven.execution) if redriven.execution else redriven.note
        yield Observation(
            f"redriven, run {redriven.run_key} ended as {status}", status == "SUCCEEDED"
        )
        run = stage.record(redriven.run_key)
        yield Observation("its record says complete", run is not None and run.complete)
    yield Observation("the queue is empty again", not stage.redrive().waiting())


def hang(stage: Stage) -> Observations:
    """Run a copy whose job never ends; the worker must stop it in time, and the run be parked."""
    minutes = 3.0 if stage.switches is None else 0.25
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy(_SLEEPS, StartUpSeconds="0", MarginSeconds="0", StopTimeout="2")
        fault = stage.clock()
        execution = copy.stage.start(
            {
                messages.FINISH_WITHIN_MINUTES: minutes,
                messages.EXPECTED_MINUTES: 0,
                messages.BUDGETS: {"interruptions": 0},
            }
        )
        status = copy.stage.follow(execution)
        yield Observation(f"the execution ended as {status}", status == "FAILED")
        yield from _unfinished(copy.stage, execution, "time-limit")
        yield told_of(ear, execution)
        cluster = stage.target.platform["Cluster"]
        tasks = {"cluster": cluster, "family": copy.stage.family}
        # It may be the workflow whose time is over first, which has a task stopped behind it.
        gone = stage.until(lambda: not stage.ecs.list_tasks(**tasks)["taskArns"], TASK_SECONDS)
        yield Observation("no task of it runs on", gone)
        yield _recovered(stage, fault)


def sidecar(stage: Stage) -> Observations:
    """Run a copy beside a container that ends with 137 after it; the run must count as finished."""
    with (
        listening(stage.target) as ear,
        throwaway(stage, with_sidecar) as copy,
    ):
        copy.deploy()
        fault = stage.clock()
        execution = copy.stage.start({})
        status = copy.stage.follow(execution)
        run = copy.stage.record(key_of(execution))
        yield Observation(f"the execution ended as {status}", status == "SUCCEEDED")
        yield Observation("the run's record says complete", run is not None and run.complete)
        yield Observation("one attempt was enough", run is not None and len(run.attempts) == 1)
        yield told_of(ear, execution)
        yield _recovered(stage, fault)


def short_grace(stage: Stage) -> Observations:
    """Reclaim a copy that does not listen and has two seconds; it must be resumed all the same."""
    with listening(stage.target) as ear, throwaway(stage) as copy:
        copy.deploy(_DEAF_AT_FIRST, StopTimeout="2")
        execution = copy.stage.start({})
        yield from _reclaimed(copy.stage, ear, execution)


def undeliverable(stage: Stage) -> Observations:
    """Schedule a start that is refused for good; it waits in the queue, rings, is redriven."""
    if "Schedule" not in stage.outputs:
        raise Trouble(
            f"{stage.job.name} has no schedule.", "Give it one in steadyspot.toml, then up."
        )
    if stage.redrive().waiting():
        raise Trouble(
            f"Runs wait in the queue of {stage.job.name} already; the drill would redrive them.",
            f"Work them off first: steadyspot redrive {stage.job.name}.",
        )
    with listening(stage.target) as ear, refused_start(stage) as key:
        fault = stage.clock()
        waited = stage.until(lambda: bool(stage.redrive().waiting()), UNDELIVERED_SECONDS)
        yield Observation("the start that was refused lies in the dead-letter queue", waited)
        rung = ear.wait_for(lambda told: "AlarmName" in json.dumps(told.body), UNDELIVERED_SECONDS)
        yield Observation("its alarm told people", rung is not None)
        yield from _redriven(stage)
        run = stage.record(key)
        yield Observation("the scheduled time has a complete run", run is not None and run.complete)
        yield _recovered(stage, fault)


@contextmanager
def refused_start(stage: Stage) -> Iterator[str]:
    """Schedule a start that is refused and give its run key; its message does not outlive it."""
    scheduler = stage.target.client("scheduler")
    group, name = stage.target.platform["ScheduleGroup"], f"drill-{uuid.uuid4().hex[:8]}"
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    key = run_key_of(scheduled_time_of(at))
    target, made = refused_target(stage, scheduler), False
    try:
        with undisturbed():
            scheduler.create_schedule(
                Name=name,
                GroupName=group,
                ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=target,
            )
            made = True
        yield key
    finally:
        with undisturbed():
            if made:
                scheduler.delete_schedule(Name=name, GroupName=group)
                stage.redrive().drop(key)


def refused_target(stage: Stage, scheduler: Any) -> dict[str, Any]:
    """Return the job's own target, but for a state machine that is not there."""
    own = scheduler.get_schedule(
        Name=stage.outputs["Schedule"], GroupName=stage.target.platform["ScheduleGroup"]
    )["Target"]
    return {**own, "Arn": own["Arn"] + "-that-is-not-there"}


def _finished_after(
    stage: Stage, ear: Ear, execution: str, status: str, cause: str
) -> Iterator[Observation]:
    run = stage.record(key_of(execution))
    causes = [attempt.cause for attempt in run.attempts] if run else []
    yield Observation(f"the execution ended as {status}", status == "SUCCEEDED")
    yield Observation("the run's record says complete", run is not None and run.complete)
    yield Observation(f"an attempt was stopped as {cause}", cause in causes)
    yield told_of(ear, execution)


def _recovered(stage: Stage, since: float) -> Observation:
    return Observation(f"it took {stage.clock() - since:.0f} s from the fault to here")
