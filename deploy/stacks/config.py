"""Reads steadyspot.toml: what the platform engineer wants, checked and typed.

Form (keys, types, bounds) is the business of deploy/stacks/config.schema.json, whose
descriptions complete the sentence a person sees. What keys must have in common is that of
``consistency``. Whether AWS agrees (image there, quota, roles) is left to ``check``.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from steadyspot.contract import CapacityMode, Overlap
from steadyspot.deploy.aws.prices import US_EAST_1, Prices
from steadyspot.deploy.forms import Fault, faults_of, fits, shown, unknown
from steadyspot.deploy.stacks.consistency import (
    faults_of_chains,
    faults_of_job,
    faults_of_platform,
)
from steadyspot.deploy.stacks.notify import Notify, entries_of, faults_of_entries
from steadyspot.deploy.stacks.terms import faults_of_terms, faults_of_terms_of_jobs
from steadyspot.deploy.stacks.toml_lines import lines_of, place_of
from steadyspot.deploy.stacks.without_effect import keys_of, keys_without_effect
from steadyspot.deploy.trouble import USAGE, Trouble

DEFAULT_PATH = Path("steadyspot.toml")

_NO_GPU = "Fargate has no GPU; such a job belongs on AWS Batch, or on ECS with EC2 instances"


class ConfigError(Exception):
    """The configuration can't be used. One line a fault: file, line, key, what is allowed.

    ``what_to_do`` is the sentence for whoever reads that.
    """

    def __init__(
        self, what: str, what_to_do: str = "Correct it, then run the same command again."
    ) -> None:
        super().__init__(what)
        self.what_to_do = what_to_do


@dataclass(frozen=True)
class Egress:
    """A place that tasks may reach: addresses, a prefix list or a security group, and a port."""

    to: str
    port: int
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True)
class Platform:
    """What the jobs share. Without ``vpc`` a network is made; without ``region`` the session's."""

    name: str = "steadyspot"
    region: str | None = None
    account: str | None = None
    mail: str | None = None
    vpc: str | None = None
    subnets: tuple[str, ...] = ()
    assign_public_ip: bool = True
    vpc_prefix: str = "10.74"
    key: str | None = None
    cluster: str | None = None
    topic: str | None = None
    bucket: str | None = None
    bucket_prefix: str | None = None
    egress: tuple[Egress, ...] = ()
    checkpoint_days: int = 30
    keep_outputs_days: int = 0
    keep_runs_days: int = 0
    version_days: int = 0
    lock_days: int = 0
    protect_table: bool = False
    container_insights: Literal["disabled", "enabled", "enhanced"] = "disabled"
    prices: Prices = US_EAST_1
    permissions_boundary: str | None = None
    role_path: str = "/"
    service_role: str | None = None
    security_groups: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    tracing: bool = False

    @property
    def below(self) -> str:
        """The prefix of all keys in the bucket: empty, or with a slash behind it."""
        return f"{self.bucket_prefix}/" if self.bucket_prefix else ""


@dataclass(frozen=True)
class Retry:
    """How often, and for how long, the Scheduler tries to start a run that AWS refuses for now."""

    attempts: int = 185
    age_minutes: int = 60


@dataclass(frozen=True)
class Budgets:
    """How much trouble of each kind one run may take; more of it ends the run unfinished.

    ``interruptions`` is the most attempts that may have stopped since the run last made progress;
    once two have, the next attempt runs on on-demand where the job allows it.
    """

    interruptions: int = 5
    throttles: int = 8
    infrastructure: int = 3
    failures: int = 0


@dataclass(frozen=True)
class Backoff:
    """Waits after a refusal of capacity: the first, then three times as long, up to the longest.

    Each wait for Spot is drawn from a third to three times of that, the longest kept; each wait for
    on-demand, or after other trouble, from a third of that to the whole.
    """

    seconds: int = 120
    cap_seconds: int = 3600


@dataclass(frozen=True)
class Volume:
    """A folder ``path`` of the container: empty at first, or one of EFS, the Elastic File System.

    An empty one is shared with the sidecars that name it, and gone with the attempt.
    """

    path: str
    efs: str | None = None
    access_point: str | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Health:
    """How ECS asks a sidecar whether it is ready; ``command`` begins with CMD or CMD-SHELL."""

    command: tuple[str, ...]
    interval_seconds: int = 5
    timeout_seconds: int = 5
    retries: int = 10
    start_seconds: int = 0


