"""Bytes that are to be saved: where they lie until they are sent, and how they are read.

A file is opened through no link and without waiting for a pipe that has taken its place, and read
as far as it was seen, never further. What is not as it was seen is told from what cannot be read.
Where bytes are written, runs of zeros are left as holes, so that a sparse file takes no more room.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from steadyspot.worker.errors import shortage
from steadyspot.worker.keeping.scanning import GONE

PAGE_BYTES = 4 << 10
"""What file systems give room to, or none."""

ZEROS = bytes(PAGE_BYTES)


class Moved(Exception):
    """A file is not what it was when it was seen: shorter, of another kind, or gone."""


class Unreadable(Exception):
    """One file that cannot be read, and ``why``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Span(NamedTuple):
    """Bytes of a file, or with an empty path ``data`` itself."""

    path: str
    start: int
    size: int
    data: bytes = b""


def read(span: Span) -> bytes:
    """The bytes. Raises ``Moved``, ``Unreadable``, or ``OSError`` of a machine that is short."""
    if not span.path:
        return span.data
    with _opened(span.path) as number, _reading():
        data = os.pread(number, span.size, span.start)
        while len(data) < span.size:
            more = os.pread(number, span.size - len(data), span.start + len(data))
            if not more:
                raise Moved
            data += more
    return data


def fill(number: int, data: bytes | memoryview, at: int) -> None:
    """Write bytes to where a file has only zeros yet, and is as long as it is to be."""
    whole = memoryview(data)
    for start, end in _filled(whole, at):
        left = whole[start:end]
        while left:
            done = os.pwrite(number, left, at + end - len(left))
            left = left[done:]


def _filled(data: memoryview, at: int) -> Iterator[tuple[int, int]]:
    """From where to where there is more than zeros, by whole pages of a file that has it ``at``."""
    edges = [0, *range(PAGE_BYTES - at % PAGE_BYTES, len(data), PAGE_BYTES), len(data)]

    def is_empty(page: tuple[int, int]) -> bool:
        start, end = page
        return ZEROS.startswith(data[start:end])

    for empty, run in groupby(pairwise(edges), is_empty):
        if not empty:
            pages = list(run)
            yield pages[0][0], pages[-1][1]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    with _reading():
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise Moved
        yield number
    finally:
        os.close(number)


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in GONE:
            raise Moved from None
        if shortage(error) is not None:
            raise
        raise Unreadable(os.strerror(error.errno or 0)) from None


class Spool:
    """Copies of what a capture has read, in one file of a ``folder``; any thread may add."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "copies")
        self._lock = threading.Lock()
        self._number = -1
        self._size = 0

    def add(self, data: bytes) -> Span:
        """Keep a copy. Raises ``OSError`` where there is no room."""
        with self._lock:
            if self._number < 0:
                self._number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            start, self._size = self._size, self._size + len(data)
            os.ftruncate(self._number, self._size)
        fill(self._number, data, start)
        return Span(self._path, start, len(data))

    def clear(self) -> None:
        """Keep none any more."""
        if self._number >= 0:
            os.close(self._number)
            os.unlink(self._path)
        self._number, self._size = -1, 0
