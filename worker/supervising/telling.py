"""Who is told of a stop, and when: as under plain ECS the first process, once.

When the first process is gone, each process that it left is told once, in whatever group or session
it is. A process that speaks with the worker hears of the stop on its own channel, and nobody below
it is told while it lives: a subprocess of its unit in hand belongs to that unit. What is started
after the telling is not told: it is part of what those who were told do about it.
"""

from __future__ import annotations

from steadyspot.worker.options import Audience
from steadyspot.worker.speakers import Speakers
from steadyspot.worker.supervising import processes
from steadyspot.worker.supervising.processes import Process


class Telling:
    """Tells the job of one stop. ``first`` is the id of its first process and of its group."""

    def __init__(self, first: int, audience: Audience, number: int, speakers: Speakers) -> None:
        self._first = first
        self._audience = audience
        self._number = number
        self._speakers = speakers
        self._told: set[tuple[int, int]] = set()
        self._spared: set[tuple[int, int]] | None = None

    def begin(self) -> None:
        """Tell the first process, or its group where the job asks for that."""
        found = processes.descendants()
        if self._first not in (process.pid for process in found):
            # It ended just now, or cannot be seen since too many files are open.
            found = [Process(self._first, 0, 0, self._first)]
        for process in found:
            in_group = self._audience is Audience.GROUP and process.group == self._first
            if in_group or process.pid == self._first:
                self._tell(process)

    def go_on(self) -> None:
        """The first process is gone: tell each that is left and is not below one that speaks.

        Called again and again; who was spared is told once nobody above it speaks any more.
        """
        left = processes.descendants()
        spared = _below(self._speakers.speaking(), left)
        for process in left:
            due = self._spared is None or process.identity in self._spared
            if due and process.identity not in spared:
                self._tell(process)
        self._spared = spared

    def _tell(self, process: Process) -> None:
        if process.identity in self._told or self._audience is Audience.NONE:
            return
        self._told.add(process.identity)
        pid = process.pid
        if pid in self._speakers.waiting() and not processes.catches(pid, self._number):
            return  # It has heard already; the signal would only cut it.
        processes.signal_process(pid, self._number)


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
