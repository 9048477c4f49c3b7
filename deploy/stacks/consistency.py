"""What the keys of steadyspot.toml must have in common, which no schema says; pure.

Each function takes what has the right form, and yields the key at fault with the rest of a
sentence that begins with it. Whether AWS agrees is left to ``check``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from itertools import islice
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from steadyspot.contract.parameters import BadParameter, fault_of, values_of
from steadyspot.deploy.forms import shown, unknown
from steadyspot.deploy.schedules.cron import Cron
from steadyspot.deploy.schedules.expressions import At, BadExpression, Rate, read, zone_of
from steadyspot.deploy.stacks.image_names import FORM, is_image

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Job, Schedule, Sidecar

_ACCESS_KEY = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")
_SECRET_NAME = re.compile(
    r"^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)$"
    r"|(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIALS)$",
    re.IGNORECASE,
)
_LOOKS_SECRET = (
    "looks like a secret, which anybody could read in the console: keep it in Secrets Manager and "
    "name that in secret or secrets; the rights of the job are in its role"
)
_PARAMETER_BYTES = 4096
"""AWS: the value of a CloudFormation parameter has at most 4,096 bytes. All of a job's together fit
into a task definition, which has at most 64 KiB."""
_COMPARED_FROM, _COMPARED_TIMES = datetime.combine(date(2027, 1, 1), time()), 1000
"""From when on, and how many of, the times of two schedules are compared; of a wall clock."""
_FIRST_DAY = datetime.combine(date(1970, 1, 1), time())
"""AWS: 1970 is the first year that a cron expression may name; of a wall clock."""

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


def faults_of_platform(platform: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield key and fault of what the jobs share."""
    if ("vpc" in platform) != ("subnets" in platform):
        there, missing = ("vpc", "subnets") if "vpc" in platform else ("subnets", "vpc")
        yield there, f"needs platform.{missing} beside it; without both a VPC is made"
    if "vpc_prefix" in platform and "vpc" in platform:
        yield "vpc_prefix", "is for the VPC that is made; with platform.vpc none is"
    if "assign_public_ip" in platform and "vpc" not in platform:
        yield "assign_public_ip", "needs platform.vpc and platform.subnets beside it"
    if "security_groups" in platform and "vpc" not in platform:
        yield "security_groups", "needs platform.vpc, which they belong to, beside it"


def faults_of_job(job: Job) -> Iterator[tuple[str, str]]:
    """Yield key and fault."""
    if not is_image(job.image):
        yield "image", f"is {shown(job.image)}, but must be {FORM}"
    yield from _faults_of_size(job)
    yield from _faults_of_time(job)
    yield from _faults_of_folders(job)
    yield from _faults_of_stop(job)
    yield from _faults_of_environment(job)
    yield from _faults_of_parts(job)
    yield from _faults_of_parameters(job)
    yield from _faults_of_schedules(job)
    if job.after and (job.schedule or job.schedules):
        yield "after", "can't be together with a schedule: its runs are due when those before are"
    if job.after and job.missed == "auto":
        yield "missed", 'can\'t be "auto" with after, which has no schedule: give it hours'
    if job.debug and job.read_only_root:
        yield "debug", "can't be together with read_only_root: ECS Exec writes into the container"
    if job.command and not job.command[0].strip():
        yield "command", "must name the program first, and not an empty text"
    yield from _faults_of_length(job)


def faults_of_chains(jobs: Mapping[str, Job]) -> Iterator[tuple[str, str]]:
    """Yield job and fault where one comes after what is no job, or in the end after itself."""
    for name, job in jobs.items():
        strange = [other for other in job.after if other not in jobs]
        if strange:
            yield name, f"has no job {unknown(strange[0], jobs)}"
        elif name in _all_before(name, jobs):
            yield name, "leads back to itself"


def _all_before(name: str, jobs: Mapping[str, Job]) -> set[str]:
    """Return the jobs that one comes after, and those that they do."""
    found: set[str] = set()
    todo = [*jobs[name].after]
    while todo:
        other = todo.pop()
        if other in jobs and other not in found:
            found.add(other)
            todo += jobs[other].after
    return found


def _faults_of_length(job: Job) -> Iterator[tuple[str, str]]:
    """Yield texts that are too long for a parameter of the template."""
    texts = {
        "command": job.command,
        "environment": dict(job.environment),
        "on_stop": job.on_stop,
        "output_ignore": job.output_ignore,
        "checkpoint_dir": job.checkpoint_dir,
        "output_dir": job.output_dir,
        "scratch_dir": job.scratch_dir,
        "marker": job.marker,
        "signal_job": job.signal_job,
        "image": job.image,
    }
    for key, value in texts.items():
        size = len(json.dumps(value))
        if size > _PARAMETER_BYTES:
            yield key, f"has {size:,} bytes as JSON, but at most {_PARAMETER_BYTES:,} are allowed"


