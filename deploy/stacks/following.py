"""Follows a stack until CloudFormation is done with it, handing on what happens.

Whoever set something going remembers first which events there were, so that only those that come
after are told, each once. Waiting is polling with ``pause`` between the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from steadyspot.deploy.aws.refusals import of_client, of_refusal, of_resource
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

LOOK_SECONDS = 2.0
"""Between two looks at what is under way."""


@dataclass(frozen=True)
class Event:
    """One line of a stack's progress."""

    resource: str
    kind: str
    status: str
    reason: str


OnEvent = Callable[[Event], None]


class Following:
    """What happens to stacks, by a client of CloudFormation; ``pause`` is called with seconds."""

    def __init__(self, client: CloudFormationClient, pause: Callable[[float], None]) -> None:
        self._client = client
        self._pause = pause

    def to_the_end(self, name: str, seen: set[str], told: OnEvent, wanted: set[str]) -> None:
        """Hand on what happens until nothing is under way, which must end as wanted.

        ``seen`` are the ids of events that are told already, or are older.

        Raises
        ------
        Trouble
            When it ends otherwise; names the first resource that failed, and why.
        """
        failures: list[Event] = []

        def listen(event: Event) -> None:
            if event.status.endswith("FAILED"):
                failures.append(event)
            told(event)

        status, reason = self.watch(name, seen, listen)
        if status in wanted:
            return
        first = next((f for f in failures if "cancelled" not in f.reason.lower()), None)
        if first is None:
            raise Trouble(
                f"The stack ended as {status}: {reason or 'no reason given'}.",
                "Mend that, then run the same command again; it goes on from there.",
            )
        raise of_resource(status, first.resource, first.kind, first.reason)

    def watch(self, name: str, seen: set[str], told: OnEvent) -> tuple[str, str]:
        """Hand on what happens until nothing is under way; return status and its reason.

        Raises
        ------
        Trouble
            When AWS lets us look no longer: what it was told to do, it does all the same.
        """
        try:
            return self._watched(name, seen, told)
        except (ClientError, BotoCoreError) as error:
            trouble = of_refusal(error) if isinstance(error, ClientError) else of_client(error)
            stack = name.split("/")[1] if "/" in name else name
            raise Trouble(
                f"{trouble.what.rstrip('.')}, while the stack {stack} goes on by itself.",
                trouble.what_to_do,
            ) from error

    def _watched(self, name: str, seen: set[str], told: OnEvent) -> tuple[str, str]:
        while True:
            for event in self._fresh(name, seen):
                told(event)
            status, reason = self._status(name)
            if not status.endswith("_IN_PROGRESS"):
                for event in self._fresh(name, seen):
                    told(event)
                return status, reason
            self._pause(LOOK_SECONDS)

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
        except ClientError as error:
            if "does not exist" in str(error):
                return []
            raise

    def known(self, name: str) -> set[str]:
        """Return the ids of the events of a stack so far."""
        return {event["EventId"] for event in self._events(name)}

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
