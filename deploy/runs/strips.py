"""The last runs of each job, read a few jobs at a time and kept as long as nothing is new of a job.

A strip takes a call, so hundreds of them are filled in over several looks, those of the jobs that
stand worst first, and beside the looks, which do not wait for them. Runs by hand have keys without
a time and are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    @property
    def known(self) -> Mapping[str, Strip]:
        """The strips that have been read, by job, oldest run first."""
        return {job: strip for job, (_, strip) in [*self._kept.items()]}

    def wanting(self, jobs: Sequence[JobStatus]) -> list[JobStatus]:
        """Return the jobs of which something is new, in the order given."""
        return [
            one
            for one in jobs
            if (one.last_run or one.running)
            and (one.job not in self._kept or self._kept[one.job][0] != _news(one))
        ]

    def read(self, table: RunTable, jobs: Sequence[JobStatus]) -> None:
        """Read the strips of these jobs, a call each."""
        for one in jobs:
            runs = table.latest_scheduled(one.job, RUNS)
            self._kept[one.job] = (_news(one), tuple(reversed(runs)))


def _news(one: JobStatus) -> Any:
    """Return what is another one once a strip is out of date."""
    running = tuple(run.run_key for run in one.running)
    return one.last_run, one.last_status, one.last_at, one.parked, running
