"""What a loop over units is given: each unit with its key, and each key once.

Which of them are done is known to the run, which of them are a shard's own to ``shards``, what a
key is made of to ``units``.
"""

from __future__ import annotations

import reprlib
import sys
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, TypeVar

from steadyspot.errors import Misused, RunError
from steadyspot.in_hand import is_child_of_python
from steadyspot.shards import is_held
from steadyspot.units import NoKey, key_of

T = TypeVar("T")

FOR_POOLS = (
    "A unit counts as done when the next is asked for. Give a pool run.undone(units), and begin"
    " each where it is done: with run.unit(unit)."
)
PART = 1_000
"""So many keys go into one request."""

_POOLS = ("concurrent", "multiprocessing", "joblib")
"""Packages that take units from an iterator long before they are done."""


def refuse_pool() -> None:
    """Raise ``Misused`` where a pool asks ``remaining`` for the next unit."""
    caller = sys._getframe(2)
    while caller.f_back and caller.f_code.co_name == "<genexpr>":
        caller = caller.f_back
    if str(caller.f_globals.get("__name__", "")).partition(".")[0] in _POOLS:
        raise Misused(f"A pool cannot take its units from remaining(units). {FOR_POOLS}")


def this_program(loop: FrameType) -> str:
    """What tells a loop of this program from one of another that a job runs.

    The same program may be started again; a child of ``multiprocessing``, which does the units of
    its parent, is told from none. Of a program that is no file, such as ``python - <<END``, its
    code tells.
    """
    if is_child_of_python():
        return ""
    program = (sys.argv or [""])[0]
    if program in ("", "-", "-c"):
        program = f"{program or '-'} {_sum(_main(loop).f_code):08x}"
    return f"{program}, {loop.f_code.co_filename} line {loop.f_lineno}"


def _main(frame: FrameType) -> FrameType:
    """The frame of the program's own text that a frame was called from, else that frame."""
    above: FrameType | None = frame
    while above:
        place = above.f_globals.get("__name__"), above.f_code.co_name
        if place == ("__main__", "<module>"):
            return above
        above = above.f_back
    return frame


def _sum(code: CodeType) -> int:
    """A checksum of code, the same in each process."""
    found = zlib.crc32(code.co_code + repr(code.co_names).encode())
    for const in code.co_consts:
        if isinstance(const, CodeType):
            text = str(_sum(const))
        elif isinstance(const, frozenset):  # Its order is another in each process.
            text = str(sorted(map(repr, const)))
        else:
            text = repr(const)
        found = zlib.crc32(text.encode("utf-8", "surrogatepass"), found)
    return found


def in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as go into one request."""
    for begin in range(0, len(names), PART):
        yield names[begin : begin + PART]


def unit_key(unit: Any) -> str:
    """The stable key of a unit. Raises ``RunError`` for what has none."""
    try:
        return key_of(unit)
    except NoKey as error:
        raise RunError(f"{error} Give remaining(units, key=…) a function for it.") from None


def with_keys(units: Iterable[T], key: Callable[[T], Hashable] | None) -> Iterator[tuple[str, T]]:
    """Units with their keys; two with one key are refused, before the first where that is known."""
    if is_held(units) or (key and isinstance(units, range)):
        yield from list(_each_once(units, key))
    else:
        yield from _each_once(units, key)


def _each_once(units: Iterable[T], key: Callable[[T], Hashable] | None) -> Iterator[tuple[str, T]]:
    seen: dict[str, str] = {}
    for number, unit in enumerate(units, start=1):
        name = unit_key(unit if key is None else key(unit))
        told = f"number {number}" if key is None else f"number {number}, {reprlib.repr(unit)}"
        if name in seen:
            raise RunError(
                f"Two units have the key {name}: {seen[name]}, and {told}."
                " Give each a key of its own: remaining(units, key=…)."
            )
        seen[name] = told
        yield name, unit
