"""What a company demands, deployed on the embedded AWS as `steadyspot up` deploys it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.up import platform_of, stack_of
from steadyspot.deploy.target import Target
from tests.unit.templates import ROLES

EDGE = "arn:aws:iam::123456789012:policy/edge"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000"
DB = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
FILE = f"""
[platform]
name = "NAME"
permissions_boundary = "{EDGE}"
role_path = "/team/"
service_role = "arn:aws:iam::123456789012:role/stacks"
tags = {{ team = "data", stage = "all" }}
key = "{KEY}"
egress = [{{ to = "10.0.0.0/16", port = 443 }}]

[jobs.night]
image = "steadyspot-worker:local"
tags = {{ stage = "night" }}
encrypt_history = true
secrets = {{ PASSWORD = "{DB}:password::" }}
ulimits = {{ nofile = [1024, 65536] }}
schedules = {{ noon = {{ schedule = "cron(0 12 1 1 ? 2099)", parameters = {{ full = true }} }} }}
parameters = {{ full = {{ type = "boolean", default = false }} }}

[jobs.night.volumes.models]
path = "/models"
efs = "fs-0a"
access_point = "fsap-0b"

[jobs.night.log_options]
Name = "stdout"

[jobs.night.sidecars.router]
image = "fluent-bit:1"
log_router = "fluentbit"

[jobs.night.sidecars.otel]
image = "otel:1"
health = {{ command = ["CMD", "/healthy"] }}
memory_mb = 256
"""


@pytest.fixture(scope="module")
def target(local_aws: LocalAws) -> Target:
    """A platform and a job with every key of this file, deployed; tests only look at them."""
    config = parse(FILE.replace("NAME", f"t{uuid.uuid4().hex[:8]}"))
    target = Target(config, local_aws.session())
    for stack in (platform_of(target), stack_of(target, config.job())):
        upload(target, stack.template)
        target.stacks.deploy(stack.stack, stack.template.text, stack.parameters, lambda _: None)
    return target


def test_every_role_is_within_the_boundary_and_under_the_path(target: Target) -> None:
    iam = target.client("iam")
    names = [
        one["PhysicalResourceId"]
        for stack in (target.platform_stack, target.config.job_stack(target.config.job()))
        for one in target.stacks.resources(stack)
        if one["ResourceType"] == "AWS::IAM::Role"
    ]
    roles: list[Any] = [iam.get_role(RoleName=name)["Role"] for name in names]
    assert len(roles) == len(ROLES)
    for role in roles:
        assert role["Path"] == "/team/"
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == EDGE


def test_all_that_takes_tags_bears_those_of_the_file_and_so_do_tasks(target: Target) -> None:
    outputs = target.job(target.config.job())
    definition = target.client("ecs").describe_task_definition(
        taskDefinition=outputs["TaskDefinition"], include=["TAGS"]
    )
    tags = {tag["key"]: tag["value"] for tag in definition["tags"]}
    assert tags["Job"] == "night"
    assert (tags["team"], tags["stage"]) == ("data", "night")
    roles = [
        one["PhysicalResourceId"]
        for one in target.stacks.resources(target.platform_stack)
        if one["ResourceType"] == "AWS::IAM::Role"
    ]
    for role in roles:
        shown = target.client("iam").list_role_tags(RoleName=role)["Tags"]
        assert {"Key": "stage", "Value": "all"} in shown


def test_another_tag_changes_what_bears_it_and_replaces_nothing(target: Target) -> None:
    stack = stack_of(target, target.config.job())
    stacks = Stacks(
        target.client("cloudformation"), target.platform_stack, tags_of=lambda _: {"team": "other"}
    )
    plan = stacks.plan(stack.stack, stack.template.text, stack.parameters)
    assert plan is not None
    stacks.discard(plan)
    changed = {change.resource: change for change in plan.changes}
    assert {"TaskDefinition", "StateMachine", "TaskRole", "Queue", "Log"} <= set(changed)
    assert {change.properties for change in plan.changes} == {("Tags",)}
    assert not [change.resource for change in plan.changes if change.replaces]


def test_the_task_definition_has_what_lies_beside_the_worker(target: Target) -> None:
    outputs = target.job(target.config.job())
    definition = target.client("ecs").describe_task_definition(
        taskDefinition=outputs["TaskDefinition"]
    )["taskDefinition"]
    worker, router, otel = definition["containerDefinitions"]
    assert worker["dependsOn"] == [
        {"containerName": "router", "condition": "START"},
        {"containerName": "otel", "condition": "HEALTHY"},
    ]
    routed = {"logDriver": "awsfirelens", "options": {"Name": "stdout"}}
    assert worker["logConfiguration"] == routed
    assert router["firelensConfiguration"] == {"type": "fluentbit"}
    assert worker["secrets"] == [{"name": "PASSWORD", "valueFrom": f"{DB}:password::"}]
    assert worker["ulimits"] == [{"name": "nofile", "softLimit": 1024, "hardLimit": 65536}]
    assert (otel["essential"], otel["memory"]) == (False, 256)
    assert otel["logConfiguration"]["options"]["awslogs-group"] == outputs["LogGroup"]
    (volume,) = definition["volumes"]
    assert volume["efsVolumeConfiguration"]["fileSystemId"] == "fs-0a"
    assert volume["efsVolumeConfiguration"]["authorizationConfig"] == {
        "iam": "ENABLED",
        "accessPointId": "fsap-0b",
    }


def test_what_is_kept_is_encrypted_with_the_key_of_the_file(target: Target) -> None:
    platform, job = target.platform, target.job(target.config.job())
    s3 = target.client("s3").get_bucket_encryption(Bucket=platform["Bucket"])
    table = target.client("dynamodb").describe_table(TableName=platform["Table"])["Table"]
    assert table["SSEDescription"]["KMSMasterKeyArn"] == KEY
    topic = target.client("sns").get_topic_attributes(TopicArn=platform["Topic"])["Attributes"]
    queue = target.client("sqs").get_queue_attributes(QueueUrl=job["Queue"], AttributeNames=["All"])
    logs = target.client("logs")
    groups = [
        logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
        for name in (job["LogGroup"], job["StatesLogGroup"])
    ]
    for shown in (s3, topic, queue["Attributes"], *groups):
        assert KEY in json.dumps(shown, default=str)
    machines = [job["StateMachine"], platform["BeforeTheStart"]]
    for arn in machines:
        shown = target.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
        assert shown["encryptionConfiguration"]["kmsKeyId"] == KEY


def test_tasks_get_out_only_where_the_file_says(target: Target) -> None:
    (group,) = json.loads(target.platform["Network"].replace("'", '"'))["SecurityGroups"]
    shown = target.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    rules = [
        (one["FromPort"], one["IpRanges"][0]["CidrIp"]) for one in shown["IpPermissionsEgress"]
    ]
    assert rules == [(443, "10.0.0.0/16")]


def test_a_schedule_beside_the_first_gives_its_parameters(target: Target) -> None:
    shown = target.client("scheduler").get_schedule(
        Name="night.noon", GroupName=target.platform["ScheduleGroup"]
    )
    assert json.loads(shown["Target"]["Input"])["parameters"] == {"full": True}


def test_what_is_deployed_is_what_the_file_says(target: Target) -> None:
    for stack in (platform_of(target), stack_of(target, target.config.job())):
        assert target.stacks.is_current(stack.stack, stack.template.text, stack.parameters)
