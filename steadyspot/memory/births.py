"""When a file was made, which the system tells of most file systems and Python of none."""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import Any

_OF_THIS_FOLDER = -100
_NO_LINK = 0x100
_BIRTH = 0x800
"""What is asked for, and said to be known."""

_BYTES = 256
_KNOWN_AT, _BIRTH_AT = 0, 80
"""The answer's length, and where in it these stand."""


def made_at(path: str) -> int | None:
    """Nanoseconds since 1970, none where that cannot be told.

    By ``statx`` of Linux, whose answer's layout is part of the kernel's interface (``statx(2)``).
    """
    import ctypes  # Only after a stop: it takes a while to load.

    ask = _statx()
    answer = ctypes.create_string_buffer(_BYTES)
    if ask is None or ask(_OF_THIS_FOLDER, os.fsencode(path), _NO_LINK, _BIRTH, answer):
        return None
    if not struct.unpack_from("=I", answer, _KNOWN_AT)[0] & _BIRTH:
        return None
    seconds, more = struct.unpack_from("=qI", answer, _BIRTH_AT)
    return int(seconds) * 10**9 + int(more)


@cache
def _statx() -> Any:
    import ctypes

    return getattr(ctypes.CDLL(None), "statx", None)