def _faults_of_folders(job: Job) -> Iterator[tuple[str, str]]:
    """Yield folders that are the whole file system, or lie in one another.

    What is kept from attempt to attempt would be published, or what is published kept.
    """
    folders = {
        key: Path("/", *Path(normpath(folder)).parts[1:])
        for key, folder in (("checkpoint_dir", job.checkpoint_dir), ("output_dir", job.output_dir))
        if folder is not None
    }
    scratch = Path(normpath(job.scratch_dir or "/tmp"))
    for key, folder in folders.items():
        if folder == Path("/"):
            yield key, f"is {shown(getattr(job, key))}, but must be a folder below /"
        elif folder in (scratch, *scratch.parents):
            yield (
                key,
                f"is {shown(getattr(job, key))}, but must not hold the worker's own files, which"
                f" lie in {scratch}",
            )
    if len(folders) == 2:
        kept, published = folders.values()
        if kept == published or kept in published.parents or published in kept.parents:
            yield (
                "checkpoint_dir",
                f"is {shown(job.checkpoint_dir)}, but must lie apart from output_dir, which is "
                f"{shown(job.output_dir)}",
            )


def _faults_of_stop(job: Job) -> Iterator[tuple[str, str]]:
    """Yield shares of the grace that are longer than it, and a share of what is not there."""
    if job.on_stop_seconds is not None and job.on_stop is None:
        yield "on_stop_seconds", "needs on_stop beside it"
    shares = (("drain_seconds", job.drain_seconds), ("on_stop_seconds", job.on_stop_seconds))
    for key, seconds in shares:
        if seconds is not None and seconds > job.stop_timeout_seconds:
            yield (
                key,
                f"is {seconds:g}, but must be at most stop_timeout, "
                f"which is {job.stop_timeout_seconds}",
            )


def _faults_of_parts(job: Job) -> Iterator[tuple[str, str]]:
    """Yield what volumes, sidecars, secrets and ulimits say of what is not there, or twice."""
    for name in job.secrets.keys() & job.environment.keys():
        yield f"secrets.{name}", f"has the name of a variable in jobs.{job.name}.environment"
    for name, (soft, hard) in job.ulimits.items():
        if soft > hard:
            yield f"ulimits.{name}", f"has the soft limit {soft}, which is above the hard, {hard}"
    taken = ["/tmp", "/work"] if job.read_only_root else []
    for name, volume in job.volumes.items():
        if normpath(volume.path) in (*taken, "/"):
            yield f"volumes.{name}.path", f"is {shown(volume.path)}, where something lies already"
        taken.append(normpath(volume.path))
        if volume.efs is None and (volume.access_point or volume.read_only):
            yield f"volumes.{name}", "needs efs beside access_point and read_only"
    for name, sidecar in job.sidecars.items():
        yield from _faults_of_sidecar(job, name, sidecar)


def _faults_of_parameters(job: Job) -> Iterator[tuple[str, str]]:
    """Yield parameters whose default is of another type, and those that seem to be secrets.

    A default that has something filled in is looked at where the run begins.
    """
    for name, one in job.parameters.items():
        fault = fault_of(one.type, one.default)
        if fault and not (isinstance(one.default, str) and "{" in one.default):
            yield f"parameters.{name}.default", f"is {shown(one.default)}, but {fault}"
        if looks_secret(name, str(one.default)):
            yield f"parameters.{name}", _LOOKS_SECRET


