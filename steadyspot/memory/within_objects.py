"""What lies next to an object within it, by its kind, so that all that it holds can be walked to.

What is at work for others has a lock, a socket, a thread, or a file that is only read. Those that
have one and hold data all the same are known by name, as are the few whose data is no attribute.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import threading
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import islice
from stat import S_ISREG
from types import FunctionType, GeneratorType, MappingProxyType, ModuleType
from typing import Any

from steadyspot.memory.checksums import checksum, has_checksum
from steadyspot.memory.gathering import is_of_own_class, locals_of, others_reach, slots
from steadyspot.memory.open_files import is_log

OBJECTS = 50_000
"""So many are looked at, first those that lie next to it."""

_BUFFERS = (array, bytearray, memoryview, io.BytesIO, io.StringIO)
_WORKERS = re.compile("(client|connection|cursor|engine|session)$", re.IGNORECASE)
"""What classes of what talks to others are called, of those that show nothing else of it."""

_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_AT_WORK = (
    *(("threading", "Thread"), ("socket", "socket"), ("ssl", "SSLContext")),
    *(("logging", "Logger"), ("logging", "LoggerAdapter"), ("logging", "Handler")),
    *(("subprocess", "Popen"), ("multiprocessing.process", "BaseProcess")),
    *(("asyncio", "AbstractEventLoop"), ("asyncio", "Queue"), ("contextlib", "ExitStack")),
    ("contextlib", "AsyncExitStack"),
)
KEEPING = type(cache(lambda: None))
"""What a function is that gives again what it has given once."""

_CACHES = re.compile("cache|memoized", re.IGNORECASE)
"""In names of attributes that keep for the next time what was made of the others."""

_LAST_TOLD = 2
"""The last of the descriptors by which a program tells people what it does."""

Parts = Iterable[Any] | None
"""What lies next to an object within it; none where it is at work."""


def way_into(kind: type) -> Callable[[Any], Parts]:
    """How the parts of an object are found."""
    for module, name, way in (
        *((*each, _at_work) for each in _AT_WORK),
        ("queue", "Queue", _of_queue),
        ("queue", "SimpleQueue", _of_queue),
        ("zipfile", "ZipFile", _of_zip),
        ("http.cookiejar", "FileCookieJar", list),
        ("tempfile", "SpooledTemporaryFile", lambda one: (one.tell(),)),
        *(("ctypes", each, _of_buffer) for each in ("_SimpleCData", "Array", "Structure", "Union")),
        ("mmap", "mmap", _of_buffer),
        ("matplotlib.transforms", "TransformNode", _of_nothing),
        ("pyarrow.lib", "NativeFile", _of_file),
        ("lxml.etree", "_ElementTree", lambda one: (one.getroot(),)),
        ("lxml.etree", "_Element", _of_element),
    ):
        known = getattr(sys.modules.get(module), name, None)
        if known and issubclass(kind, known):
            return way
    if any(_WORKERS.search(one.__name__) for one in kind.__mro__):
        return _at_work
    for known, way in (
        (_LOCKS, _at_work),
        (_BUFFERS, _of_buffer),
        (KEEPING, lambda one: (one(),)),
        (io.IOBase, _of_file),
        (ContextVar, lambda one: (one.get(None),)),
        (GeneratorType, _of_generator),
        (ModuleType, lambda _: _drawn()),
        ((dict, MappingProxyType), _of_items),
        ((list, tuple, deque, set, frozenset), _of_sequence),
    ):
        if issubclass(kind, known):
            return way
    return _of_buffer if has_checksum(kind) else of_attributes


def _at_work(_: Any) -> Parts:
    return None


def plain_items(value: Any) -> Iterable[Any]:
    """What lies in a sequence or a set, whatever a class says that is made of one."""
    kinds = (list, tuple, deque, set, frozenset)
    return next(one for one in kinds if isinstance(value, one)).__iter__(value)


def _of_buffer(value: Any) -> Parts:
    return (checksum(value),)


def _of_nothing(_: Any) -> Parts:
    """What others are made into as they are drawn."""
    return ()


def _of_items(value: Any) -> Parts:
    items = dict.items(value) if isinstance(value, dict) else value.items()
    pairs = islice(items, 0, None, len(value) // OBJECTS + 1)
    return [len(value), *(one for pair in pairs for one in pair), *_attributes(value).values()]


def _of_sequence(value: Any) -> Parts:
    items = islice(plain_items(value), 0, None, len(value) // OBJECTS + 1)
    return [len(value), *items, *_attributes(value).values()]


def of_attributes(value: Any) -> Parts:
    """Its attributes, else what it would be copied by, as an iterator or an object of C is."""
    found = _attributes(value).values()
    kinds = type(value).__mro__[:-1]
    names = ("__reduce__", "__reduce_ex__", "__getstate__")
    if found or not any(name in one.__dict__ for name in names for one in kinds):
        return found
    with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
        copied = value.__reduce_ex__(4)
        return () if isinstance(copied, str) else copied[1:3]
    return ()


def _attributes(value: Any) -> dict[str, Any]:
    """What its attributes hold, without what is only kept for the next time."""
    kind: Any = type(value)
    if kind.__module__ == "builtins":
        return {}
    found = slots(value)
    with contextlib.suppress(Exception):  # Its library finds them elsewhere.
        found |= object.__getattribute__(value, "__dict__")
    return {name: one for name, one in found.items() if not _is_computed(kind, name)}


def given_by_library(value: Any) -> list[Any]:
    """What an object of the job's holds that no function of its class calls by name."""
    own = _named_in(type(value))
    return [one for name, one in _attributes(value).items() if name not in own]


