"""What objects of libraries hold: documents, graphs, figures, trees, whatever their library.

All that lies in such an object is data, and can be walked through. What talks to others or works
for them, such as a client, a pool or a progress bar, changes as it is used and holds nothing of
units: somewhere in it lies a lock, a socket, a thread, or a file that is only read. The few that
have one and hold data all the same are known by name. Nothing is asked that changes an object.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

from steadyspot.memory.gathering import is_of_own_class
from steadyspot.memory.within_objects import (
    KEEPING,
    OBJECTS,
    Parts,
    given_by_library,
    of_attributes,
    pyplot,
    way_into,
)

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_CODE = (
    *(BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType, type),
    *(partial, property, weakref.ref, BaseException),
)
_ANY_ARGUMENTS = 4 | 8
"""Of the flags of code (``CO_VARARGS`` and ``CO_VARKEYWORDS`` of ``inspect``)."""

_NOTHING_HELD = ("abc", "builtins", "enum", "typing")
"""Modules of classes that give nothing to hold to those that inherit from them."""

_SHOW, _BEGIN = {".savefig", ".gca", ".gcf"}, {".figure", ".subplots"}
"""Functions of pyplot that do something with the last figure, and that begin one."""

_CHANCE = ("random", "numpy.random")
"""Modules of what draws numbers, which are others with each attempt."""

_SEEDS = "SeedSequence"
"""What gives other seeds from one, by how many it has given."""


def is_object(value: Any) -> bool:
    """Whether it may be a library's object that holds data, or one of the job's by such a class."""
    kind = type(value)
    is_of_chance = kind.__module__.startswith(_CHANCE) and kind.__name__ != _SEEDS
    if issubclass(kind, (*_PLAIN, *_CODE)) or is_of_chance:
        return value is pyplot()
    if kind is SimpleNamespace or _is_ours(kind) or _is_decorated(value):
        return False
    return not is_of_own_class(kind) or any(
        one.__module__ not in _NOTHING_HELD and not is_of_own_class(one) for one in kind.__mro__
    )


def may_be_read(value: Any, places: set[str]) -> bool:
    """Whether these places read it: what units drew by pyplot they do not that begin a figure."""
    if value is not pyplot():
        return True
    return not _SHOW.isdisjoint(places) and _BEGIN.isdisjoint(places)


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_decorated(value: Any) -> bool:
    """Whether it is a function, by what a library has made of it; it may keep more with each call.

    One that has no arguments, and so gives the same each time, is a name for that.
    """
    with contextlib.suppress(Exception):  # As a name for another object that is not there yet.
        function = object.__getattribute__(value, "__dict__").get("__wrapped__")
        return function is not None and not _gives_one(value, function)
    return False


def _gives_one(value: Any, function: Any) -> bool:
    code = getattr(function, "__code__", None)
    if type(value) is not KEEPING or code is None or code.co_flags & _ANY_ARGUMENTS:
        return False
    return not code.co_argcount + code.co_kwonlyargcount and value.cache_info().currsize == 1


def held_by(value: Any, most: int = OBJECTS) -> int | None:
    """The same number until it is changed; none where something in it is at work.

    So many objects are looked at ``most``. Of the job's own object those alone count that a library
    has given it: what the job's functions call by name is looked at by that.
    """
    with contextlib.suppress(Exception):  # Whatever a library raises.
        kind = type(value)
        in_part = is_of_own_class(kind) and way_into(kind) is of_attributes
        return _walked(given_by_library(value) if in_part else value, most)
    return None


def _walked(first: Any, most: int) -> int | None:
    found, left = 0, most
    todo, seen = deque([first]), dict[int, Any]()
    ways = dict[type, Callable[[Any], Parts]]()
    while todo and left:
        one, left = todo.popleft(), left - 1
        kind = type(one)
        if issubclass(kind, _PLAIN):
            found = hash((found, kind, one))
        elif id(one) not in seen and (one is first or not issubclass(kind, _CODE)):
            seen[id(one)] = one  # Until the end, so that no other gets its number.
            way = ways.get(kind) or ways.setdefault(kind, way_into(kind))
            parts = way(one)
            if parts is None:
                return None
            before = len(todo)
            todo.extend(parts)
            found = hash((found, kind, len(todo) - before))
    return found
