"""A checksum of what buffers, arrays, tables and models hold, which lies in no object of theirs."""

from __future__ import annotations

import contextlib
import pickle
import sys
import zlib
from io import BytesIO, StringIO
from typing import Any

from steadyspot.memory.in_memory import checksum_of_rows

_METHODS = (
    *("__array__", "__array_interface__", "__arrow_c_array__", "__arrow_c_stream__"),
    *("hexdigest", "get_obj", "partial_fit", "_getvalue"),
)
"""What arrays, tables, hashes, numbers and lists of several processes, and models have."""

_FIXED = ("pyarrow",)
"""Libraries whose data nobody changes."""

_OBJECTS = "O"
"""The format of a buffer that says which objects it holds, and not what lies in them."""


def has_checksum(kind: type) -> bool:
    """Whether it is an array, a table or a model."""
    return any(hasattr(kind, name) for name in _METHODS)


def checksum(value: Any) -> int | None:
    """The same number until it is changed, none where that cannot be told."""
    try:
        if isinstance(value, StringIO):
            return hash(value.getvalue())
        if isinstance(value, BytesIO):
            return zlib.crc32(value.getbuffer())
        return _of_library(value)
    except Exception:  # Whatever a library raises, as where a buffer is closed or of another GPU.
        return None


def _of_library(value: Any) -> int | None:
    if (rows := checksum_of_rows(value)) is not None:
        return rows
    if type(value).__module__.partition(".")[0] in _FIXED:
        return None
    if hasattr(type(value), "get_obj"):  # It lies in memory that processes share.
        return zlib.crc32(memoryview(value.get_obj()).tobytes())
    if hasattr(type(value), "_getvalue"):  # Of a manager, which gives a copy.
        return zlib.crc32(pickle.dumps(value._getvalue()))
    if hasattr(type(value), "hexdigest"):
        return hash(value.digest())
    found = _Sum()
    if lxml := of_lxml(value):
        lxml.ElementTree(value).write(found)
        return found.value
    try:
        view = memoryview(value)
        found.write(view.cast("B"))
    except (TypeError, ValueError):  # What is no buffer, or one of dates, tells it another way.
        found.copy(value)
    else:
        if view.format == _OBJECTS:
            with contextlib.suppress(Exception):  # Some of them may be copied by nobody.
                found.copy(value)
    return found.value


def of_lxml(value: Any) -> Any:
    """The module of lxml where a value is an element of it, else none."""
    lxml = sys.modules.get("lxml.etree")
    return lxml if lxml and issubclass(type(value), lxml._Element) else None


class _Sum:
    """A checksum of what is written to it, so that no second copy of a table is held."""

    def __init__(self) -> None:
        self.value = 0

    def write(self, data: bytes | memoryview) -> int:
        self.value = zlib.crc32(data, self.value)
        return len(data)

    def copy(self, value: Any) -> None:
        pickle.Pickler(self, 5, buffer_callback=self._take).dump(value)

    def _take(self, buffer: pickle.PickleBuffer) -> None:
        self.write(buffer.raw())
