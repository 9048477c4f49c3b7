"""Bytes that are to be saved: where they lie until they are sent, and how they are read.

A file is opened through no link and without waiting for a pipe that has taken its place, and read
as far as it was seen, never further. What is not as it was seen is told from what cannot be read.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from typing import NamedTuple

from steadyspot.worker.errors import shortage
from steadyspot.worker.keeping.scanning import GONE


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
        done = 0
        while done < len(data):
            done += os.pwrite(self._number, data[done:] if done else data, start + done)
        return Span(self._path, start, len(data))

    def clear(self) -> None:
        """Keep none any more."""
        if self._number >= 0:
            os.close(self._number)
            os.unlink(self._path)
        self._number, self._size = -1, 0
