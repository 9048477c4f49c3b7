"""How often AWS may be asked while something is followed.

Every two seconds, so that an end is noticed at once, and quicker while something happens: a bucket
of calls that fills slowly. What was not used in a quiet time may be used when things happen, but no
minute sees more than ``per_minute``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PER_MINUTE = 60
"""Calls that following one execution may cost in any minute; AWS gives an account far more."""


class Pace:
    """Says how long to wait before the next look.

    Parameters
    ----------
    per_minute
        Calls that any minute may see; a sixth of them can be made at once.
    pause
        Called with seconds.
    clock
        Monotonic seconds.
    """

    QUICK_SECONDS, SLOW_SECONDS = 0.5, 2.0

    def __init__(
        self,
        per_minute: int = PER_MINUTE,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = per_minute / 6
        self._per_second = per_minute * 5 / 6 / 60
        self._pause = pause
        self._clock = clock
        self._left = self._burst
        self._at = clock()
        self._wait = self.QUICK_SECONDS

    def wait(self, *, busy: bool) -> None:
        """Wait before the next look; ``busy``: the last one brought something."""
        slower = min(self.SLOW_SECONDS, self._wait * 2)
        self._wait = self.QUICK_SECONDS if busy else slower
        self._pause(max(self._wait, self._until_a_call()))

    def spend(self, calls: int = 1) -> None:
        """Take calls out of the bucket, as they are made."""
        self._fill()
        self._left -= calls

    def _until_a_call(self) -> float:
        self._fill()
        return max(0.0, (1 - self._left) / self._per_second)

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
