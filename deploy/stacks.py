"""Stacks of CloudFormation: bring one to a template and its parameters, and take it away again.

Every change goes through a change set, so that "nothing to change" is known before anything is
touched. Waiting is polling with ``pause`` between the calls; events are handed on as they come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_NOTHING = ("didn't contain changes", "No updates are to be performed", "no changes")


def _source(template: str) -> dict[str, Any]:
    """Return the argument that hands a template over, by its text or by its address in S3."""
    return {"TemplateURL" if template.startswith("http") else "TemplateBody": template}


@dataclass(frozen=True)
class Event:
    """One line of a stack's progress."""

    resource: str
    kind: str
    status: str
    reason: str


class Stacks:
    """The stacks of one account and region.

    Parameters
    ----------
    client
        A CloudFormation client.
    pause
        Called between two looks at a stack, with seconds; ``time.sleep`` unless a test says
        otherwise.
    """

    def __init__(
        self, client: CloudFormationClient, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._pause = pause

    def outputs(self, name: str) -> dict[str, str]:
        """Return the outputs of a stack.

        Raises
        ------
        Trouble
            When there is no such stack.
        """
        stack = self._describe(name)
        if stack is None:
            raise Trouble(f"There is no stack {name}.", "Deploy first: steadyspot up.")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def exists(self, name: str) -> bool:
        """Return whether there is a stack of that name, in whatever state."""
        return self._describe(name) is not None

    def deploy(
        self, name: str, template: str, parameters: Mapping[str, str], told: Callable[[Event], None]
    ) -> bool:
        """Make the stack as the template and the parameters say; return whether anything changed.

        ``template`` is its text, or the address of an object in S3 that holds it: CloudFormation
        takes at most 51,200 bytes within the call.

        Raises
        ------
        Trouble
            When CloudFormation refuses the change or it fails; names the resource and the reason.
        """
        new = not self.exists(name)
        change_set = f"steadyspot-{time.time_ns()}"
        self._client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="CREATE" if new else "UPDATE",
            **_source(template),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=CAPABILITIES,  # type: ignore[arg-type]
            Tags=[{"Key": "steadyspot", "Value": name}],
        )
        if not self._change_set_is_ready(name, change_set):
            self._client.delete_change_set(StackName=name, ChangeSetName=change_set)
            return False
        seen = {event["EventId"] for event in self._events(name)}
        self._client.execute_change_set(StackName=name, ChangeSetName=change_set)
        self._follow(name, seen, told, wanted=("CREATE_COMPLETE", "UPDATE_COMPLETE"))
        return True

    def remove(self, name: str, told: Callable[[Event], None]) -> bool:
        """Delete the stack; return whether there was one. What its template retains stays."""
        stack = self._describe(name)
        if stack is None:
            return False
        seen = {event["EventId"] for event in self._events(name)}
        self._client.delete_stack(StackName=name)
        self._follow(stack["StackId"], seen, told, wanted=("DELETE_COMPLETE",))
        return True

    def resources(self, name: str) -> list[dict[str, Any]]:
        """Return what a stack is made of."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return [dict(summary) for page in pages for summary in page["StackResourceSummaries"]]

    def _describe(self, name: str) -> Any:
        try:
            stacks = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        live = [
            s for s in stacks if s["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
        ]
        return live[0] if live else None

    def _change_set_is_ready(self, name: str, change_set: str) -> bool:
        while True:
            found = self._client.describe_change_set(StackName=name, ChangeSetName=change_set)
            if found["Status"] == "CREATE_COMPLETE":
                return bool(found.get("Changes"))
            if found["Status"] == "FAILED":
                reason = found.get("StatusReason", "")
                if any(text in reason for text in _NOTHING):
                    return False
                raise Trouble(
                    f"CloudFormation cannot change the stack {name}: {reason}",
                    "Correct what it names, then run steadyspot up again.",
                )
            self._pause(1)

    def _follow(
        self, name: str, seen: set[str], told: Callable[[Event], None], wanted: tuple[str, ...]
    ) -> None:
        failures: list[Event] = []
        while True:
            for event in self._fresh(name, seen):
                if event.status.endswith("FAILED"):
                    failures.append(event)
                told(event)
            status, reason = self._status(name)
            if status in wanted:
                return
            if not status.endswith("IN_PROGRESS"):
                first = next((f for f in failures if "cancelled" not in f.reason), None)
                raise Trouble(
                    f"The stack ended as {status}: "
                    + (
                        f"{first.resource} ({first.kind}): {first.reason}"
                        if first
                        else reason or "no reason given."
                    ),
                    "Mend that, then run the same command again; it goes on from there.",
                )
            self._pause(2)

    def _status(self, name: str) -> tuple[str, str]:
        try:
            stack = self._client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return "DELETE_COMPLETE", ""
            raise
        return stack["StackStatus"], stack.get("StackStatusReason", "")

    def _events(self, name: str) -> list[Any]:
        try:
            return list(self._client.describe_stack_events(StackName=name)["StackEvents"])
        except ClientError:
            return []

    def _fresh(self, name: str, seen: set[str]) -> Iterator[Event]:
        for event in reversed(self._events(name)):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                yield Event(
                    resource=event.get("LogicalResourceId", ""),
                    kind=event.get("ResourceType", ""),
                    status=event.get("ResourceStatus", ""),
                    reason=event.get("ResourceStatusReason", ""),
                )
