"""Asks a target for what a page shows; the verbs read the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from steadyspot.deploy.runs.evidence import explanation_of
from steadyspot.deploy.runs.logs import LogLine, RunLog
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.views import RunView, run_view

if TYPE_CHECKING:
    from steadyspot.deploy.runs.story import Explanation
    from steadyspot.deploy.target import Target

_LINES = 200
"""The last lines of the log that a page shows."""
_TASKS = 3
"""Of so many attempts, the last ones: a call each."""


def read_run(target: Target, job: Job, run: str | None, *, log: bool = True) -> RunView:
    """Return what the page of a run shows; ``log``: with what its last attempts printed.

    Raises
    ------
    Trouble
        When nothing knows that run.
    """
    story = explanation_of(target, job, run)
    printed = _printed(target, job, story) if log else None
    return run_view(story, job, target.config.platform.prices, datetime.now(UTC), printed)


def where(target: Target) -> str:
    """Return whose runs a page shows."""
    here = getattr(target.session, "switches", None) is not None
    return f"{target.platform_stack}, {'this machine' if here else target.session.region_name}"


def _printed(target: Target, job: Job, story: Explanation) -> list[LogLine]:
    log = RunLog(target.client("logs"), target.job(job)["LogGroup"])
    tasks = {one.task: one.attempt for one in (story.run.attempts if story.run else ()) if one.task}
    if story.under_way and story.under_way.task:
        tasks[story.under_way.task] = story.under_way.number
    latest = list(tasks.items())[-_TASKS:]
    return [line for task, attempt in latest for line in log.news(task, attempt)][-_LINES:]
