"""A task's shapes: API, event and Cause, compared with what was recorded from AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadyspot.deploy.local.shapes import (
    CAUSE_LIMIT,
    ContainerRecord,
    TaskRecord,
    api_task,
    cause_of,
    state_change_event,
)

START = datetime(2019, 10, 6, 16, 21, 45, 0, UTC)
ARN = "arn:aws:ecs:us-east-1:111122223333"


def record(**changes: Any) -> TaskRecord:
    """A task that ran for five seconds and ended with exit code 1."""
    task = TaskRecord(
        arn=f"{ARN}:task/steadyspot/0123456789abcdef0123456789abcdef",
        cluster_arn=f"{ARN}:cluster/steadyspot",
        definition_arn=f"{ARN}:task-definition/job:1",
        family="job",
        revision=1,
        group="family:job",
        cpu="256",
        memory="512",
        subnet="subnet-0a",
        zone="us-east-1b",
        account_id="111122223333",
        region="us-east-1",
        attachment_id="6d9f3c1e-0000-4000-8000-000000000001",
        interface_id="eni-0a",
        private_ip="10.0.0.7",
        containers=[
            ContainerRecord(
                name="worker",
                image="job:1",
                arn=f"{ARN}:container/x",
                runtime_id="r-1",
                status="STOPPED",
                exit_code=1,
            )
        ],
        overrides={},
        created_at=START,
        started_by="AWS Step Functions",
        status="STOPPED",
        desired_status="STOPPED",
        attachment_status="DELETED",
        stop_code="EssentialContainerExited",
        stopped_reason="Essential container in task exited",
        connected_at=START + timedelta(milliseconds=3143),
        started_at=START + timedelta(seconds=4),
        stopping_at=START + timedelta(seconds=5),
        stopped_at=START + timedelta(seconds=11, milliseconds=940),
        updated_at=START + timedelta(seconds=11, milliseconds=940),
        version=6,
    )
    for name, value in changes.items():
        setattr(task, name, value)
    return task


def test_a_cause_is_compact_and_sorted_with_epoch_milliseconds() -> None:
    assert cause_of(api_task(record()), cut=True) == (
        '{"Attachments":[{"Details":[{"Name":"subnetId","Value":"subnet-0a"},'
        '{"Name":"networkInterfaceId","Value":"eni-0a"},'
        '{"Name":"privateIPv4Address","Value":"10.0.0.7"}],'
        '"Id":"6d9f3c1e-0000-4000-8000-000000000001","Status":"DELETED","Type":"eni"}],'
        '"Attributes":[{"Name":"ecs.cpu-architecture","Value":"x86_64"}],'
        '"AvailabilityZone":"us-east-1b",'
        '"ClusterArn":"arn:aws:ecs:us-east-1:111122223333:cluster/steadyspot",'
        '"Connectivity":"CONNECTED","ConnectivityAt":1570378908143,'
        '"Containers":[{"ContainerArn":"arn:aws:ecs:us-east-1:111122223333:container/x",'
        '"Cpu":"0","ExitCode":1,"GpuIds":[],"Image":"job:1","LastStatus":"STOPPED",'
        '"ManagedAgents":[],"Name":"worker","NetworkBindings":[],'
        '"NetworkInterfaces":[{"AttachmentId":"6d9f3c1e-0000-4000-8000-000000000001",'
        '"PrivateIpv4Address":"10.0.0.7"}],"RuntimeId":"r-1",'
        '"TaskArn":"arn:aws:ecs:us-east-1:111122223333:task/steadyspot/'
        '0123456789abcdef0123456789abcdef"}],'
        '"Cpu":"256","CreatedAt":1570378905000,"DesiredStatus":"STOPPED",'
        '"EnableExecuteCommand":false,"EphemeralStorage":{"SizeInGiB":20},"Group":"family:job",'
        '"InferenceAccelerators":[],"LastStatus":"STOPPED","LaunchType":"FARGATE",'
        '"Memory":"512","Overrides":{"ContainerOverrides":[{"Command":[],"Environment":[],'
        '"EnvironmentFiles":[],"Name":"worker","ResourceRequirements":[]}],'
        '"InferenceAcceleratorOverrides":[]},"PlatformVersion":"1.4.0",'
        '"StartedAt":1570378909000,"StartedBy":"AWS Step Functions",'
        '"StopCode":"EssentialContainerExited","StoppedAt":1570378916940,'
        '"StoppedReason":"Essential container in task exited","StoppingAt":1570378910000,'
        '"Tags":[],"TaskArn":"arn:aws:ecs:us-east-1:111122223333:task/steadyspot/'
        '0123456789abcdef0123456789abcdef",'
        '"TaskDefinitionArn":"arn:aws:ecs:us-east-1:111122223333:task-definition/job:1",'
        '"Version":6}'
    )


@pytest.mark.parametrize("key", ["exitCode", "reason"])
def test_a_container_that_never_ran_has_no_key_for_what_is_unknown(key: str) -> None:
    task = record()
    task.containers[0].exit_code = None
    assert key not in api_task(task)["containers"][0]


def test_a_task_that_never_started_has_no_times_of_a_start() -> None:
    shown = api_task(record(started_at=None, pull_started_at=None, capacity_provider=None))
    assert not {"startedAt", "pullStartedAt", "capacityProviderName"} & set(shown)


def test_an_event_is_in_camel_case_with_iso_times() -> None:
    event = state_change_event(record(capacity_provider="FARGATE_SPOT"))
    json.dumps(event)
    assert event["source"] == "aws.ecs"
    assert event["detail-type"] == "ECS Task State Change"
    assert event["time"] == "2019-10-06T16:21:56Z"
    assert event["detail"]["stoppedAt"] == "2019-10-06T16:21:56.940Z"
    assert event["detail"]["createdAt"] == "2019-10-06T16:21:45.000Z"
    assert event["detail"]["capacityProviderName"] == "FARGATE_SPOT"
    assert event["detail"]["containers"][0]["exitCode"] == 1
    assert event["resources"] == [record().arn]


def test_a_long_cause_is_cut_where_aws_may_cut_it() -> None:
    environment = [{"name": "BIG", "value": "x" * CAUSE_LIMIT}]
    overrides = {"containerOverrides": [{"name": "worker", "environment": environment}]}
    task = api_task(record(overrides=overrides))
    assert len(cause_of(task, cut=True)) == CAUSE_LIMIT
    whole = json.loads(cause_of(task, cut=False))
    shown = whole["Overrides"]["ContainerOverrides"][0]["Environment"]
    assert shown == [{"Name": "BIG", "Value": "x" * CAUSE_LIMIT}]
