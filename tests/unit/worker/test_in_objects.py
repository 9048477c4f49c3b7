"""What objects hold that are no containers: told where all in them is data, and else left alone."""

from __future__ import annotations

import asyncio
import collections
import configparser
import contextlib
import contextvars
import ctypes
import functools
import gzip
import io
import itertools
import logging
import mmap
import queue
import tarfile
import tempfile
import threading
import weakref
import zipfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from xml.dom import minidom
from xml.etree import ElementTree

import numpy as np
import pytest

from steadyspot.memory.contents import contents
from steadyspot.memory.in_objects import is_object


def summed() -> Generator[int, int, None]:
    total = 0
    while True:
        total += yield total


def begun() -> Generator[int, int, None]:
    found = summed()
    next(found)
    return found


@functools.cache
def report() -> list[int]:
    return []


class Rows(collections.UserDict[int, int]):
    """A class of the job's by one of a library."""

    def put(self, unit: int) -> None:
        self[unit] = unit


class Sums(ctypes.Structure):
    """Another one, whose data is no attribute."""

    _fields_ = (("total", ctypes.c_int),)


class Point:
    """What may lie in a dictionary that keeps nothing alive."""


POINT = Point()
TOTAL = contextvars.ContextVar("total", default=0)
SETTINGS = configparser.ConfigParser()
SETTINGS.read_string("[a]\nb = c")
CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "dictionary of a class": (collections.UserDict, lambda value: value.update({1: 2})),
    "list of a class": (collections.UserList, lambda value: value.append(1)),
    "one of the job's": (Rows, lambda value: value.put(1)),
    "dictionaries": (lambda: collections.ChainMap({}), lambda value: value.update({1: 2})),
    "what is not kept alive": (
        weakref.WeakValueDictionary,
        lambda value: value.__setitem__(1, POINT),
    ),
    "settings": (lambda: SETTINGS, lambda value: value["a"].update(b="d")),
    "mail": (EmailMessage, lambda value: value.add_header("X-Unit", "1")),
    "document": (minidom.Document, lambda value: value.appendChild(value.createElement("a"))),
    "tree": (
        lambda: ElementTree.ElementTree(ElementTree.Element("a")),
        lambda value: ElementTree.SubElement(value.getroot(), "b"),
    ),
    "generator": (begun, lambda value: value.send(3)),
    "count": (itertools.count, next),
    "iterator": (lambda: iter([1, 2]), next),
    "iterator of a dictionary": (lambda: iter({1: 2}), next),
    "variable of a context": (lambda: TOTAL, lambda value: value.set(value.get() + 1)),
    "queue": (queue.Queue, lambda value: value.put(1)),
    "simple queue": (queue.SimpleQueue, lambda value: value.put(1)),
    "numbers of C": (ctypes.c_int * 3, lambda value: value.__setitem__(1, 2)),
    "numbers of a structure": (Sums, lambda value: setattr(value, "total", 2)),
    "memory": (lambda: mmap.mmap(-1, 9), lambda value: value.write(b"a")),
    "file in memory": (tempfile.SpooledTemporaryFile, lambda value: value.write(b"a")),
    "file without a name": (tempfile.TemporaryFile, lambda value: value.write(b"a")),
    "file to be removed": (tempfile.NamedTemporaryFile, lambda value: value.write(b"a")),
    "compressed": (
        lambda: gzip.GzipFile(fileobj=io.BytesIO(), mode="wb"),
        lambda value: value.write(b"a"),
    ),
    "archive": (
        lambda: zipfile.ZipFile(io.BytesIO(), "w"),
        lambda value: value.writestr("a", "b"),
    ),
    "archive of tar": (
        lambda: tarfile.TarFile(fileobj=io.BytesIO(), mode="w"),
        lambda value: value.addfile(tarfile.TarInfo("a")),
    ),
    "what a function gives again": (lambda: (report(), report)[1], lambda value: value().append(1)),
    "array in an object": (
        lambda: collections.UserDict(a=np.zeros(3)),
        lambda value: value["a"].fill(1),
    ),
    "object in a list": (lambda: [collections.UserDict()], lambda value: value[0].update({1: 2})),
    "object in an object": (
        lambda: collections.UserList([collections.UserDict()]),
        lambda value: value[0].update({1: 2}),
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_contents_of_an_object_are_others_once_it_is_changed(kind: str) -> None:
    make, change = CHANGES[kind]
    value = make()
    assert isinstance(value, list) or is_object(value)
    before = contents(value)
    assert before is not None
    assert contents(value) == before
    change(value)
    assert contents(value) not in (before, None)


def test_no_iterator_goes_on_for_being_looked_at() -> None:
    ways = [itertools.count(), iter([0]), iter({0: 1}), enumerate("a"), zip([0], [1], strict=True)]
    for one in ways:
        contents(one)
    assert [next(one) for one in ways] == [0, 0, 0, (0, "a"), (0, 1)]
    generator = begun()
    contents(generator)
    assert generator.send(3) == 3


class Client:
    """A library's that talks to others."""

    def __init__(self) -> None:
        self.calls = {"a": {"lock": threading.Lock()}}


def test_what_is_at_work_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("a")
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    with (
        ThreadPoolExecutor() as pool,
        (tmp_path / "rows").open() as rows,
        (tmp_path / "run.log").open("w") as log,
        Path("/dev/null").open("w") as device,
        zipfile.ZipFile(tmp_path / "a.zip") as archive,
    ):
        thread, logger = threading.Thread(), logging.getLogger("a")
        workers: tuple[object, ...] = (
            pool,
            thread,
            logger,
            asyncio.Queue(),
            contextlib.ExitStack(),
            Client().calls,
        )
        for one in (rows, log, device, archive, *workers):
            assert contents(collections.UserList([one])) is None


def test_queue_that_another_thread_takes_from_is_not_told() -> None:
    units: queue.Queue[int | None] = queue.Queue()

    def takes() -> None:
        while units.get() is not None:
            pass

    thread = threading.Thread(target=takes)
    thread.start()
    try:
        assert contents(units) is None
    finally:
        units.put(None)
        thread.join()
    assert contents(units) is not None


class Answers:
    """A library's that keeps for the next time what it is asked."""

    def __init__(self) -> None:
        self._answer_cache: dict[int, int] = {}

    @functools.cached_property
    def first(self) -> int:
        return self.ask(1)

    def ask(self, number: int) -> int:
        return self._answer_cache.setdefault(number, number)


def test_object_that_was_only_asked_holds_the_same() -> None:
    ways: list[tuple[Any, Callable[[Any], object]]] = [
        (collections.UserList([Answers()]), lambda value: value[0].first),
        (SETTINGS, lambda value: value["a"]["b"]),
        (EmailMessage(), lambda value: value.get_all("Subject")),
    ]
    for value, ask in ways:
        before = contents(value)
        assert before is not None
        ask(value)
        assert contents(value) == before


def test_what_runs_is_no_object_that_holds_data() -> None:
    @functools.lru_cache
    def answer(number: int) -> int:
        return number

    @functools.wraps(answer)
    def wrapped(number: int) -> int:
        return number

    generator = (number for number in [contents])
    partial = functools.partial(answer, 1)
    for one in (answer, wrapped, partial, Client, pytest, 3, "text", np.random.default_rng()):
        assert not is_object(one)
    assert is_object(generator)


def test_look_at_an_object_comes_to_an_end() -> None:
    value = collections.UserList([collections.UserList([number]) for number in range(100_000)])
    before = contents(value)
    assert before is not None
    value.append(collections.UserList())
    assert contents(value) != before
