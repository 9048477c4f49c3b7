"""On which lines of a TOML file its tables and keys stand, which no parser of TOML tells.

For messages and to show where a value comes from: what is written in a rare way may be missed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_ENTRY = re.compile(r"\s*\[\[\s*([^\[\]]+?)\s*\]\]")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*="""
)
_PART = re.compile(r""""([^"]*)"|'([^']*)'|[A-Za-z0-9_-]+""")


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Return on which lines tables and keys begin, as far as that can be told without a parser."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    entries: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if entry := _ENTRY.match(line):
            name = _parts(entry[1])
            table = (*name, str(entries[name]))
            entries[name] += 1
            found.setdefault(name, number)
            found.setdefault(table, number)
        elif header := _HEADER.match(line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(one[1] or one[2] or one[0] for one in _PART.finditer(dotted))


def place_of(path: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> int | None:
    """Return the line of a key, else that of the innermost table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)
