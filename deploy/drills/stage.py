"""What a drill works with, and what it finds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract import messages
from steadyspot.contract.keys import DRILL_KEY
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.drills.topic_listener import Ear
from steadyspot.deploy.runs.executions import Follower, start
from steadyspot.deploy.runs.history import Moment
from steadyspot.deploy.runs.logs import LogLine, RunLog
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.redrive import Redrive, redrive_of
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.target import Target
from steadyspot.deploy.trouble import Trouble

TASK_SECONDS, MAIL_SECONDS, LOG_SECONDS = 300.0, 120.0, 60.0
_LOOK_SECONDS = 3.0

RECLAIM_REASON = "Your Spot Task was interrupted."
"""What AWS says when it takes Spot capacity back; StopTask takes any reason."""


@dataclass(frozen=True)
class Observation:
    """One thing that was checked."""

    text: str
    good: bool = True


Observations = Generator[Observation, None, None]
"""What a drill comes to, finding by finding; closing it early puts everything back."""


class Stage:
    """What a drill works with: the job, its stacks' outputs, and the caller's eyes.

    Parameters
    ----------
    show
        Called with what happens, as it happens.
    pause
        Called with seconds.
    clock
        Monotonic seconds.
    """

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
        self.switches = target.switches

    def on(self, job: Job) -> Stage:
        """Return the same stage for another job."""
        return Stage(self.target, job, self.show, self.pause, self.clock)

    @property
    def family(self) -> str:
        """The family of the job's task definition."""
        return self.outputs["TaskDefinition"].rsplit("/", 1)[-1].rsplit(":", 1)[0]

    def tell(self, text: str) -> None:
        """Show what the drill itself does, where that may take its time."""
        self.show(Moment(datetime.now(UTC), text))

    def start(self, request: Mapping[str, Any]) -> str:
        """Start a run by hand and return its execution."""
        return start(self.sfn, self.outputs["StateMachine"], request, DRILL_KEY)

    def follow(self, execution: str) -> str:
        """Show the execution to its end and return its status."""
        follower = Follower(self.sfn, execution, Pace(pause=self.pause, clock=self.clock))
        for moment in follower.moments():
            self.show(moment)
        return follower.status

    def record(self, run_key: str) -> RunRecord | None:
        """Return the run's record."""
        return self.target.runs.get(self.job.name, run_key)

    def running_task(self, execution: str, shard: int | None = None) -> str:
        """Return the task of the execution, or of a shard of its run, once its worker runs.

        A container that has only just begun is no good: the kernel drops a SIGTERM for a first
        process that does not listen yet.

        Raises
        ------
        Trouble
            When the execution ends, or five minutes pass, before a task runs.
        """
        cluster = self.target.platform["Cluster"]
        key = key_of(execution)
        key = key if shard is None else shard_key(key, shard)
        end = self.clock() + TASK_SECONDS
        while self.clock() < end:
            arns = self.ecs.list_tasks(cluster=cluster, family=self.family)["taskArns"]
            tasks = self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
            run = self.record(key)
            for task in tasks if run and run.fence else []:
                if task["lastStatus"] == "RUNNING" and f'"{key}"' in json.dumps(task["overrides"]):
                    return str(task["taskArn"])
            if self.sfn.describe_execution(executionArn=execution)["status"] != "RUNNING":
                break
            self.pause(_LOOK_SECONDS if self.switches is None else 0.3)
        raise Trouble(
            "No task of the run came to run.",
            f"See why: steadyspot explain {self.job.name} {key}.",
        )

    def reclaim(self, task: str) -> None:
        """Stop a task as a Spot reclaim does."""
        cluster = self.target.platform["Cluster"]
        self.ecs.stop_task(cluster=cluster, task=task, reason=RECLAIM_REASON)

    def said(self, task: str, key: str) -> LogLine | None:
        """Return the worker's first line with this key in a task's log, waiting for it."""
        log = RunLog(self.target.client("logs"), self.outputs["LogGroup"])
        found: list[LogLine] = []

        def heard() -> bool:
            found.extend(line for line in log.news(task) if key in line.more)
            return bool(found)

        return found[0] if self.until(heard, LOG_SECONDS) else None

    def redrive(self) -> Redrive:
        """Return what redrives the job's queue."""
        return redrive_of(self.target, self.job, self.outputs, pause=self.pause, clock=self.clock)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, so many seconds at most; return whether it does."""
        end = self.clock() + seconds
        while self.clock() < end:
            if holds():
                return True
            self.pause(1)
        return False


def key_of(execution: str) -> str:
    """Return the key of a run that a drill has started: the name of its execution."""
    return execution.rsplit(":", 1)[-1]


def told_of(ear: Ear, execution: str) -> Observation:
    """Return whether people were told of an execution, waiting for it."""
    mail = ear.wait_for(lambda told: _is_about(told.body, execution), MAIL_SECONDS)
    return Observation("people were told", mail is not None)


def _is_about(body: Any, execution: str) -> bool:
    return isinstance(body, dict) and body.get(messages.EXECUTION) == execution
