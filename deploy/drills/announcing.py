"""What a drill will do, said before anybody agrees to it: on a terminal and on the page."""

from __future__ import annotations

from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.drills import Drill
from steadyspot.deploy.stacks.config import Job


def announcement(drill: Drill, job: Job, prices: Prices, *, here: bool) -> list[str]:
    """Return what a drill will do and what it costs, which is nothing on this machine; pure."""
    if drill.free:
        return [drill.announces.format(job=job.name), "It runs nothing and costs nothing."]
    hour = 3600 * prices.second(vcpu=job.vcpu, memory_gb=job.memory_gb)
    lines = [drill.announces.format(job=job.name)]
    if drill.on_copy:
        minutes = 10.0
        lines.append(
            f"It does so to a throwaway copy of {job.name} that runs a harmless command and is "
            "removed again."
        )
    else:
        minutes = drill.times * job.expected_minutes
    if here:
        return lines
    lines.append(
        f"It costs about ${hour * minutes / 60:.4f} of Fargate at most; people get the mails of it."
    )
    return lines
