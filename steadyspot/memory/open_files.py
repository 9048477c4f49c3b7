"""Files of the run's folders that are open as a unit ends: what it wrote may not lie in them yet.

A row lies in the program's buffer, in a transaction, or in what a library writes at its end, and a
kill takes it along though its unit is done. So text that the program only adds to a file is written
out with each unit, and whatever else is open keeps units in doubt until it is closed or committed.
It is a look from outside, at descriptors, their locks and what lies at the begin of a file. Nothing
is opened here: that would undo the locks of a database. A file that is opened and closed within a
unit costs nothing.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import time
import weakref
from collections.abc import Iterable
from stat import S_ISREG
from typing import NamedTuple

from steadyspot.memory.gathering import reached
from steadyspot.paths import is_log_name
from steadyspot.under_way import fed_children

_HEAD_BYTES = 24
_GDBM = (0x13579ACD, 0x13579ACE, 0x13579ACF)
_SQLITE = 0, b"SQLite format 3\0"
_DATABASES = ((8, b"DUCK"), (16, b"\xde\xc0\xef\xbe"))
"""What databases have in their files, and where. DuckDB and LMDB write with each transaction."""

_ARRAYS = ((0, b"\x89HDF\r\n\x1a\n"), *((0, sign.to_bytes(4, sys.byteorder)) for sign in _GDBM))
"""HDF5, and what ``dbm`` makes with GDBM."""

_WRITING = {"": (1073741825, 1073742335), "-shm": (120, 120), "-wal": None, "-journal": None}
"""Ends of names of what SQLite has open, and which bytes a transaction that writes locks there."""

LOADED = time.time()
"""When the program began, as far as it is known here, in seconds since 1970."""

_NEW_BYTES = 4096
"""A file that was just made has fewer: what its format begins with."""

DESCRIPTORS = "/proc/self/fd"
"""What this process has open."""

Stamp = tuple[int, int]
"""Size, and time of the last change in nanoseconds."""

Bytes = tuple[int, float]
"""The first and the last of those that are locked."""

_ALL = 0, float("inf")


class _Open(NamedTuple):
    """A file that this process has open for writing; ``locks`` are those that nobody shares."""

    number: int
    inode: int
    path: str
    stamp: Stamp
    appends: bool
    locks: tuple[Bytes, ...]


class OpenFiles:
    """Those below the ``checkpoint`` and the ``outputs`` folder; empty where there is none.

    The folder for outputs begins empty, so that no attempt goes on with a file of several units.
    """

    def __init__(self, checkpoint: str, outputs: str) -> None:
        self._checkpoint, self._outputs = _below(checkpoint), _below(outputs)
        self._folders = tuple(filter(None, (self._checkpoint, self._outputs)))
        self._pid = os.getpid()
        self._texts: dict[int, weakref.ref[io.TextIOWrapper]] = {}
        self._looked_for: set[tuple[int, int]] = set()
        self._before: dict[str, Stamp] = {}

    def begin(self) -> None:
        """A unit begins."""
        self._before = {one.path: one.stamp for one in self._open()}

    def settle(self) -> None:
        """Have what the job has written lie in its files, where that can be done for it.

        Not in a fork, which would write what lay in its parent's buffers a second time.
        """
        files = self._open() if os.getpid() == self._pid else []
        for text in filter(None, map(self._text, files)):
            text.flush()
        for path in self._mapped(files):
            with contextlib.suppress(OSError):
                os.utime(path)  # What is written by memory may change no time.

    def may_lack(self, made: bool) -> bool:
        """Whether what a unit wrote may not lie in a file as it ends, which ``made`` other things.

        What a database with no sign of its transactions has in hand is told by that alone: nothing
        was made, and nothing came into its file.
        """
        self.settle()
        files = self._open()
        of_sqlite = {one.path for one in files if _begins(one, _SQLITE)}
        others = {one.path for one in files if any(_begins(one, each) for each in _DATABASES)}
        certain = self._mapped(files)
        now = {one.path: one.stamp for one in files}
        for path in others:
            if made or self._has_changed(path, now):
                certain |= {path, f"{path}.wal"}
        return self._have_fed_children() or any(
            self._lacks(one, of_sqlite, certain) for one in files
        )

    def made_anew(self) -> list[str]:
        """Names of files in the checkpoint folder that the program has emptied and holds open.

        As ``open(path, "w")`` does, whatever units of an attempt before had written there.
        """
        folder = self._checkpoint
        return sorted(
            os.path.basename(one.path)
            for one in (self._open() if folder else ())
            if one.path.startswith(folder)
            and one.stamp[0] < _NEW_BYTES
            and one.stamp[1] > LOADED * 1e9
            and not (one.appends or is_log(one.path, one.inode) or _is_lock(one))
        )

    def mapped_anew(self) -> list[str]:
        """By what names the program holds arrays in files of that folder that it has made anew.

        As NumPy does with ``mode="w+"``, whatever units had written there; not all arrays say that
        they were made so. Asked before the program does any unit.
        """
        kind = getattr(sys.modules.get("numpy"), "memmap", None)
        if not (kind and self._checkpoint):
            return []

        def is_new(value: object) -> int | None:
            path = value.filename if isinstance(value, kind) and value.mode != "r" else None
            if not path or not os.path.realpath(path).startswith(self._checkpoint):
                return None
            with contextlib.suppress(OSError):
                return 0 if os.stat(path).st_mtime > LOADED else None
            return None

        return sorted({str(path[-1]) for path, _, _ in reached(is_new)})

    def _lacks(self, one: _Open, of_sqlite: set[str], certain: set[str]) -> bool:
        if is_log(one.path, one.inode) or _is_lock(one):
            return False
        if not (self._checkpoint and one.path.startswith(self._checkpoint)):
            return True
        for end, locked in _WRITING.items():
            if one.path.endswith(end) and one.path.removesuffix(end) in of_sqlite:
                return any(locked and _overlap(locked, each) for each in one.locks)
        return one.path not in certain and self._text(one) is None

    def _has_changed(self, database: str, now: dict[str, Stamp]) -> bool:
        """Whether a database that was open before the unit, or the log beside it, has changed."""
        names = [database, f"{database}.wal"]
        return database in self._before and any(
            now.get(name) != self._before.get(name) for name in names
        )

    def _open(self) -> list[_Open]:
        """Nothing where the system does not tell, as on a Mac."""
        found: list[_Open] = []
        if not (self._folders and os.path.isdir(DESCRIPTORS)):
            return found
        for number in os.listdir(DESCRIPTORS):
            with contextlib.suppress(OSError):
                path = os.readlink(f"{DESCRIPTORS}/{number}")
                if path.startswith(self._folders) and (one := _look(int(number), path)):
                    found.append(one)
        return found

    def _mapped(self, files: Iterable[_Open]) -> set[str]:
        """Which of them are written by memory, which is what others read at once."""
        paths = {one.path for one in files}
        if not paths:
            return set()
        with open("/proc/self/maps", errors="surrogateescape") as maps:
            shared = {line.rstrip("\n").split(maxsplit=5)[-1] for line in maps if " rw-s " in line}
        return paths & shared

    def _text(self, one: _Open) -> io.TextIOWrapper | None:
        """The program's own file object for text that is added to a file, if it is one."""
        if not (one.appends and one.path.startswith(self._checkpoint or "\0")):
            return None
        if (one.number, one.inode) not in self._looked_for:
            self._looked_for.add((one.number, one.inode))
            for each in gc.get_objects():  # That takes its time.
                if type(each) is io.TextIOWrapper and (number := _number(each)) is not None:
                    self._texts[number] = weakref.ref(each)
        text = self._texts.get(one.number, lambda: None)()
        return text if text is not None and _number(text) == one.number else None

    def _have_fed_children(self) -> bool:
        """Whether a child has a file open that takes what it writes from a pipe."""
        return any(
            path.startswith(self._folders)
            for pid in (fed_children() if self._folders else ())
            for path in _paths(pid)
        )


