"""A copy goes only once *After the end* has said of each of its runs what it has to say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.contract import Status
from steadyspot.deploy.drills.copies import Copy
from steadyspot.deploy.stacks.config import Job

MACHINE, AFTER = "machine", "machine-AfterTheEnd"


class Aws:
    """A copy with one run, of which *After the end* is told; it moves on with each pause."""

    def __init__(self, status: str, after: list[list[str]], records: list[Status]) -> None:
        self.left: list[str] = []
        self.pauses = 0
        self._status = status
        self._after = after
        self._records = records

    def list_executions(self, *, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803
        after = self._after[min(self.pauses, len(self._after) - 1)]
        statuses = [self._status] if stateMachineArn == MACHINE else after
        return {"executions": [{"executionArn": "e", "status": one} for one in statuses]}

    def stop_execution(self, **_: str) -> None:
        self._status = "ABORTED"

    def since(self, _job: str, _key: str) -> list[Any]:
        record = self._records[min(self.pauses, len(self._records) - 1)]
        return [SimpleNamespace(status=record)]

    def forget(self, _job: str) -> None:
        self.left.append("records")

    def until(self, holds: Any, _seconds: float) -> bool:
        while not holds():
            self.pauses += 1
            assert self.pauses < 9, "it waits in vain"
        return True

    def list_task_definitions(self, **_: str) -> dict[str, Any]:
        return {"taskDefinitionArns": []}

    def client(self, _name: str) -> Any:
        bucket = SimpleNamespace(paginate=lambda **_: [])
        return SimpleNamespace(get_paginator=lambda _: bucket)


def removed(aws: Aws) -> int:
    """Remove the copy; return after how many pauses its records went."""
    stacks = SimpleNamespace(settle=lambda *_: None, remove=lambda *_: None)
    target = SimpleNamespace(
        config=SimpleNamespace(job_stack=lambda job: f"steady-{job.name}"),
        stacks=stacks,
        runs=aws,
        client=aws.client,
        platform={"Bucket": "bucket", "Below": ""},
    )
    stage: Any = SimpleNamespace(
        target=target, job=Job("night", "image"), sfn=aws, ecs=aws, until=aws.until,
        tell=lambda _text: None, outputs={"StateMachine": MACHINE, "AfterTheEnd": AFTER},
    )  # fmt: skip
    copy = Copy(stage, str, ())
    copied: Any = SimpleNamespace(**vars(stage))
    copy.stage = copied
    copy.remove()
    assert aws.left == ["records"]
    return aws.pauses


@pytest.mark.parametrize("status", ["RUNNING", "ABORTED", "FAILED", "TIMED_OUT"])
def test_records_stay_until_after_the_end_has_come_and_gone(status: str) -> None:
    after = [[], [], ["RUNNING"], ["SUCCEEDED"]]
    assert removed(Aws(status, after, [Status.UNFINISHED])) == 3


def test_a_run_that_ended_well_is_waited_for_only_as_long_as_its_record_says_that_it_runs() -> None:
    records = [Status.RUNNING, Status.COMMITTING, Status.COMPLETE]
    assert removed(Aws("SUCCEEDED", [[]], records)) == 2
    assert removed(Aws("SUCCEEDED", [[]], [Status.COMPLETE])) == 0
