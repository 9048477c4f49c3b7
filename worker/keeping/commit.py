"""The commit: from many open uploads to one complete run, each step finished by whoever comes next.

Order: the list of uploads into the bucket; ``committing`` and its pointer under the fence; every
upload completed; ``completion.json``; ``complete`` under the fence. The list fixes every byte of
the completion record beforehand, so an attempt that finishes another's commit writes the very same
objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from steadyspot.contract import COMPLETION, Status, columns
from steadyspot.worker.keeping.checkpoint import Damaged, Output, encode, output_from
from steadyspot.worker.keeping.fence import COMMITTING, RUNNING, Fence
from steadyspot.worker.keeping.store import Bucket, NoSuchUpload

if TYPE_CHECKING:
    from steadyspot.contract.records import CommitColumn, CompletionColumn


class OutputsLost(Exception):
    """Recorded uploads that are neither open nor completed; their units have to be done again."""

    def __init__(self, names: set[str], uploads: list[Output]) -> None:
        super().__init__(f"lost outputs: {sorted(names)}")
        self.names = names
        self.uploads = uploads


def begin(
    fence: Fence,
    bucket: Bucket,
    prefix: str,
    outputs: Iterable[Output],
    record: dict[str, Any],
    more: dict[str, Any],
) -> dict[str, Any]:
    """Write down what is to be completed and take ``committing``; the list, for ``finish``.

    ``more``: columns that are written with it.
    """
    plan = {"format": 1, "record": record, "uploads": [asdict(o) for o in outputs]}
    body, sha256 = encode(plan)
    key = f"{prefix}commits/{sha256}.json"
    bucket.put(key, body)
    column: CommitColumn = {"key": key, "sha256": sha256}
    taken = {columns.STATUS: str(Status.COMMITTING), columns.COMMIT: column}
    fence.write(taken | more, during=RUNNING)
    return plan


def recorded(bucket: Bucket, pointer: CommitColumn) -> dict[str, Any]:
    """The list that the run table points to. Raises ``Damaged`` when it is gone or altered."""
    body = bucket.get(str(pointer["key"]))
    if body is None or hashlib.sha256(body).hexdigest() != pointer["sha256"]:
        raise Damaged(f"The list of uploads {pointer['key']} is gone or was changed.")
    plan: dict[str, Any] = json.loads(body)
    return plan


def finish(
    fence: Fence, bucket: Bucket, prefix: str, plan: dict[str, Any], pool: Executor
) -> dict[str, Any]:
    """Complete what the list names and say so; the completion record.

    Raises ``OutputsLost`` when an upload can neither be completed nor was, ``FenceLost`` when
    another attempt took over; what it did until then does no harm, the other does the same.
    """
    uploads = [output_from(u) for u in plan["uploads"]]
    done = list(pool.map(_completer(bucket), uploads))
    lost = {upload.name for upload, there in zip(uploads, done, strict=True) if not there}
    if lost:
        raise OutputsLost(lost, uploads)
    record: dict[str, Any] = plan["record"]
    body = json.dumps(record, indent=2, sort_keys=True).encode() + b"\n"
    if not bucket.put_new(prefix + COMPLETION, body):
        _settle_record(fence, bucket, prefix, body)
    column = completion_column(prefix, record, body)
    fence.write(
        {columns.STATUS: str(Status.COMPLETE), columns.COMPLETION: column}, during=COMMITTING
    )
    return record


def completion_column(prefix: str, record: dict[str, Any], body: bytes) -> CompletionColumn:
    """The completion record as the run table carries it: counts instead of the list of outputs."""
    column: CompletionColumn = {
        "key": prefix + COMPLETION,
        "sha256": hashlib.sha256(body).hexdigest(),
        "request_sha256": record["request_sha256"],
        "outputs": len(record["outputs"]),
        "output_bytes": sum(output["size"] for output in record["outputs"]),
        "units": record["units"],
        "seconds": record["seconds"],
        "lost_seconds": record["lost_seconds"],
        "worker_version": record["worker_version"],
        "completed_at": record["completed_at"],
    }
    if "left_behind" in record:
        column["left_behind"] = record["left_behind"]
    return column


def _settle_record(fence: Fence, bucket: Bucket, prefix: str, body: bytes) -> None:
    """A record is there: the same, or one of a commit that was undone, which its owner replaces.

    The write under the fence comes first, so that a zombie is refused before it can overwrite.
    """
    if bucket.get(prefix + COMPLETION) != body:
        fence.write({columns.STATUS: str(Status.COMMITTING)}, during=COMMITTING)
        bucket.put(prefix + COMPLETION, body)


def _completer(bucket: Bucket) -> Callable[[Output], bool]:
    def complete(output: Output) -> bool:
        try:
            bucket.complete(output.key, output.upload_id, list(output.parts))
        except NoSuchUpload:
            return is_there(bucket, output)
        return True

    return complete


def is_there(bucket: Bucket, output: Output) -> bool:
    """Whether the object is this very output: its size, and its ETag or the worker's own token."""
    head = bucket.head(output.key)
    if head is None or head.size != output.size:
        return False
    return head.token == output.token or (bool(output.etag) and head.etag == output.etag)
