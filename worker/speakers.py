"""Which processes speak with the worker over its socket: the telling of a stop depends on it."""

from __future__ import annotations

import threading
from collections import Counter


class Speakers:
    """Process ids of those that speak, and of those that wait there to be told of a stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._speaking: Counter[int] = Counter()
        self._waiting: set[int] = set()

    def comes(self, pid: int) -> None:
        with self._lock:
            self._speaking[pid] += 1

    def waits(self, pid: int) -> None:
        with self._lock:
            self._waiting.add(pid)

    def goes(self, pid: int) -> None:
        with self._lock:
            self._speaking[pid] -= 1

    def speaking(self) -> set[int]:
        with self._lock:
            return set(+self._speaking)

    def waiting(self) -> set[int]:
        with self._lock:
            return self._waiting & set(+self._speaking)
