"""A unit in hand as the process that does it knows it: within which, and whether it may be done.

Units that lie within each other are told by their context. What was taken ahead, or
is still held in memory or by others, may not have been done yet. That an output belongs to the unit
of its thread or child is for the other side to find, see ``units``.
"""

from __future__ import annotations

import contextvars
import os
import sys
from typing import NamedTuple

from steadyspot.errors import Misused
from steadyspot.memory.gathering import Held, HeldHere
from steadyspot.under_way import Token, effort


class Before(NamedTuple):
    """What was under way when a unit of a loop began, the threads there were, and what was held.

    By others, and ``here``, by the loop's own program.
    """

    under_way: frozenset[Token]
    threads: frozenset[int]
    held: Held
    here: HeldHere


class InHand:
    """A unit in hand, as its context knows it; ``outer`` is the one it was begun within.

    ``made``: an output of it was begun, or ``run.state`` changed. ``before`` is of a unit of a
    loop, which may take it ahead; for another it is none.
    """

    def __init__(self, key: str, before: Before | None) -> None:
        self.key = key
        self.pid = os.getpid()
        self.ended = self.made = False
        here = UNIT.get()
        self.outer: InHand | None = None if here is None or here.ended else here
        self.before = before
        self._effort = effort()

    def took_nothing(self) -> bool:
        """Whether it took no time."""
        return effort().is_nothing(self._effort)

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
