"""Reads steadyspot.toml: what the platform engineer wants, checked and typed.

Form (keys, types, bounds) is the business of deploy/stacks/config.schema.json, whose
descriptions complete the sentence a person sees; what two keys must have in common is checked
here. Whether AWS agrees (image there, quota, roles) is left to ``check``.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from steadyspot.deploy.money.prices import US_EAST_1, Prices
from steadyspot.deploy.schedules.expressions import BadExpression, read, zone_of

DEFAULT_PATH = Path("steadyspot.toml")

_PARAMETER_BYTES = 4096
"""AWS: the value of a CloudFormation parameter has at most 4,096 bytes."""

_MEMORY_GB: dict[float, tuple[float, ...]] = {
    0.25: (0.5, 1, 2),
    0.5: tuple(range(1, 5)),
    1: tuple(range(2, 9)),
    2: tuple(range(4, 17)),
    4: tuple(range(8, 31)),
    8: tuple(range(16, 61, 4)),
    16: tuple(range(32, 121, 8)),
}
"""AWS: the memory in GB that Fargate gives with each number of vCPUs."""


class ConfigError(Exception):
    """The configuration can't be used. The text is one sentence: file, key, what is allowed."""


@dataclass(frozen=True)
class Platform:
    """What the jobs share. Without ``vpc`` a network is made; without ``region`` the session's."""

    name: str = "steadyspot"
    region: str | None = None
    mail: str | None = None
    vpc: str | None = None
    subnets: tuple[str, ...] = ()
    assign_public_ip: bool = True
    vpc_prefix: str = "10.74"
    customer_key: bool = False
    checkpoint_days: int = 30
    container_insights: Literal["disabled", "enabled", "enhanced"] = "disabled"
    prices: Prices = US_EAST_1


@dataclass(frozen=True)
class Retry:
    """How often, and for how long, the Scheduler tries to start a run that AWS refuses for now."""

    attempts: int = 185
    age_minutes: int = 60


@dataclass(frozen=True)
class Budgets:
    """How much trouble of each kind one run may take; more of it ends the run, or leaves Spot."""

    interruptions: int = 5
    throttles: int = 8
    infrastructure: int = 3
    failures: int = 0


@dataclass(frozen=True)
class Backoff:
    """Waits after a refusal of capacity: the first, then three times as long, up to the longest."""

    seconds: int = 120
    cap_seconds: int = 3600


@dataclass(frozen=True)
class Job:
    """One scheduled container.

    ``command`` empty means the image's own. ``schedule`` None means: started by hand only.
    ``finish_within_minutes`` None means no deadline. Times of day are those of ``timezone``.
    ``checkpoint_dir`` and ``output_dir`` None mean: as the image says, or none. ``secret`` is the
    ARN of what holds more of the environment.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    checkpoint_dir: str | None = None
    output_dir: str | None = None
    vcpu: float = 1
    memory_gb: float = 2
    disk_gb: int = 20
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    stop_timeout_seconds: int = 120
    schedule: str | None = None
    timezone: str = "UTC"
    enabled: bool = True
    finish_within_minutes: float | None = None
    expected_minutes: float = 60
    maximum_wait_minutes: float = 60
    start_up_seconds: int = 60
    margin_seconds: int = 15
    capacity: Literal["spot-first", "spot-only", "on-demand-only"] = "spot-first"
    rerun: Literal["always", "never"] = "always"
    retry: Retry = Retry()
    budgets: Budgets = Budgets()
    backoff: Backoff = Backoff()
    policies: tuple[str, ...] = ()
    missed_after_hours: int = 0
    failed_alarm_mails: bool = False
    log_days: int = 30
    tell_every_run: bool = False


@dataclass(frozen=True)
class Config:
    """A whole steadyspot.toml. ``jobs`` keeps the order of the file."""

    path: Path
    platform: Platform
    jobs: Mapping[str, Job]

    def job(self, name: str | None = None) -> Job:
        """Return the job of that name, or the only one there is.

        Raises
        ------
        ConfigError
            When there is no such job, or no name was given and there are several.
        """
        if name is None and len(self.jobs) == 1:
            return next(iter(self.jobs.values()))
        if name is None:
            raise ConfigError(f"{self.path}: name one of its jobs: {', '.join(self.jobs)}.")
        if name not in self.jobs:
            raise ConfigError(f"{self.path}: jobs has no {_unknown(name, self.jobs)}.")
        return self.jobs[name]

    def job_stack(self, job: Job) -> str:
        """Return the name of the job's stack: letters, digits, hyphens, 57 characters at most."""
        return f"{self.platform.name}-{job.name}"


def load(path: Path = DEFAULT_PATH) -> Config:
    """Read and check a configuration.

    Raises
    ------
    ConfigError
        When the file can't be read, is no TOML, or holds a wrong key or value.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file; go to the folder that has it, or give its path."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the file must be text in UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path}: the file can't be read: {error.strerror}.") from None
    return parse(text, path)


def parse(text: str, path: Path = DEFAULT_PATH) -> Config:
    """Check a configuration that was read from ``path``, which is only named in errors.

    Raises
    ------
    ConfigError
        As :func:`load`.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {_broken(str(error))}.") from None
    fault = next(chain(_faults_of_form(content), _faults_between(content)), None)
    if fault:
        raise ConfigError(f"{path}: {fault}.")
    return Config(
        path=path,
        platform=_platform(content.get("platform", {})),
        jobs={name: _job(name, job) for name, job in content["jobs"].items()},
    )


