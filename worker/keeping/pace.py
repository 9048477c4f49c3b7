"""How long a save of what has changed would take, by how long the last ones took; pure.

Looking at an entry and reading a file are counted as so many bytes, so that one number says how
fast saves are here: bytes a second. Who asks, and what is done about it, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

ENTRY_BYTES = 2 << 10
FILE_BYTES = 64 << 10
"""What looking at an entry, and what reading a changed file, takes, in bytes sent meanwhile."""

CALLS_SECONDS = 0.5
"""What a save takes that has nothing to send: some calls after one another."""

ASSUMED_BYTES_PER_SECOND = 10 << 20
"""Before there was a save large enough to tell."""

TELLING_BYTES = 16 << 20
LAST_SAVES = 3


class Work(NamedTuple):
    """What a save has to look at, and what of it changed: files, and their bytes."""

    entries: int = 0
    files: int = 0
    size: int = 0

    @property
    def amount(self) -> int:
        """All of it as bytes."""
        return self.size + self.files * FILE_BYTES + self.entries * ENTRY_BYTES

    def plus(self, other: Work) -> Work:
        """Both together."""
        return Work(*(one + more for one, more in zip(self, other, strict=True)))


class Forecast(NamedTuple):
    """What a save would take, and whether that follows from one that was measured."""

    seconds: float
    is_measured: bool


@dataclass(frozen=True)
class Pace:
    """The amounts and seconds of the last saves that were large enough to tell."""

    seen: tuple[tuple[int, float], ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether there was one."""
        return bool(self.seen)

    def after(self, work: Work, seconds: float) -> Pace:
        """The pace after one more save."""
        if work.amount < TELLING_BYTES:
            return self
        sending = max(seconds - CALLS_SECONDS, seconds / 2)
        return Pace((*self.seen, (work.amount, sending))[-LAST_SAVES:])

    def seconds(self, work: Work) -> float:
        """What a save of so much would take; next to nothing where nothing changed."""
        per_byte = 1 / ASSUMED_BYTES_PER_SECOND
        if self.seen:
            per_byte = sum(s for _, s in self.seen) / sum(amount for amount, _ in self.seen)
        return CALLS_SECONDS + work.amount * per_byte if work.files else 0.0
