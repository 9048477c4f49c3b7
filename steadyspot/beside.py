"""What a program adds up beside units that it takes from ``undone``, for outputs of no unit.

A resumed attempt hands out those alone that are left. What the others had added to a number, a list
or an array of the program is gone; and nobody says where what they yield is added up, be it by the
program as it comes, in a thread of a pool, or by what it calls then. So what the program holds
when it asks for its units is compared with what it holds when it makes an output of no unit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from steadyspot.carried import is_data, is_plain_value
from steadyspot.contents import contents
from steadyspot.contract import Lacking
from steadyspot.gathering import Names, reached
from steadyspot.own_code import files_of_job, is_the_jobs
from steadyspot.program_text import added_to
from steadyspot.read_later import Later
from steadyspot.under_way import stack_of


class Beside:
    """What the program held as it asked for units, of which so many were left out."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._before = _held()

    def say(self, lacks: Callable[[list[str], int, Lacking], None]) -> None:
        """Say what an output of no unit would lack that begins now."""
        if names := self._names():
            lacks(names, self._units, Lacking.OF_NO_UNIT)

    def _names(self) -> list[str]:
        """By what names it holds other things now, which the output is made of that begins."""
        files = files_of_job()
        frames = [one for one in stack_of(sys._getframe()) if is_the_jobs(one.f_code)]
        later = Later(frames, files, now=True)
        added = added_to(files)
        found = {
            str(path[-1])
            for path, now in _held().items()
            if self._has_changed(path, now, added) and later.reads_at(path)
        }
        return sorted(found)

    def _has_changed(self, path: Names, now: tuple[int, int | None], added: set[str]) -> bool:
        """Whether it holds other things, or is another value that was made of the one before."""
        before = self._before.get(path, now)
        if before[0] == now[0]:
            return before[1] != now[1]
        return not added.isdisjoint((str(path[-1]), f".{path[-1]}"))


def _held() -> dict[Names, tuple[int, int | None]]:
    """By all names, which value it is, and what it holds; a plain one is told by itself."""
    return {path: _told(value) for path, value, _ in reached(is_data)}


def _told(value: object) -> tuple[int, int | None]:
    if is_plain_value(value):
        return contents((value,)) or 0, None
    return id(value), contents(value)