def _faults_of_schedules(job: Job) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the schedules beside the first, each for itself and together.

    A run's key is its time, so that of two that are due at once one would not run.
    """
    declared = {name: {"type": one.type, "default": ""} for name, one in job.parameters.items()}
    timings = {"schedule": (job.schedule, job.timezone)} if job.schedule else {}
    for name, one in job.schedules.items():
        key = f"schedules.{name}"
        fault = _fault_of_timing(one)
        if fault:
            yield f"{key}.schedule", fault
            continue
        try:
            values_of(declared, one.parameters)
        except BadParameter as error:
            yield f"{key}.parameters", f"can't be: {str(error).rstrip('.')}"
        timings[key] = (one.schedule, one.timezone)
    dues: dict[datetime, str] = {}
    for key, (expression, zone) in timings.items():
        for due in _first_times(expression, zone):
            if due in dues and dues[due] != key:
                yield (
                    key,
                    f"is due at {due:%Y-%m-%d %H:%M} UTC, as is {dues[due]}: one would not run",
                )
                break
            dues[due] = key


def _fault_of_timing(one: Schedule) -> str:
    try:
        zone_of(one.timezone)
        form = read(one.schedule)
    except BadExpression as error:
        return f"is {shown(one.schedule)} in {shown(one.timezone)}, but {error}"
    if isinstance(form, Cron) and next(form.times(_FIRST_DAY), None) is None:
        return f"is {shown(one.schedule)}, but no calendar has such a day"
    return ""


def _first_times(expression: str, zone: str) -> list[datetime]:
    """Return the first times of an expression from a day on, in UTC; none of a rate.

    A rate begins when it is deployed, to the second, so that it hardly meets another schedule.
    """
    try:
        form, place = read(expression), zone_of(zone)
    except BadExpression:
        return []
    if isinstance(form, Rate):
        return []
    if isinstance(form, At):
        return [form.wall.replace(tzinfo=place).astimezone(UTC)]
    times = islice(form.times(_COMPARED_FROM), _COMPARED_TIMES)
    return [one.replace(tzinfo=place).astimezone(UTC) for one in times]


def _faults_of_sidecar(job: Job, name: str, sidecar: Sidecar) -> Iterator[tuple[str, str]]:
    if not is_image(sidecar.image):
        yield f"sidecars.{name}.image", f"is {shown(sidecar.image)}, but must be {FORM}"
    for volume in sidecar.volumes.keys() - job.volumes.keys():
        yield f"sidecars.{name}.volumes", f"names {shown(volume)}, which is none of its volumes"
    for other in sidecar.after:
        if other not in job.sidecars:
            yield f"sidecars.{name}.after", f"names {shown(other)}, which is none of its sidecars"
        elif sidecar.start == "before" and job.sidecars[other].start == "after":
            yield f"sidecars.{name}.after", f"names {other}, which starts after the job"
    if name in _waits_for(job, name):
        yield f"sidecars.{name}.after", "leads back to itself"
    if sidecar.memory_mb is not None and sidecar.memory_mb >= job.memory_gb * 1024:
        yield (
            f"sidecars.{name}.memory_mb",
            f"is {sidecar.memory_mb}, which leaves the job none of its {job.memory_gb:g} GB",
        )
    for variable, value in sidecar.environment.items():
        if looks_secret(variable, value):
            yield f"sidecars.{name}.environment.{variable}", _LOOKS_SECRET


def _waits_for(job: Job, name: str) -> set[str]:
    """Return the sidecars that one waits for, and those that they do."""
    found: set[str] = set()
    todo = [*job.sidecars[name].after]
    while todo:
        other = todo.pop()
        if other in job.sidecars and other not in found:
            found.add(other)
            todo += job.sidecars[other].after
    return found


def looks_secret(name: str, value: str) -> bool:
    """Return whether a variable of the environment seems to be one that nobody should read."""
    return bool(_SECRET_NAME.search(name) or _ACCESS_KEY.search(value))


def _faults_of_environment(job: Job) -> Iterator[tuple[str, str]]:
    """Yield names and values that are secrets, as far as they look like it; no value is shown."""
    for name, value in job.environment.items():
        if looks_secret(name, value):
            yield f"environment.{name}", _LOOKS_SECRET


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
            form = read(job.schedule)
        except BadExpression as error:
            yield "schedule", f"is {shown(job.schedule)}, but {error}"
        else:
            if isinstance(form, Cron) and next(form.times(_FIRST_DAY), None) is None:
                yield "schedule", f"is {shown(job.schedule)}, but no calendar has such a day"
    try:
        zone_of(job.timezone)
    except BadExpression as error:
        yield "timezone", f"is {shown(job.timezone)}, but {error}"
    deadline = job.finish_within_minutes
    if deadline is not None and job.expected_minutes > deadline:
        yield (
            "finish_within_minutes",
            f"is {deadline:g}, but must be at least expected_minutes, "
            f"which is {job.expected_minutes:g}",
        )
    if 0 < job.limit_minutes < job.expected_minutes:
        yield (
            "limit_minutes",
            f"is {job.limit_minutes:g}, but must be at least expected_minutes, "
            f"which is {job.expected_minutes:g}",
        )
    if job.backoff.cap_seconds < job.backoff.seconds:
        yield (
            "backoff.cap_seconds",
            f"is {job.backoff.cap_seconds}, but must be at least backoff.seconds, "
            f"which is {job.backoff.seconds}",
        )
