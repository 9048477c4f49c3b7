"""Stacks of CloudFormation: bring one to a template and its parameters, and take it away again.

Every change goes through a change set, so that what will happen is known before anything is
touched. A stack that is under way, or that a failure left where it cannot be changed, is settled
first: so a command that was interrupted is continued by the next. Waiting is polling with
``pause`` between the calls.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from steadyspot.deploy.aws.refusals import of_resource, trouble_of
from steadyspot.deploy.stacks.changes import (
    Plan,
    changes_of,
    parameters_that_change,
)
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
TAG = "steadyspot"
_NOTHING = ("didn't contain changes", "No updates are to be performed", "no changes")
_NEVER_MADE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
"""States in which AWS lets a stack only be deleted; none of them ever was, or still is, whole."""
_IN_BETWEEN = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"}
_WHOLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_SETTLED = {*_WHOLE, "UPDATE_ROLLBACK_COMPLETE"}
_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Event:
    """One line of a stack's progress."""

    resource: str
    kind: str
    status: str
    reason: str


OnEvent = Callable[[Event], None]


class Stacks:
    """The stacks of one account and region.

    Parameters
    ----------
    client
        A CloudFormation client.
    pause
        Called between two looks at a stack, with seconds.
    """

    def __init__(
        self, client: CloudFormationClient, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._pause = pause

    # --- looking -------------------------------------------------------------------------------

    def outputs(self, name: str) -> dict[str, str]:
        """Return the outputs of a stack.

        Raises
        ------
        Trouble
            When there is no such stack, or it is not whole: then what it makes may be missing.
        """
        stack = self.describe(name)
        if stack is None:
            raise Trouble(
                f"There is no stack {name} in {self._client.meta.region_name}.",
                "Deploy first: steadyspot up; or name its region with --region.",
            )
        status = stack["StackStatus"]
        if status in _NEVER_MADE or status in _IN_BETWEEN:
            raise Trouble(
                f"The stack {name} is {status}, so it cannot be worked with.",
                "Bring it up again: steadyspot up settles that first.",
            )
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def exists(self, name: str) -> bool:
        """Return whether there is a stack of that name, in whatever state."""
        return self.describe(name) is not None

    def describe(self, name: str) -> Any:
        """Return what CloudFormation says of a stack; None where there is none."""
        try:
            stacks = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        gone = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
        return next((stack for stack in stacks if stack["StackStatus"] not in gone), None)

    def of_platform(self, platform: str) -> list[str]:
        """Return the names of the jobs' stacks on a platform, whoever deployed them and how."""
        pages = self._client.get_paginator("describe_stacks").paginate()
        return [
            stack["StackName"]
            for page in pages
            for stack in page["Stacks"]
            if stack["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
            and {"Platform", "Job"} <= _parameters(stack).keys()
            and _parameters(stack)["Platform"] == platform
        ]

    def resources(self, name: str) -> list[dict[str, Any]]:
        """Return what a stack is made of."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return [dict(summary) for page in pages for summary in page["StackResourceSummaries"]]

    def is_current(self, name: str, text: str, parameters: Mapping[str, str]) -> bool:
        """Return whether a stack is whole and is already as this template and these parameters say.

        Takes three calls at most, where a change set takes four and some seconds.
        """
        stack = self.describe(name)
        if stack is None or stack["StackStatus"] not in _WHOLE:
            return False
        if parameters_that_change(_parameters(stack), parameters):
            return False
        if self.template(name).strip() != text.strip():
            return False
        declared = self._client.get_template_summary(StackName=name)["Parameters"]
        defaults = {p["ParameterKey"]: p.get("DefaultValue", "") for p in declared}
        return not parameters_that_change(_parameters(stack), {**defaults, **parameters})

    def is_settled(self, name: str) -> bool:
        """Return whether a stack is neither under way nor broken."""
        stack = self.describe(name)
        return stack is None or stack["StackStatus"] in _SETTLED

    def template(self, name: str) -> str:
        """Return the template that a stack has."""
        body: Any = self._client.get_template(StackName=name)["TemplateBody"]
        return body if isinstance(body, str) else json.dumps(body)

    # --- changing ------------------------------------------------------------------------------

    def deploy(
        self, name: str, template: str, parameters: Mapping[str, str], told: OnEvent
    ) -> bool:
        """Make the stack as the template and the parameters say; return whether anything changed.

        ``template`` is its text; CloudFormation takes at most 51,200 bytes.

        Raises
        ------
        Trouble
            When CloudFormation refuses the change or it fails; names the resource and the reason.
        """
        self.settle(name, told)
        plan = self.plan(name, template, parameters)
        if plan is None:
            return False
        self.execute(plan, told)
        return True

    def settle(self, name: str, told: OnEvent) -> None:
        """Bring a stack that is under way, or broken, to where it can be changed.

        Waits for what another command, or an earlier one, set going. A stack whose creation or
        removal failed is removed, since AWS allows nothing else; what its template retains stays.

        Raises
        ------
        Trouble
            When it cannot be brought there; names the resource and the reason.
        """
        stack = self.describe(name)
        if stack is None:
            return
        status = stack["StackStatus"]
        if status.endswith("_IN_PROGRESS"):
            status, _ = self._watch(stack["StackId"], set(self._known(name)), told)
        if status == "UPDATE_ROLLBACK_FAILED":
            seen = set(self._known(name))
            self._client.continue_update_rollback(StackName=name)
            self._follow(name, seen, told, wanted={"UPDATE_ROLLBACK_COMPLETE"})
        elif status in _NEVER_MADE:
            self.remove(name, told)

    def plan(self, name: str, template: str, parameters: Mapping[str, str]) -> Plan | None:
        """Ask CloudFormation what it would change, without changing it; None where that is nothing.

        ``template`` is its text; CloudFormation takes at most 51,200 bytes.
        """
        stack = self.describe(name)
        change_set = f"steadyspot-{time.time_ns()}"
        self._create(name, change_set, new=stack is None, template=template, parameters=parameters)
        try:
            described = self._ready(name, change_set)
        except BaseException:
            self._drop(name, change_set, new=stack is None)
            raise
        if described is None:
            self._drop(name, change_set, new=False)
            return None
        return Plan(
            stack=name,
            change_set=change_set,
            new=stack is None,
            changes=changes_of(described),
            parameters=parameters_that_change(_parameters(stack or {}), parameters),
        )

    def discard(self, plan: Plan) -> None:
        """Drop a plan that is not carried out; nothing of it is left."""
        self._drop(plan.stack, plan.change_set, new=plan.new)

    def execute(self, plan: Plan, told: OnEvent) -> None:
        """Carry a plan out and follow it to its end.

        Raises
        ------
        Trouble
            When it fails; names the resource and the reason.
        """
        seen = set(self._known(plan.stack))
        self._client.execute_change_set(StackName=plan.stack, ChangeSetName=plan.change_set)
        self._follow(plan.stack, seen, told, wanted=_WHOLE)

    def remove(self, name: str, told: OnEvent) -> bool:
        """Delete the stack; return whether there was one. What its template retains stays.

        Raises
        ------
        Trouble
            When something in it cannot be deleted; names it and the reason.
        """
        stack = self.describe(name)
        if stack is None:
            return False
        seen = set(self._known(name))
        self._client.delete_stack(StackName=name)
        self._follow(stack["StackId"], seen, told, wanted={"DELETE_COMPLETE"})
        return True

    def _create(
        self, name: str, change_set: str, *, new: bool, template: str, parameters: Mapping[str, str]
    ) -> None:
        try:
            self._client.create_change_set(
                StackName=name,
                ChangeSetName=change_set,
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=template,
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()
                ],
                Capabilities=CAPABILITIES,  # type: ignore[arg-type]
                Tags=[{"Key": TAG, "Value": name}],
            )
        except ClientError as error:
            if "_IN_PROGRESS state" in str(error):
                raise Trouble(
                    f"Somebody else is changing the stack {name} at this moment.",
                    "Run the same command again: it waits for them, then goes on.",
                ) from None
            raise

    def _ready(self, name: str, change_set: str) -> Any:
        """Return the change set once it is made; None where there is nothing to change."""
        while True:
            found = self._client.describe_change_set(StackName=name, ChangeSetName=change_set)
            if found["Status"] == "CREATE_COMPLETE":
                return self._whole(found) if found.get("Changes") else None
            if found["Status"] == "FAILED":
                reason = found.get("StatusReason", "")
                if any(text in reason for text in _NOTHING):
                    return None
                raise Trouble(
                    f"CloudFormation cannot change the stack {name}: {reason}",
                    "Correct what it names, then run steadyspot up again.",
                )
            self._pause(_LOOK_SECONDS)

    def _whole(self, found: Any) -> Any:
        """Return a change set with the changes of all its pages."""
        changes, token = list(found["Changes"]), found.get("NextToken")
        while token:
            page = self._client.describe_change_set(
                StackName=found["StackName"],
                ChangeSetName=found["ChangeSetName"],
                NextToken=token,
            )
            changes += page["Changes"]
            token = page.get("NextToken")
        return {**found, "Changes": changes}

    def _drop(self, name: str, change_set: str, *, new: bool) -> None:
        self._client.delete_change_set(StackName=name, ChangeSetName=change_set)
        if new:  # A change set that would create a stack leaves an empty one behind.
            self._client.delete_stack(StackName=name)

    # --- following -----------------------------------------------------------------------------

    def _follow(self, name: str, seen: set[str], told: OnEvent, wanted: set[str]) -> None:
        failures: list[Event] = []

        def listen(event: Event) -> None:
            if event.status.endswith("FAILED"):
                failures.append(event)
            told(event)

        status, reason = self._watch(name, seen, listen)
        if status in wanted:
            return
        first = next((f for f in failures if "cancelled" not in f.reason.lower()), None)
        if first is None:
            raise Trouble(
                f"The stack ended as {status}: {reason or 'no reason given'}.",
                "Mend that, then run the same command again; it goes on from there.",
            )
        raise of_resource(status, first.resource, first.kind, first.reason)

    def _watch(self, name: str, seen: set[str], told: OnEvent) -> tuple[str, str]:
        """Hand on what happens until nothing is under way; return status and its reason.

        Raises
        ------
        Trouble
            When AWS lets us look no longer: what it was told to do, it does all the same.
        """
        try:
            return self._watched(name, seen, told)
        except (ClientError, BotoCoreError) as error:
            trouble = trouble_of(error)
            if trouble is None:
                raise
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
            self._pause(_LOOK_SECONDS)

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

    def _known(self, name: str) -> Iterator[str]:
        return (event["EventId"] for event in self._events(name))

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


def _parameters(stack: Mapping[str, Any]) -> dict[str, str]:
    return {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])}
