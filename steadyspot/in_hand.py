"""A unit in hand as the process that does it knows it: within which, and whether it may be done.

Units that lie within each other are told by their context. What has begun no output and took no
time, or has left something running, may not have been done yet. That an output belongs to the unit
of its thread or child is for the other side to find, see ``units``.
"""

from __future__ import annotations

import contextvars
import os
import sys
import time
from collections.abc import Callable

from steadyspot.errors import Misused
from steadyspot.under_way import effort, has_children_at_work, under_way


class Moments:
    """Time for what is just ending to come to rest, such as a pool's thread with its result given.

    A loop that leaves work running at every unit waits for it in vain, so all that was waited in
    vain is bounded.
    """

    EACH_SECONDS, IN_VAIN_SECONDS = 0.5, 2.0

    def __init__(self) -> None:
        self._left = self.IN_VAIN_SECONDS

    def until(self, over: Callable[[], bool]) -> bool:
        """Whether it is over, now or after a moment."""
        begun, pause = time.monotonic(), 0.001
        while not (over() and _again(over)):
            waited = time.monotonic() - begun
            if waited >= min(self.EACH_SECONDS, self._left):
                self._left -= waited
                return False
            time.sleep(pause)
            pause *= 2
        return True


def _again(over: Callable[[], bool]) -> bool:
    """Whether it still is: a task that a thread is just taking from its queue is nowhere to see."""
    time.sleep(0.0002)
    return over()


class InHand:
    """A unit in hand, as its context knows it; ``outer`` is the one it was begun within.

    ``made``: an output of it was begun that says so itself. ``of_loop``: a loop has begun it, which
    may take it ahead; only then it is looked what is under way.
    """

    def __init__(self, key: str, *, of_loop: bool) -> None:
        self.key = key
        self.pid = os.getpid()
        self.ended = self.made = False
        here = UNIT.get()
        self.outer: InHand | None = None if here is None or here.ended else here
        self._of_loop = of_loop
        if of_loop:
            self._before = under_way()
            self._effort = effort()

    def is_idle(self, moments: Moments) -> bool:
        """Whether its work may not be done yet: it took no time, or has left something running."""
        if self.made or not self._of_loop:
            return False
        if effort().is_nothing(self._effort):
            return True
        return self.leaves_running(moments) or has_children_at_work()

    def leaves_running(self, moments: Moments) -> bool:
        """Whether anything runs that was begun while it was in hand, or since."""
        return not moments.until(lambda: under_way() <= self._before)

    def check_innermost(self) -> None:
        """Raise ``Misused`` where one that was begun within it has not ended.

        Outputs went to that one, whatever loop they were meant for.
        """
        inner = above = UNIT.get()
        while above is not None and above is not self:
            above = above.outer
        if inner is not None and above is self and inner is not self and not inner.ended:
            raise Misused(
                f"The unit {self.key} ends while the unit {inner.key}, begun within it, is in hand."
                " Loops over units lie within each other or one after the other, never side by"
                " side, and one that was broken off is not kept."
            )


UNIT: contextvars.ContextVar[InHand | None] = contextvars.ContextVar("unit", default=None)
"""The innermost unit that this context has begun; it may have ended."""


def is_child_of_python() -> bool:
    """Whether ``multiprocessing`` has started this process, for its parent to lead and to end."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    return multiprocessing is not None and multiprocessing.parent_process() is not None
