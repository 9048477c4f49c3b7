"""Which files outside the run's folders units of this attempt have left, by the system's times.

So it does not matter who wrote them: the job's own code, a library or another program. A file of
the image, one on a volume that other containers share, a log and what can be looked up again count
for nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from glob import iglob
from itertools import islice
from pathlib import Path

from steadyspot.memory.births import made_at
from steadyspot.memory.open_files import DESCRIPTORS, is_database, is_log
from steadyspot.units import Process

FILES = 10_000
"""So many files of a folder are looked at."""

_STAMPING = 5
"""The clock that file systems stamp by (``CLOCK_REALTIME_COARSE`` of Linux)."""

_TICK_SECONDS = 0.02
"""That is behind by as much at most."""

_PAUSE_SECONDS = 1.0
"""So often a tick is waited for, at most."""

_SYSTEM = ("/proc/", "/sys/", "/dev/")
_OF_NETWORKS = ("ceph", "cifs", "fuse", "lustre", "nfs", "smb")
"""Kinds of file systems, by how their names begin."""

_NO_WORK = re.compile(r"^\.|^(.*[-_.])?(py)?caches?([-_.].*|__)?$", re.IGNORECASE)
"""Names of files and folders in which lies what can be looked up again."""

_WORDS = re.compile(r"[\s'\"(){}<>|&;=,:@]+")
_PATTERN = re.compile(r"[*?\[]")

Left = tuple[str, bool]
"""The path of a file that units have left, and whether it was there before any was left out."""


def names_of(left: Iterable[Left], *, kept: bool) -> list[str]:
    """What files that units have left are called, in order.

    ``kept``: the job keeps something, and may have brought back what was there before.
    """
    return sorted({os.path.basename(path) for path, before in left if not (before and kept)})


class FilesLeft:
    """``folders`` are the run's whose files come back after a stop; each name may be empty.

    Those for ``outputs`` do not: that folder begins empty with each attempt, if there is one.
    ``own`` are files that the program itself wrote while no unit was in hand, ``of_pool`` whether
    other processes may do units, so that nobody tells when the last one has ended.
    """

    def __init__(self, folders: Iterable[str], outputs: str = "") -> None:
        self.own: set[str] = set()
        self.of_pool = False
        self._folders = tuple(os.path.realpath(one) + "/" for one in folders if one)
        self._outputs = os.path.realpath(outputs) if outputs else ""
        self._since = 0
        self._over = self._ended = 0
        self._waited = 0.0

    def begin(self) -> None:
        """Units are left out from now on; what was written before has an older stamp."""
        time.sleep(_TICK_SECONDS)
        self._since = stamping_clock()
        self._folders += tuple(_shared_folders())

    def unit_ends(self) -> None:
        """A unit of this process has ended."""
        self._over = time.time_ns()

    def loop_ends(self) -> None:
        """What is written from now on has a younger stamp than what units wrote."""
        self._ended = self._over
        if time.monotonic() >= self._waited + _PAUSE_SECONDS:
            time.sleep(_TICK_SECONDS)
            self._waited = time.monotonic()

    def find(self, path: str) -> Left | None:
        """What units have left at a path, if they were the last to change it."""
        path = os.path.abspath(path)
        return self._told(path) if self._is_left(path) else None

    def below(self, text: str, folder: str = "", *, whole: bool = True) -> Iterator[Left]:
        """What units have left where words of a text say: at a path, in a folder, by a pattern.

        Not ``whole``: of the folder for outputs its name says nothing, since all write there.
        """
        for word in _WORDS.split(os.path.expandvars(text)):
            if word.strip("./*"):
                path = os.path.join(folder, word)
                if not whole and self._outputs and os.path.realpath(path) == self._outputs:
                    continue
                yield from filter(None, map(self.find, islice(_files_at(path), FILES)))

    def absent(self, text: str, folder: str = "") -> Iterator[str]:
        """Paths that stand in a text, where there is nothing."""
        for word in islice(_WORDS.split(os.path.expandvars(text)), FILES):
            path = os.path.abspath(os.path.join(folder, word))
            if {".", "/"} & set(word.strip("./")) and not os.path.lexists(path):
                yield path

    def databases(self) -> Iterator[str]:
        """Those that the program has open, and are none of the run's."""
        for number in os.listdir(DESCRIPTORS) if os.path.isdir(DESCRIPTORS) else ():
            with contextlib.suppress(OSError):
                path = os.readlink(f"{DESCRIPTORS}/{number}")
                if is_database(int(number)) and not path.startswith(self._folders):
                    yield path

    def databases_left(self) -> Iterator[Left]:
        """Those of them that units have changed, or what lies beside them and is newer."""
        for path in self.databases() if self._since else ():
            beside = (path, f"{path}-wal", f"{path}.wal")
            if any(map(self._is_left, beside)) and (left := self._told(path)):
                yield left

    @property
    def has_outputs(self) -> bool:
        """Whether there is a folder for outputs."""
        return bool(self._outputs)

    def has_newer_outputs(self) -> bool:
        """Whether a file in the folder for outputs was changed since the last unit ended."""
        newest = (os.stat(path).st_ctime_ns for path in _files_in(self._outputs))
        return any(changed >= self._over for changed in newest)

    def was_there(self, path: str) -> bool:
        """Whether nobody has changed a file since units were left out."""
        return os.stat(path).st_ctime_ns < self._since

    def is_of_ended_loop(self, path: str) -> bool:
        """Whether nobody has changed a file since the last loop ended."""
        return os.stat(path).st_ctime_ns <= self._ended

    def may_have_been(self, path: str) -> bool:
        """Whether units would have left a file there that is not: others of its kind they have.

        Or whether the folder is of this attempt.
        """
        folder = os.path.dirname(path)
        made = made_at(folder)
        if made is None or self._is_other(path, 0):
            return False
        end = os.path.splitext(path)[1]
        beside = (one.path for one in os.scandir(folder) if one.name.endswith(end))
        return made >= _program_began() or any(map(self.find, islice(beside, FILES)))

    def _told(self, path: str) -> Left | None:
        """None where it was there before the program began, as in the image."""
        made = made_at(os.path.realpath(path))
        if made is None or made >= self._since:
            return path, False
        return (path, True) if made >= _program_began() else None

    def _is_left(self, path: str) -> bool:
        try:
            seen = os.stat(path)
        except OSError:
            return False
        changed = seen.st_ctime_ns
        over = self._over or (changed if self.of_pool else 0)
        is_file = stat.S_ISREG(seen.st_mode) and self._since <= changed <= over
        return is_file and not self._is_other(path, seen.st_ino)

    def _is_other(self, path: str, inode: int) -> bool:
        """Whether it is no file of work: the run's, the program's own, a log, a cache."""
        if path in self.own or path.startswith(_SYSTEM) or is_log(path, inode):
            return True
        real = os.path.realpath(path)
        return real.startswith(self._folders) or any(map(_NO_WORK.search, real.split("/")))


def stamping_clock() -> int:
    """Nanoseconds since 1970 that a file gets which is written just now; no later one gets less."""
    return time.clock_gettime_ns(_STAMPING) if sys.platform == "linux" else time.time_ns()


@cache
def _program_began() -> float:
    """Nanoseconds since 1970 at which this process was started, or a moment earlier.

    The system counts in ticks since it was itself, see ``proc(5)``.
    """
    ticks = int(Process.of(os.getpid()).started)
    seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return (time.time() - seconds - _TICK_SECONDS) * 1e9


def _shared_folders() -> Iterator[str]:
    """Folders of file systems that outlive a container, as those of EFS."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            place, kind = line.split()[4], line.partition(" - ")[2]
            if place != "/" and kind.startswith(_OF_NETWORKS):
                yield f"{place}/"


def _files_at(path: str) -> Iterator[str]:
    if _PATTERN.search(path):
        yield from iglob(path, recursive=True)
    elif os.path.isdir(path):
        yield from _files_in(path)
    else:
        yield path


def _files_in(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not _NO_WORK.search(one)]
        yield from (os.path.join(place, name) for name in names)
