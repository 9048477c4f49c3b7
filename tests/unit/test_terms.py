"""The terms of a company, as its keys change the templates and what CloudFormation is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.config import ConfigError
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.marks import TAG
from steadyspot.deploy.stacks.parts import with_parts
from steadyspot.deploy.target import Target
from tests.unit.deploy.fakes import OLD_TEMPLATE, CloudFormation
from tests.unit.linting import lint_file
from tests.unit.resolving import job_resources, platform_resources
from tests.unit.templates import PATHS, ROLES

JOB = '[jobs.night]\nimage = "x:1"\n'
PLAIN = parse(JOB)
JOB_TEMPLATE = PATHS["job"].read_text("utf-8")
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
    assert roles.keys() == ROLES.keys()
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
    session = SimpleNamespace(client=lambda _service, **_: client)
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
    "name", ["Job", "job", "Platform", "Repository", "LogGroup", "debug", "steadyspot", "aws:x", ""]
)
def test_a_tag_by_which_rights_go_or_that_aws_keeps_for_itself_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="but it must be 1 to 128 letters"):
        parse(f'{JOB}tags = {{ "{name}" = "x" }}')


DB = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf"
TOKEN = "arn:aws:ssm:eu-central-1:123456789012:parameter/night/token"
PARTS = parse(f"""
{JOB}
schedules = {{ noon = {{ schedule = "cron(0 12 * * ? *)" }} }}
secrets = {{ PASSWORD = "{DB}:password::", TOKEN = "{TOKEN}" }}
ulimits = {{ nofile = [1024, 65536] }}
read_only_root = true

[jobs.night.volumes]
cache = {{ path = "/cache" }}
models = {{ path = "/models", efs = "fs-0a", access_point = "fsap-0b", read_only = true }}

[jobs.night.sidecars.otel]
image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/tools/otel:1"
command = ["--config", "/etc/otel.yaml"]
environment = {{ LEVEL = "info" }}
secrets = {{ KEY = "{DB}" }}
volumes = {{ cache = "/shared" }}
health = {{ command = ["CMD", "/healthy"], retries = 3 }}
memory_mb = 256

[jobs.night.sidecars.proxy]
image = "envoy:1"
after = ["otel"]

[jobs.night.sidecars.probe]
image = "probe:1"
start = "after"
""")


def containers(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The containers of a job's task definition, by name."""
    given = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    return {one["Name"]: one for one in given}


def policies(resources: dict[str, dict[str, Any]], role: str) -> dict[str, dict[str, Any]]:
    """The statements of a role's own policies, by Sid."""
    given = resources[role]["Properties"].get("Policies", [])
    return {s["Sid"]: s for policy in given for s in policy["PolicyDocument"]["Statement"]}


def test_without_structured_keys_a_job_s_template_is_sent_as_it_stands() -> None:
    assert with_parts(PLAIN.job(), JOB_TEMPLATE) == JOB_TEMPLATE
    plain = job_resources(PLAIN)
    assert list(containers(plain)) == ["worker"]
    assert {"Ulimits", "DependsOn"}.isdisjoint(containers(plain)["worker"])
    assert plain["TaskDefinition"]["Properties"]["Volumes"] == []
    assert policies(plain, "TaskRole") == policies(plain, "ExecutionRole") == {}


def test_single_secrets_are_variables_that_starting_the_task_may_fetch_and_nothing_else() -> None:
    resources = job_resources(PARTS)
    assert containers(resources)["worker"]["Secrets"] == [
        {"Name": "PASSWORD", "ValueFrom": f"{DB}:password::"},
        {"Name": "TOKEN", "ValueFrom": TOKEN},
    ]
    allowed = policies(resources, "ExecutionRole")
    assert allowed["FetchSecretsmanager"]["Resource"] == [DB]
    assert allowed["FetchSsm"]["Resource"] == [TOKEN]
    for sid, context, arn in (
        ("DecryptSecretsmanager", "SecretARN", DB),
        ("DecryptSsm", "PARAMETER_ARN", TOKEN),
    ):
        equal = allowed[sid]["Condition"]["StringEquals"]
        assert equal[f"kms:EncryptionContext:{context}"] == [arn]


