"""Stacks: planned before they are changed, settled where broken, continued after Ctrl-C."""

from __future__ import annotations

from typing import Any

import pytest

from steadyspot.deploy.stacks.cloudformation import Event, Stacks
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
    client = CloudFormation("", reason="Parameter Mail must be a mail address")
    with pytest.raises(Trouble, match="must be a mail address"):
        stacks(client).deploy("shop", "Description: new", {}, lambda _: None)
    assert client.calls[-2:] == ["delete_change_set", "delete_stack"]


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


def test_two_at_once_are_kept_apart_by_cloudformation() -> None:
    class Busy(CloudFormation):
        def create_change_set(self, **_: object) -> None:
            raise refusal("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be")

    with pytest.raises(Trouble, match="Somebody else"):
        stacks(Busy("UPDATE_COMPLETE")).deploy("shop", "Description: new", {}, lambda _: None)


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
