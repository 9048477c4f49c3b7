"""The life of one Fargate task: from PROVISIONING to STOPPED, with real containers in between.

Each task lives in a thread of its own, which alone changes the record; a stop asked for from
outside is noted and answered there. Whether a task may be launched at all is decided in
`fargate.py`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from steadyspot.deploy.local.containers import Command, Container, Containers
from steadyspot.deploy.local.engines import ImageCommand, ImageContainer
from steadyspot.deploy.local.shapes import ContainerRecord, TaskRecord, api_task, state_change_event

_LOG = logging.getLogger(__name__)
INTERRUPTED = "Your Spot Task was interrupted."
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
DEFAULT_STOP_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class ContainerPlan:
    """What one container needs to run, worked out before the task starts.

    `failure`: why it cannot start at all (image, secret, log group); `on_line` gets what it prints.
    """

    command: Command | ImageCommand | None
    failure: str
    on_line: Callable[[str], None]
    stop_timeout_seconds: float = DEFAULT_STOP_TIMEOUT_SECONDS
    depends_on: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Fate:
    """What the market has in store: a stop before the start, a long wait, a reclaim later on.

    `stop_code` is asked at a reclaim; `reclaim` is called when the while is over, by ARN.
    """

    stop_code: Callable[[], str | None]
    reclaim: Callable[[str], object]
    stopped_before_start: bool = False
    provisioning_seconds: float = 0.0
    reclaim_after_seconds: float | None = None


class _Stopped(Exception):
    """The task is to stop before it got to the next step of its start."""


class FargateTask:
    """One task. `plan` is asked for each container when the task is PENDING and images are pulled.

    `emit` gets every EventBridge event, in order.
    """

    def __init__(
        self,
        record: TaskRecord,
        *,
        plan: Callable[[ContainerRecord], ContainerPlan],
        fate: Fate,
        containers: Containers,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self.record = record
        self._plan = plan
        self._fate = fate
        self._containers = containers
        self._emit = emit
        self._changed = threading.Condition()
        self._plans: dict[str, ContainerPlan] = {}
        self._running: dict[str, Container | ImageContainer] = {}
        self._killed = False

    def start(self) -> None:
        """Begin the task's life; comes back at once."""
        threading.Thread(target=self._live, name=f"task-{self.record.task_id}", daemon=True).start()

    def describe(self) -> dict[str, Any]:
        """The task as DescribeTasks shows it now."""
        with self._changed:
            return api_task(self.record)

    def stop(self, code: str | None, reason: str) -> bool:
        """Ask for a stop. False where it is already stopping; the first reason stays."""
        with self._changed:
            if self.record.desired_status == "STOPPED":
                return False
            self.record.desired_status = "STOPPED"
            self.record.stop_code = code
            self.record.stopped_reason = reason
            self.record.stopping_at = _now()
            self._publish()
            self._changed.notify_all()
            return True

    def reclaim(self) -> bool:
        """Take it back, as the Spot market does. False where it is already stopping."""
        return self.stop(self._fate.stop_code(), INTERRUPTED)

    def kill(self) -> None:
        """End every process now; for the end of the whole local target."""
        with self._changed:
            self._killed = True
            self.record.desired_status = "STOPPED"
            for container in self._running.values():
                container.kill()
            self._changed.notify_all()

    def wait(self, status: str, timeout_seconds: float) -> bool:
        """Wait until the task is, or has been, in this status. False when the time is over."""
        wanted = _ORDER.index(status)
        with self._changed:
            return self._changed.wait_for(
                lambda: _ORDER.index(self.record.status) >= wanted, timeout_seconds
            )

    def _live(self) -> None:
        try:
            self._provision()
            self._pull()
            self._start_containers()
            self._run()
        except _Stopped:
            pass
        except Exception as error:  # whoever waits for the task has to see it end
            _LOG.exception("%s stumbled", self.record.arn)
            self.stop("TaskFailedToStart", f"ResourceInitializationError: {error}")
        self._shut_down()

    def _provision(self) -> None:
        with self._changed:
            self._publish()
            if self._fate.stopped_before_start:
                self.reclaim()
            self._changed.wait_for(self._is_stopping, self._fate.provisioning_seconds)
            self._unless_stopping()
            self.record.attachment_status = "ATTACHED"
            self.record.connected_at = _now()
            self._enter("PENDING")

    def _pull(self) -> None:
        started = _now()
        for container in self.record.containers:
            plan = self._plan(container)
            self._plans[container.name] = plan
            if plan.failure and container.essential:
                self.stop("TaskFailedToStart", plan.failure)
                raise _Stopped
            if plan.failure:
                container.reason = plan.failure
        with self._changed:
            self._unless_stopping()
            self.record.pull_started_at, self.record.pull_stopped_at = started, _now()
            self._enter("ACTIVATING")

    def _start_containers(self) -> None:
        for container in _start_order(self.record.containers, self._plans):
            plan = self._plans[container.name]
            if plan.command is None:
                self._ended(container, None)
                continue
            self._await_dependencies(plan)
            process = _made(
                plan.command, self._containers, plan.on_line, partial(self._ended, container)
            )
            with self._changed:
                self._unless_stopping()
                self._running[container.name] = process
                container.status = "RUNNING"
            if problem := process.start():
                self._could_not_start(container, plan, problem)
            with self._changed:
                if self._killed:
                    process.kill()
        with self._changed:  # Who is told to stop meanwhile has started all the same.
            self.record.started_at = _now()
            self._enter("RUNNING")

    def _could_not_start(
        self, container: ContainerRecord, plan: ContainerPlan, problem: str
    ) -> None:
        program = plan.command.argv[0] if plan.command and plan.command.argv else ""
        reason = (
            "CannotStartContainerError: ResourceInitializationError: failed to create new "
            f'container runtime task: unable to start container process: exec: "{program}": '
            f"{problem}"
        )
        container.reason = reason
        self._ended(container, None)
        if container.essential:
            self.stop("TaskFailedToStart", reason)
            raise _Stopped

    def _await_dependencies(self, plan: ContainerPlan) -> None:
        records = {container.name: container for container in self.record.containers}
        for dependency in plan.depends_on:
            if dependency.get("condition") not in ("COMPLETE", "SUCCESS"):
                continue  # START, and HEALTHY without a health check: started before, by the order
            needed = records[dependency["containerName"]]
            with self._changed:
                while not self._is_stopping() and needed.status != "STOPPED":
                    self._changed.wait()
                self._unless_stopping()
            if dependency["condition"] == "SUCCESS" and needed.exit_code != 0:
                self.stop(
                    "TaskFailedToStart", f"Container {needed.name} did not complete successfully."
                )
                raise _Stopped

    def _run(self) -> None:
        delay = self._fate.reclaim_after_seconds
        until = None if delay is None else time.monotonic() + delay
        with self._changed:
            while not self._is_stopping() and not self._is_over():
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    self._fate.reclaim(self.record.arn)
                else:
                    self._changed.wait(left)

    def _shut_down(self) -> None:
        if not self._is_stopping():
            self.stop("EssentialContainerExited", "Essential container in task exited")
        with self._changed:
            started = self.record.started_at is not None
            if started:
                self._enter("DEACTIVATING")
            self._enter("STOPPING")
        self._stop_containers()
        with self._changed:
            self.record.execution_stopped_at = _now()
            for container in self.record.containers:
                container.status = "STOPPED"
            self._enter("DEPROVISIONING")
            self.record.attachment_status = "DELETED"
            self.record.stopped_at = _now()
            self._enter("STOPPED")

    def _stop_containers(self) -> None:
        """SIGTERM, SIGKILL after each container's stopTimeout; who depends on others goes first."""
        deadlines: dict[str, float] = {}
        killed: set[str] = set()
        with self._changed:
            while alive := self._alive():
                now = time.monotonic()
                for name in alive:
                    if name not in deadlines and not self._dependents(name) & alive:
                        deadlines[name] = now + self._plans[name].stop_timeout_seconds
                        self._running[name].stop()
                    elif deadlines.get(name, now + 1) <= now and name not in killed:
                        killed.add(name)
                        self._running[name].kill()
                pending = [
                    deadline
                    for name, deadline in deadlines.items()
                    if name in alive and name not in killed
                ]
                self._changed.wait(max(0.0, min(pending) - time.monotonic()) if pending else None)

    def _alive(self) -> set[str]:
        return {
            container.name
            for container in self.record.containers
            if container.name in self._running and container.status == "RUNNING"
        }

    def _dependents(self, name: str) -> set[str]:
        return {
            other
            for other, plan in self._plans.items()
            if any(need["containerName"] == name for need in plan.depends_on)
        }

    def _ended(
        self, container: ContainerRecord, code: int | None, out_of_memory: bool = False
    ) -> None:
        with self._changed:
            if out_of_memory:
                container.reason = OUT_OF_MEMORY
            container.status = "STOPPED"
            container.exit_code = code
            self._changed.notify_all()

    def _is_stopping(self) -> bool:
        return self._killed or self.record.desired_status == "STOPPED"

    def _is_over(self) -> bool:
        stopped = [one for one in self.record.containers if one.status == "STOPPED"]
        return len(stopped) == len(self.record.containers) or any(
            one.essential and one.name in self._running for one in stopped
        )

    def _unless_stopping(self) -> None:
        if self._is_stopping():
            raise _Stopped

    def _enter(self, status: str) -> None:
        self.record.status = status
        self._publish()
        self._changed.notify_all()

    def _publish(self) -> None:
        self.record.version += 1
        self.record.updated_at = _now()
        if not self._killed:
            self._emit(state_change_event(self.record))


def _made(
    command: Command | ImageCommand,
    containers: Containers,
    on_line: Callable[[str], None],
    on_end: Callable[[int, bool], None],
) -> Container | ImageContainer:
    if isinstance(command, ImageCommand):
        return ImageContainer(command, on_line=on_line, on_end=on_end)
    return containers(command, on_line=on_line, on_end=on_end)


_ORDER = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)


def _start_order(
    containers: Sequence[ContainerRecord], plans: Mapping[str, ContainerPlan]
) -> list[ContainerRecord]:
    """Every container after those that it depends on, else in the order of the definition."""
    ordered: list[ContainerRecord] = []
    waiting = list(containers)
    while waiting:
        started = {container.name for container in ordered}
        ready = [
            one
            for one in waiting
            if all(need["containerName"] in started for need in plans[one.name].depends_on)
        ]
        following = ready or waiting  # a circle, which AWS refuses at registration
        ordered += following
        waiting = [one for one in waiting if one not in following]
    return ordered


def _now() -> datetime:
    return datetime.now(UTC)
