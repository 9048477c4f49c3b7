"""How much a job holds in its containers, since what it gathers there is written later.

A thread that gathers what units hand to it says so nowhere: it waits, as a heartbeat does. But it
holds more than before, as does a loop that gathers rows. So the containers are measured that its
program can reach: what its own functions call by name, and what lies within objects and functions
of the job's own. What libraries hold is seen where ``in_memory`` knows it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from io import BytesIO, StringIO
from queue import Queue, SimpleQueue
from types import (
    BuiltinMethodType,
    CodeType,
    FrameType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

from steadyspot.memory.in_memory import rows_in_memory
from steadyspot.own_code import is_in_job, is_the_jobs
from steadyspot.under_way import awaited, job_stack, stack_of

Names = tuple[object, ...]
"""Whose a container is, and by what names it is reached."""

Held = dict[Names, int]
"""Sizes of containers."""

HeldHere = dict[Names, tuple[int, int]]
"""Which containers they are, and their sizes."""

BUFFERS = (BytesIO, StringIO)
CONTAINERS = (list, dict, set, deque, bytearray, array)
_QUEUES = (Queue, SimpleQueue)
_PLAIN = {bool, int, float, str, bytes, type(None)}
_NAMELESS = {tuple, BuiltinMethodType}
"""What lies in these has no name there."""

_NEVER_LONGER = {*_PLAIN, *_NAMELESS, type, FunctionType, ModuleType}
"""Most of what is reached is of these."""

_DEEP = 3
"""So far it is looked into all objects: a thread, its queue, what lies in that."""

_OBJECTS = 300
"""Further than that it is looked until it was into so many, first into the nearest."""

_ITEMS = 100
"""So many items of a tuple are looked at."""

_FUNCTION = 1
"""Of the flags of code (``CO_OPTIMIZED`` of ``inspect``): its variables are its own."""

_OF_FRAME_ALONE = 3
"""References to what a frame keeps of its variables: its own, ours, and that of asking."""


def held() -> Held:
    """What is held by all threads but this one, and by the other tasks of all event loops."""
    return {
        (whose, frame.f_code, *path): size
        for whose, frame in (*_of_threads(), *_of_tasks())
        if is_the_jobs(frame.f_code)
        for path, _, size in _measured(_named(frame), _size)
    }


def held_here() -> HeldHere:
    """What the program of this thread holds; what it puts into a queue, others hold."""
    return {path: (id(value), size) for path, value, size in reached(_size_here)}


def reached(
    measure: Callable[[object], int | None],
) -> Iterator[tuple[Names, object, int]]:
    """What the program of this thread can reach of what has a measure, by its names and code."""
    for frame in job_stack():
        for path, value, size in _measured(_named(frame), measure):
            yield (frame.f_code, *path), value, size


def gathered(now: HeldHere, before: HeldHere) -> set[Names]:
    """By what names more is held than before in the same container.

    Another one under its name, as of rows that each unit reads anew, says nothing.
    """
    return {
        path
        for path, (which, size) in now.items()
        if path in before and before[path][0] == which and before[path][1] < size
    }


def holds_more(now: HeldHere, before: HeldHere, gathering: Iterable[Names]) -> bool:
    """Whether more is held by any names of ``gathering`` than before, in whatever container."""
    nothing = (0, 0)
    return any(now.get(name, nothing)[1] > before.get(name, nothing)[1] for name in gathering)


def others_reach(value: object) -> bool:
    """Whether the job's code in another thread calls a value by name."""
    return any(
        one is value
        for _, frame in _of_threads()
        if is_the_jobs(frame.f_code)
        for _, one, _ in _measured(_named(frame), lambda one: 0 if one is value else None)
    )


def grew(now: Held, before: Held) -> bool:
    """Whether anybody holds more than before."""
    return any(size > before.get(path, 0) for path, size in now.items())


def _of_threads() -> Iterator[tuple[int, FrameType]]:
    own = threading.get_ident()
    for thread, innermost in sys._current_frames().items():
        if thread != own:
            yield from ((thread, frame) for frame in stack_of(innermost))


def _of_tasks() -> Iterator[tuple[int, FrameType]]:
    asyncio = sys.modules.get("asyncio")
    if asyncio:
        tasks: set[Any] = set()
        for loop in _loops_elsewhere():
            tasks |= asyncio.all_tasks(loop)
        with contextlib.suppress(RuntimeError):  # No loop is running here.
            tasks |= asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            yield from ((id(task), frame) for frame in awaited(task.get_coro()))


def _loops_elsewhere() -> Iterator[Any]:
    """Event loops that other threads run: what their tasks hold is on no stack."""
    for _, frame in _of_threads():
        place = frame.f_globals.get("__name__"), frame.f_code.co_name
        if place == ("asyncio.base_events", "run_forever"):
            yield frame.f_locals["self"]


def _named(frame: FrameType) -> dict[str, Any]:
    """What a frame's code calls by name: what is local to it, and global."""
    return _globals(frame.f_code, frame.f_globals) | locals_of(frame)


