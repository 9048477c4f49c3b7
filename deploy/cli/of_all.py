"""Looking at all jobs where the trouble of one hides no other: it is told behind what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Job

T = TypeVar("T")


def of_all(
    jobs: Iterable[Job], look: Callable[[Job], Iterable[T]]
) -> tuple[list[T], Trouble | None]:
    """Return what was found of all jobs, and the trouble with some of them as one."""
    found: list[T] = []
    troubles: list[Trouble] = []
    for job in jobs:
        try:
            found += look(job)
        except Trouble as trouble:
            troubles.append(trouble)
    if not troubles:
        return found, None
    what = " ".join(dict.fromkeys(trouble.what for trouble in troubles))
    return found, Trouble(what, troubles[0].what_to_do)
