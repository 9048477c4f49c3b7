"""What goes wrong in a way that a person can mend: one sentence what, one sentence what to do."""

from __future__ import annotations


class Trouble(Exception):
    """Ends a command with exit code 1 and these two sentences, never with a traceback."""

    def __init__(self, what: str, what_to_do: str) -> None:
        super().__init__(f"{what} {what_to_do}")
        self.what = what
        self.what_to_do = what_to_do
