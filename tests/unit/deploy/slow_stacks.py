"""A CloudFormation of many stacks, each of which takes its time.

Or each takes until so many of them are under way together, however fast the machine is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from types import SimpleNamespace
from typing import Any

from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.templates import Template
from steadyspot.deploy.stacks.up import Wanted
from tests.unit.deploy.fakes import CloudFormation, change

WAITED_SECONDS = 60.0
"""After that what was waited for does not come any more."""


class Together:
    """Lets go what is under way as soon as so many are, and the next once so many more are."""

    def __init__(self, count: int) -> None:
        self._count, self._begun, self._lock = count, 0, threading.Lock()
        self._end = time.monotonic() + WAITED_SECONDS

    def begin(self) -> Callable[[], bool]:
        """Begin one of them; returns what tells whether it is over."""
        with self._lock:
            self._begun += 1
            needed = -(-self._begun // self._count) * self._count
        return lambda: self._has_begun(needed)

    def _has_begun(self, needed: int) -> bool:
        assert time.monotonic() < self._end, f"{self._begun} were begun, {self._count} never were"
        return self._begun >= needed


def after(seconds: float) -> Callable[[], bool]:
    """Begin what is over after so long; returns what tells whether it is."""
    begun = time.monotonic()
    return lambda: time.monotonic() - begun >= seconds


class OneOfMany(CloudFormation):
    """A stack that takes its time to be made and to be removed; ``fails``: it never is made."""

    def __init__(self, begin: Callable[[], Callable[[], bool]], *, fails: bool, there: bool):
        adds = [change("Add", "Queue", "AWS::SQS::Queue")]
        failed = {"LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"}
        failed |= {"ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "no room"}
        super().__init__(
            "CREATE_COMPLETE" if there else "", changes=adds, events=[failed] if fails else []
        )
        self._begin = begin
        self._is_over: Callable[[], bool] | None = None
        self._ends = "ROLLBACK_COMPLETE" if fails else "CREATE_COMPLETE"

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        if self._is_over:
            under_way = "DELETE_IN_PROGRESS" if self.deleted else "CREATE_IN_PROGRESS"
            self.states = [self._ends if self._is_over() else under_way]
        return super().describe_stacks(StackName)

    def execute_change_set(self, **_: Any) -> None:
        self.calls.append("execute_change_set")
        self._is_over = self._begin()

    def delete_stack(self, **_: Any) -> None:
        self.calls.append("delete_stack")
        self._is_over, self._ends = self._begin(), ""


class ManyStacks:
    """A client of many stacks, each by its name or the id that begins with ``id-of-``.

    ``takes``: the seconds that each takes, or with how many others.
    """

    def __init__(
        self, takes: float | Together, fails: Collection[str] = (), *, there: bool = False
    ) -> None:
        self._begin = takes.begin if isinstance(takes, Together) else partial(after, takes)
        self._fails, self._there = fails, there
        self.stacks: dict[str, OneOfMany] = {}
        self.meta = SimpleNamespace(region_name="eu-central-1")

    def __getattr__(self, action: str) -> Any:
        def call(StackName: str = "", **request: Any) -> Any:  # noqa: N803
            name = StackName.removeprefix("id-of-")
            one = self.stacks.get(name)
            if one is None:
                one = OneOfMany(self._begin, fails=name in self._fails, there=self._there)
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
