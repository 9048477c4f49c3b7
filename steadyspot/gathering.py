"""How much threads and tasks of the job's own hold, since what they gather is written later.

A thread that gathers what units hand to it says so nowhere: it waits, as a heartbeat does. But it
holds more than before. So the containers are measured that its program can reach: what its own
functions call by name, and what lies within objects and functions of the job's own. A container
that is none of Python's own, such as a table of a database in memory, is not seen.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from queue import Queue, SimpleQueue
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

Held = dict[tuple[object, ...], int]
"""Sizes of containers, by whose they are and by what names they are reached."""

_CONTAINERS = (list, dict, set, deque, bytearray)
_DEEP = 3
"""So far it is looked into objects: a thread, its queue, what lies in that."""

_LIBRARY = ("site-packages", "dist-packages", os.path.dirname(os.__file__))


def is_the_jobs(code: CodeType | None) -> bool:
    """Whether code is the job's own and no library's."""
    return code is not None and _is_own(code.co_filename)


def _is_own(file: str) -> bool:
    return not any(part in file for part in (*_LIBRARY, os.path.dirname(__file__)))


def held() -> Held:
    """What is held by all threads but this one, and by the other tasks of its event loop."""
    return {
        (whose, frame.f_code, *path): size
        for whose, frame in (*_of_threads(), *_of_tasks())
        if is_the_jobs(frame.f_code)
        for path, size in _sizes(_named(frame), 0, set())
    }


def grew(now: Held, before: Held) -> bool:
    """Whether anybody holds more than before."""
    return any(size > before.get(path, 0) for path, size in now.items())


def _of_threads() -> Iterator[tuple[int, FrameType]]:
    own = threading.get_ident()
    for thread, innermost in sys._current_frames().items():
        frame: FrameType | None = innermost
        while frame and thread != own:
            yield thread, frame
            frame = frame.f_back


def _of_tasks() -> Iterator[tuple[int, FrameType]]:
    asyncio = sys.modules.get("asyncio")
    if asyncio:
        with contextlib.suppress(RuntimeError):  # No loop is running here.
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                coroutine = task.get_coro()
                while coroutine is not None:
                    if frame := getattr(coroutine, "cr_frame", None):
                        yield id(task), frame
                    coroutine = getattr(coroutine, "cr_await", None)


def _named(frame: FrameType) -> dict[str, Any]:
    """What a frame's code calls by name: what is local to it, and global."""
    found = _globals(frame.f_code, frame.f_globals)
    return found if frame.f_locals is frame.f_globals else found | frame.f_locals


def _globals(code: CodeType, names: dict[str, Any]) -> dict[str, Any]:
    return {name: names[name] for name in code.co_names if name in names}


def _reached(function: FunctionType) -> dict[str, Any]:
    """What a function calls by name and is not its own."""
    found = _globals(function.__code__, function.__globals__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # It has no value yet.
            found[name] = cell.cell_contents
    return found


def _sizes(
    named: dict[str, Any], depth: int, seen: set[int]
) -> Iterator[tuple[tuple[str, ...], int]]:
    for name, value in list(named.items()):
        size = _size(value)
        if size is not None:
            yield (name,), size
        elif depth < _DEEP and id(value) not in seen:
            seen.add(id(value))
            for path, each in _sizes(_within(value), depth + 1, seen):
                yield (name, *path), each


def _within(value: Any) -> dict[str, Any]:
    """What an object of the job's own holds by name, and what a function of its own can reach."""
    if isinstance(value, MethodType):
        return {"__self__": value.__self__, "__func__": value.__func__}
    if isinstance(value, FunctionType) and is_the_jobs(value.__code__):
        return _reached(value)
    return vars(value) if _is_of_own_class(value) else {}


def _size(value: object) -> int | None:
    if isinstance(value, deque) and value.maxlen is not None:
        return None  # It drops what it holds, so that nobody gathers in it.
    if isinstance(value, Queue | SimpleQueue):
        return value.qsize()
    return len(value) if isinstance(value, _CONTAINERS) else None


def _is_of_own_class(value: object) -> bool:
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    module = type(value).__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    return module == "__main__" or (file is not None and _is_own(file))
