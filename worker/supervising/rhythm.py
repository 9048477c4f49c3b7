"""When the folders are saved: every so many seconds, and when the job touches its marker file.

A thread that only looks at clock and marker and asks the keeper; what a save is stands there. The
marker is removed once the save that it asked for is durable, so the job may wait for that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

LOOK_SECONDS = 0.2
"""How often the marker is looked at."""


class Rhythm:
    """Asks for saves until it is stopped; a save that is under way is waited for, not doubled."""

    def __init__(
        self, save: Callable[[], Future[Any]], every_seconds: float, marker: str = ""
    ) -> None:
        self._save = save
        self._every = every_seconds
        self._marker = marker
        self._end = threading.Event()
        threading.Thread(target=self._run, name="rhythm", daemon=True).start()

    def stop(self) -> None:
        """Ask for no more saves."""
        self._end.set()

    def _run(self) -> None:
        due = time.monotonic() + self._every
        look = min(LOOK_SECONDS, self._every) if self._marker else self._every
        answered: int | None = None
        while not self._end.wait(look):
            touched = _stamp(self._marker)
            if touched in (None, answered) and time.monotonic() < due:
                continue
            durable = self._save().exception() is None
            if durable and touched is not None and _stamp(self._marker) == touched:
                try:
                    os.unlink(self._marker)
                except OSError:
                    answered = touched  # It stays, and asks for no more than that.
            due = time.monotonic() + self._every


def _stamp(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns if path else None
    except OSError:
        return None