@dataclass(frozen=True)
class Parameter:
    """What a run may give a job: a type of ``contract.parameters``, and the value without it."""

    type: str
    default: str | float | bool


@dataclass(frozen=True)
class Schedule:
    """A schedule of a job, with values of the job's parameters."""

    schedule: str
    timezone: str = "UTC"
    parameters: Mapping[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Sidecar:
    """A container beside the job's: a collector, a proxy. Its end does not end the task.

    It starts "before" the job (which waits until it is healthy, if it has ``health``) and is
    stopped after it, or the other way round; ``after`` names sidecars that it waits for.
    ``volumes`` are paths by the names of the job's volumes. With ``log_router`` it takes what the
    job prints, and starts before it.
    """

    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    health: Health | None = None
    log_router: Literal["fluentbit", "fluentd"] | None = None
    start: Literal["before", "after"] = "before"
    after: tuple[str, ...] = ()
    memory_mb: int | None = None
    read_only_root: bool = False
    user: str | None = None


@dataclass(frozen=True)
class Job:
    """One scheduled container.

    ``command`` empty means the image's own. ``schedule`` None means: started by hand only.
    ``finish_within_minutes`` None means no deadline. Times of day are those of ``timezone``.
    Left out, ``checkpoint_dir`` to ``patience_seconds`` and ``drain_seconds`` to ``forward`` are
    as the image says, else as the worker takes them by itself; ``user``, too, is the image's.
    ``secret`` is the ARN of what holds more of the environment, ``secrets`` are ARNs by variable.
    ``tracing`` None means as the platform says. ``missed`` is hours, 0 for none. ``ulimits`` are
    the soft and the hard limit by name.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    checkpoint_dir: str | None = None
    output_dir: str | None = None
    checkpoint_every_seconds: float | None = None
    marker: str | None = None
    output_ignore: tuple[str, ...] | None = None
    scratch_dir: str | None = None
    uploads: int | None = None
    patience_seconds: float | None = None
    vcpu: float = 1
    memory_gb: float = 2
    disk_gb: int = 20
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    read_only_root: bool = False
    drop_capabilities: bool = False
    user: str | None = None
    stop_timeout_seconds: int = 120
    drain_seconds: float | None = None
    on_stop: str | None = None
    on_stop_seconds: float | None = None
    signal: Literal["first", "group", "none"] | None = None
    signal_job: str | None = None
    forward: tuple[str, ...] = ()
    schedule: str | None = None
    timezone: str = "UTC"
    enabled: bool = True
    finish_within_minutes: float | None = None
    expected_minutes: float = 60
    maximum_wait_minutes: float = 60
    launch_minutes: float = 15
    limit_minutes: float = 0
    start_up_seconds: int = 60
    margin_seconds: int = 15
    capacity: CapacityMode = CapacityMode.SPOT_FIRST
    rerun: Literal["always", "never"] = "always"
    overlap: Overlap = Overlap.ALLOW
    queue_at_most: int = 100
    spread_minutes: int = 0
    shards: int = 1
    shards_at_once: int = 100
    after: tuple[str, ...] = ()
    retry: Retry = Retry()
    budgets: Budgets = Budgets()
    backoff: Backoff = Backoff()
    policies: tuple[str, ...] = ()
    missed: int | Literal["auto"] = 0
    failed_alarm_mails: bool = False
    keep_logs: int = 0
    log_group: str | None = None
    log_options: Mapping[str, str] = field(default_factory=dict)
    tell_every_run: bool = False
    command_override: bool = False
    encrypt_history: bool = False
    debug: bool = False
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    sidecars: Mapping[str, Sidecar] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    tracing: bool | None = None

    @property
    def all_schedules(self) -> dict[str, Schedule]:
        """Its schedules by name, the first under an empty one."""
        first = {"": Schedule(self.schedule, self.timezone)} if self.schedule else {}
        return {**first, **self.schedules}

    def scheduled_as(self, schedule: str) -> str:
        """Return the name at AWS of the schedule of that name."""
        return f"{self.name}.{schedule}" if schedule else self.name


def is_traced(platform: Platform, job: Job) -> bool:
    """Return whether runs of a job send a trace: as the job says, else the platform."""
    return platform.tracing if job.tracing is None else job.tracing


@dataclass(frozen=True)
class Config:
    """A whole steadyspot.toml. ``jobs`` keeps the order of the file."""

    path: Path
    platform: Platform
    jobs: Mapping[str, Job]
    environment: str | None = None
    notify: tuple[Notify, ...] = ()

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
            raise ConfigError(
                f"{self.path} has several jobs: {', '.join(self.jobs)}.", "Name one of them."
            )
        if name not in self.jobs:
            raise ConfigError(
                f"{self.path} has no job {unknown(name, self.jobs)}.",
                "Name one that it has, or write the job into it.",
            )
        return self.jobs[name]

    def prices_of(self, job: Job) -> Prices:
        """Return the prices of a job's architecture."""
        return self.platform.prices.of(job.architecture)

    def has_public_addresses(self) -> bool:
        """Return whether tasks have public addresses: always in a network that is made for them."""
        return self.platform.vpc is None or self.platform.assign_public_ip

    def is_traced(self, job: Job) -> bool:
        """Return whether runs of a job send a trace."""
        return is_traced(self.platform, job)

    @property
    def secrets_of_notify(self) -> list[str]:
        """The ARNs of what webhooks and heartbeats keep secret."""
        return [entry.secret for entry in self.notify if entry.secret]

    def job_stack(self, job: Job) -> str:
        """Return the name of the job's stack: letters, digits, hyphens, 57 characters at most."""
        return f"{self.platform.name}-{job.name}"

    def tags_of(self, stack: str) -> dict[str, str]:
        """Return the tags of a stack of the platform, which AWS puts on all that the stack holds.

        A stack of a job that is not in the file, such as a drill's, has the platform's.
        """
        own = (job.tags for job in self.jobs.values() if self.job_stack(job) == stack)
        return {**self.platform.tags, **next(own, {})}


def load(path: Path = DEFAULT_PATH, environment: str | None = None) -> Config:
    """Read and check a configuration, with what an environment says otherwise where one is named.

    Raises
    ------
    ConfigError
        When the file can't be read, is no TOML, or holds a wrong key or value, also in another
        environment, or when there is no such environment.
    """
    return parse(read_text(path), path, environment)


def read_text(path: Path) -> str:
    """Return the text of a configuration.

    Raises
    ------
    ConfigError
        When the file can't be read.
    """
    try:
        return path.read_text("utf-8-sig")  # some editors put a mark before UTF-8
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file.",
            "Go to the folder that has it, give its path with --config, or write one: "
            "steadyspot init.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the file must be text in UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path}: the file can't be read: {error.strerror}.") from None


