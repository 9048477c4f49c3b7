"""From staged outputs to objects that people see: uploads are completed, what lies in packs is put.

Whoever finishes a commit does all of it again and comes to the same, so an output that is there
already is left as it is. When, and what, is decided in ``commit``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from steadyspot.contract import Status, columns
from steadyspot.worker.keeping.fence import COMMITTING, Fence
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.store import Bucket, Head, NoSuchUpload
from steadyspot.worker.keeping.uploads import crc32_of


def by_pack(outputs: Iterable[Output]) -> list[list[Output]]:
    """The outputs of each pack together, and each that lies in none by itself."""
    packs: dict[str, list[Output]] = {}
    for output in outputs:
        packs.setdefault(output.pack or output.upload_id, []).append(output)
    return list(packs.values())


class Publisher:
    """Publishes outputs to ``bucket``.

    An upload is completed once. What lies in a pack could be put once more when people have taken
    it away already, so a zombie is to be refused by the ``fence`` before.
    """

    def __init__(self, fence: Fence, bucket: Bucket) -> None:
        self._fence = fence
        self._bucket = bucket

    def publish(self, outputs: list[Output]) -> set[str]:
        """Publish outputs of one pack, or one of none; the names of those that are lost.

        Raises ``FenceLost``.
        """
        if not outputs[0].pack:
            return {output.name for output in outputs if not self._complete(output)}
        self._check()
        start = min(output.start for output in outputs)
        size = max(output.start + output.size for output in outputs) - start
        data = (size and self._bucket.read(outputs[0].pack, start, size)) or b""
        lost = set()
        for output in outputs:
            at = output.start - start
            if not self._put(output, data[at : at + output.size]):
                lost.add(output.name)
        return lost

    def _complete(self, output: Output) -> bool:
        try:
            self._bucket.complete(output.key, output.upload_id, list(output.parts))
        except NoSuchUpload:
            return _is_that(self._bucket.head(output.key), output)
        return True

    def _put(self, output: Output, data: bytes) -> bool:
        is_whole = hashlib.sha256(data).hexdigest() == output.sha256
        if is_whole and self._bucket.put_new(output.key, data, output.token):
            return True
        head = self._bucket.head(output.key)
        if is_whole and head and not _is_that(head, output):
            self._replace(output, data)
            return True
        return _is_that(head, output)

    def _replace(self, output: Output, data: bytes) -> None:
        """Put it where that of a commit lies which was undone."""
        self._check()
        upload_id = self._bucket.create(output.key, output.token)
        part = self._bucket.part(output.key, upload_id, 1, data, crc32_of(data))
        self._bucket.complete(output.key, upload_id, [part])

    def _check(self) -> None:
        self._fence.write({columns.STATUS: str(Status.COMMITTING)}, during=COMMITTING)


def _is_that(head: Head | None, output: Output) -> bool:
    """Whether the object is this very output: its size, and its ETag or the worker's own token."""
    if head is None or head.size != output.size:
        return False
    return head.token == output.token or (bool(output.etag) and head.etag == output.etag)
