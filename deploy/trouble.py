"""What goes wrong in a way that a person can mend: one sentence what, one sentence what to do."""

from __future__ import annotations

import signal

USAGE = 2
"""Exit code of a command line that is not understood."""
_BY_SIGNAL = 128
"""Added to the number of the signal that ended a command, as shells have it."""


class Trouble(Exception):
    """Ends a command with an exit code and these two sentences, never with a traceback."""

    def __init__(self, what: str, what_to_do: str, code: int = 1) -> None:
        super().__init__(f"{what} {what_to_do}")
        self.what = what
        self.what_to_do = what_to_do
        self.code = code


class Told(KeyboardInterrupt):
    """Ends a command as Ctrl-C does, where another signal tells it to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def how_stopped(stop: KeyboardInterrupt) -> tuple[str, int]:
    """Return what stopped a command, for a sentence, and the exit code that tells it."""
    number = stop.number if isinstance(stop, Told) else signal.SIGINT
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    return name, _BY_SIGNAL + number


def is_text(word: str) -> bool:
    """Return whether UTF-8 can write a word; what no terminal typed may hold halves of letters."""
    return word.encode("utf-8", "replace").decode("utf-8") == word
