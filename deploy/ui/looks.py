"""Looks at AWS that pages share: one at a time, and each kept for a moment.

A page must be there at once, and a look takes as long as AWS does. So a page waits only a moment
for its look, and else shows what was seen last, with its time, or that it is being read; what is
new comes over its stream. Many open pages cannot burst an account's rates. Biggest drawback: what
is kept is as old as it says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

PATIENCE_SECONDS = 0.08
"""For so long a page waits for its look."""
LAG_SECONDS = 2.8
"""How long after it has happened something is on an open page, if a look takes half of it."""
_REST_SECONDS = 0.3
_MORE_SECONDS = 0.01
"""So that it is surely time."""
_MOST = 100


@dataclass(frozen=True)
class Seen:
    """What a look has found; ``at`` is aware UTC, ``begun`` and ``took`` are monotonic seconds."""

    view: Any
    at: datetime
    begun: float
    took: float

    @property
    def due(self) -> float:
        """When to look again, in monotonic seconds; until then this is as good as a new look.

        What happens just after a look has begun is found by the next one: it took ``took``, then
        comes a rest, and then that one's time.
        """
        return self.begun + self.took + max(_REST_SECONDS, LAG_SECONDS - 2 * self.took)


class Looks:
    """Looks by name; the name says what was looked at.

    Parameters
    ----------
    clock
        Monotonic seconds.
    patience
        Seconds for which :meth:`soon` waits.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._kept: dict[Hashable, Seen] = {}
        self._looking = Lock()
        self._behind = ThreadPoolExecutor(1, "look")

    def now(self, name: Hashable, look: Callable[[], Any]) -> Seen:
        """Look, unless that was done a moment ago; what ``look`` raises is raised here."""
        with self._looking:
            if kept := self._young(name):
                return kept
            at, begun = datetime.now(UTC), self._clock()
            seen = Seen(look(), at, begun, self._clock() - begun)
            self._kept.pop(name, None)
            self._kept[name] = seen
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
        return seen

    def soon(self, name: Hashable, look: Callable[[], Any]) -> Seen | None:
        """Return what a look finds, if it is quick, else what was seen last; None without any.

        The look goes on and is kept; what it raises in time is raised here.
        """
        if kept := self._young(name):
            return kept
        looking = self._behind.submit(self.now, name, look)
        try:
            return looking.result(self._patience)
        except TimeoutError:
            # It may be the look's own.
            return looking.result() if looking.done() else self._kept.get(name)

    def rest(self, seen: Seen) -> float:
        """Return the seconds until it is time to look again."""
        return max(0.0, seen.due - self._clock()) + _MORE_SECONDS

    def forget(self) -> None:
        """Look anew at all, since something was done."""
        with self._looking:
            self._kept.clear()

    def _young(self, name: Hashable) -> Seen | None:
        kept = self._kept.get(name)
        return kept if kept and self._clock() < kept.due else None
