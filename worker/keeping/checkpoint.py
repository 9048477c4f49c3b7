"""What a run has done so far: the ledger in memory, and the manifest that makes it durable.

A manifest is an immutable object named by its own SHA-256; it counts only once the run table points
to it under the fence. Long lists of units are sealed into segments, so that a mark costs the same
however many units came before. How bytes get to S3 and who may point is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from steadyspot import __version__
from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.store import Bucket, Part

FORMAT = 3
SEAL_AT = 256
"""Units that a manifest carries itself before they are sealed into a segment."""


@dataclass(frozen=True)
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
    """An immutable object holding units and outputs that came before the manifest's own."""

    key: str
    sha256: str


@dataclass(frozen=True)
class File:
    """One entry of a saved folder: ``file``, ``folder``, ``link`` or ``hard link``.

    A file's bytes are in the object ``key``, or without one in ``data`` itself, in base64. A hard
    link's ``target`` is the path of the entry with its bytes. ``attributes`` are extended ones, in
    base64. The path of the folder itself is empty.
    """

    path: str
    kind: str
    mode: int
    size: int = 0
    sha256: str = ""
    key: str = ""
    target: str = ""
    mtime_ns: int = 0
    data: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Ledger:
    """Everything a later attempt needs.

    ``files`` is the saved folder, none when there never was one; ``open_uploads`` are ids that were
    begun but count for nothing yet. ``folder`` names the outputs that come from the folder for
    outputs. ``state`` is a list with what the job saved, empty where it never did.
    """

    units: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    files: list[File] | None = None
    folder: set[str] = field(default_factory=set)
    state: list[Any] = field(default_factory=list)
    fraction: float | None = None
    total: int | None = None
    open_uploads: dict[str, str] = field(default_factory=dict)
    sequence: int = 0
    seconds: float = 0.0
    lost_seconds: float = 0.0
    started_at: str = ""
    sealed_units: set[str] = field(default_factory=set)
    sealed_tokens: set[str] = field(default_factory=set)

    @property
    def object_bytes(self) -> int:
        """Bytes of the saved folder that lie in objects of their own."""
        return sum(file.size for file in self.files or () if file.key)

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
        if unit in self.sealed_units:
            self._unseal()
        names = {output.name for output in outputs}
        before = [name for name in self.units.get(unit, []) if name not in names]
        self.units[unit] = sorted(names)
        old = [gone for name in before if not self._is_made(name) for gone in self.take_away(name)]
        old += self.take(outputs)
        if state:
            self.state = state
        return old

    def take(self, outputs: list[Output], folder: bool = False) -> list[Output]:
        """Count outputs, of a unit or of none; those they replace are returned."""
        old = [self.outputs[o.name] for o in outputs if o.name in self.outputs]
        self.outputs |= {o.name: o for o in outputs}
        names = {output.name for output in outputs}
        self.folder = self.folder | names if folder else self.folder - names
        return [o for o in old if o.upload_id not in {new.upload_id for new in outputs}]

    def take_away(self, name: str) -> list[Output]:
        """Count an output no more; it is returned."""
        old = self.outputs.pop(name, None)
        if old is None:
            return []
        self.folder.discard(name)
        if old.token in self.sealed_tokens:
            self._unseal()
        return [old]

    def begin_anew(self, restores: bool) -> list[Output]:
        """Forget what came from the folder for outputs, unless something tells the job to go on.

        That is a unit, a state, or, where the attempt ``restores`` a folder, a file in it.
        """
        if self.units or self.state or (restores and any(file.path for file in self.files or ())):
            return []
        return [old for name in sorted(self.folder) for old in self.take_away(name)]

    def _is_made(self, name: str) -> bool:
        return any(name in made for made in self.units.values())

    def _unseal(self) -> None:
        self.segments, self.sealed_units, self.sealed_tokens = [], set(), set()

    def undo(self, names: set[str]) -> None:
        """Forget lost outputs and the units that made them, so that they are made anew."""
        for unit in [u for u, made in self.units.items() if names & set(made)]:
            for name in self.units.pop(unit):
                self.outputs.pop(name, None)
        for name in names:
            self.outputs.pop(name, None)
        self.folder -= names
        self._unseal()

    def copy(self) -> Ledger:
        """A ledger that further marks do not change."""
        return replace(
            self,
            units=dict(self.units),
            outputs=dict(self.outputs),
            segments=list(self.segments),
            files=None if self.files is None else list(self.files),
            folder=set(self.folder),
            open_uploads=dict(self.open_uploads),
            sealed_units=set(self.sealed_units),
            sealed_tokens=set(self.sealed_tokens),
        )


