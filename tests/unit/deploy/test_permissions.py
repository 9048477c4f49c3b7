"""The policies for people and pipelines: derived from the templates, and no wider than they say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from steadyspot.deploy.stacks.config import Platform
from steadyspot.deploy.stacks.notify_parts import resources_of
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from steadyspot.deploy.stacks.rights import OF_TYPES
from tests.unit.deploy.test_notify import EVERY_WAY, SECRET, config
from tests.unit.templates import TEMPLATES

PLATFORM = Platform(name="shop", region="eu-central-1", account="123456789012")
ROLE = "arn:aws:iam::123456789012:role/stacks"
LARGEST_POLICY_CHARACTERS = 10_240
"""AWS: of all policies in a role together; of one managed policy 6,144."""


def statements(purpose: Purpose, platform: Platform = PLATFORM) -> list[dict[str, Any]]:
    return list(policy_for(purpose, platform)["Statement"])


def test_every_type_of_the_templates_has_a_row_and_no_other_has() -> None:
    types = {
        body["Type"].removeprefix("AWS::")
        for template in TEMPLATES.values()
        for body in template["Resources"].values()
    }
    told = resources_of([*config(EVERY_WAY).notify]).values()
    assert types | {one["Type"].removeprefix("AWS::") for one in told} == set(OF_TYPES)


def test_who_makes_the_stacks_reads_the_secrets_of_those_who_are_told_and_no_others() -> None:
    for purpose in Purpose:
        read = [
            statement["Resource"]
            for statement in policy_for(purpose, PLATFORM, secrets=[SECRET])["Statement"]
            if "secretsmanager:GetSecretValue" in statement["Action"]
        ]
        assert read == ([[SECRET]] if purpose in (Purpose.DEPLOY, Purpose.STACKS) else []), purpose


@pytest.mark.parametrize("purpose", Purpose)
def test_a_policy_fits_and_names_the_platform_wherever_it_names_a_resource(
    purpose: Purpose,
) -> None:
    policy = policy_for(purpose, PLATFORM)
    assert len(json.dumps(policy, separators=(",", ":"))) <= LARGEST_POLICY_CHARACTERS
    for statement in policy["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        for resource in statement["Resource"]:
            assert resource == "*" or "shop" in resource
            assert resource == "*" or resource.startswith("arn:aws:")


@pytest.mark.parametrize("purpose", [Purpose.READ, Purpose.OPERATE])
def test_who_reads_or_operates_changes_nothing_that_is_deployed(purpose: Purpose) -> None:
    verbs = ("Create", "Put", "Update", "Delete", "Set", "Pass", "Tag", "Stop", "Start", "Change")
    changing = {
        action
        for statement in statements(purpose)
        for action in statement["Action"]
        if action.partition(":")[2].startswith(verbs)
    }
    allowed = {
        *("states:StartExecution", "states:StopExecution"),
        *("sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
        "dynamodb:UpdateItem",  # `forget` takes a run out of those that are open
    }
    assert changing == (allowed if purpose is Purpose.OPERATE else set())


def test_with_a_service_role_the_deployer_hands_it_over_and_makes_nothing_itself() -> None:
    in_role = statements(Purpose.DEPLOY, replace(PLATFORM, service_role=ROLE))
    (passes,) = (one for one in in_role if "iam:PassRole" in one["Action"])
    assert passes["Resource"] == [ROLE]
    assert "cloudformation.amazonaws.com" in json.dumps(passes["Condition"])
    assert "iam:CreateRole" not in json.dumps(in_role)
    assert "iam:CreateRole" in json.dumps(statements(Purpose.STACKS))
    assert "iam:CreateRole" in json.dumps(statements(Purpose.DEPLOY))


def test_roles_are_made_under_the_path_and_only_within_the_boundary() -> None:
    edge = "arn:aws:iam::123456789012:policy/edge"
    platform = replace(PLATFORM, permissions_boundary=edge, role_path="/team/")
    (makes,) = (
        one for one in statements(Purpose.STACKS, platform) if "iam:CreateRole" in one["Action"]
    )
    assert makes["Resource"] == ["arn:aws:iam::123456789012:role/team/shop-*"]
    assert makes["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": edge}}
