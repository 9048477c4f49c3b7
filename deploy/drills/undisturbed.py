"""Keeps signals that end a command from breaking off what puts things back.

A drill that was ended by Ctrl-C, SIGTERM or a terminal that closed removes what it made; a second
signal, or a first one that comes just then, would leave it half removed. So it waits until the
block is done. For the main thread only.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, whoever ends programs (CI, a shutdown), and the terminal that closed."""


class Ended(KeyboardInterrupt):
    """A signal ends the command: its ``name`` for people, and the exit ``code`` for it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self.code = 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise ``Ended`` in the block where one of ``ENDING`` comes that is not ignored."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Ended(number)

    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        if before[number] is not signal.SIG_IGN:  # As nohup has it, or a shell's background.
            signal.signal(number, end)
    try:
        yield
    finally:
        for number in ENDING:
            signal.signal(number, before[number])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold ``ENDING`` back until the block is done, then let the first have its way, if any."""
    come: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        come.append(number)

    before = {number: signal.signal(number, hold) for number in ENDING}
    try:
        yield
    finally:
        for number in ENDING:
            signal.signal(number, before[number])
    if come:
        signal.raise_signal(come[0])
