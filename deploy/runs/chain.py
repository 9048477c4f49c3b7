"""What a run of a job comes after, and what comes after it: the runs of the same time beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadyspot.deploy.stacks.config import Job

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

NOT_BEGUN = "not begun"


@dataclass(frozen=True)
class Link:
    """A run of the same time: of a job that has to finish before, or of one that follows."""

    job: str
    follows: bool
    status: str


def chain_of(target: Target, job: Job, run_key: str) -> Iterator[Link]:
    """Yield the runs next to a run in its chain, with how they stand; a call for each."""
    following = (one.name for one in target.config.jobs.values() if job.name in one.after)
    names = [(name, False) for name in job.after] + [(name, True) for name in following]
    for name, follows in names:
        run = target.runs.get(name, run_key)
        yield Link(name, follows, run.status if run else NOT_BEGUN)


def told(links: tuple[Link, ...], *, follows: bool) -> str:
    """Return one side of a chain in words, empty where there is nothing."""
    return ", ".join(f"{one.job} ({one.status})" for one in links if one.follows is follows)
