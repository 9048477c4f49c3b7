"""How long a call is tried again while AWS is in trouble: minutes, or all that a stop leaves.

A call that fails in a way that passes is made again with growing, random pauses. No run is given up
for a short outage, and none waits again for one that has lasted too long already. What passes of
AWS's answers is told by ``refusals``; what the machine is short of may pass, too.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from steadyspot.worker.errors import Short, Unreachable, WorkerError

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_IN_A_STOP_SECONDS = 1.0
SAID_AFTER_SECONDS = 2.0
"""An outage that is over sooner is not spoken of."""


class Patience:
    """Shared by all threads that call AWS.

    A call gives up ``seconds`` after it began to fail, or after the first of all calls that fail
    did, whichever is earlier; once ``hurry`` was called, at the time that it said. ``say`` is told
    of each outage that lasts, and of its end. ``proven``: AWS has answered a call, so that the
    credentials are good. ``failures`` counts the calls that failed.
    """

    def __init__(
        self,
        seconds: float,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._say = say
        self._clock = clock
        self._hurried = threading.Event()
        self._until = 0.0
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._said = False
        self.proven = False
        self.failures = 0

    def hurry(self, until: float) -> None:
        """The attempt is ending: calls are tried again until then (monotonic), and no longer."""
        self._until = until
        self._hurried.set()

    def call(self, make: Callable[[], T]) -> T:
        """Make a call until it succeeds. Raises what it met where that lasts too long."""
        since: float | None = None
        longest = FIRST_PAUSE_SECONDS
        while True:
            try:
                result = make()
            except (Unreachable, Short) as trouble:
                since = since or self._clock()
                end = self._failed(since, trouble)
                pause = random.uniform(longest / 2, longest)
                if self._clock() + pause >= end:
                    raise
                self._wait(pause)
                longest = min(2 * longest, self._longest_pause())
            else:
                self._succeeded()
                return result

    def _failed(self, since: float, trouble: WorkerError) -> float:
        """Until when it is tried again."""
        with self._lock:
            self.failures += 1
            if self._failing_since is None:
                self._failing_since = since
            since = min(since, self._failing_since)
            lasts = self._clock() - since >= SAID_AFTER_SECONDS
            says, self._said = lasts and not self._said, self._said or lasts
        if says:
            self._say(f"{trouble.sentence} It is tried again.")
        return self._until if self._hurried.is_set() else since + self._seconds

    def _succeeded(self) -> None:
        if self._failing_since is None:
            return
        with self._lock:
            self._failing_since = None
            said, self._said = self._said, False
        if said:
            self._say("It is over; all goes on.")

    def _longest_pause(self) -> float:
        hurried = self._hurried.is_set()
        return LONGEST_PAUSE_IN_A_STOP_SECONDS if hurried else LONGEST_PAUSE_SECONDS

    def _wait(self, seconds: float) -> None:
        """Pause; a stop that is noticed meanwhile cuts that short, since its time is."""
        if self._hurried.is_set():
            time.sleep(min(seconds, LONGEST_PAUSE_IN_A_STOP_SECONDS))
        else:
            self._hurried.wait(seconds)