def parse(text: str, path: Path = DEFAULT_PATH, environment: str | None = None) -> Config:
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
    except RecursionError:
        raise ConfigError(f"{path}: its tables or lists lie too deep in one another.") from None
    faults = [
        *_faults_of(content),
        *_faults_of_environments(content),
        *_without_effect(content),
    ]
    if faults:
        lines = lines_of(text)
        raise ConfigError(
            "\n".join(_told(path, place_of(fault.path, lines), fault.sentence) for fault in faults)
        )
    if environment is not None:
        environments = content.get("environments", {})
        if environment not in environments:
            raise ConfigError(
                f"{path}: environments has no {unknown(environment, environments)}.",
                "Name one that it has with --env, or write the environment into it.",
            )
        content = merged(content, environments[environment])
    return Config(
        environment=environment,
        path=path,
        platform=_platform(content.get("platform", {})),
        jobs={name: _job(name, job) for name, job in content["jobs"].items()},
        notify=entries_of(content.get("notify", ())),
    )


def _faults_of(content: Mapping[str, Any]) -> list[Fault]:
    faults = [_plainer(fault) for fault in faults_of(schema(), content, "the file")]
    wrong = {fault.path[:2] for fault in faults}
    between = [*_faults_between(content, wrong), *_faults_of_notify(content, wrong)]
    return [*(faults or _faults_of_texts(content, ())), *between]


