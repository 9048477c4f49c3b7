"""What a run has done so far: the ledger in memory, and the manifest that makes it durable.

A manifest is an immutable object named by its own SHA-256; it counts only once the run table points
to it under the fence. Long lists of units and outputs are sealed into segments, and many of those
into one, so that a mark costs the same however many units came before; what a segment is stands in
``history``. How bytes get to S3 and who may point is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from steadyspot import __version__
from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.collector import no_collection
from steadyspot.worker.keeping.history import (
    LARGE,
    SEAL_AT,
    History,
    Output,
    Rows,
    Segment,
    merged,
    output_from,
    plain_output,
    sealed,
)
from steadyspot.worker.keeping.listing import Listing
from steadyspot.worker.keeping.read_back import MANIFEST, fits, is_count
from steadyspot.worker.keeping.store import Bucket

FORMAT = 6


@dataclass
class Ledger:
    """Everything a later attempt needs.

    ``files`` is the saved folder, none when there never was one; ``open_uploads`` are ids that were
    begun but count for nothing yet. ``unpublished`` names what lay in the folder for outputs and
    could not be staged, and why. ``state`` is a list with what the job saved, empty where it never
    did.
    """

    history: History = field(default_factory=History)
    units_done: int = 0
    files: Listing | None = None
    unpublished: dict[str, str] = field(default_factory=dict)
    state: list[Any] = field(default_factory=list)
    fraction: float | None = None
    total: int | None = None
    open_uploads: dict[str, str] = field(default_factory=dict)
    sequence: int = 0
    seconds: float = 0.0
    lost_seconds: float = 0.0
    started_at: str = ""

    @property
    def object_bytes(self) -> int:
        """Bytes of the saved folder that lie in objects of their own."""
        return self.files.size if self.files else 0

    @property
    def keeps_files(self) -> bool:
        """Whether the saved folder holds anything."""
        return self.files is not None and any(file.path for file in self.files.files)

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1; 0 where the job does not say."""
        if self.fraction is not None:
            return self.fraction
        return min(1.0, self.units_done / self.total) if self.total else 0.0

    def mark(self, unit: str, outputs: list[Output], state: list[Any]) -> list[Output]:
        """Count a unit as done; the outputs it replaces are returned, to be withdrawn later.

        These are also what an earlier attempt's mark of the unit counted and this one did not make.
        """
        names = {output.name for output in outputs}
        before = self.history.unit(unit)
        self.units_done += before is None
        self.history.tail.units[unit] = sorted(names)
        old: list[Output] = []
        for name in before or ():
            made = self.history.output(name)
            if name not in names and made and made.unit == unit:
                old += self.take_away(name)
        old += self.take(outputs, unit=unit)
        if state:
            self.state = state
        return old

    def take(self, outputs: list[Output], unit: str = "", folder: bool = False) -> list[Output]:
        """Count outputs, of a unit or of none; those they replace are returned."""
        new = {output.upload_id for output in outputs}
        old = [self.history.output(output.name) for output in outputs]
        for output in outputs:
            self.history.tail.outputs[output.name] = replace(output, unit=unit, folder=folder)
        return [output for output in old if output and output.upload_id not in new]

    def take_away(self, name: str) -> list[Output]:
        """Count an output no more; it is returned."""
        old = self.history.output(name)
        if old is None:
            return []
        self.history.tail.outputs[name] = None
        return [old]

    def counts(self, upload_id: str, name: str) -> bool:
        """Whether an upload is that of the output which counts under this name."""
        output = self.history.output(name)
        return output is not None and output.upload_id == upload_id

    def begin_anew(self, restores: bool) -> list[Output]:
        """Forget what came from the folder for outputs, unless something tells the job to go on.

        That is a unit, a state, or, where the attempt ``restores`` a folder, a file in it.
        """
        if self.units_done or self.state or (restores and self.keeps_files):
            return []
        self.unpublished = {}
        names = sorted(output.name for output in self.history.outputs() if output.folder)
        return [old for name in names for old in self.take_away(name)]

    def undo(self, names: set[str]) -> None:
        """Forget lost outputs and the units that made them, so that they are made anew."""
        units = {o.unit for o in self.history.outputs() if o.unit and o.name in names}
        gone = [o.name for o in self.history.outputs() if o.name in names or o.unit in units]
        self.history.tail.outputs |= dict.fromkeys(gone)
        self.history.tail.units |= dict.fromkeys(units)
        self.units_done -= len(units)

    def snapshot(self) -> Snapshot:
        """What a save that begins now writes down; further marks do not change it."""
        return Snapshot(
            History(list(self.history.segments), self.history.tail.copy()),
            self.units_done,
            self.files,
            dict(self.unpublished),
            self.state,
            self.fraction,
            self.total,
            dict(self.open_uploads),
            self.sequence,
            self.seconds,
            self.lost_seconds,
            self.started_at,
            self.share,
            self.object_bytes,
        )

    def settle(self, saved: Snapshot) -> None:
        """A snapshot was saved: what it sealed need not be written down again."""
        self.sequence = saved.sequence
        self.history.segments = saved.history.segments
        tail = self.history.tail
        for unit, names in saved.sealed.units.items():
            if tail.units[unit] is names:
                del tail.units[unit]
        for name, output in saved.sealed.outputs.items():
            if tail.outputs[name] is output:
                del tail.outputs[name]


