"""Lets SIGTERM and SIGHUP end a verb as Ctrl-C does, so that it puts back what it has made.

By themselves they end a process at once: a drill would leave its copy behind. What the parent had
ignored from the start, as `nohup` and a script's `&` ask, stays ignored. Python drops whatever is
raised while it clears an object away, Ctrl-C as well: so that is sent once more a moment later.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from steadyspot.deploy.trouble import Told

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_MOMENT_SECONDS = 0.05


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
    dropping = sys.unraisablehook
    sys.unraisablehook = _sending_again(dropping)
    try:
        yield
    finally:
        sys.unraisablehook = dropping
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Told(number)


def _sending_again(dropping: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return what sends a signal anew whose exception Python drops, before ``dropping`` sees it."""

    def look(dropped: Any) -> None:
        stop = dropped.exc_value
        if not isinstance(stop, KeyboardInterrupt):
            dropping(dropped)
            return
        number = stop.number if isinstance(stop, Told) else signal.SIGINT
        main = threading.main_thread().ident
        again = threading.Timer(_MOMENT_SECONDS, signal.pthread_kill, (main, number))
        again.daemon = True
        again.start()

    return look
