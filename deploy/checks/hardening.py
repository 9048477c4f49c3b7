"""What containers may do that they do not need, and the keys that take it away."""

from __future__ import annotations

from collections.abc import Iterator

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.stacks.config import Job


def containers(looks: Looks) -> Iterator[Finding]:
    """Yield for each job which keys leave its container more than it needs."""
    for job in () if looks.local else looks.jobs:
        off = left_open(job)
        if off:
            yield Finding(
                f"{job.name}: container",
                Level.NOTE,
                f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} off",
                "Turn on in steadyspot.toml what the image can do with; that of `init` can.",
            )
        else:
            yield Finding(f"{job.name}: container", Level.GOOD, "read-only, no root, no capability")


def outputs(looks: Looks) -> Iterator[Finding]:
    """Yield whether an output that a container of its job replaces can be had back."""
    platform = looks.target.config.platform
    days = max(platform.version_days, platform.lock_days)
    if looks.local:
        return
    yield judged(
        "outputs",
        days > 0,
        f"what replaces one leaves the old one for {days} days"
        if days
        else "a container can replace what earlier runs of its job published",
        "Keep versions for some days: version_days or lock_days in steadyspot.toml.",
        Level.NOTE,
    )


def left_open(job: Job) -> list[str]:
    """Return the keys that are off; pure."""
    keys = {
        "read_only_root": job.read_only_root,
        "drop_capabilities": job.drop_capabilities,
        "user": bool(job.user),
    }
    return [key for key, is_on in keys.items() if not is_on]
