"""Which bytes are saved together, as pure functions: what fits into the manifest, packs, blocks.

A call costs as much as some MiB, so small files share an object, a pack. What changes is put into a
new one, and the old one keeps bytes that nobody needs: packs that have become mostly that, and
small packs once there are many, are written anew, within bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from steadyspot.worker.keeping.contents import Span
from steadyspot.worker.keeping.listing import Block, File

DATA_BYTES = 16 << 10
"""So many bytes of small files travel in the manifest, for a call of their own would cost more."""

SMALL_BYTES = 256 << 10
"""Files below this share objects."""

PACK_BYTES = 4 << 20
BLOCK_BYTES = 8 << 20
MOST_SMALL_PACKS = 16
SMALL_PACK_BYTES = PACK_BYTES // 4
REWRITTEN_BYTES = 32 << 20
"""So much is written anew at one save, at most."""


def spans(path: str, size: int) -> list[Span]:
    """A file of this size as what becomes pieces of it; none for an empty one."""
    return [
        Span(path, start, min(BLOCK_BYTES, size - start)) for start in range(0, size, BLOCK_BYTES)
    ]


def packs(sizes: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of small files that go into one pack each, in order."""
    pack: list[int] = []
    filled = 0
    for number, size in enumerate(sizes):
        if pack and filled + size > PACK_BYTES:
            yield pack
            pack, filled = [], 0
        pack.append(number)
        filled += size
    if pack:
        yield pack


def worn(unchanged: Iterable[File]) -> set[Block]:
    """Packs that are to be written anew, given all files that need not be saved again."""
    live: dict[Block, int] = {}
    for file in unchanged:
        if file.size < SMALL_BYTES:
            for piece in file.pieces:
                live[piece.block] = live.get(piece.block, 0) + piece.size
    small = [block for block in live if block.size < SMALL_PACK_BYTES]
    chosen = set(small) if len(small) > MOST_SMALL_PACKS else set()
    chosen |= {block for block, needed in live.items() if 2 * needed <= block.size}
    room = REWRITTEN_BYTES
    taken: set[Block] = set()
    for block in sorted(chosen, key=lambda block: (live[block] - block.size, block)):
        room -= live[block]
        if room < 0:
            break
        taken.add(block)
    return taken