def encode(value: Any) -> tuple[bytes, str]:
    """Canonical JSON and its SHA-256."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return body, hashlib.sha256(body).hexdigest()


def seal(ledger: Ledger, bucket: Bucket, prefix: str) -> None:
    """Put the units of a long tail into a segment."""
    tail = {u: names for u, names in ledger.units.items() if u not in ledger.sealed_units}
    if len(tail) < SEAL_AT:
        return
    outputs = [ledger.outputs[n] for names in tail.values() for n in names if n in ledger.outputs]
    body, sha256 = encode({"units": tail, "outputs": [asdict(o) for o in outputs]})
    key = f"{prefix}segments/{sha256}.json"
    bucket.put(key, body)
    ledger.segments.append(Segment(key, sha256))
    ledger.sealed_units |= set(tail)
    ledger.sealed_tokens |= {o.token for o in outputs}


def manifest(ledger: Ledger, identity: dict[str, Any]) -> dict[str, Any]:
    """The ledger as JSON, without what its segments hold."""
    tail = {u: names for u, names in ledger.units.items() if u not in ledger.sealed_units}
    return identity | {
        "format": FORMAT,
        "worker_version": __version__,
        "sequence": ledger.sequence,
        "segments": [asdict(s) for s in ledger.segments],
        "units": tail,
        "outputs": [
            asdict(o) for o in ledger.outputs.values() if o.token not in ledger.sealed_tokens
        ],
        "files": None if ledger.files is None else [asdict(f) for f in ledger.files],
        "folder": sorted(ledger.folder),
        "open_uploads": ledger.open_uploads,
        "state": ledger.state,
        "fraction": ledger.fraction,
        "total": ledger.total,
        "seconds": ledger.seconds,
        "lost_seconds": ledger.lost_seconds,
        "started_at": ledger.started_at,
    }


class Damaged(SetupError):
    """A checkpoint, or what it names, is missing or was altered in the bucket."""


def load(bucket: Bucket, pointer: dict[str, Any]) -> Ledger:
    """Read back a checkpoint.

    Raises ``Damaged`` when it is missing or altered, ``SetupError`` when it is of a newer format.
    """
    body = _verified(bucket, str(pointer["key"]), str(pointer["sha256"]))
    if body.get("format") != FORMAT:
        raise SetupError(
            f"The checkpoint has format {body.get('format')}, written by worker"
            f" {body.get('worker_version')}; this worker knows format {FORMAT}.",
            "Run the job with the newer image, or start a new run.",
        )
    ledger = Ledger(
        segments=[Segment(**s) for s in body["segments"]],
        files=None if body["files"] is None else [File(**f) for f in body["files"]],
        folder=set(body["folder"]),
        state=body["state"],
        fraction=body["fraction"],
        total=body["total"],
        open_uploads=body["open_uploads"],
        sequence=body["sequence"],
        seconds=body["seconds"],
        lost_seconds=body["lost_seconds"],
        started_at=body["started_at"],
    )
    for segment in ledger.segments:
        older = _verified(bucket, segment.key, segment.sha256)
        _add(ledger, older)
        ledger.sealed_units |= set(older["units"])
        ledger.sealed_tokens |= {o["token"] for o in older["outputs"]}
    _add(ledger, body)
    return ledger


def output_from(value: dict[str, Any]) -> Output:
    """An output as read from JSON."""
    return Output(**(value | {"parts": tuple(Part(**p) for p in value["parts"])}))


def _add(ledger: Ledger, body: dict[str, Any]) -> None:
    ledger.units |= body["units"]
    ledger.outputs |= {o["name"]: output_from(o) for o in body["outputs"]}


def _verified(bucket: Bucket, key: str, sha256: str) -> dict[str, Any]:
    data = bucket.get(key)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        how = "is gone from" if data is None else "was changed or cut in"
        raise Damaged(
            f"The checkpoint {key} {how} the bucket.",
            "Nothing need be done: the attempt goes on from the checkpoint before it.",
        )
    loaded: dict[str, Any] = json.loads(data)
    return loaded
