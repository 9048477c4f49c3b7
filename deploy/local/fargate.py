"""Fargate: what RunTask checks, where a task is placed, and the register of all tasks.

The checks and their words are AWS's; the market may refuse a launch on top. Clusters, task
definitions and subnets are moto's. What becomes of a task after its launch is in `fargate_task.py`.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core.exceptions import AWSError
from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError, InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import ECSException
from moto.ecs.models import Cluster, TaskDefinition, ecs_backends

from steadyspot.contract import ENV_PREFIX, Env
from steadyspot.contract.options import spread
from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.aws.local_session import PROCESS
from steadyspot.deploy.local.awslogs import NoLogGroup, log_writer
from steadyspot.deploy.local.containers import Command, Containers
from steadyspot.deploy.local.engines import Engine, ImageCommand
from steadyspot.deploy.local.fargate_task import (
    DEFAULT_STOP_TIMEOUT_SECONDS,
    ContainerPlan,
    FargateTask,
    Fate,
)
from steadyspot.deploy.local.images import Image, Images
from steadyspot.deploy.local.market import ON_DEMAND, SPOT, Market, Refusal
from steadyspot.deploy.local.secrets import NoSecret, secret_values
from steadyspot.deploy.local.shapes import ContainerRecord, TaskRecord

NO_CAPACITY = (
    "Capacity is unavailable at this time. "
    "Please try again later or in a different availability zone"
)
STOP_TIMEOUT_LIMIT_SECONDS = 120
OVERRIDES_LIMIT = 8192
"""Characters of all overrides of a task together."""

_FOLDERS = {
    "--" + name.removeprefix(ENV_PREFIX).lower().replace("_", "-"): str(name)
    for name in (Env.CHECKPOINT_DIR, Env.OUTPUT_DIR)
}
"""The worker's options whose values are folders, and the variables of the same meaning."""

_NOT_ASSOCIATED = (
    "The specified capacity provider strategy cannot contain a capacity provider that is not "
    "associated with the cluster. Associate the capacity provider with the cluster or specify a "
    "valid capacity provider and try again."
)
_ANSWERS = {
    Refusal.EXCEPTION: ("ClientException", 400, NO_CAPACITY),
    Refusal.THROTTLED: ("ThrottlingException", 400, "Rate exceeded."),
    Refusal.SERVER_ERROR: ("ServerException", 500, "Service Unavailable. Please try again later."),
}


class UnknownTask(ECSException):
    """StopTask for a task that is not there."""

    def __init__(self) -> None:
        super().__init__("InvalidParameterException", "The referenced task was not found.")


@dataclass(frozen=True)
class _Launch:
    """A RunTask request after its checks. `provider` is None for a launch by LaunchType."""

    cluster: Cluster
    definition: TaskDefinition
    provider: str | None
    request: Mapping[str, Any]

    @property
    def capacity(self) -> str:
        return self.provider or ON_DEMAND


