"""A bucket with nothing in it but what is this run's: other keys are as if they were not there.

What a checkpoint names was read from the run table and the bucket, where a container of another run
of the job could have written it. So a key is followed only below the run's own prefixes. The task
role may not list the bucket, so S3 answers 403 where a key is missing: whether a key is missing or
reading is forbidden is told by an object of the run's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from steadyspot.worker.errors import Denied
from steadyspot.worker.keeping.store import Bucket, Head, NoSuchUpload, Part, Sink

WITNESS = "witness"

T = TypeVar("T")


class OwnBucket:
    """The bucket of ``inner``, as far as it belongs to the run; both prefixes end with a slash."""

    def __init__(self, inner: Bucket, checkpoints: str, outputs: str) -> None:
        self._inner = inner
        self._checkpoints = checkpoints
        self._outputs = outputs

    def get(self, key: str) -> bytes | None:
        return self._ask(key, lambda: self._inner.get(key))

    def read(self, key: str, start: int, size: int) -> bytes | None:
        return self._ask(key, lambda: self._inner.read(key, start, size))

    def fetch(self, key: str, file: Sink) -> None:
        self._ask(key, lambda: self._inner.fetch(key, file))

    def head(self, key: str) -> Head | None:
        return self._ask(key, lambda: self._inner.head(key))

    def put(self, key: str, body: Any) -> None:
        self._inner.put(key, body)

    def put_new(self, key: str, body: Any, token: str = "") -> bool:
        return self._is_own(key) and self._inner.put_new(key, body, token)

    def delete(self, keys: list[str]) -> None:
        """Delete saved objects; outputs are never deleted."""
        own = [key for key in keys if key.startswith(self._checkpoints)]
        if own:
            self._inner.delete(own)

    def create(self, key: str, token: str) -> str:
        return self._inner.create(key, token)

    def part(self, key: str, upload_id: str, number: int, body: Any, crc32: str) -> Part:
        return self._inner.part(key, upload_id, number, body, crc32)

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> None:
        if not self._is_own(key):
            raise NoSuchUpload
        self._inner.complete(key, upload_id, parts)

    def abort(self, key: str, upload_id: str) -> None:
        if self._is_own(key):
            self._inner.abort(key, upload_id)

    def _ask(self, key: str, ask: Callable[[], T | None]) -> T | None:
        """What is there under a key of the run's own."""
        if not self._is_own(key):
            return None
        try:
            return ask()
        except Denied as denied:
            self._check_readable(denied)
            return None

    def _is_own(self, key: str) -> bool:
        return key.startswith((self._checkpoints, self._outputs))

    def _check_readable(self, denied: Denied) -> None:
        """Raise what was met unless what surely is there can be read."""
        witness = self._checkpoints + WITNESS
        self._inner.put(witness, b"")
        try:
            self._inner.get(witness)
        except Denied:
            raise denied from None
