"""The units that a loop leaves out, since they were done before, and what outputs lack for that."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from steadyspot.contract import Lacking
from steadyspot.own_code import files_of_job, is_the_jobs

if TYPE_CHECKING:
    from steadyspot.memory.among_units import AmongUnits
    from steadyspot.memory.beside import Beside
    from steadyspot.memory.carried import Carried
    from steadyspot.memory.open_files import OpenFiles


class LeftOut:
    """Keys of one loop's units, in order; ``say`` is told what the program keeps in variables.

    By what names, of how many units, and what lacks it. ``files`` are those that it has open.
    """

    def __init__(self, say: Callable[[list[str], int, Lacking], None], files: OpenFiles) -> None:
        self.keys: list[str] = []
        self._say = say
        self._files = files
        self._carried: Carried | None = None
        self._among: AmongUnits | None = None
        self._returned: list[str] = []
        self._mapped: list[str] = []

    def add(self, key: str) -> None:
        """Leave out a unit; called where the loop asks for the next one."""
        if not self.keys:
            # Only after a stop: it loads a parser.
            from steadyspot.memory.among_units import AmongUnits
            from steadyspot.memory.carried import Carried
            from steadyspot.memory.restored import Restored
            from steadyspot.memory.under_loops import UnderLoops

            files = files_of_job()
            running = UnderLoops(files)
            restored = Restored(running)
            self._carried, self._among = Carried(files, restored), AmongUnits(running, restored)
            self._returned = _names_of_returned()
            self._mapped = self._files.mapped_anew()
        self.keys.append(key)

    def may_hide_some(self) -> bool:
        """Whether units may have left something that no text shows."""
        if not (self._carried and self._among) or self._returned:
            return False
        return self._carried.may_hide_some() or self._among.may_hide_some()

    def loop_is_over(self, *, kept: bool, ran: bool, made: int, each_made: bool) -> None:
        """Say what is lacking from now on.

        ``kept``: the job keeps something itself. ``ran``: other units were done; so many ``made``
        something, or ``each``.
        """
        if not (self._carried and self._among):
            return
        if self._mapped:
            self._say(self._mapped, len(self.keys), Lacking.LATER)
        names = self._carried.names(ran=ran, all_made=each_made, kept=kept)
        if names := names + ([] if kept else self._returned):
            self._say(names, len(self.keys), Lacking.LATER)
        if made and (names := self._among.names(kept=kept)):
            self._say(names, len(self.keys), Lacking.UNITS)


def names_of_results(asking: FrameType) -> list[str]:
    """What the program makes something of that pools return for the units it asks for.

    Where a function returns its units, it is the one that called it.
    """
    from steadyspot.memory.results_text import results_read, returns_units

    frame: FrameType | None = asking
    found: set[str] = set()
    while frame and is_the_jobs(frame.f_code):
        found |= results_read(frame.f_code, frame.f_lasti)
        is_returned = returns_units(frame.f_code, frame.f_lasti)
        frame = frame.f_back if is_returned else None
    return sorted(name or "what they returned" for name in found)


def beside_of(units: int) -> Beside:
    """What the program holds as so many units are left out that it would hand to others."""
    from steadyspot.memory.beside import Beside

    return Beside(units)


def _names_of_returned() -> list[str]:
    """What the program makes something of that is returned by what takes the units at once."""
    from steadyspot.memory.plain_loop import taken_at_once
    from steadyspot.memory.results_text import returned_read

    frame = taken_at_once()
    found = returned_read(frame.f_code, frame.f_lasti) if frame else set()
    return sorted(name or "what was returned" for name in found)
