"""Which program of a job has which units in this attempt: no program skips those of another.

A job may run several, such as ``extract.py`` and ``load.py``. Where both have a unit of one key,
the second would find it done and leave out its work, so it is refused. The same program may be
started again, and a process and those below it may ask again for what they have done.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadyspot.units import ancestry
from steadyspot.worker.errors import Misuse
from steadyspot.worker.keeping.warnings import shown

_Loop = tuple[int, str]
"""A process, and what tells a loop in its program from one in another."""


class Claims:
    """What each unit was begun for or skipped by, in this attempt. Its caller holds the lock.

    Of a key its hash is kept: a long run has many.
    """

    def __init__(self) -> None:
        self._loops: dict[int, _Loop] = {}
        self._units: dict[int, _Loop] = {}

    def begin(self, unit: str, pid: int) -> None:
        """A process begins a unit, for the program that it last claimed any for."""
        loop = self._loops.get(pid)
        if loop:
            self._units.setdefault(hash(unit), loop)

    def claim(self, pid: int, program: str, units: Sequence[str], done: Sequence[str]) -> None:
        """A program has these units and skips those ``done``; an empty one is any.

        Raises ``Misuse`` where another has had one that it skips.
        """
        if not program:
            return
        loop = self._loops[pid] = (pid, program)
        for unit in done:
            other_pid, other = self._units.setdefault(hash(unit), loop)
            if other != program and not _is_above(other_pid, pid) and not _is_above(pid, other_pid):
                raise Misuse(
                    f"Two programs have a unit with the key {unit}: {shown(other)}; and"
                    f" {shown(program)}, which would skip it.",
                    "Give each program keys of its own, such as"
                    " remaining(units, key=lambda unit: ('load', unit)).",
                )
        for unit in units:
            self._units.setdefault(hash(unit), loop)


def _is_above(pid: int, other: int) -> bool:
    """Whether a process is the other one, or above it."""
    return pid in ancestry(other)
