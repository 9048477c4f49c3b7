"""Takes over an ECS task definition, as `describe-task-definition` prints it; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadyspot.contract import ENV_PREFIX
from steadyspot.deploy.scaffold.beside import of_container, sidecars_of, volumes_of
from steadyspot.deploy.scaffold.wishes import Wish, name_from
from steadyspot.deploy.stacks.consistency import looks_secret
from steadyspot.deploy.trouble import Trouble

_UNITS_OF_CPU = 1024
_ARCHITECTURES = {"X86_64": "x86_64", "ARM64": "arm64"}
_WORKER = "steadyspot-worker"

_OF_TASK = {
    "taskRoleArn": "its task role: name the managed policies that the job needs in policies",
    "executionRoleArn": "its execution role: a job has one of its own",
    "pidMode": "pidMode",
    "ipcMode": "ipcMode",
    "proxyConfiguration": "its proxy",
    "placementConstraints": "placement constraints, which Fargate does not know",
}
_OF_CONTAINER = {
    "environmentFiles": "files of environment: put their entries into environment",
    "healthCheck": "its health check, which a job that ends does not need",
    "portMappings": "ports: nothing calls a job",
    "workingDirectory": "its working directory: set WORKDIR in the Dockerfile",
    "repositoryCredentials": "credentials of its registry: push the image to ECR",
}


def wish_from(definition: Mapping[str, Any]) -> Wish:
    """Return what a task definition asks for, and what of it has no place here.

    Raises
    ------
    Trouble
        When it names no container.
    """
    task = definition.get("taskDefinition", definition)
    containers = task.get("containerDefinitions") if isinstance(task, Mapping) else None
    if not containers:
        raise Trouble(
            "The file is no task definition: it has no containerDefinitions.",
            "Take what aws ecs describe-task-definition --task-definition NAME prints.",
        )
    first = next((one for one in containers if one.get("essential", True)), containers[0])
    name = name_from(str(task.get("family") or first.get("name", "")))
    keys: dict[str, Any] = {"image": f"{name}:local"}
    command = [*first.get("entryPoint", []), *first.get("command", [])]
    if command and command[0] == _WORKER:
        command = command[1:]
    if command:
        keys["command"] = command
    environment = {one["name"]: one["value"] for one in first.get("environment", [])}
    secret = [name for name, value in environment.items() if looks_secret(name, value)]
    plain = {
        name: value
        for name, value in environment.items()
        if name not in secret and not name.startswith(ENV_PREFIX)
    }
    if plain:
        keys["environment"] = plain
    keys |= _size(task, first)
    left = [*_left_out(task, first), *(f"{name}, a secret: see secrets" for name in secret)]
    keys |= of_container(first, left)
    if volumes := volumes_of(task, first, left):
        keys["volumes"] = volumes
    if sidecars := sidecars_of(task, first, volumes, left):
        keys["sidecars"] = sidecars
    return Wish(name, "own", keys, base=first.get("image"), left_out=tuple(left))


def _size(task: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "cpu" in task:
        cpu = int(task["cpu"]) / _UNITS_OF_CPU
        yield "cpu", int(cpu) if cpu >= 1 else cpu
    if "memory" in task:
        memory = int(task["memory"]) / _UNITS_OF_CPU
        yield "memory", int(memory) if memory >= 1 else memory
    if disk := task.get("ephemeralStorage"):
        yield "disk", disk["sizeInGiB"]
    architecture = task.get("runtimePlatform", {}).get("cpuArchitecture")
    if architecture in _ARCHITECTURES:
        yield "architecture", _ARCHITECTURES[architecture]
    if "stopTimeout" in container:
        yield "stop_timeout", container["stopTimeout"]


def _left_out(task: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    for key, what in _OF_TASK.items():
        if task.get(key):
            yield what
    for key, what in _OF_CONTAINER.items():
        if container.get(key):
            yield what
    parameters = container.get("linuxParameters", {})
    if set(parameters) - {"capabilities"} or parameters.get("capabilities", {}).get("add"):
        yield "Linux parameters beside dropped capabilities"
    if container.get("logConfiguration", {}).get("logDriver", "awslogs") == "awslogs":
        yield "its log group: one is made, or name it in log_group, and for how long in keep_logs"
