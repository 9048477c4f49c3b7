"""Units of one loop that ended and may not be done yet: they are set aside, and marked together.

A loop that takes units ahead of their work, or hands them on, does that work while a later one is
in hand. Nothing tells that for certain from outside, so what is in doubt costs time after a kill
and no output: it waits until all is at rest that was begun since the first of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from steadyspot.in_hand import Before, InHand
from steadyspot.memory.files_outside import FilesOutside
from steadyspot.memory.gathering import Names, gathered, grew, held, held_here, holds_more
from steadyspot.memory.open_files import OpenFiles
from steadyspot.memory.open_transactions import OpenTransactions
from steadyspot.under_way import (
    HELPER,
    TASK,
    THREAD,
    Token,
    any_begins,
    at_large,
    below,
    handed_on,
    has_children,
    has_children_at_work,
    in_unknown_loop,
    no_pools,
    under_way,
)

LOOK_SECONDS, SETTLE_SECONDS = 0.001, 1.0
"""What was begun just before the loop comes to rest meanwhile."""


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


class Others:
    """What is known of the threads and children of a process beside its loop.

    ``makers`` are threads that have begun an output by themselves. ``writing`` are outputs that
    are being written. ``state_waits``: a unit set aside has changed ``run.state``. ``folders`` are
    the run's, for the checkpoint and for outputs, in which they may make something unseen, each
    empty where there is none; in ``own`` lies what the run itself needs. ``ask`` gives the
    processes that speak with the run.
    """

    def __init__(
        self, folders: tuple[str, str], own: Path, ask: Callable[[], Iterable[int]]
    ) -> None:
        self.makers: set[int] = set()
        self.writing: set[Path] = set()
        self.state_waits = False
        self.moments = Moments()
        self.files = OpenFiles(*folders)
        self.outside = FilesOutside((folders[0], str(own)), folders[1])
        self.transactions = OpenTransactions()
        self._folders = any(folders)
        self._ask = ask
        self._harmless = False
        self._places: set[Token] = set()

    def before(self, *, at_rest: bool) -> frozenset[Token]:
        """What is under way as a unit begins, and where threads stood while all was ``at_rest``.

        Of what goes on then nothing is a unit's. The first time it is waited for a moment until
        threads that were begun just before have come to where they wait.
        """
        now = under_way()
        if at_rest and not self._places:
            end = time.monotonic() + SETTLE_SECONDS
            while now and time.monotonic() < end:
                time.sleep(LOOK_SECONDS)
                last, now = now, under_way()
                self._remember(now)
                if now == last and not any_begins():
                    break
        if at_rest:
            self._remember(now)
        return now | self._places

    def _remember(self, tokens: frozenset[Token]) -> None:
        self._places |= {
            one for one in tokens if one[0] in (THREAD, HELPER) and isinstance(one[2], tuple)
        }

    def are_harmless(self) -> bool:
        """Whether what units that made something leave running is no part of their work.

        As where a pool reads ahead: a task that was left running has ended without an output.
        """
        return self._harmless and not (self.makers or self._folders)

    def learn(self, seen: frozenset[Token]) -> None:
        """Tasks were seen; those that have ended and made nothing are no part of a unit's work."""
        tasks = {one for one in seen if one[0] == TASK}
        if tasks and tasks - under_way() and not self.makers and not self.speaking():
            self._harmless = True

    def speaking(self) -> list[int]:
        """Processes below this one that speak with the run by themselves."""
        return below(self._ask()) if has_children() else []


class Aside:
    """The units of one loop that were set aside, in order.

    So many of the loop's units so far, set aside or not, have ``made`` something; ``each_made``:
    all of them. ``looks_ahead`` tells whether the loop takes a unit before it is through with the
    one before.
    """

    def __init__(self, others: Others, looks_ahead: Callable[[], bool]) -> None:
        self.units: list[InHand] = []
        self._others = others
        self._looks_ahead = looks_ahead
        self.made = 0
        self.each_made = True
        self._all_made = True
        self._seen: frozenset[Token] = frozenset()
        self._gathered: set[Names] = set()

    def begin(self) -> Before:
        """What is under way and held as the next unit begins."""
        now = self._others.before(at_rest=not self.units)
        self._others.files.begin()
        self._others.transactions.begin()
        return Before(now, frozenset(sys._current_frames()), held(), held_here())

    def add(self, unit: InHand, changed: bool) -> None:
        """Set a unit aside, which has ``changed`` the state or not."""
        self.units.append(unit)
        self._all_made = self._all_made and unit.made
        self._others.state_waits |= changed

    def clear(self) -> None:
        """All are marked."""
        self.units.clear()
        self._others.state_waits = False
        self._all_made = True
        self._seen = frozenset()

    def are_done(self, unit: InHand) -> bool:
        """Whether a unit that ends is done, and with it those set aside before it.

        One that made nothing may have been taken ahead, or what it yields may lie in memory. One
        that made something was not, but may have handed on more.
        """
        others = self._others
        self.made += unit.made
        self.each_made = self.each_made and unit.made
        all_made = unit.made and self._all_made
        if others.writing or others.files.may_lack(unit.made) or others.transactions.may_lack():
            return False
        if in_unknown_loop() or self._looks_ahead():
            return False
        if not (unit.made or self._was_done_here(unit)):
            return False
        if not all_made and self._is_gathered(unit):
            return False
        if all_made and others.are_harmless():
            return True
        self._seen |= under_way()
        at_rest = others.moments.until(lambda: self._is_at_rest(unit, all_made))
        if all_made:
            others.learn(self._seen)
            if others.are_harmless():
                return True
        if not at_rest or at_large(others.makers) or no_pools(others.speaking()):
            return False
        return not has_children_at_work(fed=not all_made)

    def _was_done_here(self, unit: InHand) -> bool:
        """Whether a unit that made nothing took time, in a loop that keeps nothing unseen."""
        from steadyspot.memory.plain_loop import is_plain  # Most jobs need none of what it loads.

        return not unit.took_nothing() and is_plain()

    def _is_gathered(self, unit: InHand) -> bool:
        """Whether the loop holds more than before the first, where units that made nothing add.

        Where each unit makes an output, what it adds to a list besides may be no part of any.
        """
        first, now = (self.units or [unit])[0].before, held_here()
        if not first or not unit.before:
            return False
        if not unit.made:
            self._gathered |= gathered(now, unit.before.here)
        return holds_more(now, first.here, self._gathered)

    def _is_at_rest(self, unit: InHand, all_made: bool) -> bool:
        """Whether nobody holds more than before the first, and nothing runs that was begun since.

        Where ``all_made``, no work.
        """
        now, holding = under_way(), held()
        for before in (one.before for one in (unit, *self.units[:1]) if one.before):
            left = now - before.under_way
            if left and (not all_made or self._others.makers or handed_on(left, before.threads)):
                return False
            if grew(holding, before.held):
                return False
        return True
