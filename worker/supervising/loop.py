"""The one place where the main thread waits: for signals, ended children, and other threads.

What a signal means is decided by the supervisor, which is called for each; who waits here goes on
answering meanwhile, and never waits longer than the grace of a stop allows.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from steadyspot.worker.supervising import processes, signals
from steadyspot.worker.supervising.grace import NO_END_SECONDS, Grace


class Loop:
    """Waits, and calls what acts on an event.

    ``on_signal`` gets the number, ``on_ended`` wait statuses of children by process id; ``on_note``
    is called after another thread has noted something in the inbox.
    """

    def __init__(
        self,
        grace: Grace,
        on_signal: Callable[[int], None],
        on_note: Callable[[], None],
        on_ended: Callable[[dict[int, int]], None],
    ) -> None:
        self.inbox = signals.Inbox()
        self.ended: dict[int, int] = {}
        self._grace = grace
        self._on_signal = on_signal
        self._on_note = on_note
        self._on_ended = on_ended

    def turn(self, seconds: float | None) -> None:
        """Wait for the next event, at most so long, and have it acted on."""
        for number in self.inbox.wait(seconds):
            if number == signals.NOTE:
                self._on_note()
            elif number != signal.SIGCHLD:
                self._on_signal(number)
        self.reap()

    def reap(self) -> None:
        """Take leave of children that have ended; ``ended`` are those of this time."""
        self.ended = processes.reap()
        self._on_ended(self.ended)

    def wait(self, done: Callable[[], bool], until: float | None = None) -> bool:
        """Go on answering until ``done`` or the monotonic time ``until``; whether it is done.

        A stop may be noticed meanwhile: never longer than until its grace is over.
        """
        while not done():
            left = self._grace.left()
            if until is not None:
                left = min(left, until - time.monotonic())
            if left <= 0:
                return False
            self.turn(left if left < NO_END_SECONDS else None)
        return True
