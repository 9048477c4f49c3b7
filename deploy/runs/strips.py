"""The last runs of each job, read a few jobs at a time and kept as long as nothing is new of a job.

A strip takes a call, so hundreds of them are filled in over several looks, those of the jobs that
stand worst first. Runs by hand have keys without a time and are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steadyspot.deploy.runs.fleet import JobStatus
    from steadyspot.deploy.runs.records import RunRecord
    from steadyspot.deploy.runs.table import RunTable

RUNS = 30
"""Of a job, as many as a strip has."""

Strip = Sequence["RunRecord"]


class Strips:
    """Keeps the strips of a platform's jobs."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Strip]] = {}

    def read(
        self, table: RunTable, jobs: Sequence[JobStatus], may_ask: Callable[[], bool]
    ) -> Mapping[str, Strip]:
        """Return the strips that are known, oldest run first; what is new is read while it may."""
        for one in jobs:
            news = _news(one)
            if not one.last_run and not one.running:
                continue
            if one.job in self._kept and self._kept[one.job][0] == news:
                continue
            if not may_ask():
                break
            runs = table.latest_scheduled(one.job, RUNS)
            self._kept[one.job] = (news, tuple(reversed(runs)))
        return {job: strip for job, (_, strip) in self._kept.items()}


def _news(one: JobStatus) -> Any:
    """Return what is another one once a strip is out of date."""
    running = tuple(run.run_key for run in one.running)
    return one.last_run, one.last_status, one.last_at, one.parked, running
