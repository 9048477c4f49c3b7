"""Advice that can be pasted: a command in a sentence gets the options that this one was given.

Where to work (``--local``, ``--profile``) is typed again and again; a command without it would go
to another account, or nowhere. One place adds it, so that the rooms need not know how they are run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

WITH_A_TARGET = (
    *("check", "diff", "up", "status", "run", "watch", "logs", "runs", "explain", "outputs"),
    *("drill", "shell", "stop", "redrive", "forget", "pause", "resume", "cost", "down", "ui"),
    *("weather", "notify"),
)
"""The verbs that have a target."""
_COMMAND = re.compile(rf"\bsteadyspot ({'|'.join(WITH_A_TARGET)})\b")


def pastable(text: str, given: Sequence[str]) -> str:
    """Return a text whose commands have these options; they stand behind the verb."""
    options = "".join(f" {shlex.quote(word)}" for word in given)
    return _COMMAND.sub(lambda found: found[0] + options, text)


def given_words(**options: object) -> list[str]:
    """Return options as they are typed; those that were not given are left out."""
    words: list[str] = []
    for name, value in options.items():
        if value:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words
