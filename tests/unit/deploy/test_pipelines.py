"""The roles of a pipeline: who gets them, and what they may do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner

from steadyspot.deploy.cli.main import main
from steadyspot.deploy.stacks.config import Config, Platform
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from steadyspot.deploy.stacks.pipelines import HOSTS, template
from tests.unit.deploy.test_notify import EVERY_WAY, config, templates
from tests.unit.linting import lint

PLATFORM = Platform(name="shop", region="eu-central-1", account="123456789012")


def role(name: str, host: str = "github", platform: Platform = PLATFORM) -> dict[str, Any]:
    made = template(Config(Path(), platform, {}), HOSTS[host], "acme/shop", "main")
    return dict(made["Resources"][name]["Properties"])


def trusted(properties: dict[str, Any]) -> dict[str, Any]:
    (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    return dict(statement["Condition"])


@pytest.mark.parametrize(
    ("host", "name", "subject"),
    [
        ("github", "Deploy", "repo:acme/shop:ref:refs/heads/main"),
        ("github", "Compare", "repo:acme/shop:pull_request"),
        ("gitlab", "Deploy", "project_path:acme/shop:ref_type:branch:ref:main"),
        ("gitlab", "Compare", "project_path:acme/shop:ref_type:branch:ref:*"),
    ],
)
def test_only_the_repository_gets_a_role_and_only_its_branch_the_one_that_deploys(
    host: str, name: str, subject: str
) -> None:
    issuer = HOSTS[host].issuer
    assert trusted(role(name, host)) == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{issuer}:sub": subject},
    }


def test_each_role_has_the_policy_that_permissions_prints() -> None:
    for name, purpose in (("Deploy", Purpose.DEPLOY), ("Compare", Purpose.COMPARE)):
        (policy,) = role(name)["Policies"]
        assert policy["PolicyDocument"] == policy_for(purpose, PLATFORM)


def test_who_deploys_reads_the_secrets_that_the_templates_name_and_who_compares_none() -> None:
    """CloudFormation puts them in with the rights of who deploys; a shown change needs none."""
    of = config(EVERY_WAY)
    named = set[str]()
    for text in templates(of).values():
        named |= set(re.findall(r"\{\{resolve:secretsmanager:([^{}]+):SecretString:\w+\}\}", text))
    assert named
    made = template(of, HOSTS["github"], "acme/shop", "main")["Resources"]
    for name, arns in (("Deploy", named), ("Compare", set())):
        (policy,) = made[name]["Properties"]["Policies"]
        read = [
            arn
            for statement in policy["PolicyDocument"]["Statement"]
            if "secretsmanager:GetSecretValue" in statement["Action"]
            for arn in statement["Resource"]
        ]
        assert set(read) == arns, name


def test_who_compares_carries_nothing_out() -> None:
    allowed = {
        action
        for statement in policy_for(Purpose.COMPARE, PLATFORM)["Statement"]
        for action in statement["Action"]
    }
    assert not {action for action in allowed if "Execute" in action or "DeleteStack" in action}
    assert {action.partition(":")[0] for action in allowed} == {"cloudformation", "states"}


def test_the_roles_are_within_the_boundary_and_under_the_path() -> None:
    edge = "arn:aws:iam::123456789012:policy/edge"
    platform = replace(PLATFORM, permissions_boundary=edge, role_path="/team/")
    for name in ("Deploy", "Compare"):
        properties = role(name, platform=platform)
        assert (properties["PermissionsBoundary"], properties["Path"]) == (edge, "/team/")
    assert "PermissionsBoundary" not in role("Deploy")


def printed(tmp_path: Path, *words: str, code: int = 0) -> str:
    config = tmp_path / "steadyspot.toml"
    config.write_text('[platform]\nname = "shop"\n[jobs.night]\nimage = "a"\n')
    done = CliRunner().invoke(main, ["pipeline", *words, "--config", str(config)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("host", HOSTS)
def test_the_template_is_one_that_cfn_lint_takes(tmp_path: Path, host: str) -> None:
    text = printed(tmp_path, host, "acme/shop", "--branch", "release/1.0")
    assert "release/1.0" in text
    assert [str(match) for match in lint(text)] == []
    assert not [line for line in text.splitlines() if len(line) > 140]


@pytest.mark.parametrize(
    "words",
    [
        ("github", "acme/*"),
        ("github", "shop"),
        ("github", "acme/shop:ref"),
        ("github", "acme/shop\n"),
        ("github", "acme/shop", "--branch", "*"),
        ("github", "acme/shop", "--branch", "a?"),
        ("github", "acme/shop", "--branch", ""),
        ("githup", "acme/shop"),
    ],
)
def test_what_would_let_in_others_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "Traceback" not in printed(tmp_path, *words, code=2)


def test_the_files_for_pipelines_say_how_to_get_the_roles_and_use_both() -> None:
    folder = Path(__file__).parents[3] / "deploy" / "scaffold" / "originals"
    for host in HOSTS:
        text = (folder / f"{host}.yml").read_text("utf-8")
        assert f"steadyspot pipeline {host} " in text
        outputs = template(Config(Path(), PLATFORM, {}), HOSTS[host], "acme/shop", "main")[
            "Outputs"
        ]
        assert all(
            f"STEADYSPOT_{name.upper()}" in json.dumps(yaml.safe_load(text)) for name in outputs
        )
