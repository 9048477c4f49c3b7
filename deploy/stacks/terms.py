"""What the keys of steadyspot.toml for companies must have in common; pure.

As in ``consistency``, each function takes what has the right form, and yields the key at fault with
the rest of a sentence that begins with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Job

_SILENT = "AWS leaves input and output out of an encrypted workflow's events"


def faults_of_terms(platform: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield key and fault of what the jobs share."""
    key, region = platform.get("key"), platform.get("region")
    if key and region and key.split(":")[3] != region:
        yield "key", f"lies in {key.split(':')[3]}, but platform.region is {region}"
    topic = platform.get("topic")
    if topic and region and topic.split(":")[3] != region:
        yield "topic", f"lies in {topic.split(':')[3]}, but platform.region is {region}"
    if "bucket_prefix" in platform and "bucket" not in platform:
        yield (
            "bucket_prefix",
            "needs platform.bucket; the bucket that is made is this platform's alone",
        )
    for rule in ("checkpoint_days", "keep_outputs_days", "version_days", "lock_days"):
        if rule in platform and "bucket" in platform:
            yield rule, "is a rule of the bucket that is made; the given one's rules are left alone"
    if "egress" in platform and "security_groups" in platform:
        yield "egress", "is for the security group that is made; with security_groups none is"
    if "cluster" in platform and "container_insights" in platform:
        yield "container_insights", "is for the cluster that is made; with platform.cluster none is"


def faults_of_terms_of_jobs(
    platform: Mapping[str, Any], jobs: Mapping[str, Job]
) -> Iterator[tuple[str, str, str]]:
    """Yield job, key and fault of a job's keys together with other jobs' and the platform's."""
    of_group: dict[str, str] = {}
    for name, job in jobs.items():
        if job.log_group and job.keep_logs:
            yield name, "keep_logs", "is for the log group that is made; with log_group none is"
        if job.log_group and (other := of_group.setdefault(job.log_group, name)) != name:
            yield (
                name,
                "log_group",
                f"is that of {other}, too: rights go by group, and each could read the other's",
            )
        yield from ((name, key, fault) for key, fault in _faults_of_router(job))
        if job.encrypt_history:
            if "key" not in platform:
                yield name, "encrypt_history", "needs platform.key, with which it is encrypted"
            if job.finish_within_minutes:
                yield (
                    name,
                    "encrypt_history",
                    "can't be together with finish_within_minutes, since nobody would be told that "
                    f"the time is over: {_SILENT}",
                )
            if job.missed not in (0, "auto"):
                yield (
                    name,
                    "encrypt_history",
                    f"can't be together with hours in missed, which count events: {_SILENT}; say "
                    'missed = "auto"',
                )
        for other in job.after:
            if other in jobs and jobs[other].encrypt_history:
                yield (
                    name,
                    "after",
                    f"can't name {other}, which has encrypt_history: {_SILENT}, so that nobody "
                    "hears that it has finished",
                )


def _faults_of_router(job: Job) -> Iterator[tuple[str, str]]:
    """Yield what a log router says together with others, or without what it routes by."""
    routers = [name for name, one in job.sidecars.items() if one.log_router]
    for name in routers[1:]:
        yield f"sidecars.{name}.log_router", f"is a second one, beside that of {routers[0]}"
    for name in routers:
        if job.sidecars[name].start == "after":
            yield f"sidecars.{name}.start", 'must be "before": it takes what the job prints'
    if routers and not job.log_options:
        yield "log_options", "is missing: it says where the log router sends what the job prints"
    if job.log_options and not routers:
        yield "log_options", "needs a sidecar with log_router, which takes what the job prints"
