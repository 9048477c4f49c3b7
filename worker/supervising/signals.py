"""Signals of the supervisor: each becomes a byte in a pipe, and nothing else.

Python's handlers run only between two bytecodes of the main thread; here the main thread always
sits in ``poll`` on that pipe, so a signal is seen at once whatever other threads do. What follows
is decided by the supervisor.
"""

from __future__ import annotations

import os
import select
import signal

OF_A_FAULT = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
"""A handler would return to the faulty instruction for ever."""

OF_OUR_WRITES = {signal.SIGPIPE, signal.SIGXFSZ}
"""Raised by what the worker writes itself; Python ignores them and reports an error instead."""

OF_A_TERMINAL = {signal.SIGTTIN, signal.SIGTTOU}
SUSPENDING = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
NOTE = 0
"""The byte that is no signal: another thread has left something for the main thread."""


class Inbox:
    """The pipe, and waiting on it."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)

    def catch(self, terminal: bool) -> None:
        """Catch everything; with a terminal given to the job, ignore what it sends to others."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        left = OF_A_FAULT | OF_OUR_WRITES | {signal.SIGKILL, signal.SIGSTOP}
        for number in signal.valid_signals() - left:
            ignored = terminal and number in OF_A_TERMINAL
            try:
                signal.signal(number, signal.SIG_IGN if ignored else _noted)
            except (OSError, ValueError):
                pass  # Kept by the C library for itself.

    def note(self) -> None:
        """Wake the main thread from another one."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:
            pass  # It will wake anyway.

    def wait(self, seconds: float | None) -> list[int]:
        """Wait for bytes, at most so long; signals in the order they came, and ``NOTE``."""
        milliseconds = None if seconds is None else max(0, int(seconds * 1000) + 1)
        if not self._poll.poll(milliseconds):
            return []
        try:
            return list(os.read(self._read, 4096))
        except BlockingIOError:
            return []


def unblock_all() -> None:
    """Let signals come, those held back included."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _noted(number: int, frame: object) -> None:
    """Nothing: the byte in the pipe says it all."""
