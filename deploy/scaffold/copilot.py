"""Takes over a scheduled job of AWS Copilot, from its manifest.yml; pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

from steadyspot.contract import ENV_PREFIX
from steadyspot.deploy.scaffold.wishes import Wish, name_from
from steadyspot.deploy.schedules.expressions import BadExpression, read
from steadyspot.deploy.stacks.consistency import looks_secret
from steadyspot.deploy.trouble import Trouble

SCHEDULED = "Scheduled Job"
_UNITS_OF_CPU = 1024
_SHORT = {
    "@yearly": "cron(0 0 1 1 ? *)",
    "@annually": "cron(0 0 1 1 ? *)",
    "@monthly": "cron(0 0 1 * ? *)",
    "@weekly": "cron(0 0 ? * 1 *)",
    "@daily": "cron(0 0 * * ? *)",
    "@midnight": "cron(0 0 * * ? *)",
    "@hourly": "cron(0 * * * ? *)",
}
_EVERY = re.compile(r"@every (?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_FIRST = (0, 0, 1, 1, 0)
"""From where `*/n` counts in each of cron's fields: minute, hour, day, month, day of the week."""
_LEFT_OUT = {
    "secrets": "secrets: name the whole ARN of each in secrets",
    "sidecars": "sidecars: each is a table [jobs.NAME.sidecars.SIDECAR]",
    "storage": "storage: volumes and EFS are tables [jobs.NAME.volumes.VOLUME]; disk sets the size",
    "environments": "environments: [environments.NAME] holds what is otherwise there",
    "network": "network: vpc, subnets and security_groups are those of the platform",
    "publish": "publish: the job's role needs the rights (policies)",
    "env_file": "env_file: put its entries into environment",
    "logging": "logging: log_group and keep_logs, or a sidecar with log_router",
    "taskdef_overrides": "taskdef_overrides",
    "count": "count: a job is one task",
    "exec": "exec: debug = true, and then steadyspot shell",
}


def wish_from(text: str) -> Wish:
    """Return what a manifest asks for, and what of it has no place here.

    Raises
    ------
    Trouble
        When it is no manifest of a scheduled job.
    """
    try:
        manifest = yaml.safe_load(text)
    except yaml.YAMLError:
        manifest = None
    if not isinstance(manifest, Mapping) or manifest.get("type") != SCHEDULED:
        raise Trouble(
            f"The manifest is not one of a {SCHEDULED} of Copilot.",
            "Name the folder of such a job, which holds its manifest.yml: copilot/NAME.",
        )
    name = name_from(str(manifest.get("name", "")))
    left = [what for key, what in _LEFT_OUT.items() if manifest.get(key)]
    keys: dict[str, Any] = {"image": f"{name}:local"}
    image = manifest.get("image") or {}
    command = [*_words(manifest.get("entrypoint")), *_words(manifest.get("command"))]
    if command:
        keys["command"] = command
    keys |= _size(manifest)
    keys |= _environment(manifest.get("variables") or {}, left)
    on = manifest.get("on") or manifest.get(True) or {}  # YAML 1.1 reads the key `on` as true.
    keys |= _time(on, str(manifest.get("timeout") or ""), left)
    if manifest.get("retries"):
        keys["budgets"] = {"failures": int(manifest["retries"])}
    if build := image.get("build"):
        where = build if isinstance(build, str) else build.get("dockerfile", build.get("context"))
        left.append(f"image.build: {where} must lie beside steadyspot.toml as Dockerfile")
    return Wish(name, "own", keys, base=image.get("location"), left_out=tuple(left))


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(one) for one in value or ()]


def _size(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("cpu", "memory"):
        if key in manifest:
            amount = int(manifest[key]) / _UNITS_OF_CPU
            yield key, int(amount) if amount.is_integer() else amount
    storage = manifest.get("storage")
    if isinstance(storage, Mapping) and "ephemeral" in storage:
        yield "disk", int(storage["ephemeral"])
    platform = manifest.get("platform")
    if isinstance(platform, str) and platform.endswith("arm64"):
        yield "architecture", "arm64"


def _environment(variables: Mapping[str, Any], left: list[str]) -> Iterator[tuple[str, Any]]:
    plain = {}
    for name, value in variables.items():
        if not isinstance(value, str | int | float) or name.startswith(ENV_PREFIX):
            left.append(f"variables.{name}: what it is taken from is not known here")
        elif looks_secret(name, str(value)):
            left.append(f"{name}, a secret: see secrets")
        else:
            plain[name] = str(value)
    if plain:
        yield "environment", plain


def _time(on: Mapping[str, Any], timeout: str, left: list[str]) -> Iterator[tuple[str, Any]]:
    said = str(on.get("schedule", ""))
    if said and said.lower() != "none":
        schedule = schedule_from(said)
        if schedule:
            yield "schedule", schedule
        else:
            left.append(f"on.schedule: {said}")
    found = _DURATION.fullmatch(timeout)
    if timeout and found:
        hours, minutes, seconds = (int(one or 0) for one in found.groups())
        yield "finish_within_minutes", max(1, hours * 60 + minutes + -(-seconds // 60))


def schedule_from(text: str) -> str | None:
    """Return a schedule of Copilot's in EventBridge Scheduler's words, None if it has no words.

    Cron's five fields become six: one of the two days is ``?``, Sunday counts as 1, and there is a
    year.
    """
    if text.startswith(("cron(", "rate(", "at(")):
        return text
    if text in _SHORT:
        return _SHORT[text]
    every = _EVERY.fullmatch(text)
    if every and (every["hours"] or every["minutes"]):
        minutes = int(every["hours"] or 0) * 60 + int(every["minutes"] or 0)
        unit = "minute" if minutes == 1 else "minutes"
        return f"rate({minutes} {unit})" if minutes else None
    fields = text.split()
    if len(fields) != len(_FIRST):
        return None
    minute, hour, day, month, weekday = (
        re.sub(r"^\*/", f"{first}/", field) for first, field in zip(_FIRST, fields, strict=True)
    )
    if weekday == "*":
        schedule = f"cron({minute} {hour} {day} {month} ? *)"
    elif day == "*":
        schedule = f"cron({minute} {hour} ? {month} {_weekday(weekday)} *)"
    else:  # Cron takes either of the two days; the Scheduler has no word for that.
        return None
    try:
        read(schedule)
    except BadExpression:
        return None
    return schedule


def _weekday(text: str) -> str:
    return re.sub(r"(?<![/\d])[0-7](?!\d)", lambda day: str(int(day[0]) % 7 + 1), text)
