"""The commit: from many open uploads to one complete run, each step finished by whoever comes next.

Order: the plan into the bucket; ``committing`` and its pointer under the fence; every upload
completed; ``completion.json``; ``complete`` under the fence. The plan fixes every byte of the
completion record beforehand, so an attempt that finishes another's commit writes the very same
objects. Of many outputs, only a line each is held at once.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from steadyspot.contract import COMPLETION, Status, columns
from steadyspot.worker.keeping.checkpoint import Damaged, encode, load_history, plain_history
from steadyspot.worker.keeping.fence import COMMITTING, RUNNING, Fence
from steadyspot.worker.keeping.history import History, Output, Segment
from steadyspot.worker.keeping.store import Bucket, NoSuchUpload

if TYPE_CHECKING:
    from steadyspot.contract.records import CommitColumn, CompletionColumn

AT_ONCE = 500
"""Outputs that are held in full, while their uploads are completed side by side."""


@dataclass(frozen=True)
class Plan:
    """What is to be committed: the completion ``record`` but for the outputs of the ``history``."""

    record: dict[str, Any]
    history: History


class OutputsLost(Exception):
    """Recorded uploads that are neither open nor completed; their units have to be done again."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(f"lost outputs: {sorted(names)}")
        self.names = names


def begin(fence: Fence, bucket: Bucket, prefix: str, plan: Plan, more: dict[str, Any]) -> None:
    """Write down what is to be completed and take ``committing``, ``more`` columns with it."""
    history = plain_history(plan.history)
    body, sha256 = encode({"format": 2, "record": plan.record, "history": history})
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
    body = bucket.get(str(pointer["key"]))
    if body is None or hashlib.sha256(body).hexdigest() != pointer["sha256"]:
        raise Damaged(f"The list of uploads {pointer['key']} is gone or was changed.")
    plan = json.loads(body)
    return Plan(plan["record"], load_history(bucket, plan["history"], pool, known))


def finish(
    fence: Fence, bucket: Bucket, prefix: str, plan: Plan, pool: Executor
) -> CompletionColumn:
    """Complete what the plan names and say so; what the run table then says of it.

    Raises ``OutputsLost`` when an upload can neither be completed nor was, ``FenceLost`` when
    another attempt took over; what it did until then does no harm, the other does the same.
    """
    outputs, complete = plan.history.outputs(), _completer(bucket)
    lost: set[str] = set()
    lines: list[bytes] = []
    count = size = 0
    while some := list(islice(outputs, AT_ONCE)):
        lost |= {
            o.name for o, there in zip(some, pool.map(complete, some), strict=True) if not there
        }
        lines += map(_line, some)
        count += len(some)
        size += sum(output.size for output in some)
    if lost:
        raise OutputsLost(lost)
    body = completion_body(plan.record, lines)
    sha256 = hashlib.sha256(body).hexdigest()
    if not bucket.put_new(prefix + COMPLETION, body):
        _settle_record(fence, bucket, prefix, body)
    column: CompletionColumn = {
        "key": prefix + COMPLETION,
        "sha256": sha256,
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


def completion_body(record: dict[str, Any], lines: list[bytes]) -> bytes:
    """The completion record with a line for each output, the same in whatever order they come.

    ``lines`` is emptied, so that many outputs are not held twice.
    """
    body = io.BytesIO()
    body.write(json.dumps(record, indent=2, sort_keys=True).encode().removesuffix(b"\n}"))
    body.write(b',\n  "outputs": [')
    lines.sort(reverse=True)
    between = b"\n    "
    while lines:
        body.write(between + lines.pop())
        between = b",\n    "
    body.write(b"\n  ]\n}\n")
    return body.getvalue()


def _line(output: Output) -> bytes:
    named = {"name": output.name, "key": output.key, "size": output.size, "sha256": output.sha256}
    return json.dumps(named).encode()


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
