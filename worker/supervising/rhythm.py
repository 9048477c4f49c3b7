"""When the folders are saved: at intervals, at the job's marker, and before a stop is too short.

A thread that only looks at clock and marker, and now and then at how much has changed, and asks the
keeper; what a save is stands there. The marker is removed once the save that it asked for is
durable, so the job may wait for that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from steadyspot.worker.supervising.stages import (
    SHORTEST_LOOK_SECONDS,
    is_due_early,
    next_look_seconds,
)

if TYPE_CHECKING:
    from steadyspot.worker.keeping.pace import Forecast

LOOK_SECONDS = 0.2
"""How often the marker is looked at."""


class Rhythm:
    """Asks for saves until it is stopped; a save that is under way is waited for, not doubled.

    ``save`` is told whether the job has asked for it. ``forecast`` looks what a save would take
    now, ``most_seconds`` is what a stop leaves to it; ``warn`` is told of the seconds where these
    are more.
    """

    def __init__(
        self,
        save: Callable[[bool], Future[Any]],
        every_seconds: float,
        marker: str,
        forecast: Callable[[], Forecast],
        most_seconds: float,
        warn: Callable[[float], None],
    ) -> None:
        self._save = save
        self._every = every_seconds
        self._marker = marker
        self._forecast = forecast
        self._most_seconds = most_seconds
        self._warn = warn
        self._end = threading.Event()
        self._due = self._next_look = self._ended = 0.0
        self._last_seconds = 0.0

    def start(self) -> None:
        """Begin in a thread of its own."""
        threading.Thread(target=self._run, name="rhythm", daemon=True).start()

    def stop(self) -> None:
        """Ask for no more saves."""
        self._end.set()

    def _run(self) -> None:
        self._due = time.monotonic() + self._every
        look = min(LOOK_SECONDS if self._marker else SHORTEST_LOOK_SECONDS, self._every)
        answered: int | None = None
        while not self._end.wait(look):
            touched = _stamp(self._marker)
            asked = touched not in (None, answered)
            if not asked and time.monotonic() < self._due and not self._is_early():
                continue
            durable = self._is_saved(asked)
            if durable and touched is not None and _stamp(self._marker) == touched:
                try:
                    os.unlink(self._marker)
                except OSError:
                    answered = touched  # It stays, and asks for no more than that.

    def _is_early(self) -> bool:
        """Whether so much has changed that it has to be saved before its time."""
        begun = time.monotonic()
        if begun < self._next_look:
            return False
        forecast = self._forecast()
        now = time.monotonic()
        self._next_look = now + next_look_seconds(now - begun, self._every)
        if forecast.is_measured and forecast.seconds > self._most_seconds:
            self._warn(forecast.seconds)
        since = now - self._ended
        return is_due_early(forecast.seconds, self._most_seconds, since, self._last_seconds)

    def _is_saved(self, asked: bool) -> bool:
        """Save; whether that is durable. One that failed is tried again at the interval."""
        begun = time.monotonic()
        saving = self._save(asked)
        try:
            error = saving.exception(self._most_seconds)
        except TimeoutError:
            if not self._end.is_set():
                self._warn(time.monotonic() - begun)
            error = saving.exception()
        self._ended = time.monotonic()
        self._last_seconds = self._ended - begun
        self._due = self._ended + self._every
        self._next_look = self._due if error else self._ended
        return error is None


def _stamp(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns if path else None
    except OSError:
        return None
