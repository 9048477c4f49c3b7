"""What a loop over units is given: each unit with its key, and each key once.

Which of them are done is known to the run, which of them are a shard's own to ``shards``, what a
key is made of to ``units``.
"""

from __future__ import annotations

import reprlib
import sys
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
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


def this_program(file: str, line: int) -> str:
    """What tells a loop of this program from one of another that a job runs.

    The same program may be started again; a child of ``multiprocessing``, which does the units of
    its parent, is told from none.
    """
    if is_child_of_python():
        return ""
    program = (sys.argv or [""])[0]
    if program == "-c":
        text = "\0".join(sys.orig_argv).encode("utf-8", "surrogateescape")
        program = f"-c {zlib.crc32(text):08x}"
    return f"{program}, {file} line {line}"


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
