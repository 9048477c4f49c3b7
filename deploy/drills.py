"""Drills: cause a fault with ordinary calls, follow the run to its end, check it, put everything back.

A drill is a function from a :class:`Stage` to findings. It raises :class:`~deploy.trouble.Trouble` only
where it cannot be tried at all; what it tried and found wrong is a finding that is not good.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.config import Job
from deploy.listening import Ear, listening
from deploy.records import Run
from deploy.redrive import Redrive, run_key_of
from deploy.runs import Follower, start
from deploy.target import Target
from deploy.timeline import Moment
from deploy.trouble import Trouble

RECLAIM_REASON = "Your Spot Task was interrupted."
"""What AWS says when it takes Spot capacity back; StopTask takes any reason."""
TASK_SECONDS, MAIL_SECONDS, UNDELIVERED_SECONDS = 300.0, 120.0, 420.0


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    text: str
    good: bool


class Stage:
    """What a drill works with: the job, its stacks' outputs, and the caller's eyes."""

    def __init__(
        self,
        target: Target,
        job: Job,
        show: Callable[[Moment], None],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.job = job
        self.outputs = target.job(job)
        self.show = show
        self.pause = pause
        self.clock = clock
        self.sfn = target.client("stepfunctions")
        self.ecs = target.client("ecs")

    def start(self) -> str:
        """Start a run by hand and return its execution."""
        return start(self.sfn, self.outputs["StateMachine"], {})

    def follow(self, execution: str) -> str:
        """Show the execution to its end and return its status."""
        follower = Follower(self.sfn, execution, self.pause)
        for moment in follower.moments():
            self.show(moment)
        return follower.status

    def record(self, run_key: str) -> Run | None:
        """Return the run's record."""
        return self.target.runs.get(self.job.name, run_key)

    def running_task(self, execution: str) -> str:
        """Return the task of the execution once it runs.

        Raises
        ------
        Trouble
            When the execution ends, or five minutes pass, before a task runs.
        """
        cluster = self.target.platform["Cluster"]
        end = self.clock() + TASK_SECONDS
        while self.clock() < end:
            arns = self.ecs.list_tasks(cluster=cluster, family=self._family())["taskArns"]
            tasks = self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
            for task in tasks:
                if task["lastStatus"] == "RUNNING" and execution in json.dumps(task["overrides"]):
                    return str(task["taskArn"])
            if self.sfn.describe_execution(executionArn=execution)["status"] != "RUNNING":
                break
            self.pause(0.3)
        raise Trouble("No task of the run came to run.", f"Look at the execution {execution}.")

    def _family(self) -> str:
        return self.outputs["TaskDefinition"].rsplit("/", 1)[-1].rsplit(":", 1)[0]


def interrupt(stage: Stage) -> Iterator[Finding]:
    """Stop the first attempt as a reclaim would; the run must resume and finish."""
    with listening(stage.target) as ear:
        execution = stage.start()
        task = stage.running_task(execution)
        stage.ecs.stop_task(
            cluster=stage.target.platform["Cluster"], task=task, reason=RECLAIM_REASON
        )
        status = stage.follow(execution)
        yield from _finished_after(stage, ear, execution, status, "reclaimed")


def no_capacity(stage: Stage) -> Iterator[Finding]:
    """Have Spot refused until the slack is used up; the run must finish on on-demand."""
    switches = getattr(stage.target.session, "switches", None)
    if switches is None:
        raise Trouble(
            "AWS cannot be made to refuse capacity.", "Rehearse it on this machine: add --local."
        )
    with listening(stage.target) as ear:
        switches.refuse(
            stage.outputs["TaskDefinition"].rsplit("/", 1)[-1].rsplit(":", 1)[0],
            times=2,
            how="failures",
        )
        execution = stage.start()
        status = stage.follow(execution)
        yield from _finished_after(stage, ear, execution, status, "no-capacity")


def _finished_after(
    stage: Stage, ear: Ear, execution: str, status: str, cause: str
) -> Iterator[Finding]:
    run = stage.record(execution.rsplit(":", 1)[-1])
    causes = [attempt.cause for attempt in run.attempts] if run else []
    yield Finding(f"the execution ended as {status}", status == "SUCCEEDED")
    yield Finding("the run's record says complete", run is not None and run.complete)
    yield Finding(f"an attempt was stopped as {cause}", cause in causes)
    mail = ear.wait_for(lambda told: _is_about(told.body, execution), MAIL_SECONDS)
    yield Finding("people were told", mail is not None)


def undeliverable(stage: Stage) -> Iterator[Finding]:
    """Schedule a start that is refused for good; it must wait in the queue, ring, and be redriven."""
    scheduler, sqs = stage.target.client("scheduler"), stage.target.client("sqs")
    group, name = stage.target.platform["ScheduleGroup"], f"drill-{uuid.uuid4().hex[:8]}"
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    with listening(stage.target) as ear:
        scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=refused_target(stage, sqs),
        )
        try:
            waited = _until(stage, lambda: bool(_redrive(stage).waiting()), UNDELIVERED_SECONDS)
        finally:
            scheduler.delete_schedule(Name=name, GroupName=group)
        yield Finding("the start that was refused lies in the dead-letter queue", waited)
        rung = ear.wait_for(lambda told: "AlarmName" in json.dumps(told.body), UNDELIVERED_SECONDS)
        yield Finding("its alarm told people", rung is not None)
        for redriven in _redrive(stage).run():
            status = stage.follow(redriven.execution) if redriven.execution else redriven.note
            yield Finding(
                f"redriven, run {redriven.run_key} ended as {status}", status == "SUCCEEDED"
            )
        run = stage.record(run_key_of(f"{at:%Y-%m-%dT%H:%M:%SZ}"))
        yield Finding("its record says complete", run is not None and run.complete)
        yield Finding("the queue is empty again", not _redrive(stage).waiting())


def refused_target(stage: Stage, sqs: Any) -> dict[str, Any]:
    """Return the job's own target, but for a state machine that is not there."""
    scheduler = stage.target.client("scheduler")
    own = scheduler.get_schedule(
        Name=stage.outputs["Schedule"], GroupName=stage.target.platform["ScheduleGroup"]
    )["Target"]
    return {**own, "Arn": own["Arn"] + "-that-is-not-there"}


def _redrive(stage: Stage) -> Redrive:
    return Redrive(
        sqs=stage.target.client("sqs"),
        sfn=stage.sfn,
        runs=stage.target.runs,
        job=stage.job.name,
        queue=stage.outputs["Queue"],
        machine=stage.outputs["StateMachine"],
        pause=stage.pause,
        clock=stage.clock,
    )


def _until(stage: Stage, holds: Callable[[], bool], seconds: float) -> bool:
    end = stage.clock() + seconds
    while stage.clock() < end:
        if holds():
            return True
        stage.pause(1)
    return False


def _is_about(body: Any, execution: str) -> bool:
    return isinstance(body, dict) and body.get("execution") == execution


DRILLS: dict[str, Callable[[Stage], Iterator[Finding]]] = {
    "interrupt": interrupt,
    "no-capacity": no_capacity,
    "undeliverable": undeliverable,
}
