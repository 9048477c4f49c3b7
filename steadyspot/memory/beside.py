"""What a program adds up beside units that it takes from ``undone``, for outputs of no unit.

A resumed attempt hands out those alone that are left. What the others had added to a number, a list
or an array of the program is gone; and nobody says where what they yield is added up, be it by the
program as it comes, in a thread of a pool, or by what it calls then. So what the program holds
when it asks for its units is compared with what it holds when it makes an output of no unit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from steadyspot.contract import Lacking
from steadyspot.memory.contents import Told, all_told
from steadyspot.memory.files_left import FilesLeft
from steadyspot.memory.files_named import FilesNamed
from steadyspot.memory.gathering import Names
from steadyspot.memory.looking import UNKNOWN, looking
from steadyspot.memory.places import places_along, places_at
from steadyspot.memory.program_text import added_to, programs_of, touched_in
from steadyspot.memory.read_later import Later
from steadyspot.memory.within_objects import pyplot
from steadyspot.own_code import files_of_job
from steadyspot.under_way import job_stack


class Beside:
    """What the program held as it asked for units, of which so many were left out."""

    def __init__(self, units: int, left: FilesLeft) -> None:
        self._units = units
        self._left = left
        self._before = _held()
        self._not_before = 0.0

    def may_hide_some(self) -> bool:
        """Whether the units may have left something, for an output of none of them."""
        files = files_of_job()
        later = Later(job_stack(), files, folder=self._left.has_outputs)
        added, touched = added_to(files), touched_in(files)
        statements = (one for each in programs_of(files) for one in each.statements())
        return FilesNamed(later).may_hide_some(statements, self._left) or (
            later.makes_output
            and any(
                later.reads_at(path)
                and not (added if holds is None else touched).isdisjoint(places_along(path))
                for path, (_, holds) in self._before.items()
            )
        )

    def say(self, lacks: Callable[[list[str], int, Lacking], None]) -> None:
        """Say what an output of no unit would lack that begins now, or what comes after it.

        Where many are made, at most half of the time goes into that.
        """
        begun = time.monotonic()
        if begun < self._not_before:
            return
        names = list[str]()
        with looking(lambda: names.extend(UNKNOWN)):
            names += self._names()
        if names:
            lacks(names, self._units, Lacking.OF_NO_UNIT)
        ended = time.monotonic()
        self._not_before = ended + (ended - begun)

    def _names(self) -> list[str]:
        """By what names it holds other things now, which the output is made of that begins."""
        files = files_of_job()
        later = Later(job_stack(), files, now=True)
        added = added_to(files)
        found = {
            str(path[-1])
            for path, now in _held().items()
            if self._has_changed(path, now, added) and later.reads_at(path)
        }
        return sorted(found.union(FilesNamed(later).read(self._left, kept=False)))

    def _has_changed(self, path: Names, now: Told, added: set[str]) -> bool:
        """Whether it holds other things, or is another value that was made of the one before."""
        before = self._before.get(path, now)
        if before[0] == now[0]:
            return before[1] != now[1]
        return not added.isdisjoint(places_at(path))


def _held() -> dict[Names, Told]:
    """By all names, which value it is, and what it holds."""
    return all_told(lambda path, value: value is not pyplot())
