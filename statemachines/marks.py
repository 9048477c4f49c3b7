"""Where and how a template carries a definition, and how that is read back.

A definition stands between two marks. It is either plain JSON, or the text of an ``Fn::Sub`` and
the pieces that it puts in, see ``pieces.py``. This half needs none of the code that makes the
definitions, so that reading a deployed template starts fast.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

MARK = "# definition: "
MARK_END = "# definition end"
NAME = re.compile(r"\$\{(\w+)\}")
_ENTRY = re.compile(r"(?:- )?([A-Z]\w*): ?")


def written_out(block: Sequence[str]) -> str:
    """Return the definition that the lines between two marks hold, every piece in its place."""
    if not block or not block[0].endswith("!Sub"):
        return "".join(block[1:])
    lines = [line.strip() for line in block]
    end = next((n for n, line in enumerate(lines) if line.startswith("- ") and n > 1), len(lines))
    named, name = {}, ""
    for line, following in pairwise([*lines[end:], ""]):
        if begun := _ENTRY.match(line):
            name = begun[1]
            text = line[begun.end() :].removeprefix("!Sub ")
            if not text.startswith(("{", "!", "|")):
                named[name] = text
        if line.endswith("|-"):
            named[name] = following
    return NAME.sub(lambda found: named.get(found[1], found[0]), "".join(lines[2:end]))
