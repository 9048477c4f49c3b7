"""Lets SIGTERM and SIGHUP end a verb as Ctrl-C does, so that it puts back what it has made.

By themselves they end a process at once: a drill would leave its copy behind. What the parent had
ignored from the start, as `nohup` and a script's `&` ask, stays ignored.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from steadyspot.deploy.trouble import Told

_ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise :class:`Told` where one of them comes within the block, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only there can a handler be set.
        return
    before = {
        number: signal.signal(number, _raise)
        for number in _ENDING
        if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Told(number)
