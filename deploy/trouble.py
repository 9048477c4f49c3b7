"""What goes wrong in a way that a person can mend: one sentence what, one sentence what to do."""

from __future__ import annotations

CTRL_C = 130
"""Exit code of a command that Ctrl-C ended, as shells have it."""


class Trouble(Exception):
    """Ends a command with an exit code and these two sentences, never with a traceback."""

    def __init__(self, what: str, what_to_do: str, code: int = 1) -> None:
        super().__init__(f"{what} {what_to_do}")
        self.what = what
        self.what_to_do = what_to_do
        self.code = code
