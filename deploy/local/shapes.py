"""A task as AWS shows it: in the API, in EventBridge and in the Cause of a Step Functions error.

Pure functions over the record of a task. The shapes are recorded ones: camelCase with times in the
API, ISO text in events, PascalCase with epoch milliseconds and no spaces in a Cause.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract.keys import scheduled_time_of

CAUSE_LIMIT = 32_768
"""Characters; the length of `cause` in the model of Step Functions."""


@dataclass
class ContainerRecord:
    """A container of a task. `exit_code` stays None for one that never ran."""

    name: str
    image: str
    arn: str
    runtime_id: str
    cpu: str = "0"
    essential: bool = True
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None


@dataclass
class TaskRecord:
    """All that is known about a task; times are aware UTC, absent ones are None."""

    arn: str
    cluster_arn: str
    definition_arn: str
    family: str
    revision: int
    group: str
    cpu: str
    memory: str
    subnet: str
    zone: str
    account_id: str
    region: str
    attachment_id: str
    interface_id: str
    private_ip: str
    containers: list[ContainerRecord]
    overrides: Mapping[str, Any]
    created_at: datetime
    capacity_provider: str | None = None
    started_by: str | None = None
    tags: Sequence[Mapping[str, str]] = ()
    architecture: str = "x86_64"
    platform_version: str = "1.4.0"
    storage_gib: int = 20
    execute_command: bool = False
    status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    attachment_status: str = "PRECREATED"
    stop_code: str | None = None
    stopped_reason: str | None = None
    connected_at: datetime | None = None
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    execution_stopped_at: datetime | None = None
    stopped_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = 1

    @property
    def task_id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]


def api_task(
    task: TaskRecord, *, attachment_type: str = "ElasticNetworkInterface"
) -> dict[str, Any]:
    """The task as DescribeTasks shows it. What is absent has no key."""
    shown = {
        "attachments": [_attachment(task, attachment_type)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": task.architecture}],
        "availabilityZone": task.zone,
        "capacityProviderName": task.capacity_provider,
        "clusterArn": task.cluster_arn,
        "connectivity": "CONNECTED" if task.connected_at else None,
        "connectivityAt": task.connected_at,
        "containers": [_container(task, container) for container in task.containers],
        "cpu": task.cpu,
        "createdAt": task.created_at,
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.execute_command,
        "ephemeralStorage": {"sizeInGiB": task.storage_gib},
        "executionStoppedAt": task.execution_stopped_at,
        "group": task.group,
        "inferenceAccelerators": [],
        "lastStatus": task.status,
        "launchType": "FARGATE",
        "memory": task.memory,
        "overrides": _overrides(task),
        "platformVersion": task.platform_version,
        "pullStartedAt": task.pull_started_at,
        "pullStoppedAt": task.pull_stopped_at,
        "startedAt": task.started_at,
        "startedBy": task.started_by,
        "stopCode": task.stop_code,
        "stoppedAt": task.stopped_at,
        "stoppedReason": task.stopped_reason,
        "stoppingAt": task.stopping_at,
        "tags": [dict(tag) for tag in task.tags],
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition_arn,
        "version": task.version,
    }
    return {key: value for key, value in shown.items() if value is not None}


def state_change_event(task: TaskRecord) -> dict[str, Any]:
    """The 'ECS Task State Change' event for the task as it is now."""
    detail = api_task(task, attachment_type="eni")
    del detail["tags"], detail["inferenceAccelerators"]
    detail["updatedAt"] = task.updated_at or task.created_at
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": task.account_id,
        "time": iso_seconds(detail["updatedAt"]),
        "region": task.region,
        "resources": [task.arn],
        "detail": _with_times(detail, iso_milliseconds),
    }


def state_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task of the API as Step Functions passes it on: PascalCase, times as epoch milliseconds.

    Keys are in alphabetical order, as recorded.
    """
    shown = dict(task)
    shown["attachments"] = [
        {**attachment, "type": "eni"} for attachment in task.get("attachments", [])
    ]
    converted: dict[str, Any] = pascal_case(_with_times(shown, epoch_milliseconds))
    return converted


def cause_of(task: Mapping[str, Any], *, cut: bool) -> str:
    """The Cause of `States.TaskFailed`: compact JSON; `cut` ends it at 32,768 characters."""
    text = compact_json(state_task(task))
    return text[:CAUSE_LIMIT] if cut else text


def pascal_case(value: Any) -> Any:
    """Keys with a capital letter, in alphabetical order, all the way down."""
    if isinstance(value, Mapping):
        renamed = {key[:1].upper() + key[1:]: pascal_case(item) for key, item in value.items()}
        return dict(sorted(renamed.items()))
    if isinstance(value, (list, tuple)):
        return [pascal_case(item) for item in value]
    return value


def compact_json(value: Any) -> str:
    """JSON without a space, other alphabets as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def epoch_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, as in a Cause."""
    return int(moment.timestamp() * 1000)


def iso_milliseconds(moment: datetime) -> str:
    """`2026-11-24T02:00:00.123Z`, as in the detail of an event."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def iso_seconds(moment: datetime) -> str:
    """`2026-11-24T02:00:00Z`, as in the `time` of an event."""
    return scheduled_time_of(moment.astimezone(UTC))


def _with_times(value: Any, convert: Any) -> Any:
    if isinstance(value, datetime):
        return convert(value)
    if isinstance(value, Mapping):
        return {key: _with_times(item, convert) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_times(item, convert) for item in value]
    return value


def _attachment(task: TaskRecord, kind: str) -> dict[str, Any]:
    details = {
        "subnetId": task.subnet,
        "networkInterfaceId": task.interface_id,
        "privateIPv4Address": task.private_ip,
    }
    return {
        "id": task.attachment_id,
        "type": kind,
        "status": task.attachment_status,
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }


def _container(task: TaskRecord, container: ContainerRecord) -> dict[str, Any]:
    shown = {
        "containerArn": container.arn,
        "cpu": container.cpu,
        "exitCode": container.exit_code,
        "gpuIds": [],
        "image": container.image,
        "lastStatus": container.status,
        "managedAgents": [],
        "name": container.name,
        "networkBindings": [],
        "networkInterfaces": [
            {"attachmentId": task.attachment_id, "privateIpv4Address": task.private_ip}
        ],
        "reason": container.reason,
        "runtimeId": container.runtime_id,
        "taskArn": task.arn,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _overrides(task: TaskRecord) -> dict[str, Any]:
    given = {
        override.get("name"): override
        for override in task.overrides.get("containerOverrides") or []
    }
    shown = []
    for container in task.containers:
        override = dict(given.get(container.name) or {})
        for key in ("command", "environment", "environmentFiles", "resourceRequirements"):
            override.setdefault(key, [])
        shown.append({**override, "name": container.name})
    others = {key: value for key, value in task.overrides.items() if key != "containerOverrides"}
    return {**others, "containerOverrides": shown, "inferenceAcceleratorOverrides": []}
