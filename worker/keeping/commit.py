"""The commit: many staged outputs become one complete run; whoever comes next finishes each step.

Order: the plan into the bucket; ``committing`` and its pointer under the fence; every output
published; ``completion.json``; ``complete`` under the fence. The plan fixes every byte of the
completion record beforehand, so an attempt that finishes another's commit writes the very same
objects. Of many outputs, only a line each is held at once.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from steadyspot.contract import COMPLETION, Status, columns
from steadyspot.worker.keeping.checkpoint import (
    Damaged,
    encode,
    load_history,
    parsed,
    plain_history,
)
from steadyspot.worker.keeping.fence import COMMITTING, RUNNING, Fence
from steadyspot.worker.keeping.history import History, Segment
from steadyspot.worker.keeping.publisher import Publisher, by_pack
from steadyspot.worker.keeping.read_back import PLAN, fits
from steadyspot.worker.keeping.store import Bucket

if TYPE_CHECKING:
    from steadyspot.contract.records import CommitColumn, CompletionColumn

AT_ONCE = 500
"""Outputs that are held in full, while they are published side by side."""


@dataclass(frozen=True)
class Plan:
    """What is to be committed: the completion ``record`` but for the outputs of the ``history``."""

    record: dict[str, Any]
    history: History


class OutputsLost(Exception):
    """Staged outputs that are gone and were not published; their units have to be done again."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(f"lost outputs: {sorted(names)}")
        self.names = names


def begin(fence: Fence, bucket: Bucket, prefix: str, plan: Plan, more: dict[str, Any]) -> None:
    """Write down what is to be completed and take ``committing``, ``more`` columns with it."""
    history = plain_history(plan.history)
    body, sha256 = encode({"format": 3, "record": plan.record, "history": history})
    key = f"{prefix}commits/{sha256}.json"
    bucket.put(key, body)
    column: CommitColumn = {"key": key, "sha256": sha256}
    taken = {columns.STATUS: str(Status.COMMITTING), columns.COMMIT: column}
    fence.write(taken | more, during=RUNNING)


def recorded(
    bucket: Bucket, pointer: CommitColumn, pool: Executor, known: Iterable[Segment]
) -> Plan:
    """The plan that the run table points to; segments that are ``known`` are not fetched.

    Raises ``Damaged`` when it, or what it names, is gone or altered.
    """
    body = bucket.get(pointer["key"])
    if body is None or hashlib.sha256(body).hexdigest() != pointer["sha256"]:
        raise Damaged(f"The list of outputs {pointer['key']} is gone or was changed.")
    plan = parsed(body)
    if not fits(plan, PLAN):
        raise Damaged(f"The list of outputs {pointer['key']} is none that the worker wrote.")
    return Plan(plan["record"], load_history(bucket, plan["history"], pool, known))


def finish(
    fence: Fence, bucket: Bucket, prefix: str, plan: Plan, pool: Executor
) -> CompletionColumn:
    """Complete what the plan names and say so; what the run table then says of it.

    Raises ``OutputsLost`` when an output can neither be published nor was, ``FenceLost`` when
    another attempt took over; what it did until then does no harm, the other does the same.
    """
    outputs, publish = plan.history.outputs(), Publisher(fence, bucket).publish
    lost: set[str] = set()
    count = size = 0
    while some := list(islice(outputs, AT_ONCE)):
        lost = lost.union(*pool.map(publish, by_pack(some)))
        count += len(some)
        size += sum(output.size for output in some)
    if lost:
        raise OutputsLost(lost)
    body = CompletionBody(plan)
    if not bucket.put_new(prefix + COMPLETION, body):
        _settle_record(fence, bucket, prefix, body)
    column: CompletionColumn = {
        "key": prefix + COMPLETION,
        "sha256": body.sha256,
        "request_sha256": plan.record["request_sha256"],
        "outputs": count,
        "output_bytes": size,
        "units": plan.record["units"],
        "seconds": plan.record["seconds"],
        "lost_seconds": plan.record["lost_seconds"],
        "worker_version": plan.record["worker_version"],
        "completed_at": plan.record["completed_at"],
    }
    if "left_behind" in plan.record:
        column["left_behind"] = plan.record["left_behind"]
    fence.write(
        {columns.STATUS: str(Status.COMPLETE), columns.COMPLETION: column}, during=COMMITTING
    )
    return column


class CompletionBody:
    """The bytes of ``completion.json``, made while they are read: of many outputs one at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._size = 0
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
            self._size += len(piece)
        self.sha256 = digest.hexdigest()
        self.seek(0)

    def __len__(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Begin anew; no other place is ever asked for."""
        if (offset, whence) != (0, os.SEEK_SET):
            raise io.UnsupportedOperation("this body is read from its beginning")
        self._at = 0
        self._left = self._pieces()
        self._next = b""
        return 0

    def read(self, size: int = -1) -> bytes:
        """So many bytes or what is left; without a size all of that."""
        wanted = self._size - self._at if size < 0 else size
        data = bytearray(self._next)
        while len(data) < wanted and (piece := next(self._left, b"")):
            data += piece
        self._next = bytes(data[wanted:])
        self._at += min(wanted, len(data))
        return bytes(data[:wanted])

    def _pieces(self) -> Iterator[bytes]:
        """The record, and a line for each output."""
        record = json.dumps(self._plan.record, indent=2, sort_keys=True).removesuffix("\n}")
        yield f'{record},\n  "outputs": ['.encode()
        between = "\n    "
        for o in self._plan.history.outputs():
            named = {"name": o.name, "key": o.key, "size": o.size, "sha256": o.sha256}
            yield (between + json.dumps(named)).encode()
            between = ",\n    "
        yield b"\n  ]\n}\n"


def _settle_record(fence: Fence, bucket: Bucket, prefix: str, body: CompletionBody) -> None:
    """A record is there: the same, or one of a commit that was undone, which its owner replaces.

    The write under the fence comes first, so that a zombie is refused before it can overwrite.
    """
    found = bucket.get(prefix + COMPLETION)
    if found is None or hashlib.sha256(found).hexdigest() != body.sha256:
        fence.write({columns.STATUS: str(Status.COMMITTING)}, during=COMMITTING)
        bucket.put(prefix + COMPLETION, body)