@dataclass
class Snapshot:
    """The ledger at one instant, as far as a manifest says it.

    Costs what came since the last sealing, not what came before. ``sealed`` is what ``seal`` took
    out of the tail.
    """

    history: History
    units_done: int
    files: Listing | None
    unpublished: dict[str, str]
    state: list[Any]
    fraction: float | None
    total: int | None
    open_uploads: dict[str, str]
    sequence: int
    seconds: float
    lost_seconds: float
    started_at: str
    share: float
    object_bytes: int
    sealed: Rows = field(default_factory=Rows)


def encode(value: Any) -> tuple[bytes, str]:
    """Canonical JSON and its SHA-256."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return body, hashlib.sha256(body).hexdigest()


def seal(saved: Snapshot, bucket: Bucket, prefix: str) -> None:
    """Put a long tail into segments, and many small segments into one."""
    tail = saved.history.tail
    if len(tail.units) < SEAL_AT and len(tail.outputs) < SEAL_AT:
        return
    saved.sealed, saved.history.tail = tail, Rows()
    segments = saved.history.segments + sealed(tail, bucket, prefix)
    small = list(takewhile(lambda segment: segment.size < LARGE, reversed(segments)))[::-1]
    if sum(segment.size for segment in small) >= LARGE:
        segments[-len(small) :] = [merged(small, bucket, prefix)]
    saved.history.segments = segments


def manifest(saved: Snapshot, identity: dict[str, Any]) -> dict[str, Any]:
    """The ledger as JSON, without what its segments hold."""
    return identity | {
        "format": FORMAT,
        "worker_version": __version__,
        "sequence": saved.sequence,
        "history": plain_history(saved.history),
        "units_done": saved.units_done,
        "files": saved.files and saved.files.written(),
        "unpublished": saved.unpublished,
        "open_uploads": saved.open_uploads,
        "state": saved.state,
        "fraction": saved.fraction,
        "total": saved.total,
        "seconds": saved.seconds,
        "lost_seconds": saved.lost_seconds,
        "started_at": saved.started_at,
    }


def plain_history(history: History) -> dict[str, Any]:
    """A history as JSON: its tail, and where its segments are."""
    outputs = history.tail.outputs.items()
    return {
        "segments": [{"key": s.key, "sha256": s.sha256} for s in history.segments],
        "units": history.tail.units,
        "outputs": {name: output and plain_output(output) for name, output in outputs},
    }


class Damaged(SetupError):
    """A checkpoint, or what it names, is missing or was altered in the bucket."""


def _odd() -> Damaged:
    return Damaged(
        "The checkpoint, or what it names, has a form that the worker does not give it.",
        "Find out who else can write below checkpoints/ in the bucket.",
    )


def load(bucket: Bucket, pointer: dict[str, Any], pool: Executor) -> Ledger:
    """Read back a checkpoint, its segments side by side.

    Raises ``Damaged`` when it is missing or altered, ``SetupError`` when it is of a newer format.
    """
    body = parsed(_fetched(bucket, pointer["key"], pointer["sha256"]))
    if is_count(body.get("format")) and body["format"] != FORMAT:
        raise SetupError(
            f"The checkpoint has format {body['format']}, written by worker"
            f" {body.get('worker_version')}; this worker knows format {FORMAT}.",
            "Run the job with the newer image, or start a new run.",
        )
    if not fits(body, MANIFEST):
        raise _odd()
    return Ledger(
        history=load_history(bucket, body["history"], pool),
        units_done=body["units_done"],
        files=_listing(bucket, body["files"]),
        unpublished=body["unpublished"],
        state=body["state"],
        fraction=body["fraction"],
        total=body["total"],
        open_uploads=body["open_uploads"],
        sequence=body["sequence"],
        seconds=body["seconds"],
        lost_seconds=body["lost_seconds"],
        started_at=body["started_at"],
    )


def load_history(
    bucket: Bucket, value: dict[str, Any], pool: Executor, known: Iterable[Segment] = ()
) -> History:
    """A history as read from JSON; of its segments, those that are not ``known`` are fetched."""
    at_hand = {segment.key: segment for segment in known}

    def fetch(segment: dict[str, str]) -> Segment:
        key, sha256 = segment["key"], segment["sha256"]
        return at_hand.get(key) or Segment(key, sha256, _fetched(bucket, key, sha256))

    with _as_written():
        outputs = {
            name: output and output_from(output) for name, output in value["outputs"].items()
        }
        return History(list(pool.map(fetch, value["segments"])), Rows(value["units"], outputs))


def parsed(body: bytes) -> dict[str, Any]:
    """The object that a worker has written. Raises ``Damaged`` where it is none."""
    with _as_written():
        found = json.loads(body)
    if not isinstance(found, dict):
        raise _odd()
    return found


@contextmanager
def _as_written() -> Iterator[None]:
    """Raise ``Damaged`` where what is read has not the form that the worker gives it."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, zlib.error):
        raise _odd() from None


def _listing(bucket: Bucket, written: dict[str, str] | None) -> Listing | None:
    if written is None:
        return None
    with _as_written(), no_collection():
        key = written.get("key", "")
        body = _fetched(bucket, key, written["sha256"]) if key else written["inline"].encode()
        return Listing.read(body, key)


def _fetched(bucket: Bucket, key: str, sha256: str) -> bytes:
    data = bucket.get(key)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        how = "is gone from" if data is None else "was changed or cut in"
        raise Damaged(
            f"The checkpoint {key} {how} the bucket.",
            "Nothing need be done: the attempt goes on from the checkpoint before it.",
        )
    return data