def _named_in(kind: type) -> set[str]:
    """What functions of the job's own classes call by name."""
    functions = (
        one for each in kind.__mro__ if is_of_own_class(each) for one in each.__dict__.values()
    )
    return {
        name for one in functions if isinstance(one, FunctionType) for name in one.__code__.co_names
    }


@lru_cache(maxsize=4096)
def _is_computed(kind: Any, name: str) -> bool:
    """Whether an attribute keeps for the next time what was made of others.

    As that of a property does, which has its name and gives it from then on.
    """
    if _CACHES.search(name):
        return True
    found = next((one.__dict__[name] for one in kind.__mro__ if name in one.__dict__), None)
    way = type(found)
    return hasattr(way, "__get__") and not hasattr(way, "__set__")


def _of_generator(value: Any) -> Parts:
    frame = value.gi_frame
    if frame is None or value.gi_running:
        return ()
    return [frame.f_lasti, *locals_of(frame).values(), value.gi_yieldfrom]


def _of_queue(value: Any) -> Parts:
    """What lies in a queue, and how much ever has, if no other thread takes it from there."""
    if others_reach(value):
        return None
    return [value.qsize(), *(getattr(value, name, 0) for name in ("queue", "unfinished_tasks"))]


def _of_zip(value: Any) -> Parts:
    return None if value.mode == "r" else (value.filelist,)


def _of_element(value: Any) -> Parts:
    """What all the tree holds that an element of lxml lies in."""
    root = value.getroottree().getroot()
    return (checksum(root),) if root is value else (root,)


def _of_file(value: Any) -> Parts:
    """How far it is written; what is only read, tells people, or is a log holds nothing of units.

    One in memory has no descriptor.
    """
    with contextlib.suppress(Exception):  # It may be closed.
        if value.writable() and not _tells(value):
            return (value.tell(),)
    return None


def _tells(file: Any) -> bool:
    with contextlib.suppress(io.UnsupportedOperation):
        number = file.fileno()
        seen = os.fstat(number)
        is_of_disk = S_ISREG(seen.st_mode) and number > _LAST_TOLD
        return not is_of_disk or is_log(str(file.name), seen.st_ino)
    return False


def pyplot() -> Any:
    """The module of matplotlib that draws into the figure begun last."""
    return sys.modules.get("matplotlib.pyplot")


def _drawn() -> Parts:
    figure = pyplot().gcf() if pyplot().get_fignums() else None
    return (figure,) if figure and any(axes.has_data() for axes in figure.axes) else ()
