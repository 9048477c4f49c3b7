"""The form of what `check` finds, and what its checks look with.

A finding that is bad makes the check fail; a note does not.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.images import Engine, engine_here
from steadyspot.deploy.target import Target

FETCH_SECONDS, FETCH_BYTES = 10.0, 1 << 20


class Level(StrEnum):
    """How bad a finding is; only ``BAD`` makes the check fail."""

    GOOD = "ok"
    NOTE = "note"
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


def fetched(url: str) -> bytes:
    """Return what lies under an address that needs no credentials; OSError where it cannot be got.

    It is small: what is longer is cut, and is no JSON then.
    """
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:
        found: bytes = answer.read(FETCH_BYTES)
    return found


class Looks:
    """What the checks look with."""

    def __init__(
        self,
        target: Target,
        jobs: list[Job],
        now: datetime | None = None,
        engine: Callable[[], Engine] = engine_here,
        fetch: Callable[[str], bytes] = fetched,
    ) -> None:
        self.target = target
        self.jobs = jobs
        self.now = now or datetime.now(UTC)
        self.engine = engine
        self.fetch = fetch
        self.local = getattr(target.session, "switches", None) is not None

    def client(self, service: str) -> Any:
        """Return a client."""
        return self.target.client(service)


Check = Callable[[Looks], Iterator[Finding]]
