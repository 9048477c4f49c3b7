"""The terms of a company, as its keys change the templates and what CloudFormation is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.config import ConfigError, parse
from steadyspot.deploy.stacks.marks import TAG
from steadyspot.deploy.target import Target
from tests.unit.deploy.fakes import OLD_TEMPLATE, CloudFormation
from tests.unit.resolving import job_resources, platform_resources

JOB = '[jobs.night]\nimage = "x:1"\n'
PLAIN = parse(JOB)
EDGE = "arn:aws:iam::123456789012:policy/edge"
MAKER = "arn:aws:iam::123456789012:role/stacks"


def of_type(resources: dict[str, dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """The properties of resources of some types, by logical id."""
    return {name: body["Properties"] for name, body in resources.items() if body["Type"] in kinds}


def test_a_boundary_and_a_path_are_on_every_role_and_the_path_on_every_policy() -> None:
    terms = parse(f'[platform]\npermissions_boundary = "{EDGE}"\nrole_path = "/team/"\n{JOB}')
    roles: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for resources in (job_resources, platform_resources):
        roles |= of_type(resources(terms), "AWS::IAM::Role")
        plain |= of_type(resources(PLAIN), "AWS::IAM::Role")
    assert len(roles) == 7
    for name, role in roles.items():
        assert (role["Path"], role["PermissionsBoundary"]) == ("/team/", EDGE), name
        assert "PermissionsBoundary" not in plain[name]
        assert plain[name]["Path"] == "/"
    policies = of_type(platform_resources(terms), "AWS::IAM::ManagedPolicy")
    assert {policy["Path"] for policy in policies.values()} == {"/team/"}


def test_cloudformation_makes_changes_and_removes_in_the_service_role() -> None:
    client = CloudFormation("UPDATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE")
    asked = {}
    client.delete_stack = lambda **request: asked.update(request)  # type: ignore[attr-defined]
    in_role = Stacks(client, "shop", pause=lambda _: None, role=MAKER)  # type: ignore[arg-type]
    in_role.plan("shop", OLD_TEMPLATE, {})
    assert client.asked["RoleARN"] == MAKER
    client.states = ["UPDATE_COMPLETE", "DELETE_COMPLETE"]
    in_role.remove("shop", lambda _: None)
    assert asked["RoleARN"] == MAKER


def test_the_service_role_of_the_file_is_that_of_its_stacks() -> None:
    client = CloudFormation("UPDATE_COMPLETE")
    config = parse(f'[platform]\nname = "shop"\nservice_role = "{MAKER}"\n{JOB}')
    session = SimpleNamespace(client=lambda _service: client)
    Target(config, session).stacks.plan("shop", OLD_TEMPLATE, {})  # type: ignore[arg-type]
    assert client.asked["RoleARN"] == MAKER


def test_without_one_cloudformation_has_the_rights_of_whoever_asks() -> None:
    client = CloudFormation("UPDATE_COMPLETE")
    Stacks(client, "shop", pause=lambda _: None).plan("shop", OLD_TEMPLATE, {})  # type: ignore[arg-type]
    assert "RoleARN" not in client.asked


TAGGED = parse(f"""
[platform]
name = "shop"
tags = {{ team = "data", stage = "all" }}
{JOB}
tags = {{ stage = "night" }}
""")
TAGS = {"team": "data", "stage": "night", TAG: "shop/night"}


def tagged(client: CloudFormation) -> Stacks:
    return Stacks(client, "shop", pause=lambda _: None, tags_of=TAGGED.tags_of)  # type: ignore[arg-type]


def test_a_job_s_stack_bears_the_platform_s_tags_its_own_first_and_the_mark() -> None:
    client = CloudFormation("UPDATE_COMPLETE")
    tagged(client).plan("shop-night", OLD_TEMPLATE, {})
    assert {tag["Key"]: tag["Value"] for tag in client.asked["Tags"]} == TAGS
    tagged(client).plan("shop-drill-1", OLD_TEMPLATE, {})
    tags = {tag["Key"]: tag["Value"] for tag in client.asked["Tags"]}
    assert tags == {"team": "data", "stage": "all", TAG: "shop/drill-1"}


def test_a_stack_with_other_tags_is_not_as_it_should_be() -> None:
    client = CloudFormation("UPDATE_COMPLETE", parameters={"Days": "30"})
    assert not tagged(client).is_current("shop-night", OLD_TEMPLATE, {})
    client.tags = {key: value for key, value in TAGS.items() if key != TAG}
    assert tagged(client).is_current("shop-night", OLD_TEMPLATE, {})


@pytest.mark.parametrize(
    "name", ["Job", "job", "Platform", "Repository", "steadyspot", "aws:x", ""]
)
def test_a_tag_by_which_rights_go_or_that_aws_keeps_for_itself_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="but it must be 1 to 128 letters"):
        parse(f'{JOB}tags = {{ "{name}" = "x" }}')
