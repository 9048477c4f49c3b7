"""The changes to JSONata, which Cosmic Ray does not know: operators, numbers and a few words.

Only what stands apart is changed, as the expressions are written: an operator between blanks, a
number on its own. Texts, patterns and comments stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

INSTEAD = {
    "=": ("!=",),
    "!=": ("=",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "and": ("or",),
    "or": ("and",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "true": ("false",),
    "false": ("true",),
    "$min": ("$max",),
    "$max": ("$min",),
}

_TOKENS = re.compile(
    r"""
      /\*.*?\*/ | '[^']*' | "(?:\\.|[^"\\])*" | `[^`]*`      # stays
    | (?:(?<=\()|(?<=,\ ))/(?:\\.|[^/\\\n])+/                   # a pattern, which stays
    | (?<=\s)(?P<operator>!=|<=|>=|=|<|>|and|or|\+|-|\*|/)(?=\s)
    | (?<![\w$.])(?P<number>\d+)(?![\w.])
    | (?P<word>\$(?:min|max)\b|(?<![\w$.])(?:true|false)\b)
    """,
    re.DOTALL | re.VERBOSE,
)


def changed(text: str) -> Iterator[tuple[int, str]]:
    """Yield every change to a file's text: the place, and the text with the change."""
    for token in _TOKENS.finditer(text):
        found = token["operator"] or token["number"] or token["word"]
        if not found:
            continue
        others = (str(int(found) + 1),) if token["number"] else INSTEAD[found]
        for other in others:
            yield token.start(), text[: token.start()] + other + text[token.end() :]
