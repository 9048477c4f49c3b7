"""The mails that the embedded AWS sends, to nobody: shown as they come, or all of them.

An account sends them to people, so there they are nobody's business here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

Mail = Mapping[str, Any]


class Arriving:
    """Calls ``show`` with each mail that has come since the last look; on AWS never.

    Mails that were there when this was made are not shown.
    """

    def __init__(self, target: Target, show: Callable[[Mail], None]) -> None:
        self._switches = target.switches
        self._show = show
        self._seen = 0 if self._switches is None else len(self._switches.mails())

    def look(self) -> None:
        """Show what is new."""
        if self._switches is None:
            return
        mails = self._switches.mails()
        for mail in mails[self._seen :]:
            self._show(mail)
        self._seen = len(mails)


def line_of(mail: Mail) -> str:
    """Return a mail as one line: it arrived while something else is followed."""
    return f"mail to {mail['to']}: {mail['subject']}"


def text_of(mail: Mail) -> str:
    """Return a whole mail as people get it."""
    head = (("At", mail["at"]), ("To", mail["to"]), ("Subject", mail["subject"]))
    return "\n".join([*(f"{name}: {value}" for name, value in head), "", mail["body"]])