def _broken(said: str) -> str:
    place = re.search(r" \(at (line \d+), column \d+\)$| \(at (end of document)\)$", said)
    if not place:
        return said
    return f"{place[1] or place[2]} is no TOML: {said[: place.start()]}"


_RENAMED = {
    "cpu": "vcpu",
    "memory": "memory_gb",
    "disk": "disk_gb",
    "stop_timeout": "stop_timeout_seconds",
}
_TABLES = {"retry": Retry, "budgets": Budgets, "backoff": Backoff}


def _platform(table: Mapping[str, Any]) -> Platform:
    values = {**table, "subnets": tuple(table.get("subnets", ()))}
    prices = Prices(**values.pop("prices", {}))
    return Platform(**values, prices=prices)


def _job(name: str, table: Mapping[str, Any]) -> Job:
    values = {_RENAMED.get(key, key): value for key, value in table.items()}
    for key in ("command", "policies"):
        values[key] = tuple(values.get(key, ()))
    for key, kind in _TABLES.items():
        values[key] = kind(**values.get(key, {}))
    return Job(name=name, **values)


# --- form: what the schema says ---------------------------------------------------------------


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


# JSON knows neither TOML's nan nor the difference between 5 and 5.0.
_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def _schema() -> dict[str, Any]:
    path = resources.files("steadyspot.deploy.stacks") / "config.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema


def is_environment(value: object) -> bool:
    """Return whether a value has the form of a job's environment, as that of a secret must."""
    form = _schema()["$defs"]["job"]["properties"]["environment"]
    return bool(_Validator(form).is_valid(value))


def _faults_of_form(content: Mapping[str, Any]) -> Iterator[str]:
    errors = _Validator(_schema()).iter_errors(content)
    # A misspelt key first: that something else is missing is often only its consequence.
    for error in sorted(errors, key=lambda error: error.validator != "additionalProperties"):
        yield _sentence(error)


def _sentence(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        names = schema["properties"]
        name = next(name for name in instance if name not in names)
        return f"{where or 'the file'} has no key {_unknown(name, names)}"
    if error.validator == "required":
        name = next(name for name in schema["required"] if name not in instance)
        allowed = schema["properties"][name]["description"]
        return f"{_joined(where, name)} is missing: it must be {allowed}"
    if "propertyNames" in error.absolute_schema_path:
        return f"{where} has the name {_shown(instance)}, but it must be {schema['description']}"
    if schema.get("writeOnly"):
        return f"{where} must be {schema['description']}"
    return f"{where} is {_shown(instance)}, but must be {schema['description']}"


def _unknown(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"{_shown(name)}{meant}; allowed: {', '.join(names)}"


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- between the keys: what no schema says ----------------------------------------------------


def _faults_between(content: Mapping[str, Any]) -> Iterator[str]:
    platform = content.get("platform", {})
    if ("vpc" in platform) != ("subnets" in platform):
        there, missing = ("vpc", "subnets") if "vpc" in platform else ("subnets", "vpc")
        yield f"platform.{there} needs platform.{missing} beside it; without both a VPC is made"
    if "vpc_prefix" in platform and "vpc" in platform:
        yield "platform.vpc_prefix is for the VPC that is made; with platform.vpc none is"
    if "assign_public_ip" in platform and "vpc" not in platform:
        yield "platform.assign_public_ip needs platform.vpc and platform.subnets beside it"
    for name, table in content["jobs"].items():
        for key, fault in _faults_of_job(_job(name, table)):
            yield f"jobs.{name}.{key} {fault}"


def _faults_of_job(job: Job) -> Iterator[tuple[str, str]]:
    yield from _faults_of_size(job)
    yield from _faults_of_time(job)
    if job.command and not job.command[0].strip():
        yield "command", "must name the program first, and not an empty text"
    for key, value in (("command", job.command), ("environment", dict(job.environment))):
        size = len(json.dumps(value).encode())
        if size > _PARAMETER_BYTES:
            yield key, f"has {size:,} bytes as JSON, but at most {_PARAMETER_BYTES:,} are allowed"


def _faults_of_size(job: Job) -> Iterator[tuple[str, str]]:
    allowed = _MEMORY_GB[job.vcpu]
    if job.memory_gb not in allowed:
        choice = ", ".join(f"{size:g}" for size in allowed)
        yield (
            "memory",
            f"is {job.memory_gb:g}, but with cpu = {job.vcpu:g} Fargate allows {choice} (GB)",
        )


def _faults_of_time(job: Job) -> Iterator[tuple[str, str]]:
    if job.schedule is not None:
        try:
            read(job.schedule)
        except BadExpression as error:
            yield "schedule", f"is {_shown(job.schedule)}, but {error}"
    try:
        zone_of(job.timezone)
    except BadExpression as error:
        yield "timezone", f"is {_shown(job.timezone)}, but {error}"
    deadline = job.finish_within_minutes
    if deadline is not None and job.expected_minutes > deadline:
        yield (
            "finish_within_minutes",
            f"is {deadline:g}, but must be at least expected_minutes, "
            f"which is {job.expected_minutes:g}",
        )
    if job.backoff.cap_seconds < job.backoff.seconds:
        yield (
            "backoff.cap_seconds",
            f"is {job.backoff.cap_seconds}, but must be at least backoff.seconds, "
            f"which is {job.backoff.seconds}",
        )
