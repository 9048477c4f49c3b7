"""What `check` looks at in how long the records and the logs of runs are kept.

Of the configuration alone; AWS is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.parameters import is_routed
from steadyspot.statemachines.values import VALUES

_FEWEST: int = VALUES["fewestRuns"]
_PARKED_DAYS = 14
"""AWS: for so long a message lies in a queue at most."""


def records(looks: Looks) -> Iterator[Finding]:
    """Yield what is lost where records of complete runs are deleted by ``keep_runs_days``."""
    platform = looks.target.config.platform
    days, outputs = platform.keep_runs_days, platform.keep_outputs_days
    if not days:
        yield Finding("records", Level.GOOD, "those of complete runs are kept for ever")
        return
    if not outputs or outputs > days:
        yield Finding(
            "records",
            Level.NOTE,
            f"those of complete runs go after {days} days, before their outputs: a backfill of "
            "such a time would run it again",
            "Let keep_outputs_days be at most keep_runs_days, or redrive no window that is older.",
        )
    else:
        yield Finding("records", Level.GOOD, f"those of complete runs go after {days} days")
    for job in looks.jobs:
        if job.finish_within_minutes and _runs_within(job, days, looks) < _FEWEST:
            yield Finding(
                f"{job.name}: records",
                Level.NOTE,
                f"fewer than {_FEWEST} runs are due within keep_runs_days = {days}, too few to "
                "learn from how long one takes: expected_minutes is all that is known",
                "Raise keep_runs_days, or see to it that expected_minutes is right.",
            )


def logs(looks: Looks) -> Iterator[Finding]:
    """Yield jobs whose logs go while a run that is parked may still be asked about."""
    for job in looks.jobs:
        if is_routed(job):
            yield Finding(
                f"{job.name}: logs",
                Level.NOTE,
                "a log router takes what the job prints: `logs` and mails show none of it, and the "
                "worker's metrics are there only if it sends them to CloudWatch Logs",
            )
        if 0 < job.keep_logs < _PARKED_DAYS:
            yield Finding(
                f"{job.name}: logs",
                Level.NOTE,
                f"they go after {job.keep_logs} days, but a run that ended unfinished can wait for "
                f"{_PARKED_DAYS}: what it printed may be gone when somebody looks",
                f"Raise keep_logs to {_PARKED_DAYS} or more.",
            )


def _runs_within(job: Job, days: int, looks: Looks) -> int:
    """Return how many runs are due in so many days, as far as that matters."""
    if not job.all_schedules:
        return _FEWEST  # Somebody starts it, as often as he likes.
    end, found = looks.now + timedelta(days=days), 0
    for one in job.all_schedules.values():
        timing = Timing(one.schedule, one.timezone, looks.now)
        due = next_due(timing, None)
        while due is not None and due <= end and found < _FEWEST:
            due, found = next_due(timing, due), found + 1
    return found
