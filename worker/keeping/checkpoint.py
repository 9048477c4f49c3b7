"""What a run has done so far: the ledger in memory, and the manifest that makes it durable.

A manifest is an immutable object named by its own SHA-256; it counts only once the run table points
to it under the fence. Long lists of units are sealed into segments, and many of those into one, so
that a mark costs the same however many units came before. Where two name the same unit or output,
the later one counts, and the manifest's own last. How bytes get to S3 and who may point is decided
elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

from steadyspot import __version__
from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.collector import no_collection
from steadyspot.worker.keeping.listing import Listing
from steadyspot.worker.keeping.store import Bucket, Part

FORMAT = 4
SEAL_AT = 256
"""Units that a manifest carries itself before they are sealed into a segment."""

MERGE_AT = 16
"""Segments that were sealed one by one before they are merged into one."""


@dataclass(frozen=True, slots=True)
class Output:
    """A staged output: all its bytes are in an upload that is still open.

    ``token`` is written into the object's metadata and tells, after the commit, that it is this
    upload.
    """

    name: str
    key: str
    upload_id: str
    token: str
    size: int
    sha256: str
    etag: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Segment:
    """An immutable object holding units and outputs that came before the manifest's own.

    ``body`` is kept of those that are to be merged, empty of those that were.
    """

    key: str
    sha256: str
    body: bytes = b""


@dataclass
class Ledger:
    """Everything a later attempt needs.

    ``files`` is the saved folder, none when there never was one; ``open_uploads`` are ids that were
    begun but count for nothing yet. ``folder`` names the outputs that come from the folder for
    outputs, ``unpublished`` what lay there and could not be staged, and why. ``state`` is a list
    with what the job saved, empty where it never did. ``tail_units`` and ``tail_outputs`` are those
    that no segment holds as they are; ``unsealed`` counts how often all of them became that again.
    """

    units: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    files: Listing | None = None
    folder: set[str] = field(default_factory=set)
    unpublished: dict[str, str] = field(default_factory=dict)
    state: list[Any] = field(default_factory=list)
    fraction: float | None = None
    total: int | None = None
    open_uploads: dict[str, str] = field(default_factory=dict)
    sequence: int = 0
    seconds: float = 0.0
    lost_seconds: float = 0.0
    started_at: str = ""
    tail_units: dict[str, list[str]] = field(default_factory=dict)
    tail_outputs: dict[str, Output] = field(default_factory=dict)
    unsealed: int = 0

    @property
    def object_bytes(self) -> int:
        """Bytes of the saved folder that lie in objects of their own."""
        return self.files.size if self.files else 0

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1; 0 where the job does not say."""
        if self.fraction is not None:
            return self.fraction
        return min(1.0, len(self.units) / self.total) if self.total else 0.0

    def mark(self, unit: str, outputs: list[Output], state: list[Any]) -> list[Output]:
        """Count a unit as done; the outputs it replaces are returned, to be withdrawn later.

        These are also what an earlier attempt's mark of the unit counted and this one did not make.
        """
        names = {output.name for output in outputs}
        before = [name for name in self.units.get(unit, []) if name not in names]
        self.units[unit] = self.tail_units[unit] = sorted(names)
        old = [gone for name in before if not self._is_made(name) for gone in self.take_away(name)]
        old += self.take(outputs)
        if state:
            self.state = state
        return old

    def take(self, outputs: list[Output], folder: bool = False) -> list[Output]:
        """Count outputs, of a unit or of none; those they replace are returned."""
        old = [self.outputs[o.name] for o in outputs if o.name in self.outputs]
        made = {o.name: o for o in outputs}
        self.outputs |= made
        self.tail_outputs |= made
        names = {output.name for output in outputs}
        self.folder = self.folder | names if folder else self.folder - names
        return [o for o in old if o.upload_id not in {new.upload_id for new in outputs}]

    def take_away(self, name: str) -> list[Output]:
        """Count an output no more; it is returned."""
        old = self.outputs.pop(name, None)
        if old is None:
            return []
        self.folder.discard(name)
        if self.tail_outputs.pop(name, None) is None or self.segments:
            self._unseal()
        return [old]

    def begin_anew(self, restores: bool) -> list[Output]:
        """Forget what came from the folder for outputs, unless something tells the job to go on.

        That is a unit, a state, or, where the attempt ``restores`` a folder, a file in it.
        """
        saved = restores and self.files and any(file.path for file in self.files.files)
        if self.units or self.state or saved:
            return []
        self.unpublished = {}
        return [old for name in sorted(self.folder) for old in self.take_away(name)]

    def _is_made(self, name: str) -> bool:
        return any(name in made for made in self.units.values())

    def _unseal(self) -> None:
        self.segments = []
        self.tail_units, self.tail_outputs = dict(self.units), dict(self.outputs)
        self.unsealed += 1

    def undo(self, names: set[str]) -> None:
        """Forget lost outputs and the units that made them, so that they are made anew."""
        for unit in [u for u, made in self.units.items() if names & set(made)]:
            for name in self.units.pop(unit):
                self.outputs.pop(name, None)
        for name in names:
            self.outputs.pop(name, None)
        self.folder -= names
        self._unseal()

    def snapshot(self) -> Snapshot:
        """What a save that begins now writes down; further marks do not change it."""
        return Snapshot(
            len(self.units),
            dict(self.tail_units),
            dict(self.tail_outputs),
            list(self.segments),
            self.files,
            sorted(self.folder),
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
            self.unsealed,
        )

    def settle(self, saved: Snapshot) -> None:
        """A snapshot was saved: what it sealed need not be written down again."""
        self.sequence = saved.sequence
        if saved.unsealed != self.unsealed:
            return  # What it sealed is void.
        self.segments = saved.segments
        for unit, names in saved.sealed_units.items():
            if self.tail_units.get(unit) is names:
                del self.tail_units[unit]
        for name, output in saved.sealed_outputs.items():
            if self.tail_outputs.get(name) is output:
                del self.tail_outputs[name]
        if not saved.sealed_outputs.keys() <= self.outputs.keys():
            self._unseal()  # One was taken away meanwhile.


