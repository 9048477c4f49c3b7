"""Stand-ins for AWS clients: they answer from data, and count what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from steadyspot.deploy.runs.items import run_of
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.marks import TAG, Mark, mark_of, with_mark

BEGUN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def refusal(code: str, message: str = "", operation: str = "DescribeStacks") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Pages:
    def __init__(self, *pages: dict[str, Any]) -> None:
        self._pages = pages

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        return iter(self._pages)


class Clock:
    """A clock that only pauses move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


class Calls:
    """A client of which every method is given; ``made`` lists the calls in their order."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self._methods = methods
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = self._methods[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            self.made.append(name)
            return method(*args, **kwargs)

        return call


class History:
    """An execution's history as it grows, at the times of a clock."""

    def __init__(self, clock: Clock, events: list[dict[str, Any]], begun: datetime = BEGUN) -> None:
        self._clock = clock
        self._events = events
        self._begun = begun
        self.calls: list[float] = []

    def get_execution_history(self, **request: Any) -> dict[str, Any]:
        assert request["reverseOrder"]
        self.calls.append(self._clock())
        now = self._begun + timedelta(seconds=self._clock())
        there = [event for event in self._events if event["timestamp"] <= now][::-1]
        begin = int(request.get("nextToken", 0))
        page = there[begin : begin + request["maxResults"]]
        more = begin + len(page) < len(there)
        return {"events": page, **({"nextToken": str(begin + len(page))} if more else {})}


OLD_TEMPLATE = "Resources: {Queue: {}, StateMachine: {}, RunTable: {}, Bucket: {}, BrokenEnd: {}}"


class CloudFormation:
    """One stack of the platform shop, unless it is foreign, and what its change set will say.

    The next state comes with every description.
    """

    def __init__(
        self,
        *states: str,
        parameters: dict[str, str] | None = None,
        template: str = OLD_TEMPLATE,
        foreign: bool = False,
        changes: list[dict[str, Any]] | None = None,
        reason: str = "",
        events: list[dict[str, str]] | None = None,
    ) -> None:
        self.states = list(states)
        self.calls: list[str] = []
        self.parameters = parameters or {}
        self.template = template
        self.foreign = foreign
        self.changes = (
            [change("Modify", "Queue", "AWS::SQS::Queue")] if changes is None else changes
        )
        self.reason = reason
        self.events = events or []
        self.asked: dict[str, Any] = {}
        self.tags: dict[str, str] = {}

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        if not StackName:
            return {"Stacks": []}  # The account has no others.
        self.calls.append("describe_stacks")
        state = self.states.pop(0) if len(self.states) > 1 else (self.states or [""])[0]
        if not state:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist")
        shown = [{"ParameterKey": k, "ParameterValue": v} for k, v in self.parameters.items()]
        stack = {
            "StackId": f"id-of-{StackName}",
            "StackName": StackName,
            "StackStatus": state,
            "Parameters": shown,
            "Tags": []
            if self.foreign
            else [
                {"Key": TAG, "Value": _mark(StackName).tag},
                *({"Key": key, "Value": value} for key, value in self.tags.items()),
            ],
        }
        return {"Stacks": [stack]}

    def list_stack_resources(self, **_: Any) -> dict[str, Any]:
        return {"StackResourceSummaries": []}

    def get_paginator(self, _name: str) -> Pages:
        return Pages({**self.describe_stacks(), **self.list_stack_resources()})

    def describe_stack_events(self, **_: Any) -> dict[str, Any]:
        self.calls.append("describe_stack_events")
        shown = self.events if "execute_change_set" in self.calls or self.deleted else []
        return {"StackEvents": [{"EventId": str(n), **e} for n, e in enumerate(shown)][::-1]}

    @property
    def deleted(self) -> bool:
        return "delete_stack" in self.calls

    def list_change_sets(self, **_: Any) -> dict[str, Any]:
        return {"Summaries": []}

    def create_change_set(self, **request: Any) -> None:
        self.calls.append("create_change_set")
        self.asked = request

    def describe_change_set(self, **_: Any) -> dict[str, Any]:
        self.calls.append("describe_change_set")
        if self.reason:
            return {"Status": "FAILED", "StatusReason": self.reason}
        return {"Status": "CREATE_COMPLETE", "Changes": self.changes}

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        self.calls.append("get_template")
        marked = with_mark(self.template, _mark(StackName))
        return {"TemplateBody": self.template if self.foreign else marked}

    def get_template_summary(self, **_: Any) -> dict[str, Any]:
        self.calls.append("get_template_summary")
        return {"Parameters": [{"ParameterKey": "Days", "DefaultValue": "30"}]}

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda **_: self.calls.append(name)


def _mark(stack: str) -> Mark:
    return mark_of("shop", stack.removeprefix("id-of-"))


def change(action: str, resource: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": resource,
            "ResourceType": kind,
            **more,
        }
    }


def recorded(item: Mapping[str, Any]) -> RunRecord:
    """The run of which both items hold this, each what is its own."""
    return run_of(item, item)
