"""Keeps Ctrl-C, SIGTERM and SIGHUP from breaking off what puts things back.

A drill that was stopped removes what it made; a second Ctrl-C, or a first one that comes just then,
would leave it half removed. So it waits until the block is done.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold these signals back until the block is done, then let the first have its way, if any.

    For the main thread only.
    """
    come: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        come.append(number)

    before = {number: signal.signal(number, hold) for number in _HELD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if come:
        signal.raise_signal(come[0])
