"""What the next save is to make durable: marks that wait, progress, and what was in trouble.

Control threads add to it and the keeper's thread takes from it, under one lock; several marks that
wait share a save. One that comes once a save has begun waits for the next, since the save may have
looked at the folders before the unit's last file was there. What goes to AWS, and when, is decided
elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from steadyspot.worker.errors import FenceLost, TooLate, WorkerError, as_trouble
from steadyspot.worker.keeping.checkpoint import Ledger, Snapshot
from steadyspot.worker.keeping.history import Output, uploads_of
from steadyspot.worker.keeping.in_hand import InHand
from steadyspot.worker.keeping.uploads import Upload

Ticket = tuple[str, Future[None]]
"""The key of a unit that is to be marked, empty for a state alone, and who waits for it."""


@dataclass(frozen=True)
class Mark:
    """What is to be counted: a unit, or with an empty key a state alone, and outputs of it.

    ``loose`` are uploads that belong to no unit, as they were when it was asked for.
    """

    unit: str
    outputs: list[Output]
    loose: list[Upload]
    state: list[Any]
    ticket: Future[None]


@dataclass(frozen=True)
class Batch:
    """What one save makes durable. ``replaced`` are uploads, by id, that it no longer counts."""

    ledger: Snapshot
    tickets: list[Ticket]
    replaced: dict[str, str]


class Unsaved:
    """Its ``lock`` guards it, ``in_hand`` and the ledger; methods say where it must be held.

    ``closed``: the attempt is ending and no mark is taken any more. ``save_queued``: the keeper's
    thread has been asked for a save that has not begun, which takes what is added until then.
    ``counted`` are the tickets that the save under way is for.
    """

    def __init__(self, in_hand: InHand) -> None:
        self.lock = threading.Lock()
        self.in_hand = in_hand
        self.closed = False
        self.save_queued = False
        self.counted: list[Ticket] = []
        self._marks: list[Mark] = []
        self._replaced: dict[str, str] = {}
        self._replaced_before: dict[str, str] = {}
        self._troubles: dict[str, WorkerError] = {}
        self._progress: dict[str, Any] = {}

    @property
    def trouble(self) -> WorkerError | None:
        """Why a unit could not be marked, until that very unit is.

        What concerns no unit is trouble until any save succeeds.
        """
        with self.lock:
            return next(iter(self._troubles.values()), None)

    def note_trouble(self, unit: str, error: WorkerError) -> None:
        """A unit could not be marked, or with an empty key something that concerns none."""
        if not isinstance(error, FenceLost | TooLate):
            with self.lock:
                self._troubles[unit] = error

    def refuse(self, unit: str, error: WorkerError) -> None:
        """A rule was broken with this unit, such as with its key: trouble for good.

        The lock is held.
        """
        self._troubles[f"{unit}, again"] = error

    def check_open(self) -> None:
        """Raise ``TooLate`` where the attempt is ending (the lock is held)."""
        if self.closed:
            raise TooLate("The attempt is ending.", "Nothing to do; the unit is done again.")

    def wait(self, mark: Mark) -> None:
        """Have the next save count a mark; its ticket is settled then (the lock is held)."""
        self._marks.append(mark)

    def names_waiting(self) -> dict[str, str]:
        """Outputs of marks that wait, and their units (the lock is held)."""
        return {output.name: mark.unit for mark in self._marks for output in mark.outputs}

    def begin_save(self, count: Callable[[Mark], None]) -> None:
        """A save begins: it ``count`` s all marks that wait, and none that comes later."""
        with self.lock:
            marks, self._marks = self._marks, []
            self.save_queued = False
            for mark in marks:
                count(mark)
                self.counted.append((mark.unit, mark.ticket))

    def ask_for_save(self) -> bool:
        """Whether the keeper's thread has to be asked, or was already (the lock is held)."""
        asked, self.save_queued = self.save_queued, True
        return not asked

    def replace(self, outputs: list[Output]) -> None:
        """Outputs that count no more (the lock is held).

        They are withdrawn when no checkpoint names them.
        """
        self._replaced |= dict(uploads_of(outputs))

    def replaced(self) -> dict[str, str]:
        """All uploads, by id, that count no more and were not withdrawn yet."""
        with self.lock:
            return self._replaced_before | self._replaced

    def note_progress(self, progress: Mapping[str, float | int]) -> None:
        """Columns of the ledger that the next save sets (the lock is held)."""
        self._progress |= progress

    def take(
        self, ledger: Ledger, open_uploads: Callable[[], dict[str, str]], changed: bool
    ) -> Batch | None:
        """All that a save which begins now makes durable; none where there is nothing.

        ``open_uploads`` gives those, by id, that were begun and count for nothing yet.
        """
        with self.lock:
            tickets, self.counted = self.counted, []
            if not changed and not tickets:
                return None
            replaced, self._replaced = self._replaced, {}
            for name, value in self._progress.items():
                setattr(ledger, name, value)
            ledger.open_uploads = open_uploads() | self._replaced_before | replaced
            return Batch(ledger.snapshot(), tickets, replaced)

    def give_back(self, batch: Batch) -> None:
        """A save came to nothing: the next one takes the same again."""
        with self.lock:
            self._replaced = batch.replaced | self._replaced
            self.counted = batch.tickets + self.counted

    def settle(self, batch: Batch, ledger: Ledger) -> dict[str, str]:
        """A save counts; the uploads, by id, that now no checkpoint names any more."""
        with self.lock:
            ledger.settle(batch.ledger)
            unwanted, self._replaced_before = self._replaced_before, batch.replaced
            for unit in ["", *(unit for unit, _ in batch.tickets)]:
                self._troubles.pop(unit, None)
            marked = {unit for unit, _ in batch.tickets if unit}
            if marked:
                self.in_hand.settle(marked)
        for _, ticket in batch.tickets:
            ticket.set_result(None)
        return unwanted

    def fail(self, error: BaseException) -> None:
        """What was to be saved could not be: whoever waits for it is told."""
        with self.lock:
            marks, self._marks = self._marks, []
            tickets, self.counted = self.counted, []
            self.save_queued = False
        for ticket in [*(ticket for _, ticket in tickets), *(mark.ticket for mark in marks)]:
            ticket.set_exception(as_trouble(error))
