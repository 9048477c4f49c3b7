"""The worker's own words: one JSON line each on standard error, with stable keys.

The job's output is never touched: it inherits the worker's file descriptors, and each line here is
one ``write`` so that it cannot be torn. Nothing is imported that the job's start would have to wait
for.
"""

from __future__ import annotations

import os
import time

from steadyspot.contract.logs import AT, EVENT, LEVEL, MESSAGE


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

    def __init__(self, about: dict[str, object] | None = None, descriptor: int = 2) -> None:
        self.about = about or {}
        self.descriptor = descriptor

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
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            pass  # A closed or full log must not end the run.

    def _write(self, level: str, event: str, message: str, more: dict[str, object]) -> None:
        head: dict[str, object] = {AT: now(), LEVEL: level, EVENT: event, MESSAGE: message}
        self.raw(head | self.about | more)
