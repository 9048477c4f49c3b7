"""A CloudFormation of many stacks, each of which takes its time."""

from __future__ import annotations

import time
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.templates import Template
from steadyspot.deploy.stacks.up import Wanted
from tests.unit.deploy.fakes import CloudFormation, change


class OneOfMany(CloudFormation):
    """A stack that takes so many seconds to be made and to be removed; ``fails``: it never is."""

    def __init__(self, seconds: float, *, fails: bool, there: bool) -> None:
        adds = [change("Add", "Queue", "AWS::SQS::Queue")]
        failed = {"LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"}
        failed |= {"ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "no room"}
        super().__init__(
            "CREATE_COMPLETE" if there else "", changes=adds, events=[failed] if fails else []
        )
        self._seconds = seconds
        self._begun = 0.0
        self._ends = "ROLLBACK_COMPLETE" if fails else "CREATE_COMPLETE"

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        if self._begun:
            under_way = "DELETE_IN_PROGRESS" if self.deleted else "CREATE_IN_PROGRESS"
            over = time.monotonic() - self._begun >= self._seconds
            self.states = [self._ends if over else under_way]
        return super().describe_stacks(StackName)

    def execute_change_set(self, **_: Any) -> None:
        self.calls.append("execute_change_set")
        self._begun = time.monotonic()

    def delete_stack(self, **_: Any) -> None:
        self.calls.append("delete_stack")
        self._begun, self._ends = time.monotonic(), ""


class ManyStacks:
    """A client of many stacks, each by its name or the id that begins with ``id-of-``."""

    def __init__(self, seconds: float, fails: Collection[str] = (), *, there: bool = False) -> None:
        self._seconds, self._fails, self._there = seconds, fails, there
        self.stacks: dict[str, OneOfMany] = {}
        self.meta = SimpleNamespace(region_name="eu-central-1")

    def __getattr__(self, action: str) -> Any:
        def call(StackName: str = "", **request: Any) -> Any:  # noqa: N803
            name = StackName.removeprefix("id-of-")
            one = self.stacks.get(name)
            if one is None:
                one = OneOfMany(self._seconds, fails=name in self._fails, there=self._there)
                self.stacks[name] = one
            return getattr(one, action)(StackName=StackName, **request)

        return call

    def get_paginator(self, action: str) -> Any:
        return SimpleNamespace(paginate=lambda **of: [getattr(self, action)(**of)])


def target_of(client: ManyStacks, look_seconds: float = 0.01) -> Any:
    """A target as far as bringing up and removing stacks needs one."""
    stacks = Stacks(client, "shop", pause=lambda _: time.sleep(look_seconds))  # type: ignore[arg-type]
    return SimpleNamespace(
        stacks=stacks, platform={"Bucket": "b"}, platform_stack="shop", client=lambda _: None
    )


def wanted(count: int) -> list[Wanted]:
    """Stacks of jobs without a definition of their own."""
    template = Template("Resources: {Queue: {Type: AWS::SQS::Queue}}", {})
    return [Wanted(f"shop-job-{number:03}", template, {}) for number in range(count)]
