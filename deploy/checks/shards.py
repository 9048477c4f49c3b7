"""What `check` looks at where a job spreads a run over shards.

Of the configuration alone; AWS is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadyspot.contract import CapacityMode
from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.stacks.config import Job
from steadyspot.statemachines.values import LAUNCHES_A_SECOND


def shards(looks: Looks) -> Iterator[Finding]:
    """Yield what of a job's settings does not go with its shards, or what they come to."""
    for job in looks.jobs:
        if job.shards > 1:
            yield from _of(job)


def _of(job: Job) -> Iterator[Finding]:
    about, many = f"{job.name}: shards", job.shards
    at_once = min(many, job.shards_at_once)
    waves = -(-many // at_once)
    least = waves * job.expected_minutes + (at_once - 1) // LAUNCHES_A_SECOND / 60
    if job.rerun == "never" and job.capacity != CapacityMode.ON_DEMAND_ONLY:
        yield Finding(
            about,
            Level.BAD,
            'rerun = "never" ends a shard with its first interruption, and with it the run: of '
            f"{many} shards on Spot some will be interrupted.",
            'Make a shard safe to run again, or take capacity = "on-demand-only".',
        )
    if job.finish_within_minutes and least > job.finish_within_minutes:
        yield Finding(
            about,
            Level.BAD,
            f"{many} shards, {at_once} at once, each of {job.expected_minutes:g} min "
            f"(expected_minutes), take {least:.0f} min: more than finish_within_minutes = "
            f"{job.finish_within_minutes:g}.",
            "Raise shards_at_once, or finish_within_minutes.",
        )
    else:
        yield Finding(
            about, Level.GOOD, f"{many}, {at_once} at once: undisturbed about {least:.0f} min"
        )
