"""Takes over what lies beside the command in a task definition: secrets, volumes, sidecars; pure.

What has no form in steadyspot.toml (a secret without its ARN, a condition that no sidecar knows) is
told as left out, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steadyspot.contract import ENV_PREFIX
from steadyspot.deploy.scaffold.wishes import name_from
from steadyspot.deploy.stacks.config_file import schema
from steadyspot.deploy.stacks.consistency import looks_secret

_READY = ("START", "HEALTHY")
_HEALTH = {
    "interval": "interval_seconds",
    "timeout": "timeout_seconds",
    "retries": "retries",
    "startPeriod": "start_seconds",
}


def of_container(container: Mapping[str, Any], left: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a job's own container; what does not fit is added to ``left``."""
    yield from _hardening(container)
    dropped = container.get("linuxParameters", {}).get("capabilities", {}).get("drop", [])
    if "ALL" in dropped:
        yield "drop_capabilities", True
    if limits := container.get("ulimits"):
        yield "ulimits", {one["name"]: [one["softLimit"], one["hardLimit"]] for one in limits}
    if secrets := _secrets(container, left):
        yield "secrets", secrets
    log = container.get("logConfiguration", {})
    if log.get("logDriver") == "awsfirelens" and log.get("options"):
        yield "log_options", dict(log["options"])


def volumes_of(
    task: Mapping[str, Any], container: Mapping[str, Any], left: list[str]
) -> dict[str, Any]:
    """Return the volumes that a container mounts, by the names they can have here."""
    found: dict[str, Any] = {}
    known = {one["name"]: one for one in task.get("volumes", [])}
    for mount in container.get("mountPoints", []):
        volume, name = known.get(mount.get("sourceVolume"), {}), volume_name(mount["sourceVolume"])
        efs = volume.get("efsVolumeConfiguration", {})
        point = efs.get("authorizationConfig", {}).get("accessPointId")
        if volume.get("host", {}).get("sourcePath") or efs.get("rootDirectory", "/") != "/":
            left.append(f"the volume {mount['sourceVolume']}, of a folder of its own")
            continue
        found[name] = {
            "path": mount["containerPath"],
            **({"efs": efs["fileSystemId"]} if efs else {}),
            **({"access_point": point} if point else {}),
            **({"read_only": True} if efs and mount.get("readOnly") else {}),
        }
    return found


def sidecars_of(
    task: Mapping[str, Any],
    job: Mapping[str, Any],
    volumes: Mapping[str, Any],
    left: list[str],
) -> dict[str, Any]:
    """Return the containers beside the job's, by the names they can have here."""
    others = [one for one in task["containerDefinitions"] if one is not job]
    names = {one["name"]: sidecar_name(one["name"]) for one in others}
    before = {one["containerName"] for one in job.get("dependsOn", [])}
    found: dict[str, Any] = {}
    for one in others:
        name = names[one["name"]]
        needs = one.get("dependsOn", [])
        for need in needs + [
            n for n in job.get("dependsOn", []) if n["containerName"] == one["name"]
        ]:
            if need["condition"] not in _READY:
                left.append(f"{one['name']}: the condition {need['condition']} of its start")
        router = one.get("firelensConfiguration", {}).get("type")
        after_job = any(need["containerName"] == job.get("name") for need in needs)
        after = [names[need["containerName"]] for need in needs if need["containerName"] in names]
        mounts = {
            volume_name(mount["sourceVolume"]): mount["containerPath"]
            for mount in one.get("mountPoints", [])
            if volume_name(mount["sourceVolume"]) in volumes
        }
        optional = {
            "command": [*one.get("entryPoint", []), *one.get("command", [])],
            "environment": _environment(one, left),
            "secrets": _secrets(one, left),
            "volumes": mounts,
            "health": _health(one.get("healthCheck")),
            "log_router": router,
            "start": "after" if after_job and one["name"] not in before else None,
            "after": after,
            "memory_mb": one.get("memory"),
            **dict(_hardening(one)),
        }
        found[name] = {"image": one["image"], **{k: v for k, v in optional.items() if v}}
    return found


def sidecar_name(name: str) -> str:
    """Return the name that a container can have here; ``worker`` is the job's."""
    made = name_from(name)
    return f"{made}-beside" if made == "worker" else made


def volume_name(name: str) -> str:
    """Return the name that a volume can have here; two are those of a read-only root."""
    made = name_from(name)
    return f"{made}-of-task" if made in ("tmp", "work") else made


def _hardening(container: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if container.get("readonlyRootFilesystem"):
        yield "read_only_root", True
    if user := container.get("user"):
        yield "user", user


def _health(check: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not check:
        return None
    seconds = {key: check[name] for name, key in _HEALTH.items() if check.get(name)}
    return {"command": list(check["command"]), **seconds}


def _secrets(container: Mapping[str, Any], left: list[str]) -> dict[str, str]:
    """Return the secrets whose ARN is whole; AWS takes a name, too, which leads to no account."""
    job = schema()["$defs"]["job"]["properties"]["secrets"]
    form = re.compile(job["additionalProperties"]["pattern"])
    found: dict[str, str] = {}
    for one in container.get("secrets", []):
        if form.search(one["valueFrom"]):
            found[one["name"]] = one["valueFrom"]
        else:
            left.append(f"the secret {one['name']}: put its whole ARN into secrets")
    return found


def _environment(container: Mapping[str, Any], left: list[str]) -> dict[str, str]:
    entries: Sequence[Mapping[str, str]] = container.get("environment", [])
    given = {one["name"]: one["value"] for one in entries}
    secret = [name for name, value in given.items() if looks_secret(name, value)]
    left += [f"{name} of {container['name']}, a secret: see secrets" for name in secret]
    return {
        name: value
        for name, value in given.items()
        if name not in secret and not name.startswith(ENV_PREFIX)
    }
