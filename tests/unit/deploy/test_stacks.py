"""Stacks: planned before they are changed, settled where broken, continued after Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.following import Event
from steadyspot.deploy.stacks.marks import TAG
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import OLD_TEMPLATE, CloudFormation, change, refusal

FAILED = [
    {
        "LogicalResourceId": "Bucket",
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": "Resource creation cancelled",
    },
    {
        "LogicalResourceId": "Vpc",
        "ResourceType": "AWS::EC2::VPC",
        "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": "The maximum number of VPCs has been reached.",
    },
]


def stacks(client: CloudFormation, pauses: list[float] | None = None) -> Stacks:
    return Stacks(client, "shop", pause=(pauses if pauses is not None else []).append)  # type: ignore[arg-type]


def test_a_stack_as_it_should_be_takes_four_calls() -> None:
    client = CloudFormation("UPDATE_COMPLETE", parameters={"Mail": "a", "Days": "30"})
    assert stacks(client).is_current("shop", f"{OLD_TEMPLATE}\n", {"Mail": "a"})
    assert client.calls == ["describe_stacks", *["get_template"] * 2, "get_template_summary"]


@pytest.mark.parametrize(
    ("client", "text"),
    [
        (CloudFormation("UPDATE_COMPLETE", parameters={"Mail": "b"}), OLD_TEMPLATE),
        (CloudFormation("UPDATE_COMPLETE", parameters={"Mail": "a"}), "Description: new"),
        (CloudFormation("UPDATE_COMPLETE", parameters={"Mail": "a", "Days": "31"}), OLD_TEMPLATE),
        (CloudFormation("UPDATE_ROLLBACK_COMPLETE", parameters={"Mail": "a"}), OLD_TEMPLATE),
        (CloudFormation(""), OLD_TEMPLATE),
    ],
    ids=["another value", "another template", "a default changed by hand", "broken", "not there"],
)
def test_a_stack_that_differs_is_not_current(client: CloudFormation, text: str) -> None:
    assert not stacks(client).is_current("shop", text, {"Mail": "a"})


def test_deploy_says_that_there_was_nothing_to_change_and_drops_the_change_set() -> None:
    client = CloudFormation(
        "UPDATE_COMPLETE", reason="The submitted information didn't contain changes."
    )
    assert not stacks(client).deploy("shop", OLD_TEMPLATE, {}, lambda _: None)
    assert "execute_change_set" not in client.calls
    assert client.calls[-1] == "delete_change_set"
    assert not client.deleted


def test_a_change_that_is_refused_leaves_no_change_set_and_no_empty_stack() -> None:
    review = ["", "", "", "REVIEW_IN_PROGRESS"]
    client = CloudFormation(*review, reason="Parameter Mail must be a mail address")
    with pytest.raises(Trouble, match="must be a mail address"):
        stacks(client).deploy("shop", "Description: new", {}, lambda _: None)
    assert client.calls[-3:] == ["delete_change_set", "describe_stacks", "delete_stack"]


def test_a_failure_names_the_first_resource_that_failed_by_itself() -> None:
    client = CloudFormation("", "", "ROLLBACK_COMPLETE", events=FAILED)
    told: list[Event] = []
    with pytest.raises(Trouble) as caught:
        stacks(client).deploy("shop", "Description: new", {}, told.append)
    assert "Vpc (AWS::EC2::VPC): The maximum number of VPCs" in caught.value.what
    assert "Service Quotas" in caught.value.what_to_do
    assert [event.resource for event in told] == ["Bucket", "Vpc"]


def test_what_is_under_way_after_ctrl_c_is_waited_for_and_then_continued() -> None:
    states = ("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
    client = CloudFormation(*states)
    pauses: list[float] = []
    assert stacks(client, pauses).deploy("shop", "Description: new", {}, lambda _: None)
    assert pauses == [2.0]
    assert client.calls.index("create_change_set") > 3


@pytest.mark.parametrize(
    "state", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"]
)
def test_a_stack_that_never_was_whole_is_removed_and_made_again(state: str) -> None:
    client = CloudFormation(state, state, "", "", "CREATE_COMPLETE")
    assert stacks(client).deploy("shop", "Description: new", {}, lambda _: None)
    assert client.asked["ChangeSetType"] == "CREATE"
    assert client.calls.index("delete_stack") < client.calls.index("create_change_set")


def test_a_stack_that_cannot_be_deleted_is_reported_with_what_is_in_the_way() -> None:
    event = {**FAILED[0], "ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": "is not empty"}
    client = CloudFormation("DELETE_FAILED", events=[event])
    with pytest.raises(Trouble) as caught:
        stacks(client).deploy("shop", "Description: new", {}, lambda _: None)
    assert "DELETE_FAILED, because of Bucket" in caught.value.what
    assert "Empty it yourself" in caught.value.what_to_do


def test_a_failed_rollback_is_continued_before_the_next_change() -> None:
    states = ("UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE")
    client = CloudFormation(*states, "UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE")
    assert stacks(client).deploy("shop", "Description: new", {}, lambda _: None)
    assert "continue_update_rollback" in client.calls


class Holding(CloudFormation):
    """A stack that holds a resource beside those of its template."""

    def list_stack_resources(self, **_: Any) -> dict[str, Any]:
        names = ("Queue", "Intruder")
        return {"StackResourceSummaries": [{"LogicalResourceId": name} for name in names]}


def test_a_broken_stack_with_what_nobody_of_ours_brought_goes_only_where_that_is_wanted() -> None:
    client = Holding("ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "")
    with pytest.raises(Trouble, match="holds Intruder, which no deployment"):
        stacks(client).settle("shop", nobody)
    assert not client.deleted
    client = Holding("ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "")
    stacks(client).settle("shop", nobody, with_added=True)
    assert client.deleted


def test_two_at_once_are_kept_apart_by_cloudformation() -> None:
    class Busy(CloudFormation):
        def create_change_set(self, **_: object) -> None:
            raise refusal("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be")

    with pytest.raises(Trouble, match="Somebody else"):
        stacks(Busy("UPDATE_COMPLETE")).deploy("shop", "Description: new", {}, lambda _: None)


@pytest.mark.parametrize(
    ("call", "work"),
    [
        ("execute_change_set", lambda made: made.deploy("shop", "Description: new", {}, nobody)),
        ("delete_stack", lambda made: made.remove("shop", nobody)),
    ],
)
@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ValidationError", "Stack:arn is in CREATE_IN_PROGRESS state and can not be updated."),
        ("InvalidChangeSetStatus", "cannot be executed in its current status of [OBSOLETE]"),
        ("ChangeSetNotFound", "ChangeSet [steadyspot-1] does not exist"),
    ],
)
def test_who_comes_second_is_told_so_at_every_call(
    call: str, work: Callable[[Stacks], object], code: str, text: str
) -> None:
    def busy(**_: object) -> None:
        raise refusal(code, text)

    client = CloudFormation("UPDATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE")
    setattr(client, call, busy)
    with pytest.raises(Trouble, match="Somebody else is changing the stack shop"):
        work(stacks(client))


def test_throttling_is_left_to_the_client_and_is_never_swallowed() -> None:
    class Throttled(CloudFormation):
        def describe_stack_events(self, **_: object) -> dict[str, object]:
            raise refusal("Throttling", "Rate exceeded")

    with pytest.raises(Exception, match="Rate exceeded"):
        stacks(Throttled("UPDATE_COMPLETE")).deploy("shop", "Description: new", {}, lambda _: None)


def test_a_plan_says_what_changes_and_what_it_loses() -> None:
    changes = [
        change("Modify", "Table", "AWS::DynamoDB::Table", Replacement="True"),
        change("Remove", "Rule", "AWS::Events::Rule"),
    ]
    client = CloudFormation("UPDATE_COMPLETE", parameters={"Mail": "a"}, changes=changes)
    plan = stacks(client).plan("shop", "Description: new", {"Mail": "b"})
    assert plan is not None
    assert [c.resource for c in plan.changes if c.loses_data] == ["Table"]
    assert plan.parameters == {"Mail": ("a", "b")}


class Watched(CloudFormation):
    """A stack that AWS does not let us look at once its change was begun."""

    def __init__(self, code: str) -> None:
        super().__init__("UPDATE_COMPLETE")
        self.code = code

    def describe_stack_events(self, **asked: Any) -> dict[str, Any]:
        if "execute_change_set" in self.calls:
            raise refusal(self.code, "told by AWS")
        return super().describe_stack_events(**asked)


def test_a_stack_that_cannot_be_watched_any_longer_is_said_to_go_on_by_itself() -> None:
    with pytest.raises(Trouble) as told:
        stacks(Watched("ExpiredToken")).deploy("shop", OLD_TEMPLATE, {}, lambda _: None)
    assert told.value.what.endswith("while the stack shop goes on by itself.")
    assert "Sign in again" in told.value.what_to_do


STATES = [
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"),
    *("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "ROLLBACK_IN_PROGRESS"),
    *("DELETE_FAILED", "DELETE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_FAILED", "UPDATE_FAILED"),
]


def nobody(_event: Event) -> None:
    """Is told of nothing."""


TOUCHES: list[Callable[[Stacks], object]] = [
    lambda ours: ours.deploy("shop-night", OLD_TEMPLATE, {}, nobody),
    lambda ours: ours.settle("shop-night", nobody, with_added=True),
    lambda ours: ours.plan("shop-night", OLD_TEMPLATE, {}),
    lambda ours: ours.remove("shop-night", nobody),
    lambda ours: ours.outputs("shop-night"),
    lambda ours: ours.added("shop-night"),
]


@pytest.mark.parametrize("state", STATES)
def test_a_strangers_stack_is_left_alone_in_whatever_state_it_is(state: str) -> None:
    for touch in TOUCHES:
        client = CloudFormation(state, foreign=True)
        with pytest.raises(Trouble, match="is not this platform's"):
            touch(stacks(client))
        assert set(client.calls) <= {"describe_stacks", "get_template"}


class Claimed(CloudFormation):
    """A stack of our job's name with a tag and a template of somebody's choice."""

    def __init__(self, tag: str, template: Any) -> None:
        super().__init__("CREATE_COMPLETE")
        self._tags = [{"Key": TAG, "Value": tag}]
        self._body = template

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        (stack,) = super().describe_stacks(StackName)["Stacks"]
        return {"Stacks": [{**stack, "Tags": self._tags}]}

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        self.calls.append("get_template")
        return {"TemplateBody": self._body}


def said(**section: Any) -> str:
    return json.dumps({"Metadata": {"Steadyspot": section}, "Resources": {"Vpc": {}}})


NIGHT = "shop/night"


@pytest.mark.parametrize(
    ("tag", "template"),
    [
        (NIGHT, said(Platform="other", Job="night")),
        (NIGHT, said(Platform="shop-night", Job="")),
        (NIGHT, said(Platform="Shop", Job="night")),
        (NIGHT, said(Platform="shop", Job="noon")),
        (NIGHT, said(Platform="shop", Job="night ")),
        (NIGHT, said(Platform=["shop"], Job="night")),
        (NIGHT, said(Platform="shop", Job=None)),
        (NIGHT, said(Platform="shop")),
        (NIGHT, said(platform="shop", job="night")),
        (NIGHT, json.dumps({"Metadata": {"steadyspot": {"Platform": "shop", "Job": "night"}}})),
        (NIGHT, json.dumps({"Resources": {"Steadyspot": {"Platform": "shop", "Job": "night"}}})),
        (NIGHT, json.dumps([{"Metadata": {}}])),
        (NIGHT, {"Metadata": {"Steadyspot": ["shop", "night"]}}),
        (NIGHT, "[" * 5000),
        (NIGHT, "a: &a [*a]"),
        (NIGHT, ""),
        ("shop-night", said(Platform="shop", Job="night")),
        ("shop/night/", said(Platform="shop", Job="night")),
        ("SHOP/night", said(Platform="shop", Job="night")),
        ("shop", said(Platform="shop", Job="night")),
        ("shop-night", said(Platform="shop-night", Job="")),
    ],
)
def test_a_mark_that_is_not_whole_or_another_s_makes_no_stack_ours(tag: str, template: Any) -> None:
    for touch in TOUCHES:
        client = Claimed(tag, template)
        with pytest.raises(Trouble, match="is not this platform's"):
            touch(stacks(client))
        assert set(client.calls) <= {"describe_stacks", "get_template"}
    assert stacks(Claimed(NIGHT, said(Platform="shop", Job="night"))).exists("shop-night")


class Reviewed(CloudFormation):
    """A stack that only change sets would make: what is left when ours has been dropped."""

    def __init__(self, left: str, others: list[str]) -> None:
        super().__init__("")
        self._left, self._others = left, others
        self.deleted_as: list[str] = []

    def delete_change_set(self, **_: Any) -> None:
        self.states, self.foreign = [self._left], True

    def list_change_sets(self, **_: Any) -> dict[str, Any]:
        return {"Summaries": [{"ChangeSetName": name} for name in self._others]}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.deleted_as.append(StackName)


@pytest.mark.parametrize(
    ("left", "others", "deleted"),
    [
        ("REVIEW_IN_PROGRESS", [], ["id-of-shop"]),
        ("REVIEW_IN_PROGRESS", ["theirs"], []),
        ("CREATE_IN_PROGRESS", [], []),
        ("CREATE_COMPLETE", [], []),
        ("ROLLBACK_COMPLETE", [], []),
        ("", [], []),
    ],
    ids=str,
)
def test_what_somebody_has_made_of_a_name_meanwhile_does_not_go_with_a_plan(
    left: str, others: list[str], deleted: list[str]
) -> None:
    client = Reviewed(left, others)
    ours = stacks(client)
    plan = ours.plan("shop", OLD_TEMPLATE, {})
    assert plan is not None
    ours.discard(plan)
    assert client.deleted_as == deleted


class Comparing(Reviewed):
    """As somebody sees it who may make change sets and delete no stack."""

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        super().delete_stack(StackName)
        raise refusal("AccessDenied", "not authorized to perform: cloudformation:DeleteStack")


def test_who_may_only_compare_leaves_the_empty_stack_to_who_deploys() -> None:
    client = Comparing("REVIEW_IN_PROGRESS", [])
    ours = stacks(client)
    plan = ours.plan("shop", OLD_TEMPLATE, {})
    assert plan is not None
    ours.discard(plan)
    assert client.deleted_as == ["id-of-shop"]
