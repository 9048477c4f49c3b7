"""Keeps Ctrl-C from breaking off what puts things back.

A drill that was stopped by Ctrl-C removes what it made; a second Ctrl-C, or a first one that comes
just then, would leave it half removed. So it waits until the block is done.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done, then let it have its way, if it has one.

    For the main thread only.
    """
    pressed = False

    def hold(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)
