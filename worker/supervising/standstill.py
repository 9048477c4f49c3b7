"""A job that stands still while somebody looks at its files, or at what its processes have in hand.

The keeper's thread asks for it to copy a folder, the main thread before it tells or kills: each for
itself, and the job goes on once nobody looks any more.
"""

from __future__ import annotations

import signal
import threading
import time

from steadyspot.worker.supervising.processes import (
    Process,
    descendants,
    lives,
    signal_process,
    stands,
)

LOOK_SECONDS = 0.001
"""How often it is seen whether all that was told to stand still does."""


class Standstill:
    """Stops everything below this process, in whatever group or session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = 0
        self._stopped: set[tuple[int, int]] = set()

    def begin(self, longest_seconds: float) -> None:
        """Return when all stands still, or by then: some may wait for a disk.

        A parent that moves yet sees its child stop, which a shell with job control takes for its
        end. So parents come first, as far as there is time. What is started meanwhile is found by
        the next look.
        """
        with self._lock:
            self._asked += 1
        begun = time.monotonic()
        while moving := [one for one in descendants() if not stands(one)]:
            waited = time.monotonic() - begun
            parents = {one.pid for one in moving} if 2 * waited < longest_seconds else set()
            for one in moving:
                if one.identity not in self._stopped and one.parent not in parents:
                    self._stopped.add(one.identity)
                    signal_process(one.pid, signal.SIGSTOP)
            if waited >= longest_seconds:
                return
            time.sleep(LOOK_SECONDS)

    def let_answer(self, told: Process, longest_seconds: float) -> None:
        """Let one go on alone until it has ended, or by then: it may pass on what it was told.

        Those that it tells then find that before they do anything else.
        """
        with self._lock:
            if self._asked > 1:
                return  # Another looks, too.
            signal_process(told.pid, signal.SIGCONT)
        until = time.monotonic() + longest_seconds
        while lives(told) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Let go on what was stopped, unless another looks still.

        Children before their parents, some of which stop themselves when they see one stopped.
        """
        with self._lock:
            self._asked -= 1
            if self._asked:
                return
            for one in reversed(descendants()):
                if one.identity in self._stopped:
                    signal_process(one.pid, signal.SIGCONT)
            self._stopped.clear()
