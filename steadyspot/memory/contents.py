"""What is data, and what it holds, as a number that tells whether it was changed.

Whoever changed it: a function of a library that was given it, a view of an array, a row that has
another name. No code of the job's is run for it: of its objects the attributes are looked at.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from steadyspot.memory.checksums import checksum, has_checksum
from steadyspot.memory.gathering import (
    BUFFERS,
    CONTAINERS,
    Names,
    attributes,
    is_of_own_class,
    reached,
)
from steadyspot.memory.in_memory import rows_in_memory
from steadyspot.memory.in_objects import held_by, is_object
from steadyspot.memory.places import places_along
from steadyspot.memory.within_objects import plain_items

_DEEP = 4
ITEMS = 100_000
"""So many items of a container are looked at; of a longer one every so many."""

LOOKED_AT = 1_000_000
"""So many items in all are looked into."""

_WITHIN_ITEM = 1_000
"""So many objects are looked at of one that is an item, at least."""

_CONTAINERS = (list, tuple, deque, set, frozenset, dict)

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_FROZEN = (*_PLAIN, tuple, frozenset)
_MODULES = ("datetime", "decimal", "fractions", "pathlib", "uuid")

Told = tuple[int, int | None]
"""Which value something is, and a number for what it holds."""


def is_data(value: object) -> int | None:
    """None where a value is no data, but a module, a connection, or an object of the job's."""
    kind = type(value)
    if rows_in_memory(value) is not None:
        return 0
    if issubclass(kind, type) or callable(value):
        return None
    is_known = is_plain_value(value) or issubclass(kind, (*CONTAINERS, *BUFFERS, memoryview))
    return 0 if is_known or has_checksum(kind) else None


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
    if is_data(value) is None:
        return held_by(value)
    if not issubclass(kind, _CONTAINERS):
        return checksum(value)
    with contextlib.suppress(Exception):  # Whatever a class of a container raises.
        return _Look().of_items(value, _DEEP, ITEMS)
    return None


def all_told(is_asked: Callable[[Names, object], bool]) -> dict[Names, Told]:
    """By all names asked for, which values they are, and what those hold.

    Of a library's object that is at work nothing is told.
    """
    known: dict[int, Told] = {}
    found: dict[Names, Told] = {}
    for path, value, _ in reached(_may_hold):
        if is_asked(path, value):
            one = known[id(value)] = known.get(id(value)) or told(value)
            if one[1] is not None or is_data(value) is not None:
                found[path] = one
    return found


def may_reach(touched: set[str], is_read: Callable[[Names], bool]) -> bool:
    """Whether what has to do with places ``touched`` may leave something in an object read later.

    Objects of libraries lie within each other: a sheet in its book, a plot in its figure.
    """
    objects = [path for path, value, _ in reached(_as_object) if held_by(value) is not None]
    by_names = (not touched.isdisjoint(places_along(path)) for path in objects)
    return any(map(is_read, objects)) and any(by_names)


def _as_object(value: object) -> int | None:
    return 0 if is_object(value) and is_data(value) is None else None


def _may_hold(value: object) -> int | None:
    return 0 if is_object(value) or is_data(value) is not None else None


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
        found = [
            self._of_item(one, depth, each) for one in islice(plain_items(value), 0, None, step)
        ]
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
            if has_checksum(kind):
                return checksum(value) or id(value)
            if is_of_own_class(kind):
                return hash((id(value), self.of_items(attributes(value), depth - 1, ITEMS)))
            if is_object(value):
                most = max(items, _WITHIN_ITEM)
                self._left -= most
                return hash((id(value), held_by(value, most)))
        return id(value)
