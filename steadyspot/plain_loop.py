"""How a loop takes its units: one by one in a ``for``, or in a way that may keep what they yield.

A list comprehension, ``list(map(...))`` and the like keep what units yield where nobody can see it
grow, until all are done. A ``for`` keeps it in variables, which ``gathering`` looks at.
"""

from __future__ import annotations

import contextlib
import dis
import os
import sys
from functools import lru_cache
from types import CodeType, FrameType

_GENERATOR = next(flag for flag, name in dis.COMPILER_FLAG_NAMES.items() if name == "GENERATOR")
_KEEP = {"LIST_APPEND", "SET_ADD", "MAP_ADD"}


def is_plain() -> bool:
    """Whether a ``for`` asks for the next unit, itself or through generators."""
    frame: FrameType | None = sys._getframe()
    while frame and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    while frame and _passes_on(frame.f_code, frame.f_lasti):
        frame = frame.f_back
    return frame is not None and _is_for(frame.f_code, frame.f_lasti)


def _is_ours(file: str) -> bool:
    return os.path.dirname(file) == os.path.dirname(__file__) or file == contextlib.__file__


def _passes_on(code: CodeType, at: int) -> bool:
    """Whether a generator asks, for who asks it."""
    is_generator = bool(code.co_flags & _GENERATOR)
    return is_generator and _instruction(code, at).opname in ("FOR_ITER", "SEND")


@lru_cache(maxsize=128)
def _is_for(code: CodeType, at: int) -> bool:
    """Whether it is a ``for``, and none of a comprehension, which ends by keeping a value."""
    asks = _instruction(code, at)
    if asks.opname != "FOR_ITER":
        return False
    before = ""
    for one in dis.get_instructions(code):
        if one.opname.startswith("JUMP_BACKWARD") and one.argval == asks.offset and before in _KEEP:
            return False
        before = one.opname
    return True


@lru_cache(maxsize=128)
def _instruction(code: CodeType, at: int) -> dis.Instruction:
    """The instruction that is under way; ``at`` may be within it."""
    return [one for one in dis.get_instructions(code) if one.offset <= at][-1]
