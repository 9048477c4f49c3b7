"""Sends what a capture has read to the bucket, many calls at a time, and says where it lies then.

Bytes are hashed as they are sent, so that an object always is what its name says; those that the
checkpoint before has already are not sent again. One file that cannot be read any more is left out.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from io import BytesIO
from itertools import chain
from typing import NamedTuple

from steadyspot.worker.keeping.contents import Moved, Span, Unreadable, read
from steadyspot.worker.keeping.listing import Block, File, Piece
from steadyspot.worker.keeping.packing import DATA_BYTES, SMALL_BYTES, packs
from steadyspot.worker.keeping.scanning import Seen
from steadyspot.worker.keeping.store import Bucket
from steadyspot.worker.keeping.together import together


@dataclass(frozen=True, slots=True)
class Captured:
    """An entry of a capture; a changed file's bytes are its ``contents``, to become its pieces.

    Without any, ``file`` is as it stands. Where they cannot be read, it is left out, unless it has
    the places of the same bytes from before.
    """

    file: File
    seen: Seen
    contents: tuple[Block | Span, ...] = ()

    @property
    def is_to_be_sent(self) -> bool:
        """Whether it has bytes that the bucket may not have."""
        return any(isinstance(content, Span) for content in self.contents)


class _Sent(NamedTuple):
    """Where bytes of an entry, by its number in the capture, are now, or ``why`` they are not."""

    number: int
    piece: Piece | None = None
    data: str = ""
    why: str = ""


class Sender:
    """``key`` names the object for bytes with a SHA-256."""

    def __init__(self, bucket: Bucket, pool: Executor, key: Callable[[str], str]) -> None:
        self._bucket = bucket
        self._pool = pool
        self._key = key

    def send(
        self, captured: list[Captured], known: Mapping[str, Block], left_out: dict[str, str]
    ) -> list[Captured]:
        """The capture with the places of all its bytes; what cannot be read goes to ``left_out``.

        ``known`` are blocks by their SHA-256 that the bucket has.
        """
        tasks: list[Callable[[], list[_Sent]]] = []
        small: list[tuple[int, Span]] = []
        for number, one in enumerate(captured):
            if one.contents and one.file.size < SMALL_BYTES:
                small += [(number, span) for span in one.contents if isinstance(span, Span)]
            elif one.file.data:
                small.append((number, Span("", 0, one.file.size, b64decode(one.file.data))))
            else:
                tasks += [partial(self._send, number, each, known) for each in one.contents]
        sizes = [span.size for _, span in small]
        if sum(sizes) <= DATA_BYTES:
            tasks.append(partial(_inline, small))
        else:
            tasks += [partial(self._pack, [small[n] for n in pack], known) for pack in packs(sizes)]
        sent: dict[int, list[_Sent]] = {}
        for each in chain.from_iterable(together(self._pool, tasks)):
            sent.setdefault(each.number, []).append(each)
        settled: list[Captured] = []
        for number, one in enumerate(captured):
            there = _settled(one, sent[number], left_out) if number in sent else one
            if one.file.kind == "hard link" and one.file.target in left_out:
                left_out[one.file.path] = left_out[one.file.target]
            elif there:
                settled.append(there)
        return settled

    def _send(self, number: int, content: Block | Span, known: Mapping[str, Block]) -> list[_Sent]:
        if isinstance(content, Block):
            return [_Sent(number, Piece(content, 0, content.size))]
        try:
            data = read(content)
        except (Moved, Unreadable) as trouble:
            return [_Sent(number, why=why_not(trouble))]
        return [_Sent(number, Piece(self._put(data, known), 0, len(data)))]

    def _pack(self, small: list[tuple[int, Span]], known: Mapping[str, Block]) -> list[_Sent]:
        failed: list[_Sent] = []
        places: list[tuple[int, int, int]] = []
        pack = BytesIO()  # Its bytes are held once, since many packs are sent at a time.
        for number, data in _read_each(small, failed):
            places.append((number, pack.tell(), len(data)))
            pack.write(data)
        block = self._put(pack.getvalue(), known)
        return failed + [_Sent(number, Piece(block, at, size)) for number, at, size in places]

    def _put(self, data: bytes, known: Mapping[str, Block]) -> Block:
        digest = sha256(data).hexdigest()
        block = known.get(digest)
        if block is None:
            block = Block(self._key(digest), digest, len(data))
            self._bucket.put(block.key, data)
        return block


def why_not(trouble: Moved | Unreadable) -> str:
    """Why a file is left out, for people."""
    return trouble.why if isinstance(trouble, Unreadable) else "it changed while it was read"


def _inline(small: list[tuple[int, Span]]) -> list[_Sent]:
    failed: list[_Sent] = []
    there = _read_each(small, failed)
    sent = [_Sent(number, data=b64encode(data).decode()) for number, data in there]
    return failed + sent


def _read_each(
    small: Iterable[tuple[int, Span]], failed: list[_Sent]
) -> Iterator[tuple[int, bytes]]:
    """The bytes of each that can be read; the others are added to ``failed``."""
    for number, span in small:
        try:
            yield number, read(span)
        except (Moved, Unreadable) as trouble:
            failed.append(_Sent(number, why=why_not(trouble)))


def _settled(one: Captured, sent: Iterable[_Sent], left_out: dict[str, str]) -> Captured | None:
    """An entry once its bytes were sent, none where they could not be."""
    pieces: list[Piece] = []
    data = ""
    for each in sent:
        if each.why:
            if one.file.pieces:
                return replace(one, contents=())
            left_out[one.file.path] = each.why
            return None
        data = each.data
        pieces += [each.piece] if each.piece else []
    if not pieces and not data:
        return one
    file = one.file._replace(data=data, pieces=tuple(pieces))
    return Captured(file, one.seen)
