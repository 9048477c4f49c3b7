"""What a job asks for over its socket: units, outputs, state and progress.

Each request is answered in the control thread that brings it, and a mark only once it is durable.
How a save is made stands in ``saving``; what the words of the socket mean, in ``protocol``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from steadyspot.contract import Lacking
from steadyspot.worker.errors import Misuse, as_trouble
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.in_hand import Unit
from steadyspot.worker.keeping.saving import Saving
from steadyspot.worker.keeping.unsaved import Mark, Unsaved
from steadyspot.worker.keeping.uploads import Upload, check_publishable
from steadyspot.worker.traces import Trace

LOOK_SECONDS = 0.1
"""How often it is looked whether other processes have units in hand."""

IN_DOUBT = 10
"""With so many units that ended and may not be done, people are told, once."""

PROGRESS_SECONDS = 5.0
"""How often progress is written where nothing else is saved."""


class JobRequests:
    """``fresh``: nothing was done before this attempt. ``submit`` has the keeper's thread do it.

    ``trace`` is told when units begin and end.
    """

    def __init__(
        self,
        fresh: bool,
        saving: Saving,
        unsaved: Unsaved,
        submit: Callable[[Callable[[], Any]], object],
    ) -> None:
        self.trace = Trace("", {})
        self._fresh = fresh
        self._saving = saving
        self._unsaved = unsaved
        self._submit = submit
        self._said = False
        self._progress_due = time.monotonic() + PROGRESS_SECONDS

    def folders(self) -> list[str]:
        """Those for the checkpoint and for outputs, in which a job makes what no request tells."""
        return self._saving.folders

    def units(self) -> list[str]:
        """Keys of the units done, and of those set aside.

        Before the fence of a first attempt is held none is done.
        """
        if not self._saving.opened.done() and self._fresh:
            return list(self._unsaved.in_hand.aside)
        self._saving.opened.result()
        with self._unsaved.lock:
            aside = self._unsaved.in_hand.aside
            return [*self._saving.attempt.ledger.history.units(), *aside]

    def state(self) -> list[Any]:
        """The state as last saved, in a list; an empty one where it never was."""
        if not self._saving.opened.done() and self._fresh:
            return []
        self._saving.opened.result()
        return self._saving.attempt.ledger.state

    def claim(self, pid: int, program: str, units: Sequence[str], done: Sequence[str]) -> None:
        """A program in a process has these units, and leaves out those ``done``."""
        with self._unsaved.lock:
            try:
                self._unsaved.in_hand.claims.claim(pid, program, units, done)
            except Misuse as error:
                self._unsaved.refuse("", error)
                raise

    def begin(self, unit: str, pid: int) -> None:
        """A process takes a unit in hand."""
        with self._unsaved.lock:
            try:
                self._unsaved.in_hand.begin(unit, pid)
            except Misuse as error:
                self._unsaved.refuse(unit, error)
                raise
        self.trace.begin_unit(unit)

    def break_off(self, unit: str, refused: str = "") -> None:
        """A unit will not be done; its outputs do not count. ``refused``: a rule was broken."""
        with self._unsaved.lock:
            self._unsaved.in_hand.break_off(unit)
            if refused:
                self._unsaved.refuse(unit, Misuse(refused))
        self.trace.end_unit(unit, failed=True)

    def await_others(self, pid: int) -> None:
        """Return once no process beside this one and those above it has a unit to end."""
        in_hand = self._unsaved.in_hand
        with self._unsaved.lock:
            in_hand.leave(pid)
        while self._others_in_hand(pid):
            time.sleep(LOOK_SECONDS)

    def _others_in_hand(self, pid: int) -> bool:
        with self._unsaved.lock:
            return self._unsaved.in_hand.any_beside(pid)

    def has_in_hand(self, unit: str) -> bool:
        """Whether a unit is in hand."""
        with self._unsaved.lock:
            return self._unsaved.in_hand.unit(unit) is not None

    def output(self, name: str, pid: int, unit: str | None = None) -> tuple[int, str]:
        """An output is being written: its number, and the path to write it to.

        ``unit`` is the key of the unit it belongs to, empty for none; where it is not given, that
        is told from the process.
        """
        check_publishable(name)
        in_hand = self._unsaved.in_hand
        with self._unsaved.lock:
            if unit:
                owner = in_hand.unit(unit)
                if owner is None:
                    raise Misuse(f"The unit {unit} is not in hand.", "Begin it first.")
            else:
                owner = in_hand.loose if unit == "" else in_hand.owner(pid)
            number = in_hand.draft(name, pid, owner)
            return number, in_hand.path(number)

    def give_up(self, number: int) -> None:
        """An output that was being written will not be."""
        with self._unsaved.lock:
            self._unsaved.in_hand.give_up(number)

    def stage(self, number: int) -> None:
        """Begin to upload an output that is written; its file is removed once it is staged."""
        self._saving.ready.result()
        uploader = self._saving.uploader
        with self._unsaved.lock:
            self._unsaved.check_open()
            draft = self._unsaved.in_hand.finish(number)
            older = draft.unit.staged.pop(draft.name, None)
            draft.unit.staged[draft.name] = uploader.stage(
                draft.name, draft.path, draft.remove, before=len(draft.unit.staged)
            )
            if older:
                uploader.drop(older)
        self._saving.lacks.made(draft.name, of_unit=bool(draft.unit.key))

    def set_aside(self, unit: str) -> None:
        """End a unit that may not be done yet: it counts with a later mark, or at the end."""
        in_hand = self._unsaved.in_hand
        with self._unsaved.lock:
            in_hand.set_aside(unit)
            in_doubt = len(in_hand.aside)
        self.trace.end_unit(unit)
        if in_doubt >= IN_DOUBT and not self._said:
            self._said = True
            self._saving.sentences.in_doubt(in_doubt)

    def mark(self, unit: str, state: list[Any], also: Sequence[str] = ()) -> None:
        """Count a unit in hand as done; returns once that is durable in S3 and under the fence.

        Its outputs become durable with it, those staged before that belong to no unit, and other
        units, in hand or set aside, that are named in ``also``.
        """
        in_hand = self._unsaved.in_hand
        try:
            with self._unsaved.lock:
                mine = [in_hand.close(unit)]
                mine += [in_hand.take(key) for key in also]
                loose = list(in_hand.loose.staged.values())
            outputs = {each.key: self._settled(each) for each in mine}
            self._make_durable(outputs, loose, state)
        except Exception as error:
            for key in (unit, *also):
                self._unsaved.note_trouble(key, as_trouble(error))
            self.trace.end_unit(unit, failed=True)
            raise
        self.trace.end_unit(unit)

    def save(self, state: list[Any]) -> None:
        """Make the state durable, if given, and outputs that belong to no unit."""
        with self._unsaved.lock:
            loose = list(self._unsaved.in_hand.loose.staged.values())
        try:
            self._make_durable({"": []}, loose, state)
        except Exception as error:
            self._unsaved.note_trouble("", as_trouble(error))
            raise

    def lacks(self, names: Sequence[str], units: int, lacking: Lacking) -> None:
        """So many units were left out, and what comes of units is kept under these names."""
        self._saving.ready.result()
        self._saving.lacks.say(names, units, lacking)

    def uncommitted(self, unit: str) -> None:
        """A unit ends while what it wrote lies in an open transaction."""
        self._saving.ready.result()
        self._saving.sentences.uncommitted(unit)

    def progress(self, fraction: float | None, total: int | None) -> None:
        """Note how far the job is; written with the next save, and by itself every 5 seconds."""
        unsaved = self._unsaved
        with unsaved.lock:
            if fraction is not None:
                unsaved.note_progress({"fraction": float(fraction)})
            if total is not None:
                unsaved.note_progress({"total": int(total)})
            due = time.monotonic() >= self._progress_due and not unsaved.closed
            if not due or fraction is None or not unsaved.ask_for_save():
                return
            self._progress_due = time.monotonic() + PROGRESS_SECONDS
        self._submit(self._saving.save_waiting)

    def _make_durable(
        self, units: dict[str, list[Output]], loose: list[Upload], state: list[Any]
    ) -> None:
        """Have units saved with their outputs, and wait for that.

        Of ``loose``, those that could be staged count.
        """
        self._saving.opened.result()
        staged = [upload for upload in loose if upload.wanted().exception() is None]
        with self._unsaved.lock:
            self._unsaved.check_open()
            self._check_names(units)
            tickets: list[Future[None]] = []
            for unit, outputs in units.items():
                tickets.append(Future())
                self._unsaved.wait(Mark(unit, outputs, staged, state, tickets[-1]))
            ask = self._unsaved.ask_for_save()
        if ask:
            self._submit(self._saving.save_waiting)
        for ticket in tickets:
            ticket.result()

    def _check_names(self, units: dict[str, list[Output]]) -> None:
        """Raise ``Misuse`` where an output would replace that of another unit done (lock held)."""
        history, taken = self._saving.attempt.ledger.history, self._unsaved.names_waiting()
        for unit, outputs in units.items():
            for name in [output.name for output in outputs]:
                before = history.output(name)
                other = taken.get(name) or (before.unit if before else "")
                if other and other != unit:
                    error = Misuse(
                        f"The units {other} and {unit} have made an output of one name, '{name}'.",
                        "Name outputs by their unit; a count of the loop begins anew after a stop.",
                    )
                    self._unsaved.refuse(unit, error)
                    raise error
                taken[name] = unit

    def _settled(self, unit: Unit) -> list[Output]:
        """The outputs of a unit that is to be marked, uploaded; none is kept where one fails."""
        try:
            return [upload.wanted().result() for upload in unit.staged.values()]
        except Exception:
            for upload in unit.staged.values():
                self._saving.uploader.drop(upload)
            raise
