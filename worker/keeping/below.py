"""A bucket that others use, too: all keys of the worker lie below a prefix, and none beside it.

The rest of the worker knows no prefix. What it keeps in records and ledgers are keys without it, so
that they hold wherever the bucket's content is copied to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steadyspot.worker.keeping.store import Bucket, Head, Part, Sink


class Below:
    """What of the bucket ``inner`` lies below ``prefix``, which ends with a slash."""

    def __init__(self, inner: Bucket, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        return self._inner.get(self._prefix + key)

    def read(self, key: str, start: int, size: int) -> bytes | None:
        return self._inner.read(self._prefix + key, start, size)

    def fetch(self, key: str, file: Sink) -> None:
        self._inner.fetch(self._prefix + key, file)

    def put(self, key: str, body: Any) -> None:
        self._inner.put(self._prefix + key, body)

    def put_new(self, key: str, body: Any, token: str = "") -> bool:
        return self._inner.put_new(self._prefix + key, body, token)

    def delete(self, keys: list[str]) -> None:
        self._inner.delete([self._prefix + key for key in keys])

    def head(self, key: str) -> Head | None:
        return self._inner.head(self._prefix + key)

    def create(self, key: str, token: str) -> str:
        return self._inner.create(self._prefix + key, token)

    def part(self, key: str, upload_id: str, number: int, body: Any, crc32: str) -> Part:
        return self._inner.part(self._prefix + key, upload_id, number, body, crc32)

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> None:
        self._inner.complete(self._prefix + key, upload_id, parts)

    def abort(self, key: str, upload_id: str) -> None:
        self._inner.abort(self._prefix + key, upload_id)