def locals_of(frame: FrameType) -> dict[str, Any]:
    """What is local to a function, as it is now.

    Before Python 3.13 the frame keeps what it is asked for here, and with it tables that the job
    is through with, unless that is emptied again; what the job itself asked for, it has a name of.
    """
    if not frame.f_code.co_flags & _FUNCTION:
        return {}
    kept = frame.f_locals
    found = dict(kept)
    if sys.version_info < (3, 13) and sys.getrefcount(kept) <= _OF_FRAME_ALONE:
        kept.clear()
    return found


def _globals(code: CodeType, names: dict[str, Any]) -> dict[str, Any]:
    return {name: names[name] for name in code.co_names if name in names}


def _reached(function: FunctionType) -> dict[str, Any]:
    """What a function calls by name and is not its own."""
    code = function.__code__
    found = _globals(code, function.__globals__)
    given = code.co_varnames[: code.co_argcount]
    found |= zip(reversed(given), reversed(function.__defaults__ or ()), strict=False)
    found |= function.__kwdefaults__ or {}
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # It has no value yet.
            found[name] = cell.cell_contents
    return found


def _measured(
    named: dict[str, Any], measure: Callable[[object], int | None]
) -> Iterator[tuple[Names, object, int]]:
    """Yield by what names a container is reached, the container, and its size, nearest first.

    What has no name of its own goes by that of what it lies in, unless it is reached by another.
    """
    left, seen = _OBJECTS, set[int]()
    todo = deque[tuple[Names, Any]](((name,), value) for name, value in list(named.items()))
    nameless = deque[tuple[Names, Any]]()
    while todo or nameless:
        has_name = bool(todo)
        path, value = (todo or nameless).popleft()
        if not has_name and id(value) in seen:
            continue
        size = measure(value)
        if size is not None:
            yield path, value, size
        kind = type(value)
        if kind in _PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if kind in _NAMELESS:
            nameless.extend(((*path[:-1], at, path[-1]), one) for at, one in _nameless(value))
            continue
        may_hold_more = size is None or is_of_own_class(kind)
        if may_hold_more and (left > 0 or len(path) <= _DEEP) and (within := _within(value)):
            left -= 1
            todo.extend(((*path, name), one) for name, one in within.items())


def _nameless(value: Any) -> list[tuple[object, Any]]:
    """What a tuple holds, and whose method a function is."""
    if type(value) is BuiltinMethodType:
        return [("__self__", value.__self__)]
    return [(at, one) for at, one in enumerate(value[:_ITEMS]) if type(one) not in _PLAIN]


def _within(value: Any) -> dict[str, Any]:
    """What an object of the job's own holds by name, and what a function of its own can reach."""
    kind = type(value)
    if kind is MethodType:
        return {"__self__": value.__self__, "__func__": value.__func__}
    if kind is FunctionType and is_the_jobs(value.__code__):
        return {**_reached(value), **value.__dict__}
    if kind is SimpleNamespace:
        return dict(value.__dict__)
    if kind is ModuleType:
        file = value.__dict__.get("__file__")
        return _data_of(value) if file and is_in_job(file) else {}
    if kind is type and is_of_own_class(value):
        return _data_of(value)
    if not is_of_own_class(kind):
        return {}
    if issubclass(kind, tuple):
        return dict(zip(getattr(kind, "_fields", ()), tuple.__iter__(value), strict=False))
    return _data_of(kind) | attributes(value)


def attributes(value: Any) -> dict[str, Any]:
    """What an object of the job's own holds; no code of the job's is run for it."""
    found = slots(value)
    with contextlib.suppress(AttributeError):
        found |= object.__getattribute__(value, "__dict__")
    return found


def slots(value: Any) -> dict[str, Any]:
    """What an object holds by the slots of its classes."""
    kind: Any = type(value)
    found = {}
    for name, slot in _slots_of(kind):
        with contextlib.suppress(AttributeError):  # It has no value yet.
            found[name] = slot.__get__(value)
    return found


@lru_cache(maxsize=512)
def _slots_of(kind: Any) -> list[tuple[str, Any]]:
    return [
        (name, one)
        for each in kind.__mro__
        for name, one in each.__dict__.items()
        if type(one) is MemberDescriptorType
    ]


def _data_of(value: Any) -> dict[str, Any]:
    """What a module or a class holds besides its code."""
    return {
        name: one
        for name, one in list(value.__dict__.items())
        if name[:2] != "__" and not isinstance(one, (FunctionType, ModuleType, type))
    }


def _size(value: Any) -> int | None:
    """How much a container holds. A lazy object, which says that it is another, stays asleep."""
    kind = type(value)
    if issubclass(kind, deque) and value.maxlen is not None:
        return None  # It drops what it holds, so that nobody gathers in it.
    if issubclass(kind, _QUEUES):
        return int(value.qsize())
    if issubclass(kind, BUFFERS):
        return None if value.closed else int(value.tell())
    return len(value) if issubclass(kind, CONTAINERS) else None


def _size_here(value: object) -> int | None:
    kind = type(value)
    if kind in _NEVER_LONGER or issubclass(kind, _QUEUES):
        return None
    size = _size(value)
    return rows_in_memory(value) if size is None else size


def is_of_own_class(kind: type) -> bool:
    """Whether a class is one of the job's own."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__ == "__main__" or (file is not None and is_in_job(file))
