"""What an output may be called, for the job's API and the supervisor alike; pure."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

from steadyspot.contract import COMPLETION

LONGEST_BYTES = 700
"""S3 allows keys of 1,024 bytes, of which the run's prefix takes its part."""

LONGEST_PIECE_BYTES = 255
"""What Linux allows for one piece of a path."""


class BadName(ValueError):
    """A name that no output can have: one sentence what, one sentence what to do."""

    def __init__(self, sentence: str, todo: str) -> None:
        super().__init__(f"{sentence} {todo}")
        self.sentence = sentence
        self.todo = todo


def check_name(name: Any) -> str:
    """Return the name, fit to be a key below the run's prefix. Raises ``BadName``.

    A relative path of ``pathlib`` is taken for the name it stands for. Any text is, if it can be
    written in UTF-8 and holds no control characters, which no XML of S3 can name.
    """
    if isinstance(name, os.PathLike):
        name = os.fspath(name)
    if not isinstance(name, str):
        raise BadName(f"The output name {name!r} is no text.", "Use a text or a relative path.")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadName(
            f"The output name {name!r} is no UTF-8.", "Decode it with the encoding it has."
        ) from None
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in name) or any(
        letter in "\u2028\u2029\ufffe\uffff" for letter in name
    ):
        raise BadName(
            f"The output name {name!r} holds a control character.", "Use printable characters."
        )
    if not size:
        raise BadName("The output name is empty.", "Give it a name such as 'part-00001.parquet'.")
    if size > LONGEST_BYTES:
        raise BadName(
            f"The output name '{name[:40]}…' is too long ({size} bytes).",
            f"Use at most {LONGEST_BYTES} bytes in UTF-8.",
        )
    if any(piece in ("", ".", "..") for piece in name.split("/")):
        raise BadName(
            f"The output name {name!r} climbs out of its folder.",
            "Use a relative name without '.' and '..', such as 'part-00001.parquet'.",
        )
    if name == COMPLETION:
        raise BadName(
            f"The output name '{COMPLETION}' belongs to the completion record.",
            "Use another name.",
        )
    return name


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that look the same: one writes its accents apart (NFD, as macOS does)."""
    seen: dict[str, str] = {}
    pairs = []
    for name in sorted(names):
        one = seen.setdefault(normalize("NFC", name), name)
        if one != name:
            pairs.append((one, name))
    return pairs


def place_below(folder: str, name: str) -> str:
    """The path below ``folder`` that ends in the name, since its suffix tells programs the format.

    Of a piece that is too long for a file system, the end is kept.
    """
    return os.path.join(folder, *map(_shortened, name.split("/")))


def _shortened(piece: str) -> str:
    if len(piece.encode()) <= LONGEST_PIECE_BYTES:
        return piece
    return piece.encode()[-LONGEST_PIECE_BYTES:].decode(errors="ignore")
