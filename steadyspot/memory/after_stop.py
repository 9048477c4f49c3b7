"""What a resumed attempt lacks of units that it leaves out, and when that is said.

A loop says it as it ends, a pool and files elsewhere as an output is made, and the rest the end of
the program. A program that leaves out no unit pays nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from steadyspot.contract import Lacking
from steadyspot.in_hand import InHand, is_child_of_python
from steadyspot.memory.left_out import LeftOut, beside_of, lost_of_pool, names_of_results
from steadyspot.memory.looking import UNKNOWN, looking
from steadyspot.memory.lost import Lost

if TYPE_CHECKING:
    from steadyspot.channel import Channel
    from steadyspot.memory.aside import Aside, Others
    from steadyspot.memory.beside import Beside

T = TypeVar("T")


class AfterStop:
    """``is_kept``: whether the job keeps in its state or its folder what it needs after a stop."""

    def __init__(self, channel: Channel, others: Others, is_kept: Callable[[], bool]) -> None:
        self._channel = channel
        self._others = others
        self._is_kept = is_kept
        self._again: set[str] = set()
        self._beside: Beside | None = None
        self._of_pool = 0
        self._under_way: tuple[LeftOut, Aside] | None = None
        self._lost: dict[frozenset[object], Lost] = {}

    def of_loop(self, aside: Aside) -> LeftOut:
        """The units that a loop leaves out, none yet."""
        left_out = LeftOut(self._channel.lacks, self._others)
        self._under_way = left_out, aside
        return left_out

    def may_hide_some(self, left_out: LeftOut, name: str) -> bool:
        """Whether a loop is to do its last unit again, which was done as all others: it is once.

        Nothing shows what they left in memory or in files for what comes now.
        """
        with self._others.outside.deaf():
            may_hide_some = not self._is_kept() and left_out.may_hide_some()
        return may_hide_some and self._is_done_again(name)

    def loop_is_over(
        self, left_out: LeftOut, aside: Aside, *, ran: bool, through: bool = True
    ) -> None:
        """Say what is lacking from now on; ``through``: it has gone through all its units."""
        self._under_way = None
        with self._others.outside.deaf():
            try:
                left_out.loop_is_over(
                    kept=self._is_kept(),
                    ran=ran,
                    made=aside.made,
                    each_made=aside.each_made,
                    through=through,
                )
            finally:
                self._note(left_out.lost)

    def of_pool(self, caller: FrameType, pairs: Sequence[tuple[str, T]], left: list[T]) -> list[T]:
        """The units ``left`` of a pool, or the last where none is that may have left something.

        What the program makes of what those that are left out have yielded is said to be lacking.
        """
        before = self._of_pool = len(pairs) - len(left)
        self._channel.say_done(before, len(left))
        self._others.outside.listen(before, of_pool=True)
        self._say_made_anew()
        if self._is_kept():
            return left
        unclear = looking(lambda: self._channel.lacks(UNKNOWN, before, Lacking.OF_NO_UNIT))
        with self._others.outside.deaf(), unclear:
            names = names_of_results(caller)
            self._note(lost_of_pool(caller, before, names, self._others.outside.left))
            if names:
                self._channel.lacks(names, before, Lacking.OF_NO_UNIT)
            self._beside = beside_of(before, self._others.outside.left)
            name, unit = pairs[-1]
            may_hide_some = not (left or names) and self._beside.may_hide_some()
            if may_hide_some and self._is_done_again(name):
                return [unit]
        return left

    def unit_of_pool_begins(self) -> None:
        """The first time it is looked again which files the program has made anew by now."""
        if self._of_pool:
            self._say_made_anew()
            self._of_pool = 0

    def output_begins(self, unit: InHand | None) -> None:
        """An output of a unit begins, or of none: say what it lacks, or what comes after it.

        Those of a pool's units are made beside what others read.
        """
        if self._beside and unit is None:
            with self._others.outside.deaf():
                self._beside.say(self._channel.lacks)
        if unit is None or unit.before:
            self._say_read(Lacking.LATER)

    def output_ends(self, unit: InHand | None) -> None:
        """It is made, of what the program has read by now."""
        if unit is None or unit.before:
            self._say_read(Lacking.UNITS)

    def program_ends(self) -> None:
        """Say what files in the folder for outputs lack, and for what the program may fail.

        And what would have decided on outputs that it did not make.
        """
        outside = self._others.outside
        if not outside.units:
            return
        error = getattr(sys, "last_value", None)
        if self._under_way and self._under_way[0].keys:  # The error holds what holds it.
            self.loop_is_over(*self._under_way, ran=True, through=False)
        with outside.deaf():
            if outside.left.has_newer_outputs():
                self._say_read(Lacking.UNITS)
            if missed := outside.missed(error) or self._missed(error):
                self._channel.lacks(missed, outside.units, Lacking.IF_FAILED)
            for lost in self._lost.values() if error is None else ():
                if names := lost.decides():
                    self._channel.lacks(names, lost.units, Lacking.UNITS)

    def _note(self, lost: Lost) -> None:
        """Of a loop that is gone through again the last time counts."""
        self._lost[lost.around] = lost

    def _missed(self, error: BaseException | None) -> list[str]:
        """What units left out had in memory, and for want of which a program may have failed."""
        from steadyspot.memory.failing import Failure

        names = set[str]()
        with looking(lambda: names.update(UNKNOWN)):
            failure = None if error is None else Failure(error)
            names.update(*(lost.missed(failure) for lost in self._lost.values()))
        return sorted(names)

    def _say_read(self, lacking: Lacking) -> None:
        """Say which files the program has read that units before the stop had left elsewhere."""
        outside = self._others.outside
        if outside.units and (names := outside.read_later(kept=self._is_kept())):
            self._channel.lacks(names, outside.units, lacking)

    def _say_made_anew(self) -> None:
        """Say which files the program has made anew to which units left out had written."""
        files = self._others.files
        if names := files.mapped_anew() + files.made_anew():
            self._channel.lacks(names, self._of_pool, Lacking.OF_NO_UNIT)

    def _is_done_again(self, name: str) -> bool:
        """Whether a unit that was done is to be done again, which it is once."""
        if name in self._again or is_child_of_python():
            return False
        self._again.add(name)
        return True
