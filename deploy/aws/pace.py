"""How often AWS may be asked while something is followed.

Quickly while something happens, and never often: a bucket of calls that fills slowly. What was
not used in a quiet time may be used when things happen, but no minute sees more than
``per_minute``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PER_MINUTE = 20
"""Calls that following one execution may cost in any minute."""


class Pace:
    """Says how long to wait before the next look.

    Parameters
    ----------
    per_minute
        Calls that any minute may see; two fifths of them can be made at once.
    pause
        Called with seconds.
    clock
        Monotonic seconds.
    """

    QUICK_SECONDS, SLOW_SECONDS = 0.5, 15.0

    def __init__(
        self,
        per_minute: int = PER_MINUTE,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = per_minute * 2 / 5
        self._per_second = per_minute * 3 / 5 / 60
        self._pause = pause
        self._clock = clock
        self._left = self._burst
        self._at = clock()
        self._wait = self.QUICK_SECONDS

    def wait(self, *, busy: bool, calls: int = 1) -> None:
        """Wait before a look that takes so many calls; ``busy``: the last one brought something."""
        slower = min(self.SLOW_SECONDS, self._wait * 1.5)
        self._wait = self.QUICK_SECONDS if busy else slower
        self._pause(max(self._wait, self._until(calls)))

    def spend(self, calls: int = 1) -> None:
        """Take calls out of the bucket, as they are made."""
        self._fill()
        self._left -= calls

    def _until(self, calls: int) -> float:
        self._fill()
        return max(0.0, (calls - self._left) / self._per_second)

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
