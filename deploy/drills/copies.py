"""A throwaway copy of a job: its stack under another name, without schedule, removed afterwards.

What a drill breaks for good (a task definition's revision, an image) it breaks on the copy. The
copy has the job's size, image and settings but runs a harmless command, so that nothing is done
twice outside. Its records and objects go with it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from steadyspot.contract import Status, checkpoint_prefix, output_prefix
from steadyspot.deploy.drills.stage import Stage
from steadyspot.deploy.drills.undisturbed import undisturbed
from steadyspot.deploy.stacks.buckets import bucket_of, empty
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.following import Event
from steadyspot.deploy.stacks.parts import with_parts
from steadyspot.deploy.stacks.templates import job_template

_SETTLES_SECONDS = 30
"""For which *After the end* is waited for: an event takes seconds, and the machine a few calls."""

_TOLD_OF = ("FAILED", "ABORTED", "TIMED_OUT")
"""Ends that the rule in ``job.yaml`` tells *After the end* of."""

HARMLESS = ("python", "-c", "print('nothing is done here, and done well')")


class Copy:
    """The copy's stack; ``stage`` is there once it is deployed."""

    def __init__(self, stage: Stage, edit: Callable[[str], str], after: tuple[str, ...]) -> None:
        self._original = stage
        self._edit = edit
        self._name = f"drill-{uuid.uuid4().hex[:6]}"
        # Nothing but the drill may start it: no schedule, nor what its job comes after.
        self.job = replace(stage.job, name=self._name, schedule=None, schedules={}, after=after)
        self.stack = stage.target.config.job_stack(self.job)
        self.stage = stage

    def deploy(self, command: Sequence[str] = HARMLESS, **changes: str) -> None:
        """Bring the copy up, or bring it to other parameters; those not named are the job's own."""
        self._original.tell(f"deploys the copy {self._name}")
        target = self._original.target
        parameters: Mapping[str, str] = {
            **target.stacks.parameters(target.config.job_stack(self._original.job)),
            "Job": self._name,
            "ScheduleExpression": "",
            "Command": json.dumps(list(command)),
            "BackoffSeconds": "1",
            "Shards": "1",
            "OnStop": "",
            **changes,
        }
        home = target.config.platform
        template = job_template(
            lambda text: self._edit(with_parts(self.job, text, home)), home.below
        )
        upload(target, template)
        target.stacks.deploy(self.stack, template.text, parameters, _quiet)
        self.stage = self._original.on(self.job)

    def remove(self) -> None:
        """Take the copy away with all it left: runs, revisions, records, objects."""
        with suppress(OSError, SystemExit):  # The terminal or the reader may be gone.
            self._original.tell(f"removes the copy {self._name} and all that it left")
        target, ecs = self._original.target, self._original.ecs
        target.stacks.settle(self.stack, _quiet)
        self._stop_what_runs()
        target.stacks.remove(self.stack, _quiet)
        listed = ecs.list_task_definitions(familyPrefix=self.stack, status="ACTIVE")
        for arn in listed["taskDefinitionArns"]:
            ecs.deregister_task_definition(taskDefinition=arn)

        target.runs.forget(self._name)
        for prefix in (checkpoint_prefix(self._name, ""), output_prefix(self._name, "")):
            bucket, below = bucket_of(target)
            empty(target.client("s3"), bucket, f"{below}{prefix.rstrip('/')}/")

    def _stop_what_runs(self) -> None:
        """Stop executions that a drill left under way, and wait for what is said of all that ended.

        Their state machine would outlive its stack, and what *After the end* writes, the records.
        """
        if self.stage is self._original:
            return
        for execution, status in self._executions("StateMachine"):
            if status == "RUNNING":
                self.stage.sfn.stop_execution(
                    executionArn=execution, cause="The drill was broken off."
                )
        self.stage.until(self._is_settled, _SETTLES_SECONDS)

    def _is_settled(self) -> bool:
        """Whether *After the end* has come and gone for each end that it is told of."""
        told = [status for _, status in self._executions("StateMachine") if status in _TOLD_OF]
        after = [status for _, status in self._executions("AfterTheEnd")]
        runs = self.stage.target.runs.since(self._name, "")
        alive = any(run.status in (Status.RUNNING, Status.COMMITTING) for run in runs)
        return len(after) >= len(told) and "RUNNING" not in after and not alive

    def _executions(self, machine: str) -> list[tuple[str, str]]:
        """Return the executions of the machine in this output, each with its status."""
        listed = self.stage.sfn.list_executions(stateMachineArn=self.stage.outputs[machine])
        return [(one["executionArn"], one["status"]) for one in listed["executions"]]


@contextmanager
def throwaway(
    stage: Stage, edit: Callable[[str], str] = lambda text: text, after: tuple[str, ...] = ()
) -> Iterator[Copy]:
    """Give a copy of the job and take it away again; ``edit`` changes its template.

    It comes ``after`` jobs of these names.
    """
    copy = Copy(stage, edit, after)
    try:
        yield copy
    finally:
        with undisturbed():
            copy.remove()


def _quiet(_event: Event) -> None:
    """Tell nobody: what happens to a copy's stack is no part of the drill."""
