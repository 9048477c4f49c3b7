"""What a job has in hand: units that were begun, and outputs being written or staged for them.

Tells to which unit an output belongs, refuses two units with one key, and gives up what a process
that is gone had in hand. It knows neither S3 nor DynamoDB, and its caller holds the lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count

from steadyspot.names import place_below
from steadyspot.paths import remove
from steadyspot.units import Ambiguous, Process, beside, owner
from steadyspot.worker.errors import Misuse
from steadyspot.worker.keeping.claims import Claims
from steadyspot.worker.keeping.uploads import Upload


@dataclass
class Unit:
    """A unit in hand, or with an empty key what belongs to none.

    ``refused`` says why it cannot be marked any more, ``leaves`` that its process is to give it up.
    """

    key: str
    process: Process
    staged: dict[str, Upload] = field(default_factory=dict)
    refused: Misuse | None = None
    leaves: bool = False


@dataclass(frozen=True)
class Draft:
    """An output that is being written, to ``path`` in a ``folder`` of its own."""

    name: str
    folder: str
    path: str
    unit: Unit
    process: Process

    def remove(self) -> None:
        """Remove its folder, with whatever else the job left there."""
        try:
            os.unlink(self.path)
            os.rmdir(self.folder)
        except OSError:
            remove(self.folder)


class InHand:
    """Units and outputs in hand, below ``folder``.

    ``drop`` takes uploads that nobody wants; ``say_left`` is told of each unit that will not be
    marked, and how many outputs do not count for that. ``left`` are its keys, ``begun`` how many
    units were. ``aside`` are units that ended and may not be done yet. ``undone`` are those begun
    and not marked whose changes of the folders no save has taken along yet for another's mark, each
    with the number that it was begun as.
    """

    def __init__(
        self, folder: str, drop: Callable[[Upload], None], say_left: Callable[[str, int], None]
    ) -> None:
        self._folder = folder
        self._drop = drop
        self._say_left = say_left
        self._units: dict[str, Unit] = {}
        self._drafts: dict[int, Draft] = {}
        self._numbers = count(1)
        self.marked: set[str] = set()
        self.undone: dict[str, int] = {}
        self.aside: dict[str, Unit] = {}
        self.left: list[str] = []
        self.begun = 0
        self.claims = Claims()
        self.loose = Unit("", Process(0, ""))

    def begin(self, key: str, pid: int) -> None:
        """Take a unit in hand. Raises ``Misuse`` where another has or had its key."""
        self._bury()
        if key in self._units:
            holder = self._units[key].process.pid
            raise Misuse(
                f"Two units have the key {key}: one is in hand already, in process {holder}.",
                "Give each unit a key of its own.",
            )
        if key in self.marked or key in self.aside:
            raise Misuse(
                f"Two units have the key {key}: one was done already in this attempt.",
                "Give each unit a key of its own.",
            )
        self.claims.begin(key, pid)
        self._units[key] = Unit(key, Process.of(pid))
        self.begun += 1
        self.undone[key] = self.begun

    def settle(self, marked: set[str]) -> None:
        """Units were marked; what those that were left had changed in the folders counts now."""
        self.marked |= marked
        for key in marked | {key for key in self.left if key not in self._units}:
            self.undone.pop(key, None)

    def oldest_beside(self) -> int:
        """The number of the first of those undone, while any is in hand; else 0."""
        return min(self.undone.values()) if self._units else 0

    def leave(self, pid: int) -> None:
        """A process is about to give up the units it has in hand, once others have ended theirs."""
        for unit in self._units.values():
            if unit.process.pid == pid:
                unit.leaves = True

    @property
    def any(self) -> bool:
        """Whether a unit was begun and has not ended; may be asked by any thread."""
        return bool(self._units)

    def any_beside(self, pid: int) -> bool:
        """Whether a process that is neither this one nor above it has a unit that it may end."""
        self._bury()
        return any(not unit.leaves for unit in beside(self._units.values(), pid))

    def break_off_all(self) -> None:
        """The job has ended: what was not marked by then will not be."""
        for key in list(self._units):
            self.break_off(key)

    def draft(self, name: str, pid: int, unit: Unit) -> int:
        """Begin an output; its number, by which ``path``, ``finish`` and ``give_up`` know it."""
        number = next(self._numbers)
        folder = os.path.join(self._folder, str(number))
        path = place_below(folder, name)
        os.makedirs(os.path.dirname(path))
        self._drafts[number] = Draft(name, folder, path, unit, Process.of(pid))
        return number

    def owner(self, pid: int) -> Unit:
        """The unit that an output of this process belongs to, where it does not say so itself.

        Where it cannot be told none of those in question may be marked any more: one of them would
        be done without its output. Raises ``Misuse``.
        """
        self._bury()
        try:
            return owner(list(self._units.values()), pid) or self.loose
        except Ambiguous as ambiguous:
            error = Misuse(
                str(ambiguous), "Say so: run.output(name, unit=…), or unit=None for none of them."
            )
            for unit in ambiguous.units:
                self._units[unit.key].refused = error
            raise error from None

    def unit(self, key: str) -> Unit | None:
        """The unit in hand with this key."""
        return self._units.get(key)

    def path(self, number: int) -> str:
        """Where an output is written to."""
        return self._drafts[number].path

    def finish(self, number: int) -> Draft:
        """An output is written. Raises ``Misuse`` where its unit was given up meanwhile."""
        draft = self._drafts.pop(number, None)
        if draft is None:
            raise Misuse("There is no such output.", "Ask for one with 'output' first.")
        if draft.unit is not self.loose and self._units.get(draft.unit.key) is not draft.unit:
            draft.remove()
            raise Misuse(
                f"The unit {draft.unit.key} ended before its output '{draft.name}'.",
                "Wait for threads and children before a unit ends.",
            )
        return draft

    def give_up(self, number: int) -> None:
        """An output will not be written."""
        draft = self._drafts.pop(number, None)
        if draft:
            draft.remove()

    def close(self, key: str) -> Unit:
        """End a unit in order to mark it. Raises ``Misuse`` where that cannot be."""
        self._bury()
        unit = self._units.get(key)
        if unit is None:
            raise Misuse(f"The unit {key} is not in hand.", "Begin a unit before its mark.")
        self._bury_drafts()
        late = [draft.name for draft in self._drafts.values() if draft.unit is unit]
        if late:
            unit.refused = Misuse(
                f"The unit {key} ends while its output '{late[0]}' is still being written.",
                "Wait for threads and children before a unit ends.",
            )
        if unit.refused:
            self.break_off(key)
            raise unit.refused
        del self._units[key]
        return unit

    def set_aside(self, key: str) -> None:
        """End a unit that counts with a later one, or at the end; raises what ``close`` does.

        What is still being written may be another's that was set aside, and is of no unit now.
        """
        for number, draft in list(self._drafts.items()):
            if draft.unit is self._units.get(key):
                self._drafts[number] = replace(draft, unit=self.loose)
        self.aside[key] = self.close(key)

    def take(self, key: str) -> Unit:
        """End a unit that is marked with another, where it was not set aside before."""
        return self.aside.pop(key) if key in self.aside else self.close(key)

    def break_off(self, key: str) -> None:
        """A unit will not be marked: what was staged for it is dropped."""
        unit = self._units.pop(key, None)
        if unit:
            self.left.append(key)
            self._say_left(key, len(unit.staged))
            for upload in unit.staged.values():
                self._drop(upload)
            unit.staged.clear()

    def _bury(self) -> None:
        """Break off the units of processes that are gone."""
        gone = _gone(unit.process for unit in self._units.values())
        for unit in list(self._units.values()) if gone else ():
            if unit.process in gone:
                self.break_off(unit.key)

    def _bury_drafts(self) -> None:
        gone = _gone(draft.process for draft in self._drafts.values())
        for number, draft in list(self._drafts.items()) if gone else ():
            if draft.process in gone:
                self.give_up(number)


def _gone(processes: Iterable[Process]) -> set[Process]:
    """Those that live no more; each is looked at once, however much it has in hand."""
    return {process for process in set(processes) if not process.lives()}
