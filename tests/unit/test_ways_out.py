"""Where tasks may go and where their lines do: rules of egress, and a log router."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.checks.findings import Level
from steadyspot.deploy.stacks.config import ConfigError, Egress, Platform, Sidecar
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.up import platform_of
from steadyspot.deploy.target import Target
from tests.unit.deploy.test_checks import account, findings
from tests.unit.linting import lint_file
from tests.unit.resolving import job_resources, platform_resources

JOB = '[jobs.night]\nimage = "x:1"\n'
RULES = """
egress = [
    { to = "10.0.0.0/16", port = 5432 },
    { to = "pl-0123456789abcdef0", port = 443 },
    { to = "sg-0123456789abcdef0", port = 53, protocol = "udp" },
]
"""
ROUTED = f"""{JOB}
log_options = {{ Name = "datadog", Host = "example.com", "log-driver-buffer-limit" = "2097152" }}
[jobs.night.sidecars.router]
image = "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable"
log_router = "fluentbit"
"""


def egress(file: str) -> list[dict[str, Any]]:
    group = platform_resources(parse(file))["SecurityGroup"]["Properties"]
    return list(group["SecurityGroupEgress"])


def test_without_rules_everything_is_let_out() -> None:
    assert [one["CidrIp"] for one in egress(JOB)] == ["0.0.0.0/0"]


def test_with_rules_nothing_else_is_let_out() -> None:
    rules = egress(f"[platform]{RULES}{JOB}")
    assert all(one["FromPort"] == one["ToPort"] for one in rules)
    assert [(one["IpProtocol"], one["FromPort"]) for one in rules] == [
        ("tcp", 5432),
        ("tcp", 443),
        ("udp", 53),
    ]
    assert [one.get("CidrIp") for one in rules] == ["10.0.0.0/16", None, None]
    assert rules[1]["DestinationPrefixListId"] == "pl-0123456789abcdef0"
    assert rules[2]["DestinationSecurityGroupId"] == "sg-0123456789abcdef0"


@pytest.mark.parametrize(("port", "level"), [(443, Level.GOOD), (5432, Level.BAD)])
def test_rules_that_keep_tasks_from_aws_are_found(tmp_path: Path, port: int, level: Level) -> None:
    platform = Platform(mail="a@b.example", egress=(Egress("0.0.0.0/0", port),))
    told = [
        one for one in findings(account(), tmp_path, platform=platform) if "egress" in one.about
    ]
    assert [one.level for one in told] == [level]


def test_a_log_router_takes_what_the_job_prints_and_starts_before_it() -> None:
    resources = job_resources(parse(ROUTED))
    worker, router = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert worker["LogConfiguration"] == {
        "LogDriver": "awsfirelens",
        "Options": {
            "Name": "datadog",
            "Host": "example.com",
            "log-driver-buffer-limit": "2097152",
        },
    }
    assert router["FirelensConfiguration"] == {"Type": "fluentbit"}
    assert router["LogConfiguration"]["LogDriver"] == "awslogs"
    assert worker["DependsOn"] == [{"ContainerName": "router", "Condition": "START"}]


def test_what_is_not_seen_any_more_with_a_log_router_is_told(tmp_path: Path) -> None:
    router = {"router": Sidecar("x:1", log_router="fluentbit")}
    told = findings(account(), tmp_path, sidecars=router, log_options={"Name": "datadog"})
    (one,) = (one for one in told if one.about == "night: logs")
    assert (one.level, "show none of it" in one.text) == (Level.NOTE, True)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (
            '[platform]\nvpc = "vpc-1"\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]'
            f"{RULES}{JOB}",
            "platform.egress is for the security group that is made",
        ),
        (
            f'[platform]\negress = [{{ to = "everywhere", port = 443 }}]\n{JOB}',
            'addresses such as "10.0.0.0/16", or the id of a prefix list',
        ),
        (f'{JOB}log_options = {{ Name = "x" }}', "log_options needs a sidecar with log_router"),
        (
            f'{JOB}sidecars = {{ router = {{ image = "x", log_router = "fluentbit" }} }}',
            "jobs.night.log_options is missing",
        ),
        (f'{ROUTED}start = "after"', 'sidecars.router.start must be "before"'),
        (
            f'{ROUTED}[jobs.night.sidecars.two]\nimage = "x"\nlog_router = "fluentd"',
            "sidecars.two.log_router is a second one, beside that of router",
        ),
    ],
    ids=["groups", "no place", "no router", "no options", "after", "two"],
)
def test_what_does_not_go_together_is_a_sentence(file: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(file)


def test_cfn_lint_is_content_with_what_the_command_line_puts_in(tmp_path: Path) -> None:
    target = Target(parse(f"[platform]{RULES}{JOB}"), None)  # type: ignore[arg-type]
    path = tmp_path / "platform.yaml"
    path.write_text(platform_of(target).template.text, "utf-8")
    assert [f"{match.rule.id}: {match.message}" for match in lint_file(path)] == []
