"""Who is told of a stop, and when: as under plain ECS the first process, once.

When the first process is gone, each process that it left is told once, in whatever group or session
it is. A process that speaks with the worker hears of the stop on its own channel, and nobody below
it is told while it lives: a subprocess of its unit in hand belongs to that unit. What is started
after the telling is not told: it is part of what those who were told do about it.
"""

from __future__ import annotations

import signal

from steadyspot.worker.options import Audience
from steadyspot.worker.speakers import Speakers
from steadyspot.worker.supervising import processes
from steadyspot.worker.supervising.half_made import HalfMade
from steadyspot.worker.supervising.processes import Process


class Telling:
    """Tells the job of one stop. ``first`` is the id of its first process and of its group.

    ``half_made`` learns before what those have in hand who may end of it.
    """

    def __init__(
        self,
        first: int,
        audience: Audience,
        number: int,
        speakers: Speakers,
        half_made: HalfMade,
    ) -> None:
        self._first = first
        self._audience = audience
        self._number = number
        self._speakers = speakers
        self._half_made = half_made
        self._told: set[tuple[int, int]] = set()
        self._spared: set[tuple[int, int]] | None = None

    def begin(self) -> None:
        """Tell the first process, or its group where the job asks for that."""
        if self._audience is Audience.NONE:
            return
        with self._half_made.looking():
            found = processes.descendants()
            if self._first not in (process.pid for process in found):
                # It ended just now, or cannot be seen since too many files are open.
                found = [Process(self._first, 0, 0, self._first)]
            # A subprocess of a unit in hand is what the unit's mark says of it.
            spared = _below(self._speakers.speaking(), found)
            self._half_made.note_in_hand(one for one in found if one.identity not in spared)
            group = self._first if self._audience is Audience.GROUP else None
            told = [one for one in found if one.pid == self._first or one.group == group]
            self._tell(told, found)
            self._half_made.let_answer(next(one for one in found if one.pid == self._first))
            passed_on = [one for one in found if processes.is_about_to_end(one.pid, self._number)]
            self._half_made.note_cut(passed_on, found)

    def first_ended(self, code: int) -> None:
        """The first process has ended; by the signal, or with the exit code that stands for it.

        Then it may have passed that on to what it had started, as ``timeout`` does and ``make``,
        and so may one that was killed after that, before it could end.
        """
        self._half_made.judge(cut=code in (128 + self._number, 128 + signal.SIGKILL))

    def go_on(self) -> None:
        """The first process is gone: tell each that is left and is not below one that speaks.

        Called again and again; who was spared is told once nobody above it speaks any more.
        """
        if self._audience is Audience.NONE:
            return
        due, spared = self._due(processes.descendants())
        if due:
            with self._half_made.looking():
                left = processes.descendants()
                due, spared = self._due(left)
                self._tell(due, left)
        self._spared = spared

    def _due(self, left: list[Process]) -> tuple[list[Process], set[tuple[int, int]]]:
        """Who is to be told now of what is left, and the identities of those who are spared."""
        spared = _below(self._speakers.speaking(), left)
        asked = [one for one in left if self._spared is None or one.identity in self._spared]
        return [one for one in asked if one.identity not in spared | self._told], spared

    def _tell(self, those: list[Process], found: list[Process]) -> None:
        """Tell those of all that were found."""
        self._told |= {one.identity for one in those}
        waiting = self._speakers.waiting()
        # One that waits has heard already; the signal would only cut it.
        told = [p for p in those if p.pid not in waiting or processes.catches(p.pid, self._number)]
        self._note(told, found)
        for process in told:
            processes.signal_process(process.pid, self._number)

    def _note(self, told: list[Process], found: list[Process]) -> None:
        """What they have in hand. What the first ends by itself is as it wants it to be."""
        ended = [one for one in told if processes.is_ended_by(one.pid, self._number)]
        self._half_made.note_cut(ended, found)
        self._half_made.note_doubtful(
            one for one in told if one not in ended and one.pid != self._first
        )


def _below(above: set[int], table: list[Process]) -> set[tuple[int, int]]:
    """Identities of those of the table that have one of ``above`` among their ancestors."""
    parents = set(above)
    found: set[tuple[int, int]] = set()
    for process in table:  # Parents stand before their children there.
        if process.parent in parents:
            parents.add(process.pid)
            found.add(process.identity)
    return found


def forward(first: int, audience: Audience, number: int) -> None:
    """Pass an ordinary signal on."""
    if audience is Audience.FIRST:
        processes.signal_process(first, number)
    elif audience is Audience.GROUP:
        processes.signal_group(first, number)
