"""Units done and their outputs: the newest as they are, all others sealed into segments.

A segment is an immutable object named by its own SHA-256: its keys, then a line for each output,
each of the two compressed by itself, so that opening a run reads the keys alone. In memory it is
the same bytes, beside sorted hashes which tell quickly that it holds nothing of a key. Where two
say something of the same unit or output, the later one counts, and the tail last. When segments are
made is decided in ``checkpoint``.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from typing import Any

from steadyspot.worker.keeping.store import Bucket, Part

SEAL_AT = 256
"""Units, or outputs, that a manifest carries itself before they are sealed into a segment."""

LARGE = 16 * SEAL_AT
"""Keys of units and outputs in a segment that is merged no more; smaller ones are merged into one
as soon as they hold so many together."""

COMPRESSION = 1
"""Most of a row is random; the higher levels save a twentieth and cost three times as much."""


@dataclass(frozen=True, slots=True)
class Output:
    """A staged output: all its bytes are in an upload that is still open, or in a pack.

    ``pack`` is the key of an object with many small outputs, empty for an upload; in it this one
    begins at ``start``. ``token`` is written into the object's metadata and tells, after the
    commit, that it is this output. ``unit`` is the key of the unit whose mark counted it, empty for
    none; ``folder`` says that it comes from the folder for outputs.
    """

    name: str
    key: str
    upload_id: str
    token: str
    size: int
    sha256: str
    etag: str
    parts: tuple[Part, ...]
    unit: str = ""
    folder: bool = False
    pack: str = ""
    start: int = 0


def uploads_of(outputs: Iterable[Output]) -> Iterator[tuple[str, str]]:
    """Ids and keys of the uploads that hold these outputs; what lies in a pack is in none."""
    return ((output.upload_id, output.key) for output in outputs if output.upload_id)


def plain_output(output: Output) -> dict[str, Any]:
    """An output as it is written down."""
    parts = [{"number": p.number, "etag": p.etag, "crc32": p.crc32} for p in output.parts]
    return {
        "name": output.name,
        "key": output.key,
        "upload_id": output.upload_id,
        "token": output.token,
        "size": output.size,
        "sha256": output.sha256,
        "etag": output.etag,
        "parts": parts,
        "unit": output.unit,
        "folder": output.folder,
        "pack": output.pack,
        "start": output.start,
    }


def output_from(value: dict[str, Any]) -> Output:
    """An output as read from JSON."""
    return Output(**(value | {"parts": tuple(Part(**p) for p in value["parts"])}))


@dataclass
class Rows:
    """The names of each unit's outputs, and outputs by name; none where there is none any more."""

    units: dict[str, list[str] | None] = field(default_factory=dict)
    outputs: dict[str, Output | None] = field(default_factory=dict)

    def copy(self) -> Rows:
        return Rows(dict(self.units), dict(self.outputs))

    def unit(self, key: str) -> list[str] | None:
        """Raises ``KeyError`` where they say nothing of it."""
        return self.units[key]

    def output(self, name: str) -> Output | None:
        """Raises ``KeyError`` where they say nothing of it."""
        return self.outputs[name]

    def all_units(self) -> dict[str, list[str] | None]:
        return self.units

    def output_names(self) -> Iterable[str]:
        return sorted(self.outputs)

    def all_outputs(self) -> Iterator[Output | None]:
        """In the order of their names."""
        return map(self.outputs.__getitem__, self.output_names())

    def hashes(self) -> Iterable[int]:
        """Of the outputs' names."""
        return map(hash, self.outputs)


class Segment:
    """Rows sealed into ``body``, which is also the object's content."""

    def __init__(self, key: str, sha256: str, body: bytes) -> None:
        self.key = key
        self.sha256 = sha256
        self.body = body
        keys, _ = self._read()
        self._units = _sorted_hashes(keys["units"])
        self._outputs = _sorted_hashes(keys["outputs"])

    @property
    def size(self) -> int:
        """How many keys it holds, of units and of outputs."""
        return len(self._units) + len(self._outputs)

    def unit(self, key: str) -> list[str] | None:
        """Raises ``KeyError`` where it says nothing of it."""
        if not _is_among(self._units, key):
            raise KeyError(key)
        return self.all_units()[key]

    def output(self, name: str) -> Output | None:
        """Raises ``KeyError`` where it says nothing of it."""
        if not _is_among(self._outputs, name):
            raise KeyError(name)
        line = self.lines()[name]
        return output_from(json.loads(line)) if line else None

    def all_units(self) -> dict[str, list[str] | None]:
        units: dict[str, list[str] | None] = self._read()[0]["units"]
        return units

    def output_names(self) -> Iterable[str]:
        names: list[str] = self._read()[0]["outputs"]
        return names

    def all_outputs(self) -> Iterator[Output | None]:
        _, rest = self._read()
        for line in map(bytes.strip, io.BytesIO(zlib.decompress(rest))):
            yield output_from(json.loads(line)) if line else None

    def lines(self) -> dict[str, bytes]:
        """Each output's line by its name, empty where there is none any more."""
        keys, rest = self._read()
        lines = map(bytes.strip, io.BytesIO(zlib.decompress(rest)))
        return dict(zip(keys["outputs"], lines, strict=True))

    def hashes(self) -> Iterable[int]:
        """Of the outputs' names."""
        return self._outputs

    def _read(self) -> tuple[dict[str, Any], bytes]:
        """The keys, and what comes after them."""
        unpacking = zlib.decompressobj()
        return json.loads(unpacking.decompress(self.body)), unpacking.unused_data


