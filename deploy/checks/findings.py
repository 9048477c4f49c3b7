"""The form of what `check` finds, and what its checks look with.

A finding that is bad makes the check fail; a warning and a note do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.images import Engine, engine_here
from steadyspot.deploy.target import Target


class Level(StrEnum):
    """How bad a finding is; only ``BAD`` makes the check fail.

    What is ``WARN`` works, but hardly as somebody meant it.
    """

    GOOD = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "BAD"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``what_to_do`` is empty where nothing is to be done."""

    about: str
    level: Level
    text: str
    what_to_do: str = ""


def judged(about: str, good: bool, text: str, mend: str, otherwise: Level = Level.BAD) -> Finding:
    """Return what was looked at as good or as ``otherwise``, and only then how to mend it."""
    return Finding(about, Level.GOOD, text) if good else Finding(about, otherwise, text, mend)


class Looks:
    """What the checks look with."""

    def __init__(
        self,
        target: Target,
        jobs: list[Job],
        now: datetime | None = None,
        engine: Callable[[], Engine] = engine_here,
    ) -> None:
        self.target = target
        self.jobs = jobs
        self.now = now or datetime.now(UTC)
        self.engine = engine
        self.local = target.switches is not None

    def client(self, service: str) -> Any:
        """Return a client."""
        return self.target.client(service)


Check = Callable[[Looks], Iterator[Finding]]