def _below(folder: str) -> str:
    return os.path.realpath(folder) + "/" if folder else ""


def _paths(pid: int) -> list[str]:
    """What a child has open."""
    with contextlib.suppress(OSError):
        return [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    return []


def _look(number: int, path: str) -> _Open | None:
    """An open file, none where it is no regular one, or not open for writing."""
    flags, locks = 0, []
    with open(f"/proc/self/fdinfo/{number}") as lines:
        for line in lines:
            words = line.split()
            if words[0] == "flags:":
                flags = int(words[1], 8)
            elif words[0] == "lock:" and "WRITE" in words:
                locks.append((int(words[-2]), _ALL[1] if words[-1] == "EOF" else int(words[-1])))
    seen = os.fstat(number)
    if flags & os.O_ACCMODE == os.O_RDONLY or not S_ISREG(seen.st_mode) or not seen.st_nlink:
        return None
    stamp = seen.st_size, seen.st_mtime_ns
    return _Open(number, seen.st_ino, path, stamp, bool(flags & os.O_APPEND), tuple(locks))


def is_log(path: str, inode: int) -> bool:
    """Whether a file is a log, or what the standard error goes to."""
    with contextlib.suppress(OSError):  # It may have been closed.
        if os.fstat(2).st_ino == inode:
            return True
    return is_log_name(path)


def is_database(number: int) -> bool:
    """Whether a descriptor is of a database, or of an array that is written as one is."""
    return any(_has(number, sign) for sign in (_SQLITE, *_DATABASES, *_ARRAYS))


def _is_lock(one: _Open) -> bool:
    """Whether a file is only there to be locked."""
    return _ALL in one.locks and not one.stamp[0]


def _begins(one: _Open, sign: tuple[int, bytes]) -> bool:
    """Whether a file has these bytes at that place; one that cannot be read here has not."""
    return _has(one.number, sign)


def _has(number: int, sign: tuple[int, bytes]) -> bool:
    place, known = sign
    with contextlib.suppress(OSError):
        return os.pread(number, _HEAD_BYTES, 0)[place:].startswith(known)
    return False


def _overlap(one: Bytes, other: Bytes) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _number(text: io.TextIOWrapper) -> int | None:
    """The descriptor of a file object that keeps nothing but what it writes as it is flushed."""
    with contextlib.suppress(ValueError):  # It is closed, or detached.
        plain = type(text.buffer) is io.BufferedWriter and type(text.buffer.raw) is io.FileIO
        return text.fileno() if plain else None
    return None
