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

from steadyspot.own_code import is_the_jobs
from steadyspot.under_way import stack_of

_GENERATOR = next(flag for flag, name in dis.COMPILER_FLAG_NAMES.items() if name == "GENERATOR")
_HERE = os.path.dirname(__file__)
_OURS = (_HERE, os.path.dirname(_HERE))
_KEEP = {"LIST_APPEND", "SET_ADD", "MAP_ADD"}
_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>"}
"""Before Python 3.12 these are called as functions are."""


def is_plain() -> bool:
    """Whether a ``for`` of the job's asks for the next unit, itself or through generators.

    One of a library may keep what units yield, unless the job drops what that returns.
    """
    frame = _taker()
    if frame is None or not _is_for(frame.f_code, frame.f_lasti):
        return False
    job = next((one for one in stack_of(frame) if is_the_jobs(one.f_code)), frame)
    return job is frame or _is_dropped(job.f_code, job.f_lasti)


def taken_at_once() -> FrameType | None:
    """Where the job has something else take the units than a ``for`` of its own, as ``sum``."""
    frame = _taker()
    if frame and is_the_jobs(frame.f_code) and _is_for(frame.f_code, frame.f_lasti):
        return None
    jobs = (one for one in stack_of(frame) if is_the_jobs(one.f_code))
    return next((one for one in jobs if one.f_code.co_name not in _COMPREHENSIONS), None)


def _taker() -> FrameType | None:
    """What asks for the next unit, itself or through generators."""
    frame: FrameType | None = sys._getframe()
    while frame and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    while frame and _passes_on(frame.f_code, frame.f_lasti):
        frame = frame.f_back
    return frame


def _is_ours(file: str) -> bool:
    return os.path.dirname(file) in _OURS or file == contextlib.__file__


def _passes_on(code: CodeType, at: int) -> bool:
    """Whether a generator asks, for who asks it."""
    is_generator = bool(code.co_flags & _GENERATOR)
    return is_generator and _instruction(code, at).opname in ("FOR_ITER", "SEND")


@lru_cache(maxsize=128)
def _is_dropped(code: CodeType, at: int) -> bool:
    """Whether nothing is made of what a call returns."""
    after = [one for one in dis.get_instructions(code) if one.offset > at]
    is_call = _instruction(code, at).opname.startswith("CALL")
    return not is_call or after[0].opname == "POP_TOP"


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