def test_volumes_lie_beside_those_of_a_read_only_root_and_efs_is_reached_by_its_point() -> None:
    resources = job_resources(PARTS)
    volumes = resources["TaskDefinition"]["Properties"]["Volumes"]
    assert [one["Name"] for one in volumes] == ["tmp", "work", "cache", "models"]
    efs = volumes[-1]["EFSVolumeConfiguration"]
    assert efs["FilesystemId"] == "fs-0a"
    assert efs["TransitEncryption"] == efs["AuthorizationConfig"]["IAM"] == "ENABLED"
    worker = containers(resources)["worker"]
    assert [(one["SourceVolume"], one.get("ReadOnly")) for one in worker["MountPoints"]] == [
        ("tmp", None),
        ("work", None),
        ("cache", False),
        ("models", True),
    ]
    assert worker["Ulimits"] == [{"Name": "nofile", "SoftLimit": 1024, "HardLimit": 65536}]
    (mount,) = policies(resources, "TaskRole").values()
    assert mount["Action"] == ["elasticfilesystem:ClientMount"]
    assert mount["Resource"]["Fn::Sub"].endswith(":file-system/fs-0a")
    point = mount["Condition"]["ArnEquals"]["elasticfilesystem:AccessPointArn"]
    assert point["Fn::Sub"].endswith(":access-point/fsap-0b")