@dataclass
class Snapshot:
    """The ledger at one instant, as far as a manifest says it.

    Costs what came since the last sealing, not what came before. ``sealed_units`` and
    ``sealed_outputs`` are what ``seal`` took out of the tail.
    """

    units_done: int
    tail_units: dict[str, list[str]]
    tail_outputs: dict[str, Output]
    segments: list[Segment]
    files: Listing | None
    folder: list[str]
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
    unsealed: int
    sealed_units: dict[str, list[str]] = field(default_factory=dict)
    sealed_outputs: dict[str, Output] = field(default_factory=dict)


def encode(value: Any) -> tuple[bytes, str]:
    """Canonical JSON and its SHA-256."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return body, hashlib.sha256(body).hexdigest()


def seal(saved: Snapshot, bucket: Bucket, prefix: str) -> None:
    """Put the units of a long tail into a segment, and many segments into one."""
    if len(saved.tail_units) < SEAL_AT:
        return
    units, outputs = saved.tail_units, saved.tail_outputs
    sealed = {n: outputs[n] for names in units.values() for n in names if n in outputs}
    body, sha256 = encode({"units": units, "outputs": list(map(plain_output, sealed.values()))})
    saved.segments.append(_put_segment(body, sha256, bucket, prefix))
    saved.sealed_units, saved.tail_units = units, {}
    saved.sealed_outputs = sealed
    saved.tail_outputs = {n: output for n, output in outputs.items() if n not in sealed}
    small = [segment for segment in saved.segments if segment.body]
    if len(small) < MERGE_AT:
        return
    merged: dict[str, list[str]] = {}
    made: dict[str, dict[str, Any]] = {}
    for segment in small:
        older = json.loads(segment.body)
        merged |= older["units"]
        made |= {output["name"]: output for output in older["outputs"]}
    body, sha256 = encode({"units": merged, "outputs": list(made.values())})
    large = replace(_put_segment(body, sha256, bucket, prefix), body=b"")
    saved.segments = [*(one for one in saved.segments if not one.body), large]


def _put_segment(body: bytes, sha256: str, bucket: Bucket, prefix: str) -> Segment:
    key = f"{prefix}segments/{sha256}.json"
    bucket.put(key, body)
    return Segment(key, sha256, body)


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
    }


def manifest(saved: Snapshot, identity: dict[str, Any]) -> dict[str, Any]:
    """The ledger as JSON, without what its segments hold."""
    return identity | {
        "format": FORMAT,
        "worker_version": __version__,
        "sequence": saved.sequence,
        "segments": [
            {"key": s.key, "sha256": s.sha256, "merged": not s.body} for s in saved.segments
        ],
        "units": saved.tail_units,
        "outputs": [plain_output(output) for output in saved.tail_outputs.values()],
        "files": saved.files and saved.files.written(),
        "folder": saved.folder,
        "unpublished": saved.unpublished,
        "open_uploads": saved.open_uploads,
        "state": saved.state,
        "fraction": saved.fraction,
        "total": saved.total,
        "seconds": saved.seconds,
        "lost_seconds": saved.lost_seconds,
        "started_at": saved.started_at,
    }


class Damaged(SetupError):
    """A checkpoint, or what it names, is missing or was altered in the bucket."""


def load(bucket: Bucket, pointer: dict[str, Any], pool: Executor) -> Ledger:
    """Read back a checkpoint, its segments side by side.

    Raises ``Damaged`` when it is missing or altered, ``SetupError`` when it is of a newer format.
    """
    body = json.loads(_fetched(bucket, str(pointer["key"]), str(pointer["sha256"])))
    if body.get("format") != FORMAT:
        raise SetupError(
            f"The checkpoint has format {body.get('format')}, written by worker"
            f" {body.get('worker_version')}; this worker knows format {FORMAT}.",
            "Run the job with the newer image, or start a new run.",
        )
    ledger = Ledger(
        files=_listing(bucket, body["files"]),
        folder=set(body["folder"]),
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
    bodies = pool.map(lambda s: _fetched(bucket, s["key"], s["sha256"]), body["segments"])
    for segment, data in zip(body["segments"], bodies, strict=True):
        _add(ledger, json.loads(data))
        kept = b"" if segment["merged"] else data
        ledger.segments.append(Segment(segment["key"], segment["sha256"], kept))
    _add(ledger, body)
    ledger.tail_units = {unit: ledger.units[unit] for unit in body["units"]}
    names = [output["name"] for output in body["outputs"]]
    ledger.tail_outputs = {name: ledger.outputs[name] for name in names}
    return ledger


def output_from(value: dict[str, Any]) -> Output:
    """An output as read from JSON."""
    return Output(**(value | {"parts": tuple(Part(**p) for p in value["parts"])}))


def _add(ledger: Ledger, body: dict[str, Any]) -> None:
    ledger.units |= body["units"]
    ledger.outputs |= {o["name"]: output_from(o) for o in body["outputs"]}


def _listing(bucket: Bucket, written: dict[str, str] | None) -> Listing | None:
    if written is None:
        return None
    key = written.get("key", "")
    body = _fetched(bucket, key, written["sha256"]) if key else written["inline"].encode()
    try:
        with no_collection():
            return Listing.read(body, key)
    except (ValueError, TypeError, LookupError):
        raise Damaged(
            "The checkpoint names files in a way that the worker does not.",
            "Find out who else can write below checkpoints/ in the bucket.",
        ) from None


def _fetched(bucket: Bucket, key: str, sha256: str) -> bytes:
    data = bucket.get(key)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        how = "is gone from" if data is None else "was changed or cut in"
        raise Damaged(
            f"The checkpoint {key} {how} the bucket.",
            "Nothing need be done: the attempt goes on from the checkpoint before it.",
        )
    return data
