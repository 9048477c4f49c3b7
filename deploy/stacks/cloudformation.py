"""Stacks of CloudFormation: bring one to a template and its parameters, and take it away again.

Only stacks that bear this product's mark for the platform are looked at or touched: one of that
name which does not is somebody else's, and trouble. Every change goes through a change set, so that
what will happen is known before anything is touched. A stack that is under way, or that a failure
left where it cannot be changed, is settled first: so a command that was interrupted is continued by
the next. Waiting is polling with ``pause`` between the calls.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadyspot.deploy.stacks.changes import (
    Plan,
    changes_of,
    parameters_that_change,
)
from steadyspot.deploy.stacks.following import LOOK_SECONDS, Following, OnEvent
from steadyspot.deploy.stacks.marks import TAG, Marked, collides, mark_of, marked, with_mark
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_OURS = "steadyspot-"
"""How the names of our change sets begin."""
_NOT_THERE = {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}
"""States of a stack that is gone, and of one that a change set would make and nothing has."""
_NOTHING = ("didn't contain changes", "No updates are to be performed", "no changes")
_NEVER_MADE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
"""States in which AWS lets a stack only be deleted; none of them ever was, or still is, whole."""
_IN_BETWEEN = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"}
_OVERTAKEN = {"InvalidChangeSetStatus", "ChangeSetNotFound"}
"""Codes of a change set that another one of its stack has overtaken."""
_WHOLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_SETTLED = {*_WHOLE, "UPDATE_ROLLBACK_COMPLETE"}
PAUSED = "Paused"
"""The parameter that says whether a job's schedule rests; a change of anything else leaves it."""
_ANOTHER_NAME = (
    "Nothing of it was touched: give the platform or the job another name in steadyspot.toml; or, "
    "if it is yours and has no mark yet, adopt it as docs/how-to/deploy.md says."
)