@dataclass
class History:
    """All that was done, in ``segments`` from the oldest and in the ``tail`` after them."""

    segments: list[Segment] = field(default_factory=list)
    tail: Rows = field(default_factory=Rows)

    def unit(self, key: str) -> list[str] | None:
        """The names of the outputs that a unit made; none where it is not done."""
        for rows in self._from_the_newest():
            try:
                return rows.unit(key)
            except KeyError:
                pass
        return None

    def output(self, name: str) -> Output | None:
        """The output that counts under a name."""
        for rows in self._from_the_newest():
            try:
                return rows.output(name)
            except KeyError:
                pass
        return None

    def units(self) -> list[str]:
        """The keys of the units done."""
        units: dict[str, bool] = {}
        for rows in self._from_the_oldest():
            units |= {unit: names is not None for unit, names in rows.all_units().items()}
        return [unit for unit, done in units.items() if done]

    def units_without_outputs(self) -> list[str]:
        """The keys of the units done that made none."""
        units: dict[str, bool] = {}
        for rows in self._from_the_oldest():
            units |= {unit: names == [] for unit, names in rows.all_units().items()}
        return [unit for unit, made_none in units.items() if made_none]

    def outputs(self) -> Iterator[Output]:
        """All outputs that count, made one after the other: together they would be large.

        Their order depends on nothing but the history as it is written down.
        """
        last = self._last_of_the_repeated()
        for at, rows in enumerate(self._from_the_oldest()):
            for name, output in zip(rows.output_names(), rows.all_outputs(), strict=True):
                if output and last.get(name, at) == at:
                    yield output

    def beyond(self, other: History) -> Iterator[Output]:
        """What is written down here and not in a segment that the other has, too."""
        shared = {segment.key for segment in other.segments}
        for rows in self._from_the_oldest():
            if not (isinstance(rows, Segment) and rows.key in shared):
                yield from filter(None, rows.all_outputs())

    def _last_of_the_repeated(self) -> dict[str, int]:
        """Of names that several of the rows speak of: which of them does so last."""
        hashes = sorted(chain.from_iterable(rows.hashes() for rows in self._from_the_oldest()))
        repeated = {one for one, next_one in pairwise(hashes) if one == next_one}
        return {
            name: at
            for at, rows in enumerate(self._from_the_oldest() if repeated else ())
            for name in rows.output_names()
            if hash(name) in repeated
        }

    def _from_the_oldest(self) -> Iterator[Rows | Segment]:
        return chain(self.segments, [self.tail])

    def _from_the_newest(self) -> Iterator[Rows | Segment]:
        return chain([self.tail], reversed(self.segments))


def sealed(rows: Rows, bucket: Bucket, prefix: str) -> list[Segment]:
    """Segments with these rows, put into the bucket."""
    segments: list[Segment] = []
    units, outputs = iter(rows.units.items()), iter(rows.outputs.items())
    while True:
        some, made = dict(islice(units, LARGE // 2)), dict(islice(outputs, LARGE // 2))
        if not some and not made:
            return segments
        lines = {name: _line(output) for name, output in made.items()}
        segments.append(_put(some, lines, bucket, prefix))


def merged(segments: list[Segment], bucket: Bucket, prefix: str) -> Segment:
    """One segment, put into the bucket, that says what these say together."""
    units: dict[str, list[str] | None] = {}
    lines: dict[str, bytes] = {}
    for segment in segments:
        units |= segment.all_units()
        lines |= segment.lines()
    return _put(units, lines, bucket, prefix)


def _put(
    units: dict[str, list[str] | None], lines: dict[str, bytes], bucket: Bucket, prefix: str
) -> Segment:
    keys = json.dumps({"units": units, "outputs": list(lines)}, separators=(",", ":"))
    body = zlib.compress(keys.encode(), COMPRESSION)
    body += zlib.compress(b"".join(line + b"\n" for line in lines.values()), COMPRESSION)
    sha256 = hashlib.sha256(body).hexdigest()
    segment = Segment(f"{prefix}segments/{sha256}", sha256, body)
    bucket.put(segment.key, body)
    return segment


def _line(output: Output | None) -> bytes:
    return json.dumps(plain_output(output), separators=(",", ":")).encode() if output else b""


def _sorted_hashes(keys: Iterable[str]) -> array[int]:
    return array("q", sorted(map(hash, keys)))


def _is_among(hashes: array[int], key: str) -> bool:
    """Almost surely whether a key is: two may have one hash."""
    at = bisect_left(hashes, hash(key))
    return at < len(hashes) and hashes[at] == hash(key)
