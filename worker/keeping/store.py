"""What the rest of the worker knows of S3 and DynamoDB: a bucket, a row of the run table, words.

Everything that decides works against ``Bucket`` and ``Table``, and imports no library for it.
``aws`` speaks to the services behind them, and tests put plain memory there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from steadyspot.contract import Status, columns

Item = dict[str, Any]
"""A row of the run table with plain values: str, int, float, bool, None, list, dict."""

SMALL_BYTES = 1 << 20
"""A body up to this size is sent without being asked for."""


@dataclass(frozen=True)
class Part:
    """One uploaded part: its number from 1, the ETag S3 gave it, its CRC32 in base64."""

    number: int
    etag: str
    crc32: str


@dataclass(frozen=True)
class Head:
    """What S3 says of an object: ``etag`` with its quotes, ``token`` is the worker's own mark."""

    size: int
    etag: str
    token: str


_CONDITIONS = (columns.EXECUTION, columns.FENCE, columns.HOLDER, columns.STATUS)


@dataclass(frozen=True)
class Condition:
    """Who may write. ``taking`` allows a higher fence or none, else it must be exactly ours."""

    execution: str
    fence: int
    holder: str
    statuses: frozenset[Status]
    taking: bool = False

    def holds(self, item: Item) -> bool:
        """The meaning of ``expression`` on plain values."""
        fence, holder = item.get(columns.FENCE), item.get(columns.HOLDER)
        ours = fence == self.fence and holder == self.holder
        free = self.taking and (fence is None or fence < self.fence)
        return (
            item.get(columns.EXECUTION) == self.execution
            and (ours or free)
            and item.get(columns.STATUS) in self.statuses
        )

    def expression(self) -> tuple[str, dict[str, str], dict[str, Any]]:
        """DynamoDB's condition with its names and values."""
        statuses = {f":status{i}": str(s) for i, s in enumerate(sorted(self.statuses))}
        ours = "(#fence = :ifence AND #holder = :iholder)"
        if self.taking:
            ours = f"(attribute_not_exists(#fence) OR #fence < :ifence OR {ours})"
        names = {f"#{name}": name for name in _CONDITIONS}
        values = {":iexecution": self.execution, ":ifence": self.fence, ":iholder": self.holder}
        text = f"#execution = :iexecution AND {ours} AND #status IN ({', '.join(statuses)})"
        return text, names, values | statuses


class ConditionFailed(Exception):
    """The condition was false; ``item`` is the row as it stands."""

    def __init__(self, item: Item) -> None:
        super().__init__("condition failed")
        self.item = item


class NoSuchUpload(Exception):
    """The multipart upload is completed, aborted or never was."""


class Table(Protocol):
    """One row of the run table."""

    def update(self, values: Mapping[str, Any], remove: list[str], condition: Condition) -> Item:
        """Set ``values`` and remove columns if the condition holds, else ``ConditionFailed``."""

    def read(self) -> Item:
        """The row, read consistently; empty when there is none."""


class Sink(Protocol):
    """What takes the bytes of an object; ``restart``: they come once more, from the first."""

    def write(self, data: bytes, /) -> Any: ...
    def restart(self) -> None: ...


class Bucket(Protocol):
    """Objects and multipart uploads of one bucket."""

    def get(self, key: str) -> bytes | None: ...
    def read(self, key: str, start: int, size: int) -> bytes | None: ...
    def fetch(self, key: str, file: Sink) -> None: ...
    def put(self, key: str, body: Any) -> None: ...
    def put_new(self, key: str, body: Any, token: str = "") -> bool: ...
    def delete(self, keys: list[str]) -> None: ...
    def head(self, key: str) -> Head | None: ...
    def create(self, key: str, token: str) -> str: ...
    def part(self, key: str, upload_id: str, number: int, body: Any, crc32: str) -> Part: ...
    def complete(self, key: str, upload_id: str, parts: list[Part]) -> None: ...
    def abort(self, key: str, upload_id: str) -> None: ...


class Clients(Protocol):
    """What an attempt speaks to."""

    def table(self, table: str, job: str, run_key: str) -> Table: ...
    def bucket(self, place: str, lock_days: int = 0) -> Bucket: ...
    def client(self, service: str, timeout_seconds: float) -> Any: ...