def test_sidecars_start_in_order_and_none_ends_the_task() -> None:
    resources = job_resources(PARTS)
    found = containers(resources)
    assert list(found) == ["worker", "otel", "proxy", "probe"]
    assert [one["Essential"] for one in found.values()] == [True, False, False, False]
    assert found["worker"]["DependsOn"] == [
        {"ContainerName": "otel", "Condition": "HEALTHY"},
        {"ContainerName": "proxy", "Condition": "START"},
    ]
    assert found["proxy"]["DependsOn"] == [{"ContainerName": "otel", "Condition": "HEALTHY"}]
    assert found["probe"]["DependsOn"] == [{"ContainerName": "worker", "Condition": "START"}]
    otel = found["otel"]
    assert otel["HealthCheck"]["Command"] == ["CMD", "/healthy"]
    assert otel["HealthCheck"]["Retries"] == 3
    assert (otel["Command"], otel["Memory"]) == (["--config", "/etc/otel.yaml"], 256)
    assert otel["MountPoints"][0]["ContainerPath"] == "/shared"
    assert otel["Secrets"] == [{"Name": "KEY", "ValueFrom": DB}]
    pull = policies(resources, "ExecutionRole")["Images"]["Resource"]
    assert [one["Fn::Sub"].rpartition(":")[2] for one in pull] == ["repository/tools/otel"]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            'environment = { A = "1" }\nsecrets = { A = "DB" }',
            "secrets.A has the name of a variable",
        ),
        ("ulimits = { nofile = [2, 1] }", "ulimits.nofile has the soft limit 2, which is above"),
        ('volumes = { ab = { path = "/work" } }\nread_only_root = true', "where something lies"),
        ('volumes = { ab = { path = "/a" }, cd = { path = "/a/" } }', "where something lies"),
        ('volumes = { ab = { path = "/a", read_only = true } }', "volumes.ab needs efs beside"),
        ('sidecars = { ab = { image = "x", volumes = { c = "/c" } } }', 'names "c", which is none'),
        ('sidecars = { ab = { image = "x", after = ["c"] } }', 'after names "c", which is none'),
        ('sidecars = { ab = { image = "x", after = ["ab"] } }', "after leads back to itself"),
        (
            'sidecars = { ab = { image = "x", memory_mb = 2048 } }',
            "leaves the job none of its 2 GB",
        ),
        (
            'sidecars = { ab = { image = "x", environment = { TOKEN = "s" } } }',
            "looks like a secret",
        ),
        ('sidecars = { worker = { image = "x" } }', 'has the name "worker", but it must be'),
    ],
)
def test_what_does_not_fit_together_is_a_sentence(table: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(JOB + table.replace("DB", DB))


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("gpu = 1", "jobs.night.gpu can't be had: Fargate has no GPU; such a job belongs on AWS B"),
        ("cpu = 32", "jobs.night.cpu is 32, but must be one of 0.25, 0.5, 1, 2, 4, 8, 16 (vCPU)"),
        ("cpu = 16\nmemory = 244", "jobs.night.memory is 244, but must be a number of GB from 0.5"),
        ("debug = true\nread_only_root = true", "jobs.night.debug can't be together with read_"),
        ('parameters = { day = { type = "date", default = "today" } }', 'default is "today", but'),
        ('parameters = { api_token = { type = "text", default = "" } }', "looks like a secret"),
        (
            'parameters = { run_key = { type = "text", default = "" } }',
            "none of scheduled_time, run_key, shard",
        ),
    ],
)
def test_what_fargate_or_the_product_has_not_is_refused_with_a_sentence(
    table: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(JOB + table)


SCHEDULES = """
schedule = "cron(0 2 * * ? *)"
parameters = { full = { type = "boolean", default = false } }
[jobs.night.schedules]
month = { schedule = "cron(0 5 1 * ? *)", timezone = "Europe/Berlin", parameters = { full = true } }
noon = { schedule = "cron(0 12 * * ? *)" }
"""


def test_a_job_has_several_schedules_each_with_its_parameters_and_all_rest_together() -> None:
    found = of_type(job_resources(parse(JOB + SCHEDULES)), "AWS::Scheduler::Schedule")
    assert [one["Name"] for one in found.values()] == ["night", "night.month", "night.noon"]
    inputs = [json.loads(one["Target"]["Input"]) for one in found.values()]
    time = {"scheduledTime": "<aws.scheduler.scheduled-time>"}
    assert inputs == [time, {**time, "parameters": {"full": True}}, time]
    assert {one["State"] for one in found.values()} == {"ENABLED"}
    resting = parse(f"{JOB}enabled = false\n{SCHEDULES}")
    found = of_type(job_resources(resting), "AWS::Scheduler::Schedule")
    assert {one["State"] for one in found.values()} == {"DISABLED"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "cron(0 12 *",
            "cron(0 2 *",
            "schedules.noon is due at 2027-01-01 02:00 UTC, as is schedule",
        ),
        ("cron(0 5 1", "cron(0 13 1", "is due at 2027-01-01 12:00 UTC, as is schedules.month"),
        ("cron(0 12 * * ? *)", "rate(1 week)", "schedules.noon.schedule is"),
        ("cron(0 12 * * ? *)", "at(2027-01-01T02:00:00)", "UTC, as is schedule"),
        ("full = true", "full = 1", "The parameter full must be true or false"),
        ("full = true", "part = 1", "There is no parameter part; the job has full"),
        ("Europe/Berlin", "Europe/Nowhere", "schedules.month.schedule is"),
    ],
)
def test_schedules_that_meet_or_make_no_sense_are_refused(
    old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(JOB + SCHEDULES.replace(old, new))


def test_cfn_lint_is_content_with_the_structured_keys_too(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(with_parts(PARTS.job(), JOB_TEMPLATE), "utf-8")
    assert [f"{match.rule.id}: {match.message}" for match in lint_file(path)] == []


def test_given_security_groups_take_the_place_of_the_one_that_is_made() -> None:
    network = 'vpc = "vpc-1"\nsubnets = ["subnet-1"]\nassign_public_ip = false\n'
    made = platform_resources(parse(f"[platform]\n{network}{JOB}"))
    given = parse(f'[platform]\n{network}security_groups = ["sg-1", "sg-2"]\n{JOB}')
    assert "SecurityGroup" in made
    assert "SecurityGroup" not in platform_resources(given)
    with pytest.raises(ConfigError, match=r"platform\.security_groups needs platform\.vpc"):
        parse(f'[platform]\nsecurity_groups = ["sg-1"]\n{JOB}')
