"""Texts of strangers, made fit for a terminal, a table or a spreadsheet: the one place for that.

What containers print and what AWS says of them may hold whatever somebody put there: sequences that
steer a terminal, marks that turn the direction of writing, formulas. What is shown has lost them.
"""

from __future__ import annotations

import re
import unicodedata

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS
    r"|\x1b[ -/]*[0-~]"
)
_STEERS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode: controls, formats (the bidirectional marks are some), halves, breaks."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(text: str, *, lines: bool = False) -> str:
    """Return a text without what steers a terminal; ``lines``: its line breaks stay.

    A tab stays a tab; each other character that only steers becomes a blank.
    """
    if text.isprintable():  # No character of those categories is.
        return text
    kept = "\t\n" if lines else "\t"
    return "".join(
        character if character in kept or unicodedata.category(character) not in _STEERS else " "
        for character in _SEQUENCES.sub("", text)
    )


def cell(value: object) -> object:
    """Return a value for a spreadsheet, which takes no text for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
