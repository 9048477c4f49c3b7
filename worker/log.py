"""The worker's own words: one JSON line each on standard error, with stable keys.

The job's output is never touched: it inherits the worker's file descriptors, and each line here is
one ``write`` so that it cannot be torn. It is made in a thread of its own, since a pipe that nobody
reads would hold up whoever writes. Nothing is imported that the job's start would have to wait for.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from steadyspot.contract.logs import AT, EVENT, LEVEL, MESSAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

WAITING_LINES = 1000
"""So many lines wait for somebody to read the log; what comes after them is left out."""

CLOSING_SECONDS = 0.5
"""How long the worker's exit waits for that."""


def now() -> str:
    """The present as ISO time in UTC with milliseconds, ``2026-11-24T02:00:00.000Z``."""
    return iso(time.time())


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO time in UTC with milliseconds."""
    whole = int(seconds)
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{day}.{int((seconds - whole) * 1000):03}Z"


class Log:
    """Writes JSON lines that all carry the run they belong to.

    Their keys are those of ``steadyspot.contract.logs``; ``level`` is info, warning or error.
    """

    def __init__(self, about: Mapping[str, object] | None = None, descriptor: int = 2) -> None:
        self.about: Mapping[str, object] = about or {}
        self.descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._left_out = 0
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None

    def info(self, event: str, message: str, **more: object) -> None:
        self._write("info", event, message, more)

    def warning(self, event: str, message: str, **more: object) -> None:
        self._write("warning", event, message, more)

    def error(self, event: str, message: str, **more: object) -> None:
        self._write("error", event, message, more)

    def raw(self, line: dict[str, object]) -> None:
        """Write a line that has its own shape, such as CloudWatch's embedded metrics."""
        import json

        data = (json.dumps(line, default=str) + "\n").encode()
        with self._changed:
            if len(self._lines) >= WAITING_LINES:
                self._left_out += 1
                return
            self._lines.append(data)
            self._changed.notify_all()
            if self._writer is None:
                self._begin()

    def close(self) -> None:
        """Wait until all is written, for a moment; write it here if no thread could be begun."""
        with self._changed:
            if self._writer is None:
                self._write_at_once()
            self._changed.wait_for(lambda: not self._lines, CLOSING_SECONDS)

    def _write_at_once(self) -> None:
        """Write what a pipe takes without waiting for its reader."""
        try:
            os.set_blocking(self.descriptor, False)
            while self._lines:
                self._lines[0] = self._lines[0][os.write(self.descriptor, self._lines[0]) :]
                if not self._lines[0]:
                    self._lines.popleft()
        except OSError:
            self._lines.clear()

    def _begin(self) -> None:
        writer = threading.Thread(target=self._write_lines, name="log", daemon=True)
        try:
            writer.start()
        except RuntimeError:
            return  # No thread can be begun; with the next line, perhaps.
        self._writer = writer

    def _write_lines(self) -> None:
        """A line is taken away once it is written, so that ``close`` knows."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                data = self._lines[0]
            try:
                while data:
                    data = data[os.write(self.descriptor, data) :]
            except OSError:
                pass  # A closed or full log must not end the run.
            with self._changed:
                self._lines.popleft()
                left_out, self._left_out = self._left_out, 0
                self._changed.notify_all()
            if left_out:
                self.warning("log", f"{left_out} lines were left out: nobody read the log.")

    def _write(self, level: str, event: str, message: str, more: dict[str, object]) -> None:
        head: dict[str, object] = {AT: now(), LEVEL: level, EVENT: event, MESSAGE: message}
        self.raw({**head, **self.about, **more})
