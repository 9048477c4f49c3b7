"""What a saved folder holds: its entries, and in which blocks of the bucket their bytes lie.

A block is an immutable object of some MiB: one of the blocks that a large file is cut into, or many
small files behind each other. So one changed byte of a large file costs one block, and many small
files cost few calls. A listing is written as one object named by its own SHA-256, or within the
manifest where it is small; blocks are held against the SHA-256 that it has of them. What is read
and what is sent is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

INLINE_BYTES = 32 << 10
"""A shorter listing is written into the manifest itself: an object costs a call."""


USUAL: tuple[Any, ...] = ((), "", "", ())
"""Pieces, target, data and attributes of an entry that has none."""


class Block(NamedTuple):
    """An object with bytes of files."""

    key: str
    sha256: str
    size: int


class Piece(NamedTuple):
    """Bytes of a file that lie in a block, from ``start`` on."""

    block: Block
    start: int
    size: int


class File(NamedTuple):
    """One entry of a saved folder: ``file``, ``folder``, ``link`` or ``hard link``.

    A file's bytes are those of its ``pieces`` behind each other, or without any ``data`` itself, in
    base64. A hard link's ``target`` is the path of the entry with its bytes. ``attributes`` are
    extended ones, in base64. The path of the folder itself is empty.
    """

    path: str
    kind: str
    mode: int
    size: int = 0
    mtime_ns: int = 0
    target: str = ""
    data: str = ""
    pieces: tuple[Piece, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


class Listing:
    """All entries of a saved folder.

    ``key`` is the object that holds the listing itself, empty where the manifest does.
    """

    def __init__(self, files: Iterable[File], key: str = "") -> None:
        self.files = tuple(files)
        self.key = key

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Each block that is named, once."""
        return tuple(dict.fromkeys(piece.block for file in self.files for piece in file.pieces))

    @cached_property
    def size(self) -> int:
        """Bytes in the bucket."""
        return sum(block.size for block in self.blocks)

    @property
    def keys(self) -> frozenset[str]:
        """Every object that it needs."""
        return frozenset(block.key for block in self.blocks) | ({self.key} if self.key else set())

    @cached_property
    def body(self) -> bytes:
        """The listing as JSON: blocks by number, and of each entry what differs from the usual."""
        numbers = {block.key: number for number, block in enumerate(self.blocks)}
        entries: list[tuple[Any, ...]] = []
        for path, kind, mode, size, mtime_ns, target, data, pieces, attributes in self.files:
            places: list[int] = []
            for block, start, length in pieces:
                places += numbers[block.key], start, length
            entry = path, kind, mode, size, mtime_ns
            if target or data or attributes:
                entries.append((*entry, places, target, data, attributes))
            else:
                entries.append((*entry, places) if places else entry)
        return json.dumps([self.blocks, entries], separators=(",", ":")).encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def written(self) -> dict[str, Any]:
        """How a manifest names it."""
        if not self.key:
            return {"inline": self.body.decode()}
        return {"key": self.key, "sha256": self.sha256}

    @classmethod
    def read(cls, body: bytes, key: str = "") -> Listing:
        """The listing that was written so. Raises ``ValueError`` and its like for another text."""
        named, entries = json.loads(body)
        blocks = [Block(str(key), str(sha256), int(size)) for key, sha256, size in named]
        return cls((_file(blocks, *entry) for entry in entries), key)


def _file(blocks: list[Block], *entry: Any) -> File:
    path, kind, mode, size, mtime_ns, *more = entry
    pieces, target, data, attributes = [*more, *USUAL[len(more) :]]
    return File(
        path,
        kind,
        mode,
        size,
        mtime_ns,
        target,
        data,
        tuple([Piece(blocks[pieces[n]], *pieces[n + 1 : n + 3]) for n in range(0, len(pieces), 3)]),
        tuple([(name, value) for name, value in attributes]),
    )
