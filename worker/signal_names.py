"""Signals by the names that people use, in options and in log lines, and by their numbers."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """What people call a signal, such as ``SIGTERM`` or ``SIGRTMIN+3``."""
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    return signal.Signals(number).name


def signal_number(text: str) -> int | None:
    """The number of a signal given as ``TERM``, ``SIGTERM``, ``RTMIN+3`` or 15; none for others."""
    word, _, steps = text.upper().removeprefix("SIG").partition("+")
    number = int(word) if word.isdecimal() else int(getattr(signal, f"SIG{word}", 0))
    if steps:
        number += int(steps) if word == "RTMIN" and steps.isdecimal() else -number
    return number if word.isalnum() and number in signal.valid_signals() else None
