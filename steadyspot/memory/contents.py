"""What is data, and what it holds, as a number that tells whether it was changed.

Whoever changed it: a function of a library that was given it, a view of an array, a row that has
another name. No code of the job's is run for it: of its objects the attributes are looked at.
"""

from __future__ import annotations

import pickle
import zlib
from collections import deque
from collections.abc import Iterable
from io import BytesIO, StringIO
from itertools import islice
from typing import Any

from steadyspot.memory.gathering import BUFFERS, CONTAINERS, attributes, is_of_own_class
from steadyspot.memory.in_memory import rows_in_memory

_DEEP = 4
ITEMS = 100_000
"""So many items of a container are looked at; of a longer one every so many."""

LOOKED_AT = 1_000_000
"""So many items in all are looked into."""

_CONTAINERS = (list, tuple, deque, set, frozenset, dict)

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_FROZEN = (*_PLAIN, tuple, frozenset)
_MODULES = ("datetime", "decimal", "fractions", "pathlib", "uuid")
_FIXED = ("pyarrow",)
"""Libraries whose data nobody changes."""


_METHODS = (
    *("__array__", "__arrow_c_array__", "__arrow_c_stream__"),
    *("digest", "get_obj", "partial_fit"),
)
"""What arrays, tables, hashes, numbers of several processes and models have."""

Told = tuple[int, int | None]
"""Which value something is, and a number for what it holds."""


def is_data(value: object) -> int | None:
    """None where a value is no data, but a module, a connection, or an object of the job's."""
    kind = type(value)
    if issubclass(kind, type) or callable(value):
        return None
    is_known = is_plain_value(value) or issubclass(kind, (*CONTAINERS, *BUFFERS, memoryview))
    has_methods = any(hasattr(kind, name) for name in _METHODS)
    return 0 if is_known or has_methods or rows_in_memory(value) is not None else None


def is_plain_value(value: object) -> bool:
    """Whether nothing can be changed within a value."""
    return issubclass(type(value), _FROZEN) or type(value).__module__ in _MODULES


def told(value: object) -> Told:
    """Which value it is, and what it holds; a plain one is told by itself."""
    if is_plain_value(value):
        return contents((value,)) or 0, None
    return id(value), contents(value)


def contents(value: Any) -> int | None:
    """A number for what it holds, none where that cannot be told."""
    kind = type(value)
    try:
        if issubclass(kind, _CONTAINERS):
            return _Look().of_items(value, _DEEP, ITEMS)
        if issubclass(kind, StringIO):
            return hash(value.getvalue())
        if issubclass(kind, BytesIO):
            return zlib.crc32(value.getbuffer())
        return _of_library(value)
    except Exception:  # Whatever a library raises, as where a buffer is closed or of another GPU.
        return None


class _Look:
    """A look at one value, which comes to an end however much there is."""

    def __init__(self) -> None:
        self._left = LOOKED_AT

    def of_items(self, value: Any, depth: int, items: int) -> int:
        kind = type(value)
        step = len(value) // items + 1
        each = max(items // (len(value) + 1), 10)
        if issubclass(kind, dict):
            pairs = islice(dict.items(value), 0, None, step)
            found = [self._of_item(one, depth, each) for pair in pairs for one in pair]
            return hash((len(value), *found))
        found = [self._of_item(one, depth, each) for one in islice(_items(value), 0, None, step)]
        if issubclass(kind, (set, frozenset)):
            return hash((len(value), sum(found)))  # Their order is no part of them.
        return hash((len(value), *found))

    def _of_item(self, value: Any, depth: int, items: int) -> int:
        kind = type(value)
        self._left -= 1
        if kind in _PLAIN or kind.__module__ in _MODULES:
            return hash((kind, value))
        if depth and self._left > 0:
            if issubclass(kind, _CONTAINERS):
                return self.of_items(value, depth - 1, items)
            if hasattr(kind, "__array__"):
                return contents(value) or id(value)
            if is_of_own_class(kind):
                return hash((id(value), self.of_items(attributes(value), depth - 1, ITEMS)))
        return id(value)


def _items(value: Any) -> Iterable[Any]:
    base = next(one for one in (list, tuple, deque, set, frozenset) if isinstance(value, one))
    return base.__iter__(value)


def _of_library(value: Any) -> int | None:
    if type(value).__module__.partition(".")[0] in _FIXED:
        return None
    if hasattr(type(value), "get_obj"):  # It lies in memory that processes share.
        return zlib.crc32(memoryview(value.get_obj()).tobytes())
    found = _Sum()
    try:
        found.write(memoryview(value).cast("B"))
    except (TypeError, ValueError):  # What is no buffer, or one of dates, tells it another way.
        pickle.Pickler(found, 5, buffer_callback=found.take).dump(value)
    return found.value


class _Sum:
    """A checksum of what is written to it, so that no second copy of a table is held."""

    def __init__(self) -> None:
        self.value = 0

    def write(self, data: bytes | memoryview) -> int:
        self.value = zlib.crc32(data, self.value)
        return len(data)

    def take(self, buffer: pickle.PickleBuffer) -> None:
        self.write(buffer.raw())
