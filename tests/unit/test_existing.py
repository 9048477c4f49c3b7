"""What an account has already, as its keys change the two templates: image, cluster, topic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.checks.findings import Level
from steadyspot.deploy.stacks.config import Platform, parse
from tests.unit.deploy.test_checks import account, findings
from tests.unit.resolving import job_resources

OTHER = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/tools/night"
HOME = '[platform]\nname = "shop"\nregion = "eu-central-1"\naccount = "123456789012"\n'


def policies(resources: dict[str, dict[str, Any]], role: str) -> dict[str, dict[str, Any]]:
    """The statements of a role's own policies, by Sid."""
    given = resources[role]["Properties"].get("Policies", [])
    return {s["Sid"]: s for policy in given for s in policy["PolicyDocument"]["Statement"]}


# --- an image in another account ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "names"),
    [
        (f"{OTHER}:1", ["eu-west-1:210987654321:repository/tools/night"]),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/night:1", []),
        ("210987654321.dkr.ecr.eu-central-1.amazonaws.com/shop-repository-x1:1", []),
        ("public.ecr.aws/tools/night:1", []),
    ],
    ids=["another account", "this one", "the platform's own", "public"],
)
def test_an_image_of_another_account_or_region_may_be_pulled_and_no_more(
    image: str, names: list[str]
) -> None:
    resources = job_resources(parse(f'{HOME}[jobs.night]\nimage = "{image}"'))
    pull = policies(resources, "ExecutionRole").get("Images", {"Resource": []})
    ends = [one["Fn::Sub"].partition(":ecr:")[2] for one in pull["Resource"]]
    assert ends == names


def test_a_job_holds_no_repository_of_the_platform_that_a_key_would_replace() -> None:
    resources = job_resources(parse(f'{HOME}[jobs.night]\nimage = "public.ecr.aws/night:1"'))
    assert "-Repository" not in json.dumps(resources["ExecutionRole"])


def test_whose_repository_it_is_and_what_its_policy_must_say_is_told(tmp_path: Path) -> None:
    home = Platform(mail="a@b.example", region="eu-central-1", account="123456789012")
    image = OTHER.replace("eu-west-1", "eu-central-1")
    found = findings(account(), tmp_path, platform=home, image=f"{image}:1")
    told = [one for one in found if one.about == "night: image"]
    assert [one.level for one in told] == [Level.GOOD, Level.NOTE]
    assert "account 210987654321" in told[1].text
    assert "arn:aws:iam::123456789012:root" in told[1].what_to_do
