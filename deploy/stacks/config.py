"""What a steadyspot.toml says: the platform, its jobs, and whom to notify, typed.

It is read, and what is wrong in it told, by ``config_file``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from steadyspot.contract import CapacityMode, Overlap
from steadyspot.deploy.aws.prices import US_EAST_1, Prices
from steadyspot.deploy.forms import unknown
from steadyspot.deploy.stacks.notify import Notify

DEFAULT_PATH = Path("steadyspot.toml")


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
