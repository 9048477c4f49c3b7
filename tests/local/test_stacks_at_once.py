"""Stacks that are made and removed at once: what one adds does not break another one's look."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.cloudformation.backend import LocalCloudFormation
from tests.local.runs import eventually

STACKS, ROLES = 8, 40
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
TEMPLATE = json.dumps(
    {
        "Resources": {
            f"Role{number}": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": TRUST},
            }
            for number in range(ROLES)
        }
    }
)


@pytest.mark.usefixtures("restless")
def test_stacks_are_made_and_removed_at_once(local_aws: LocalAws) -> None:
    cloudformation = local_aws.session().client("cloudformation")
    names = [f"at-once-{number}" for number in range(STACKS)]

    def make(name: str) -> str:
        made = cloudformation.create_stack(
            StackName=name, TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"]
        )
        return str(made["StackId"])

    def come_to(statuses: set[str]) -> bool:
        found: list[Any] = [
            cloudformation.describe_stacks(StackName=one)["Stacks"][0] for one in stacks
        ]
        assert not [one for one in found if "ROLLBACK" in one["StackStatus"]]
        return {one["StackStatus"] for one in found} == statuses

    with ThreadPoolExecutor(STACKS) as pool:
        stacks = list(pool.map(make, names))
        eventually(lambda: come_to({"CREATE_COMPLETE"}))
        list(pool.map(lambda one: cloudformation.delete_stack(StackName=one), stacks))
        eventually(lambda: come_to({"DELETE_COMPLETE"}))


def test_a_look_at_stacks_sees_those_that_were_there_when_it_began() -> None:
    stacks = LocalCloudFormation("eu-central-1", "1" * 12)
    for found in (stacks.stacks, stacks.deleted_stacks, stacks.exports, stacks.change_sets):
        of_any: dict[str, Any] = found
        of_any |= {"one": 1, "other": 2}
        for at, look in enumerate((of_any.__iter__, of_any.keys, of_any.values, of_any.items)):
            seen = [of_any.update({f"{at}-{len(of_any)}": 0}) for _ in look()]
            assert len(seen) == 2 + 2 * (2**at - 1)
