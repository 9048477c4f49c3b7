"""What a value holds: the same number until somebody changes it, and another one then."""

from __future__ import annotations

import array
import collections
import io
import multiprocessing
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from steadyspot.memory.contents import ITEMS, contents
from steadyspot.memory.in_memory import ROWS


class Part:
    """An object of the job's."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows


def of_sqlite(rows: int = 1) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute('create table "a row" (number)')
    database.executemany('insert into "a row" values (?)', ([-1] for _ in range(rows)))
    return database


def of_duckdb() -> duckdb.DuckDBPyConnection:
    return duckdb.connect().execute('create table "a row" as select -1 as "a number"')


def of_lists(*others: object) -> Any:
    value = np.empty(1 + len(others), object)
    value[:] = [[], *others]
    return value


CHANGES: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "list": ([1, 2], lambda value: value.reverse()),
    "long list": ([0] * (3 * ITEMS), lambda value: value.append(0)),
    "row": ({1: [[2]]}, lambda value: value[1][0].append(3)),
    "set": ({1, 2}, lambda value: value.discard(1)),
    "deque": (collections.deque([1], maxlen=1), lambda value: value.append(2)),
    "text": (io.StringIO("a"), lambda value: value.write("b")),
    "bytes": (io.BytesIO(b"a"), lambda value: value.write(b"b")),
    "bytearray": (bytearray(2), lambda value: value.__setitem__(0, 1)),
    "view": (memoryview(bytearray(2)), lambda value: value.__setitem__(0, 1)),
    "numbers": (array.array("i", [1]), lambda value: value.__setitem__(0, 2)),
    "number of processes": (
        multiprocessing.Value("i", 0),
        lambda value: setattr(value, "value", 1),
    ),
    "numbers of processes": (
        multiprocessing.Array("d", 3),
        lambda value: value.__setitem__(1, 1.0),
    ),
    "array": (np.zeros(3), lambda value: np.add.at(value, 1, 1)),
    "column": (np.zeros((3, 3))[:, 1], lambda value: value.fill(1)),
    "dates": (np.zeros(3, "M8[s]"), lambda value: value.__setitem__(1, 5)),
    "objects": (np.array([None, "a"]), lambda value: value.__setitem__(0, 5)),
    "list in an array": (of_lists(), lambda value: value[0].append(1)),
    "list in an array beside what cannot be copied": (
        of_lists(threading.Lock()),
        lambda value: value.__setitem__(0, 5),
    ),
    "number of an object in a list": ([Part(1)], lambda value: setattr(value[0], "rows", 2)),
    "row of an object in a list": (
        [Part({"a": [[0]]})],
        lambda value: value[0].rows["a"][0].append(1),
    ),
    "row of SQLite": (of_sqlite(), lambda value: value.execute('update "a row" set number = -2')),
    "row of SQLite by a cursor": (
        of_sqlite().cursor(),
        lambda value: value.execute('insert into "a row" values (2)'),
    ),
    "last of many rows of SQLite": (
        of_sqlite(ROWS + 2),
        lambda value: value.execute(f'update "a row" set number = 2 where rowid = {ROWS + 1}'),
    ),
    "row of DuckDB": (
        of_duckdb(),
        lambda value: value.execute('update "a row" set "a number" = 2'),
    ),
    "array in a list": ([np.zeros(3)], lambda value: value[0].fill(1)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_contents_are_others_once_somebody_has_changed_them(kind: str) -> None:
    value, change = CHANGES[kind]
    before = contents(value)
    assert before is not None
    assert contents(value) == before
    change(value)
    assert contents(value) != before


def test_order_of_a_set_is_no_part_of_it() -> None:
    assert contents({1, 9, 17}) == contents({17, 9, 1})


def test_look_at_objects_that_hold_all_others_comes_to_an_end() -> None:
    parts: list[Part] = []
    parts += [Part(parts) for _ in range(100_000)]
    assert contents(parts) is not None


def test_nothing_is_known_of_what_cannot_be_told() -> None:
    assert contents(threading.Lock()) is None
    buffer = io.BytesIO()
    buffer.close()
    assert contents(buffer) is None


def test_object_in_a_list_is_not_asked_what_it_holds() -> None:
    class Asleep:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    value = [Asleep()]
    assert contents(value) == contents(value) is not None


def test_rows_that_are_gone_again_are_no_part_of_a_database() -> None:
    database = of_sqlite()
    before = contents(database)
    database.execute('insert into "a row" values (2)')
    database.execute('delete from "a row" where number = 2')
    assert contents(database) == before


def test_rows_in_a_file_are_not_looked_at(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "rows.db")
    database.execute("create table rows (number)")
    assert contents(database) is None


def test_a_look_at_rows_leaves_alone_what_is_asked_for() -> None:
    for database in (of_sqlite(3), of_duckdb()):
        asked = database.execute('select * from "a row"')
        assert contents(database) is not None
        assert asked.fetchone() == (-1,)
