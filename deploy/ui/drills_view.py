"""What the page of a job's drills shows: which there are, and the one under way; pure."""

from __future__ import annotations

from dataclasses import dataclass

from steadyspot.deploy.drills import DRILLS
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.drilling import ON_COPY, Drilled


@dataclass(frozen=True)
class DrillsView:
    """The drills that can be asked for, each with what it does; ``last`` is None before any."""

    job: str
    drills: tuple[tuple[str, str], ...]
    last: Drilled | None

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more by itself."""
        return self.last is None or self.last.is_over


def drills_view(job: Job, last: Drilled | None) -> DrillsView:
    """Return what the page shows."""
    told = tuple((name, DRILLS[name].announces.format(job=job.name)) for name in ON_COPY)
    return DrillsView(job.name, told, last)