def _faults_of_texts(value: Any, path: tuple[str, ...]) -> Iterator[Fault]:
    """Yield texts that hold what no parameter of a template may; the schema says it of some."""
    if isinstance(value, str) and "\0" in value:
        yield Fault(path, f"{'.'.join(path)} holds a NUL character, which no text here may")
    inner = value.items() if isinstance(value, dict) else ()
    for key, one in enumerate(value) if isinstance(value, list) else inner:
        yield from _faults_of_texts(one, (*path, str(key)))


def _plainer(fault: Fault) -> Fault:
    """Return a fault with a sentence of its own where somebody wants what Fargate has not."""
    if fault.path[:1] != ("jobs",) or fault.path[-1] not in ("gpu", "gpus"):
        return fault
    return Fault(fault.path, f"{'.'.join(fault.path)} can't be had: {_NO_GPU}")


def _faults_of_environments(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with a configuration in one of its environments, and not without it."""
    environments = content.get("environments", {})
    if any(fault.path[:1] == ("environments",) for fault in faults_of(schema(), content, "")):
        return
    everywhere = {fault.path for fault in _faults_of(content)}
    for name, table in environments.items():
        for fault in _faults_of(merged(content, table)):
            if fault.path not in everywhere:
                yield Fault(
                    ("environments", name, *fault.path), f"in environment {name}, {fault.sentence}"
                )


def _without_effect(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield keys that change nothing: neither in the file as it is nor in any environment of it.

    An environment cannot take a key away: of it those alone that it says itself.
    """
    wrong = {fault.path[:2] for fault in faults_of(schema(), content, "")}
    if any(path[:1] == ("environments",) or path == ("jobs",) for path in wrong):
        return
    environments = content.get("environments", {})
    wholes = {name: merged(content, table) for name, table in environments.items()}
    right = {name: one for name, one in wholes.items() if not any(faults_of(schema(), one, ""))}
    for name, table in content["jobs"].items():
        if ("jobs", name) not in wrong:
            there, *elsewhere = (
                _of_no_use(name, one["jobs"][name], table) for one in (content, *right.values())
            )
            for key, fault in there.items():
                if all(key in found for found in elsewhere):
                    yield Fault(("jobs", name, *key.split(".")), f"jobs.{name}.{key} {fault}")
    for environment, one in right.items():
        for name, table in environments[environment].get("jobs", {}).items():
            for key, fault in _of_no_use(name, one["jobs"][name], table).items():
                path = ("environments", environment, "jobs", name, *key.split("."))
                yield Fault(path, f"in environment {environment}, jobs.{name}.{key} {fault}")


def _of_no_use(name: str, table: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of ``own`` that change nothing in the job of a table, each with its fault."""
    job, plain = _job(name, table), _job(name, {"image": ""})
    return dict(keys_without_effect(job, plain, set(keys_of(own))))


def merged(content: Mapping[str, Any], otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with what another says otherwise, table by table; lists are replaced."""
    whole = {key: value for key, value in content.items() if key != "environments"}
    for key, value in otherwise.items():
        both = isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)
        whole[key] = merged(whole[key], value) if both else value
    return whole


def _told(path: Path, line: int | None, sentence: str) -> str:
    return f"{path}:{line}: {sentence}." if line else f"{path}: {sentence}."


def _broken(message: str) -> str:
    place = re.search(r" \(at (line \d+), column \d+\)$| \(at (end of document)\)$", message)
    if not place:
        return message
    what = re.sub(r"\(('.+?'),?\)", _as_header, message[: place.start()])
    return f"{place[1] or place[2]} is no TOML: {what}"


def _as_header(names: re.Match[str]) -> str:
    """Write a table as its header does; tomllib names it by a tuple."""
    return f"[{'.'.join(ast.literal_eval(f'[{names[1]}]'))}]"


FIELDS = {
    "cpu": "vcpu",
    "memory": "memory_gb",
    "disk": "disk_gb",
    "stop_timeout": "stop_timeout_seconds",
}
"""The keys of a job whose field in :class:`Job` bears another name."""
_TABLES = {"retry": Retry, "budgets": Budgets, "backoff": Backoff}


def _platform(table: Mapping[str, Any]) -> Platform:
    lists = {key: tuple(table.get(key, ())) for key in ("subnets", "security_groups")}
    values = {**table, **lists}
    prices = Prices(**values.pop("prices", {}))
    values["egress"] = tuple(Egress(**one) for one in values.get("egress", ()))
    return Platform(**values, prices=prices)


def _job(name: str, table: Mapping[str, Any]) -> Job:
    values = {FIELDS.get(key, key): value for key, value in table.items()}
    for key in ("command", "policies", "forward"):
        values[key] = tuple(values.get(key, ()))
    if "capacity" in values:
        values["capacity"] = CapacityMode(values["capacity"])
    after = values.get("after", ())
    values["after"] = (after,) if isinstance(after, str) else tuple(after)
    if "overlap" in values:
        values["overlap"] = Overlap(values["overlap"])
    if "output_ignore" in values:
        values["output_ignore"] = tuple(values["output_ignore"])
    for key, kind in _TABLES.items():
        values[key] = kind(**values.get(key, {}))
    given = values.get("parameters", {})
    values["parameters"] = {key: Parameter(**one) for key, one in given.items()}
    more = values.get("schedules", {})
    values["schedules"] = {key: Schedule(**one) for key, one in more.items()}
    values["ulimits"] = {key: tuple(one) for key, one in values.get("ulimits", {}).items()}
    values["volumes"] = {key: Volume(**one) for key, one in values.get("volumes", {}).items()}
    values["sidecars"] = {key: _sidecar(one) for key, one in values.get("sidecars", {}).items()}
    return Job(name=name, **values)


def _sidecar(table: Mapping[str, Any]) -> Sidecar:
    values = {**table}
    for key in ("command", "after"):
        values[key] = tuple(values.get(key, ()))
    if "health" in values:
        health = values["health"]
        values["health"] = Health(**{**health, "command": tuple(health["command"])})
    return Sidecar(**values)


# --- form: what the schema says -----------------------------------------------------------------


def schema() -> dict[str, Any]:
    """Return the JSON Schema of steadyspot.toml, which editors take, too."""
    path = resources.files("steadyspot.deploy.stacks") / "config.schema.json"
    form: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return form


def is_environment(value: object) -> bool:
    """Return whether a value has the form of a job's environment, as that of a secret must."""
    form = schema()["$defs"]["job"]["properties"]["environment"]
    return fits(form, value)


def region_of(text: str) -> str:
    """Return a region that somebody typed.

    Raises
    ------
    Trouble
        When it has not the form of one.
    """
    form = schema()["properties"]["platform"]["properties"]["region"]
    if not fits(form, text):
        raise Trouble(f"{shown(text)} is no region.", f"It must be {form['description']}.", USAGE)
    return text


# --- between the keys: what no schema says ----------------------------------------------------


def _faults_between(content: Mapping[str, Any], wrong: set[tuple[str, ...]]) -> Iterator[Fault]:
    """Yield the faults of what has the right form; ``wrong`` are the paths of what has not."""
    if not any(path[:1] == ("platform",) for path in wrong):
        platform = content.get("platform", {})
        for key, fault in (*faults_of_platform(platform), *faults_of_terms(platform)):
            yield Fault(("platform", key), f"platform.{key} {fault}")
    if ("jobs",) in wrong or "jobs" not in content:
        return
    for name, table in content["jobs"].items():
        if ("jobs", name) not in wrong:
            for key, fault in faults_of_job(_job(name, table)):
                yield Fault(("jobs", name, *key.split(".")), f"jobs.{name}.{key} {fault}")
    if not any(path[:1] == ("jobs",) for path in wrong):
        jobs = {name: _job(name, table) for name, table in content["jobs"].items()}
        for name, fault in faults_of_chains(jobs):
            yield Fault(("jobs", name, "after"), f"jobs.{name}.after {fault}")
        for name, key, fault in faults_of_terms_of_jobs(content.get("platform", {}), jobs):
            yield Fault(("jobs", name, *key.split(".")), f"jobs.{name}.{key} {fault}")


def _faults_of_notify(content: Mapping[str, Any], wrong: set[tuple[str, ...]]) -> Iterator[Fault]:
    if {path[:1] for path in wrong} & {("notify",), ("jobs",), ("platform",)}:
        return
    mail, jobs = content.get("platform", {}).get("mail"), content.get("jobs", {})
    for place, fault in faults_of_entries(content.get("notify", ()), jobs, mail):
        yield Fault(("notify", str(place)), f"notify.{place} {fault}")
