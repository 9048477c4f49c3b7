"""Which files of the job's folders are half-made: nobody has finished them, or ever will.

For the checkpoint folder the sign of that is narrow: ``> file`` has made it the standard output of
a process, or a program that is known to make files as a whole has it open. Databases and libraries
write by other descriptors, and go on after a crash from what they find. Such a file is half-made
while that process lives, and stays so where a stop cuts it. In the folder for outputs it is
whatever is open for writing. Who is told and who is killed is decided elsewhere, and so is what a
half-made file means for a checkpoint.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

from steadyspot.paths import is_log_name
from steadyspot.worker.keeping.half_made import Proof
from steadyspot.worker.supervising.processes import Process, descendants
from steadyspot.worker.supervising.standstill import Standstill
from steadyspot.worker.supervising.written_files import files_made_by, held_open

LAST_LOOK_SECONDS = 0.5
"""How long a stop waits for all to stand still, to see what is in hand."""

KERNEL_CLOCK = 5
"""``CLOCK_REALTIME_COARSE``, by which a file system stamps what changes."""

ANSWER_SECONDS = 0.05
"""How long those are held who have something in hand and may be told by who was told."""

TICK_SECONDS = 0.001
"""How often it is seen whether that clock has moved on."""


class HalfMade:
    """Files below ``folder``, by their real paths; with an empty one there are none.

    ``held`` are those below ``outputs``, in the same way, that were cut: no outputs, but for logs,
    which are right in part.

    The main thread notes and the keeper's reads: what was noted is replaced, never changed.
    """

    def __init__(self, folder: str, outputs: str, standstill: Standstill) -> None:
        self._folder = folder
        self._outputs = outputs
        self.held: frozenset[str] = frozenset()
        self._standstill = standstill
        self._cut: frozenset[str] = frozenset()
        self._doubtful: dict[str, Proof] = {}
        self._in_hand: dict[tuple[int, int], set[str]] = {}
        self._in_hand_since = 0.0
        self._some_in_hand = False

    @property
    def looks(self) -> bool:
        """Whether there is a folder at all."""
        return bool(self._folder or self._outputs)

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """The job stands still meanwhile: what is noted is what it has in hand when it is told."""
        if not self.looks:
            yield
            return
        self._standstill.begin(LAST_LOOK_SECONDS)
        try:
            yield
        finally:
            self._standstill.end()

    def files(self) -> dict[str, Proof]:
        """Half-made files, each with when a change beside it proves it whole."""
        being_made = _all(self._made_by(descendants()))
        # Only then: a process is noted before it is told or killed.
        in_hand = dict.fromkeys(_all(self._in_hand), Proof(self._in_hand_since))
        return in_hand | self._doubtful | dict.fromkeys([*being_made, *self._cut], Proof())

    def being_written(self, by: Iterable[Process]) -> frozenset[str]:
        """Which files below ``outputs`` these have open for writing, but for logs."""
        return _no_logs(_all(self._written_by(by)))

    def note_cut(self, ended: list[Process], found: list[Process]) -> None:
        """These of all that were found are about to be ended, whatever they have in hand.

        What a shell has open for a program that it waits for, that program has in hand.
        """
        self._cut |= _in_hand_of(ended, self._made_by(found), found)
        self.held |= _no_logs(_in_hand_of(ended, self._written_by(found), found))

    def note_doubtful(self, told: Iterable[Process]) -> None:
        """These are about to be told, and end as they see fit: with what they have in hand or not.

        Where something changes beside a file after that, somebody may have noted there that it is
        whole, and to leave it out would lose it; else leaving it out costs making it again.
        """
        if paths := _all(self._made_by(told)):
            self._doubt(paths, _next_tick_ns())

    def note_in_hand(self, left: Iterable[Process]) -> None:
        """Another is about to be told, who may let these finish what they have in hand or not."""
        left = list(left)
        in_hand = {who: paths for who, paths in self._made_by(left).items() if paths}
        if in_hand:
            self._in_hand_since = _next_tick_ns()
        self._in_hand = in_hand
        self._some_in_hand = bool(in_hand or _all(self._written_by(left)))

    def let_answer(self, told: Process) -> None:
        """Where others have files in hand, let who was told pass that on before they go on."""
        if self._some_in_hand:
            self._standstill.let_answer(told, ANSWER_SECONDS)

    def judge(self, cut: bool) -> None:
        """Who was told has ended; ``cut``: as a program does that has not finished its work.

        What lives on has its files in hand still, or is told now.
        """
        if cut and self._in_hand:
            living = {process.identity for process in descendants()}
            of_living = _all({who: paths for who, paths in self._in_hand.items() if who in living})
            self._doubt(_all(self._in_hand) - of_living, self._in_hand_since)
        self._in_hand = {}

    def end_proofs(self) -> None:
        """The job has ended: what changes from now on is the work of others, and proves nothing."""
        if self._doubtful:
            now = _next_tick_ns()
            self._doubtful = {path: Proof(p.since_ns, now) for path, p in self._doubtful.items()}

    def _doubt(self, paths: Iterable[str], since_ns: float) -> None:
        self._doubtful = dict.fromkeys(paths, Proof(since_ns)) | self._doubtful

    def _made_by(self, them: Iterable[Process]) -> dict[tuple[int, int], set[str]]:
        if not self._folder:
            return {}
        return {process.identity: files_made_by(process, self._folder) for process in them}

    def _written_by(self, them: Iterable[Process]) -> dict[tuple[int, int], set[str]]:
        if not self._outputs:
            return {}
        return {process.identity: held_open(self._outputs, [process]) for process in them}


def _all(made: dict[tuple[int, int], set[str]]) -> frozenset[str]:
    return frozenset[str]().union(*made.values())


def _no_logs(paths: frozenset[str]) -> frozenset[str]:
    return frozenset(path for path in paths if not is_log_name(path))


def _in_hand_of(
    those: list[Process], files: dict[tuple[int, int], set[str]], found: list[Process]
) -> frozenset[str]:
    """Which ``files`` of all that were found those have in hand, and nobody below them."""
    parents = {one.pid: one for one in found}
    for one in found:
        above = parents.get(one.parent)
        while above:
            files.get(above.identity, set()).difference_update(files.get(one.identity, ()))
            above = parents.get(above.parent)
    return _all({one.identity: files.get(one.identity, set()) for one in those})


def _next_tick_ns() -> float:
    """An instant that no change before it bears as its stamp, and each change after it reaches."""
    now = time.clock_gettime_ns(KERNEL_CLOCK)
    while (tick := time.clock_gettime_ns(KERNEL_CLOCK)) == now:
        time.sleep(TICK_SECONDS)
    return tick