class Stacks:
    """The stacks of one platform, in one account and region.

    Parameters
    ----------
    client
        A CloudFormation client.
    platform
        The platform's name, which is that of its stack and begins those of its jobs' stacks.
    pause
        Called between two looks at a stack, with seconds.
    role
        ARN of the role in which CloudFormation makes and removes things; empty for the caller's
        own rights. A stack keeps the one that it was last changed with.
    tags_of
        Gives for a stack's name the tags that it bears beside its mark.
    """

    def __init__(
        self,
        client: CloudFormationClient,
        platform: str,
        pause: Callable[[float], None] = time.sleep,
        role: str = "",
        tags_of: Callable[[str], Mapping[str, str]] = lambda _stack: {},
    ) -> None:
        self._client = client
        self._platform = platform
        self._pause = pause
        self._following = Following(client, pause)
        self._in_role: dict[str, Any] = {"RoleARN": role} if role else {}
        self._tags_of = tags_of
        self._known_ours: set[str] = set()

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

    def parameters(self, name: str) -> dict[str, str]:
        """Return the parameters that a stack has, empty where there is none."""
        return _parameters(self.describe(name) or {})

    def exists(self, name: str) -> bool:
        """Return whether there is a stack of that name, in whatever state."""
        return self.describe(name) is not None

    def describe(self, name: str) -> Any:
        """Return what CloudFormation says of a stack of ours; None where there is none.

        Raises
        ------
        Trouble
            When the stack of that name is somebody else's.
        """
        stack = self._found(name)
        if stack is None or stack["StackStatus"] in _NOT_THERE:
            return None
        self._refuse_foreign(stack)
        return stack

    def refuse_names(self, names: Collection[str]) -> None:
        """Make sure that nobody else has one of these names of stacks, or can come to have it.

        Raises
        ------
        Trouble
            When a stack of such a name is somebody else's, or another platform's name can lead to
            the same names as this one's; tells of all of them.
        """
        faults: list[str] = []
        for stack in self._all():
            if stack["StackName"] in names:
                why = self._foreign(stack)
                faults += [_not_ours(stack["StackName"], why)] if why else []
            elif self._collides(stack):
                faults.append(
                    f"The platforms {stack['StackName']} and {self._platform} can come to have "
                    "stacks of the same name, since one name begins with the other and a hyphen."
                )
        if faults:
            raise Trouble(" ".join(faults), _ANOTHER_NAME)

    def of_platform(self) -> list[str]:
        """Return the names of the platform's stacks of jobs, whoever deployed them."""
        return [
            stack["StackName"]
            for stack in self._all()
            if _tag(stack).startswith(f"{self._platform}/") and not self._foreign(stack)
        ]

    def added(self, name: str) -> list[str]:
        """Return what a stack of ours holds that the last template of ours did not: logical ids."""
        return self._added(name) if self.exists(name) else []

    def _added(self, name: str) -> list[str]:
        held = self._held(name)
        return [
            resource["LogicalResourceId"]
            for resource in self.resources(name)
            if resource["LogicalResourceId"] not in held
            and resource.get("ResourceStatus") != "DELETE_COMPLETE"
        ]

    def _found(self, name: str) -> Any:
        try:
            return next(iter(self._client.describe_stacks(StackName=name)["Stacks"]), None)
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def _all(self) -> Iterator[Any]:
        """Yield every stack that is there, whosever it is."""
        for page in self._client.get_paginator("describe_stacks").paginate():
            yield from (s for s in page["Stacks"] if s["StackStatus"] not in _NOT_THERE)

    def _collides(self, stack: Any) -> bool:
        """Return whether a stack is that of a platform whose names can become ours."""
        name = stack["StackName"]
        if _tag(stack) != name or not collides(name, self._platform):
            return False
        said = marked(self.template(name))
        return said is not None and said.mark.tag == name

    def _refuse_foreign(self, stack: Any) -> None:
        why = self._foreign(stack)
        if why:
            raise Trouble(_not_ours(stack["StackName"], why), _ANOTHER_NAME)

    def _foreign(self, stack: Any) -> str:
        """Return why a stack is not ours, empty where it is."""
        if stack["StackId"] in self._known_ours:
            return ""
        if not _tag(stack):
            return f"it does not bear the tag {TAG}"
        said = marked(self.template(stack["StackName"]))
        if said is None:
            return "its template is none of Steadyspot's"
        mark = said.mark
        ours = mark.platform == self._platform and mark.stack == stack["StackName"]
        if not ours or _tag(stack) != mark.tag:
            return f"its template is that of {mark}, and its tag {_tag(stack)}"
        self._known_ours.add(stack["StackId"])
        return ""

    def _held(self, name: str) -> frozenset[str]:
        said: Marked | None = marked(self.template(name))
        return said.held if said else frozenset()

    def resources(self, name: str) -> list[dict[str, Any]]:
        """Return what a stack is made of."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return [dict(summary) for page in pages for summary in page["StackResourceSummaries"]]

    def is_current(self, name: str, text: str, parameters: Mapping[str, str]) -> bool:
        """Return whether a stack is whole and already as template, parameters and its tags say.

        Takes four calls at most, where a change set takes more, and some seconds.
        """
        stack = self.describe(name)
        if stack is None or stack["StackStatus"] not in _WHOLE:
            return False
        if parameters_that_change(_parameters(stack), parameters):
            return False
        if _tags(stack) != self._wanted_tags(name):
            return False
        wanted = with_mark(text, mark_of(self._platform, name))
        if self.template(name).strip() != wanted.strip():
            return False
        declared = self._client.get_template_summary(StackName=name)["Parameters"]
        defaults = {p["ParameterKey"]: p.get("DefaultValue", "") for p in declared}
        defaults.pop(PAUSED, None)
        return not parameters_that_change(_parameters(stack), {**defaults, **parameters})

    def digest(self, name: str) -> str:
        """Return a digest of what a stack is made from at this moment, empty where there is none.

        Whether a job rests is no part of it: a change of anything else leaves that.
        """
        stack = self.describe(name)
        if stack is None:
            return ""
        parameters = {key: value for key, value in _parameters(stack).items() if key != PAUSED}
        made = [stack["StackId"], self.template(name), parameters, _tags(stack)]
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()

    def _wanted_tags(self, name: str) -> dict[str, str]:
        return {**self._tags_of(name), TAG: mark_of(self._platform, name).tag}

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

    def settle(self, name: str, told: OnEvent, *, with_added: bool = False) -> None:
        """Bring a stack that is under way, or broken, to where it can be changed.

        Waits for what another command, or an earlier one, set going. A stack whose creation or
        removal failed is removed, since AWS allows nothing else; what its template retains stays.
        One that holds what no template of ours has brought only goes ``with_added``.

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
            status, _ = self._following.watch(stack["StackId"], self._following.known(name), told)
        if status == "UPDATE_ROLLBACK_FAILED":
            seen = self._following.known(name)
            self._client.continue_update_rollback(StackName=name, **self._in_role)
            self._following.to_the_end(name, seen, told, wanted={"UPDATE_ROLLBACK_COMPLETE"})
        elif status in _NEVER_MADE:
            added = [] if with_added else self._added(name)
            if added:
                raise Trouble(
                    f"The stack {name} is {status}, so that it can only be removed, but holds "
                    f"{', '.join(added)}, which no deployment of Steadyspot has brought.",
                    "Take those out of the stack first, or remove it: steadyspot down asks.",
                )
            self.remove(name, told)

    def plan(self, name: str, template: str, parameters: Mapping[str, str]) -> Plan | None:
        """Ask CloudFormation what it would change, without changing it; None where that is nothing.

        ``template`` is its text; CloudFormation takes at most 51,200 bytes.
        """
        stack = self.describe(name)
        if stack is None:
            self._refuse_foreign_review(name)
        rests = _parameters(stack or {}).get(PAUSED)
        if rests is not None:
            parameters = {PAUSED: rests, **parameters}
        change_set = f"{_OURS}{time.time_ns()}"
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
            held=self._held(name) if stack else frozenset(),
        )

    def _refuse_foreign_review(self, name: str) -> None:
        """Leave a stack alone that nothing has made yet, but that somebody else's change set would.

        Raises
        ------
        Trouble
            When there is such a change set: with our own we would drop that one, too.
        """
        found = self._found(name)
        if found is None or found["StackStatus"] != "REVIEW_IN_PROGRESS":
            return
        there = self._client.list_change_sets(StackName=name)["Summaries"]
        if any(not one["ChangeSetName"].startswith(_OURS) for one in there):
            why = "a change set that is none of Steadyspot's would make it"
            raise Trouble(_not_ours(name, why), _ANOTHER_NAME)

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
        seen = self._following.known(plan.stack)
        with _alone(plan.stack):
            self._client.execute_change_set(StackName=plan.stack, ChangeSetName=plan.change_set)
        self._following.to_the_end(plan.stack, seen, told, wanted=_WHOLE)

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
        seen = self._following.known(name)
        with _alone(name):
            self._client.delete_stack(StackName=stack["StackId"], **self._in_role)
        self._following.to_the_end(stack["StackId"], seen, told, wanted={"DELETE_COMPLETE"})
        return True

    def _create(
        self, name: str, change_set: str, *, new: bool, template: str, parameters: Mapping[str, str]
    ) -> None:
        mark = mark_of(self._platform, name)
        with _alone(name):
            self._client.create_change_set(
                StackName=name,
                ChangeSetName=change_set,
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=with_mark(template, mark),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()
                ],
                Capabilities=CAPABILITIES,  # type: ignore[arg-type]
                Tags=[{"Key": k, "Value": v} for k, v in self._wanted_tags(name).items()],
                **self._in_role,
            )

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
            self._pause(LOOK_SECONDS)

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
        if not new:
            return
        # A change set that would create a stack leaves an empty one behind, in which somebody else
        # may have begun meanwhile.
        left = self._found(name)
        if left is None or left["StackStatus"] != "REVIEW_IN_PROGRESS":
            return
        if self._client.list_change_sets(StackName=name)["Summaries"]:
            return
        try:
            self._client.delete_stack(StackName=left["StackId"], **self._in_role)
        except ClientError as error:
            # Who may only compare leaves the empty one to the next who deploys.
            if not error.response["Error"]["Code"].startswith("AccessDenied"):
                raise


@contextmanager
def _alone(stack: str) -> Iterator[None]:
    """Tell CloudFormation's refusal of a second one at a stack as what it is.

    A change set of who came second is obsolete, or gone, once the first one's was carried out.
    """
    try:
        yield
    except ClientError as error:
        if not ("_IN_PROGRESS" in str(error) or error.response["Error"]["Code"] in _OVERTAKEN):
            raise
        raise Trouble(
            f"Somebody else is changing the stack {stack} at this moment.",
            "Run the same command again: it waits for them, then goes on.",
        ) from None


def _parameters(stack: Mapping[str, Any]) -> dict[str, str]:
    return {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])}


def _tags(stack: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}


def _tag(stack: Mapping[str, Any]) -> str:
    return _tags(stack).get(TAG, "")


def _not_ours(stack: str, why: str) -> str:
    return f"The stack {stack} is not this platform's: {why}."