class Fargate:
    """All tasks of the local target. `emit` gets events. Safe to call from any thread."""

    def __init__(
        self,
        *,
        account_id: str,
        region: str,
        address: Address,
        market: Market,
        images: Images,
        engine: Engine | None,
        containers: Containers,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._address = address
        self._engine = engine
        self._containers = containers
        self._market = market
        self._images = images
        self._emit = emit
        self._lock = threading.RLock()
        self._tasks: dict[str, FargateTask] = {}
        self._placed = 0
        market.on_reclaim(self.reclaim, self.reclaim_all)

    def start(self) -> None:
        """Nothing runs before the first task."""

    @property
    def runtime(self) -> str:
        """What runs containers: an engine, or the machine itself."""
        return PROCESS if self._engine is None else self._engine.name

    def run_task(
        self, request: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """RunTask: the tasks as they begin, and failures. `request` is the API's, in camelCase.

        Raises
        ------
        ECSException
            With AWS's code and text, where the request is wrong.
        AWSError
            The same, with a status, where the market refuses.
        """
        launch = self._check(request)
        tasks: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for _ in range(int(request.get("count") or 1)):
            refusal = self._market.decide(launch.definition.family, launch.capacity)
            if refusal in _ANSWERS:
                code, status, message = _ANSWERS[refusal]
                raise AWSError(message, exception_type=code, status=status)
            if refusal is Refusal.FAILURES:
                failures.append({"reason": NO_CAPACITY})
            else:
                tasks.append(self._launch(launch, refusal))
        return tasks, failures

    def find(self, task: str, cluster: str | None = None) -> FargateTask | None:
        """A task by ARN or id, in any cluster where none is named."""
        with self._lock:
            found = self._tasks.get(task.rpartition("/")[2])
        if found and cluster and found.record.cluster_arn.rpartition("/")[2] != _name(cluster):
            return None
        return found

    def tasks(self) -> list[FargateTask]:
        """Every task that was ever launched, oldest first."""
        with self._lock:
            return list(self._tasks.values())

    def counts(self, cluster_arn: str) -> tuple[int, int]:
        """How many tasks of a cluster are running, and how many pending."""
        records = [task.record for task in self.tasks()]
        statuses = [record.status for record in records if record.cluster_arn == cluster_arn]
        pending = [one for one in statuses if one in ("PROVISIONING", "PENDING", "ACTIVATING")]
        return statuses.count("RUNNING"), len(pending)

    def stop_task(self, task: str, *, cluster: str | None, reason: str | None) -> dict[str, Any]:
        """StopTask: the stop code is UserInitiated and the reason stays as given."""
        found = self.find(task, cluster)
        if found is None:
            raise UnknownTask
        found.stop("UserInitiated", reason or "Task stopped by user")
        return found.describe()

    def reclaim(self, task: str) -> bool:
        """Take a task back as the Spot market does. False: it is not on Spot, or it is stopping."""
        found = self.find(task)
        if found is None or found.record.capacity_provider != SPOT or not found.reclaim():
            return False
        self._market.note("reclaimed", found.record.family, SPOT, task_arn=found.record.arn)
        return True

    def reclaim_all(self) -> None:
        """Take back every task on Spot."""
        for task in self.tasks():
            self.reclaim(task.record.arn)

    def stop(self) -> None:
        """End every process; the tasks' threads end with them."""
        for task in self.tasks():
            task.kill()
        for task in self.tasks():
            task.wait("STOPPED", 10)

    def check_stop_timeouts(self, containers: Sequence[Mapping[str, Any]]) -> None:
        """Refuse a `stopTimeout` above 120 s, in AWS's words."""
        for container in containers:
            if (container.get("stopTimeout") or 0) > STOP_TIMEOUT_LIMIT_SECONDS:
                raise ECSException(
                    "ClientException",
                    "Tasks using the Fargate launch type must have a container stop timeout of "
                    "less than 120 seconds.",
                )

    def _check(self, request: Mapping[str, Any]) -> _Launch:
        backend = ecs_backends[self._account_id][self._region]
        cluster = backend._get_cluster(request.get("cluster") or "default")
        strategy = request.get("capacityProviderStrategy")
        if strategy and request.get("launchType"):
            raise _bad_parameter(
                "Specify either Launch Type or Capacity Provider Strategy, but not both."
            )
        if not strategy and not request.get("launchType"):
            strategy = cluster.default_capacity_provider_strategy
        provider = _chosen(strategy, cluster) if strategy else None
        if provider is None and request.get("launchType") != "FARGATE":
            raise _bad_parameter("No Container Instances were found in your cluster.")
        definition = backend.describe_task_definition(request["taskDefinition"])
        if definition.status != "ACTIVE":
            raise _bad_parameter("TaskDefinition is inactive")
        self.check_stop_timeouts(definition.container_definitions)
        if len(json.dumps(request.get("overrides") or {})) > OVERRIDES_LIMIT:
            raise _bad_parameter(f"Container Overrides length must be at most {OVERRIDES_LIMIT}")
        return _Launch(cluster, definition, provider, request)

    def _launch(self, launch: _Launch, refusal: Refusal | None) -> dict[str, Any]:
        record = self._record(launch)
        family = launch.definition.family
        fate = Fate(
            stop_code=lambda: self._market.reclaim_stop_code,
            reclaim=self.reclaim,
            stopped_before_start=refusal is Refusal.STOPPED_BEFORE_START,
            provisioning_seconds=self._market.slow_seconds if refusal is Refusal.SLOW else 0.0,
            reclaim_after_seconds=self._market.reclaim_delay(family, launch.capacity),
        )
        definitions = {one["name"]: one for one in launch.definition.container_definitions}
        task = FargateTask(
            record,
            plan=lambda container: self._plan(record, container, definitions[container.name]),
            fate=fate,
            containers=self._containers,
            emit=self._emit,
        )
        with self._lock:
            self._tasks[record.task_id] = task
        answer = task.describe()
        task.start()
        return answer

    def _record(self, launch: _Launch) -> TaskRecord:
        subnet, zone = self._place(launch.request.get("networkConfiguration"))
        definition, cluster = launch.definition, launch.cluster
        task_id = uuid.uuid4().hex
        prefix = f"arn:aws:ecs:{self._region}:{self._account_id}"
        containers = [
            ContainerRecord(
                name=str(one["name"]),
                image=str(one["image"]),
                arn=f"{prefix}:container/{cluster.name}/{task_id}/{uuid.uuid4()}",
                runtime_id=f"{task_id}-{random.randrange(10**9, 10**10)}",
                cpu=str(one.get("cpu") or 0),
                essential=one.get("essential") is not False,
            )
            for one in definition.container_definitions
        ]
        overrides = launch.request.get("overrides") or {}
        architecture = (definition.runtime_platform or {}).get("cpuArchitecture") or "X86_64"
        return TaskRecord(
            arn=f"{prefix}:task/{cluster.name}/{task_id}",
            cluster_arn=cluster.arn,
            definition_arn=definition.arn,
            family=definition.family,
            revision=definition.revision,
            group=launch.request.get("group") or f"family:{definition.family}",
            cpu=str(overrides.get("cpu") or definition.cpu or "256"),
            memory=str(overrides.get("memory") or definition.memory or "512"),
            subnet=subnet,
            zone=zone,
            account_id=self._account_id,
            region=self._region,
            attachment_id=str(uuid.uuid4()),
            interface_id=f"eni-{uuid.uuid4().hex[:17]}",
            private_ip=f"10.0.{random.randrange(256)}.{random.randrange(4, 255)}",
            containers=containers,
            overrides=overrides,
            created_at=datetime.now(UTC),
            capacity_provider=launch.provider,
            started_by=launch.request.get("startedBy"),
            tags=launch.request.get("tags") or (),
            architecture=architecture.lower(),
            storage_gib=(definition.ephemeral_storage or {}).get("sizeInGiB") or 20,
            execute_command=bool(launch.request.get("enableExecuteCommand")),
        )

    def _place(self, network: Mapping[str, Any] | None) -> tuple[str, str]:
        """A subnet and its zone, one after the other."""
        settings = (network or {}).get("awsvpcConfiguration") or {}
        subnets: list[str] = settings.get("subnets") or []
        groups: list[str] = settings.get("securityGroups") or []
        if not subnets:
            raise _bad_parameter(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            )
        ec2 = ec2_backends[self._account_id][self._region]
        try:
            known = {one.id: one for one in ec2.describe_subnets(subnet_ids=subnets)}
            if groups:
                ec2.describe_security_groups(group_ids=groups)
        except InvalidSubnetIdError as error:
            raise _bad_parameter(
                f"Error retrieving subnet information for [{', '.join(subnets)}]: "
                f"{error.message} (ErrorCode: {error.code})"
            ) from error
        except InvalidSecurityGroupNotFoundError as error:
            raise _bad_parameter(
                f"Error retrieving security group information for [{', '.join(groups)}]: "
                f"{error.message} (ErrorCode: InvalidGroup.NotFound)"
            ) from error
        with self._lock:
            subnet = subnets[self._placed % len(subnets)]
            self._placed += 1
        return subnet, str(known[subnet].availability_zone)

    def _plan(
        self, task: TaskRecord, container: ContainerRecord, definition: Mapping[str, Any]
    ) -> ContainerPlan:
        image = self._images.find(container.image)
        if self._engine is not None:
            if why := self._engine.pull(container.image):
                failure = f"CannotPullContainerError: {why}"
                return ContainerPlan(None, failure, _swallow)
        elif image is None:
            return ContainerPlan(None, _cannot_pull(container.image), _swallow)
        try:
            secrets = secret_values(definition.get("secrets"), self._account_id)
            writer = log_writer(
                definition.get("logConfiguration"),
                container=container.name,
                task_id=task.task_id,
                account_id=self._account_id,
                region=self._region,
            )
        except (NoSecret, NoLogGroup) as error:
            return ContainerPlan(None, f"ResourceInitializationError: {error}", _swallow)
        stop_timeout = definition.get("stopTimeout")
        return ContainerPlan(
            command=(
                self._command(task, container, definition, image or Image(), secrets)
                if self._engine is None
                else self._in_image(self._engine, task, container, definition, secrets)
            ),
            failure="",
            on_line=writer.write if writer else _swallow,
            stop_timeout_seconds=(
                DEFAULT_STOP_TIMEOUT_SECONDS if stop_timeout is None else float(stop_timeout)
            ),
            depends_on=definition.get("dependsOn") or (),
        )

    def _command(
        self,
        task: TaskRecord,
        container: ContainerRecord,
        definition: Mapping[str, Any],
        image: Image,
        secrets: Mapping[str, str],
    ) -> Command:
        override = _override(task, container)
        entrypoint = definition.get("entryPoint") or list(image.entrypoint)
        arguments = override.get("command") or definition.get("command") or []
        environment = {
            **self._surroundings(container),
            **image.environment,
            **_pairs(definition.get("environment")),
            **secrets,
            **_pairs(override.get("environment")),
        }
        return Command(
            argv=[*entrypoint, *arguments],
            environment=environment,
            workdir=definition.get("workingDirectory") or image.workdir,
            forwards_signals=bool(
                (definition.get("linuxParameters") or {}).get("initProcessEnabled")
            ),
            stop_signal=image.stop_signal,
            own=own_folders([*image.entrypoint, *arguments], environment),
            memory_bytes=_memory(task, definition),
        )

    def _in_image(
        self,
        engine: Engine,
        task: TaskRecord,
        container: ContainerRecord,
        definition: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> ImageCommand:
        override = _override(task, container)
        surroundings = self._surroundings(container)
        del surroundings["PATH"]  # the image has its own
        parameters = definition.get("linuxParameters") or {}
        return ImageCommand(
            engine,
            container.image,
            override.get("command") or definition.get("command") or [],
            {
                **surroundings,
                **_pairs(definition.get("environment")),
                **secrets,
                **_pairs(override.get("environment")),
            },
            memory_bytes=_memory(task, definition),
            entrypoint=definition.get("entryPoint") or (),
            workdir=definition.get("workingDirectory") or "",
            user=definition.get("user") or "",
            read_only=bool(definition.get("readonlyRootFilesystem")),
            drop=(parameters.get("capabilities") or {}).get("drop") or (),
            folders=[one["containerPath"] for one in definition.get("mountPoints") or ()],
            init=bool(parameters.get("initProcessEnabled")),
        )

    def _surroundings(self, container: ContainerRecord) -> dict[str, str]:
        """What Fargate puts into every container, and the way to this local AWS."""
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            **self._address.environment(),
            "AWS_EC2_METADATA_DISABLED": "true",
            "ECS_CONTAINER_METADATA_URI_V4": (
                f"{self._address.metadata_url()}{container.runtime_id}"
            ),
        }


def own_folders(argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The folders that the worker saves and publishes: as options before the command, or set.

    They are the container's own. All else of this machine is as it is: locally a command runs here.
    """
    given = spread(environment)
    found = {name: given[name] for name in _FOLDERS.values() if given.get(name)}
    for at, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if option in _FOLDERS:
            found[_FOLDERS[option]] = value if equals else "".join(argv[at + 1 : at + 2])
    return [place for place in found.values() if place]


def _override(task: TaskRecord, container: ContainerRecord) -> Mapping[str, Any]:
    overrides = task.overrides.get("containerOverrides") or []
    return next((one for one in overrides if one.get("name") == container.name), {})


def _memory(task: TaskRecord, definition: Mapping[str, Any]) -> int:
    return int(definition.get("memory") or task.memory) << 20


def _chosen(strategy: Sequence[Mapping[str, Any]], cluster: Cluster) -> str:
    """The provider of a single task: the base first, else the first with a weight."""
    for item in strategy:
        if item["capacityProvider"] not in (cluster.capacity_providers or []):
            raise _bad_parameter(_NOT_ASSOCIATED)
    weighted = [item for item in strategy if item.get("base") or item.get("weight")]
    if not weighted:
        raise _bad_parameter(
            "The capacity provider strategy must have at least one capacity provider with a weight "
            "greater than 0."
        )
    based = [item for item in weighted if item.get("base")]
    return str((based or weighted)[0]["capacityProvider"])


def _cannot_pull(image: str) -> str:
    name = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    path = name if "/" in name else f"library/{name}"
    return (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
        f"resolve ref docker.io/{path}: pull access denied, repository does not exist or may "
        "require authorization: server message: insufficient_scope: authorization failed"
    )


def _bad_parameter(message: str) -> ECSException:
    return ECSException("InvalidParameterException", message)


def _pairs(pairs: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {pair["name"]: str(pair.get("value", "")) for pair in pairs or ()}


def _name(cluster: str) -> str:
    return cluster.rpartition("/")[2]


def _swallow(_line: str) -> None:
    """Where a container has no log driver, as on Fargate."""
