"""What `check` makes of the stops of past runs: whether the grace lets the last save end.

The worker writes into a run's record what its last save took. Looked at where the platform is
deployed; of a job that was never stopped there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.runs.records import RunRecord

_RUNS = 20
"""So many of the last runs are looked at."""

_NARROW, _TOO_NARROW = 0.375, 0.7
"""Shares of ``stop_timeout``; the worker gives a last save 0.75 of it at most."""


def past_stops(looks: Looks) -> Iterator[Finding]:
    """Yield whether the saves at past stops would end within ``stop_timeout``."""
    if not looks.target.stacks.exists(looks.target.platform_stack):
        return
    for job in looks.jobs:
        found = judge(looks.target.runs.scheduled(job.name, _RUNS), job.stop_timeout_seconds)
        if found:
            level, text = found
            todo = "Raise stop_timeout (120 at most), or let the job change less in its folders."
            yield Finding(
                f"{job.name}: past stops", level, text, "" if level is Level.GOOD else todo
            )


def judge(runs: Sequence[RunRecord], stop_timeout_seconds: float) -> tuple[Level, str] | None:
    """Return how bad the longest save at a stop was, and what to say of it; pure."""
    stopped = [(run.stop.saving_seconds, run) for run in runs if run.stop]
    if not stopped:
        return None
    seconds, run = max(stopped, key=lambda one: one[0])
    text = (
        f"the longest of the last saves, of run {run.run_key}, took {seconds:.1f} s"
        f" of stop_timeout = {stop_timeout_seconds:g}"
    )
    if seconds < _NARROW * stop_timeout_seconds:
        return Level.GOOD, text
    return (Level.NOTE if seconds < _TOO_NARROW * stop_timeout_seconds else Level.BAD), text
