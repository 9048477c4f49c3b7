"""The units that a loop leaves out, since they were done before, and what outputs lack for that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from steadyspot.contract import Lacking
from steadyspot.memory.looking import UNKNOWN, looking
from steadyspot.memory.lost import Lost
from steadyspot.own_code import files_of_job, is_the_jobs

if TYPE_CHECKING:
    from steadyspot.memory.among_units import AmongUnits
    from steadyspot.memory.aside import Others
    from steadyspot.memory.beside import Beside
    from steadyspot.memory.carried import Carried
    from steadyspot.memory.files_left import FilesLeft
    from steadyspot.memory.files_named import FilesNamed
    from steadyspot.memory.under_loops import UnderLoops


class LeftOut:
    """Keys of one loop's units, in order; ``say`` is told what the program keeps in variables.

    By what names, of how many units, and what lacks it. ``others`` knows its files, ``text`` gives
    those with its text. A program that cannot be looked at ends by that as little as it ends
    complete.
    """

    def __init__(
        self,
        say: Callable[[list[str], int, Lacking], None],
        others: Others,
        text: Callable[[], Iterable[str]] = files_of_job,
    ) -> None:
        self.keys: list[str] = []
        self._say = say
        self._others = others
        self._text = text
        self._kept: _Kept | None = None
        self._is_unclear = False
        self.lost = Lost()

    def add(self, key: str) -> None:
        """Leave out a unit; called where the loop asks for the next one."""
        if not self.keys:
            with looking(self._give_up):
                self._kept = _Kept.now(self._others, [*self._text()])
                self._others.outside.listen(1)
        self.keys.append(key)

    def may_hide_some(self) -> bool:
        """Whether units may have left something that no text shows."""
        found = list[bool]()
        with looking(self._give_up):
            found.append(self._kept is not None and self._kept.may_hide_some())
        return any(found)

    def loop_is_over(
        self, *, kept: bool, ran: bool, made: int, each_made: bool, through: bool = True
    ) -> None:
        """Say what is lacking from now on.

        ``kept``: the job keeps something itself. ``ran``: other units were done; so many ``made``
        something, or ``each``. ``through``: the loop has gone through all units.
        """
        lost = Lost(len(self.keys))
        with looking(self._give_up):
            if self._kept:
                self._others.outside.listen(len(self.keys))
                self._others.outside.left.loop_ends()
                lost = self._kept.lost(
                    lost, kept=kept, ran=ran, made=made, each_made=each_made, through=through
                )
        if self._is_unclear:
            lost = lost._replace(later=UNKNOWN, by_units=UNKNOWN if made else [], makes_output=True)
        self.lost = lost
        for which, names in ((Lacking.LATER, lost.later), (Lacking.UNITS, lost.by_units)):
            if names:
                self._say([*names], len(self.keys), which)

    def _give_up(self) -> None:
        self._is_unclear = True


class _Kept(NamedTuple):
    """What a program held and was about to do as it asked for the first unit that is left out."""

    carried: Carried
    among: AmongUnits
    running: UnderLoops
    named: FilesNamed
    others: Others
    returned: list[str]
    mapped: list[str]

    @classmethod
    def now(cls, others: Others, of_job: list[str]) -> _Kept:
        # Only after a stop: it loads a parser.
        from steadyspot.memory.among_units import AmongUnits
        from steadyspot.memory.carried import Carried
        from steadyspot.memory.files_named import FilesNamed
        from steadyspot.memory.restored import Restored
        from steadyspot.memory.under_loops import UnderLoops

        running = UnderLoops(of_job)
        restored = Restored(running)
        carried = Carried(of_job, restored, folder=others.outside.left.has_outputs)
        return cls(
            carried,
            AmongUnits(running, restored),
            running,
            FilesNamed(carried.later),
            others,
            _names_of_returned(),
            others.files.mapped_anew(),
        )

    def may_hide_some(self) -> bool:
        return not self.returned and (
            self.carried.may_hide_some()
            or self.among.may_hide_some()
            or self.named.may_hide_some(self.running.statements, self.others.outside.left)
        )

    def lost(
        self, lost: Lost, *, kept: bool, ran: bool, made: int, each_made: bool, through: bool
    ) -> Lost:
        """What is lacking once the loop is over, see ``LeftOut.loop_is_over``."""
        from steadyspot.memory.deciding import makes_each

        carried, running = self.carried, self.running
        return lost._replace(
            later=self.later(kept=kept, ran=ran, each_made=each_made),
            by_units=self.by_units(kept=kept) if made else [],
            deciding=carried.deciding(
                ran=ran,
                all_made=each_made,
                each_makes=makes_each(running.loops, running.functions),
                kept=kept,
            ),
            changed=carried.may_be_missed(ran=ran, kept=kept),
            looked_up=self.among.may_be_missed(kept=kept),
            loops=frozenset(running.loops),
            takers=frozenset(running.takers),
            makes_output=carried.later.makes_output,
            is_through=through,
        )

    def later(self, *, kept: bool, ran: bool, each_made: bool) -> list[str]:
        """What outputs after the loop would lack."""
        names = self.carried.names(ran=ran, all_made=each_made, kept=kept)
        names += self.named.read(self.others.outside.left, kept=kept) if ran else []
        return self.mapped + names + ([] if kept else self.returned)

    def by_units(self, *, kept: bool) -> list[str]:
        """What outputs of units would lack."""
        outside = self.others.outside
        in_databases = self.named.handed_on(outside, self.running.statements, kept=kept)
        return self.among.names(kept=kept) + outside.handed_on(kept=kept) + in_databases


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


def lost_of_pool(asking: FrameType, units: int, names: list[str], left: FilesLeft) -> Lost:
    """What is lacking of so many units that are left out, of whose results ``names`` are read."""
    from steadyspot.memory.program_text import program_of
    from steadyspot.memory.read_later import Later
    from steadyspot.memory.results_text import results_named
    from steadyspot.under_way import job_stack

    program = program_of(asking.f_code.co_filename)
    statement = program and program.statement(asking.f_code, asking.f_lasti)
    decide = Later(job_stack(), files_of_job(), now=True, folder=left.has_outputs).deciding()
    return Lost(
        units,
        later=names,
        deciding=[name for name in names if name in decide.under | decide.behind],
        changed=results_named(asking.f_code, asking.f_lasti),
        takers=frozenset([statement] if statement else ()),
        makes_output=True,
    )


def beside_of(units: int, left: FilesLeft) -> Beside:
    """What the program holds as so many units are left out that it would hand to others."""
    from steadyspot.memory.beside import Beside

    return Beside(units, left)


def _names_of_returned() -> list[str]:
    """What the program makes something of that is returned by what takes the units at once."""
    from steadyspot.memory.plain_loop import taken_at_once
    from steadyspot.memory.results_text import returned_read

    frame = taken_at_once()
    found = returned_read(frame.f_code, frame.f_lasti) if frame else set()
    return sorted(name or "what was returned" for name in found)
