"""What units of a loop read as those before them left it, so that none may be left out.

A number that goes on from unit to unit, the rows that were seen already, the one before, random
numbers that were seeded once: a resumed attempt begins with none of it, and what its units make is
not what they would make in an undisturbed run.
"""

from __future__ import annotations

import io

from steadyspot.memory.contents import Told, all_told, is_data
from steadyspot.memory.files_named import reads_rows_of_others
from steadyspot.memory.flow import Way
from steadyspot.memory.gathering import Names
from steadyspot.memory.in_memory import is_database
from steadyspot.memory.places import places_at
from steadyspot.memory.randomness import standing
from steadyspot.memory.restored import Restored
from steadyspot.memory.under_loops import UnderLoops
from steadyspot.memory.unit_text import UnitText

_GOING_ON = {
    *(("collections", "UserDict"), ("collections", "UserList"), ("_contextvars", "ContextVar")),
    ("numpy.random.bit_generator", "SeedSequence"),
}
"""Of objects of libraries those of which each change is one that units ask for."""


class AmongUnits:
    """What is held as loops ask for their next unit.

    Where the job keeps something itself, what was ``restored`` does not count.
    """

    def __init__(self, running: UnderLoops, restored: Restored) -> None:
        self._text = UnitText(running)
        self._codes = set(running.loops.values())
        self._restored = restored
        self._reads_rows = reads_rows_of_others(running.statements)
        calls = (node for one in running.programs for node in one.calls())
        self._random = standing() if self._text.seeds(calls) else {}
        self._before = self._held()

    def names(self, *, kept: bool = False) -> list[str]:
        """By what names units have left something to those after them.

        ``kept``: the job keeps something.
        """
        now, text = self._held(), self._text
        found = {
            path
            for path, value in now.items()
            if self._was_handed_on(path, value) and not (kept and self._restored.has(path))
        }
        random = standing() if self._random else {}
        found |= {path for path, was in self._random.items() if random.get(path, was) != was}
        return sorted(text.counted | {str(path[-1]) for path in found})

    def may_be_missed(self, *, kept: bool = False) -> set[str]:
        """By what names units look for something that those before them have left, by the text."""
        return self._text.counted | {
            str(path[-1])
            for path in self._before
            if any(map(self._text.looks_up, self._places(path)))
            and not (kept and self._restored.has(path))
        }

    def may_hide_some(self) -> bool:
        """Whether units may have, by the text alone."""
        return bool(self._text.counted or self._random) or any(
            self._is_within_another(path)
            or any(self._text.hands_on(place) for place in self._places(path))
            for path in self._before
        )

    def _held(self) -> dict[Names, Told]:
        """What units may read of what is reached by name, and what it holds."""
        return all_told(
            lambda path, value: (
                not self._places(path).isdisjoint(self._text.read) and self._may_hand_on(value)
            )
        )

    def _may_hand_on(self, value: object) -> bool:
        """Whether it is data, or something that units take the next one from.

        Other objects of libraries change as they are used, as by what they look up once.
        """
        if is_database(value):
            return self._reads_rows
        is_iterator = hasattr(type(value), "__next__") and not isinstance(value, io.IOBase)
        is_known = (type(value).__module__, type(value).__name__) in _GOING_ON
        return is_iterator or is_known or is_data(value) is not None

    def _places(self, path: Names) -> set[str]:
        """What the text may call what is reached so."""
        code, *names = path
        if len(names) == 1:
            return {str(names[0])} if code in self._codes else set()
        return places_at(path)

    def _is_within_another(self, path: Names) -> bool:
        """Whether it lies in an object of which units make another each time."""
        return any(
            Way.ADDED in self._text.ways({place}) and self._text.hands_on(place)
            for end in range(2, len(path))
            for place in self._places(path[:end])
        )

    def _was_handed_on(self, path: Names, now: Told) -> bool:
        before = self._before.get(path, now)
        if before == now:
            return False
        if self._is_within_another(path):
            return True
        places = self._places(path)
        ways = self._text.ways(places)
        if before[0] != now[0]:
            ways &= {Way.ADDED}  # It is another value.
        elif Way.RENEWED in ways and Way.ADDED not in ways:
            return False
        else:
            ways = ways or {Way.GIVEN}  # By another name, or by a library.
        return any(self._text.hands_on(place, ways) for place in places)
