"""Which connections of a driver a program writes to with its units, as programs are written.

A stand-in is in a transaction once it was given anything, as those of most drivers are; it does not
know what. With the drivers themselves it is tried in ``test_transactions_of_drivers``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from steadyspot.memory.drivers import Drivers

DRIVER = "driver_of_no_job"


class Cursor:
    __module__ = DRIVER

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, *_: object) -> Cursor:
        self.connection.is_open = True
        return self

    executemany = copy = copy_expert = callproc = execute

    def write_row(self, *_: object) -> None: ...

    def fetchall(self) -> list[int]:
        return [1]


class Connection(Cursor):
    __module__ = DRIVER

    def __init__(self) -> None:
        self.is_open = False
        self.connection = self

    def cursor(self, *_: object) -> Cursor:
        return Cursor(self)

    def commit(self) -> None:
        self.is_open = False


KNOWN = ((DRIVER, "Connection", lambda one: one.is_open),)
READ = "select day from days where day = %s"
HEAD = f"""
READ, WRITE = {READ!r}, "insert into days values (%s)"
source, target = connect(), connect()
"""
WRITTEN = {
    "here": "for day in days: target.execute('insert into days values (%s)', [day])",
    "by a cursor": "cursor = target.cursor()\nfor day in days: cursor.execute(WRITE, [day])",
    "by a cursor alone": """
cursor = connect().cursor()
for day in days: cursor.execute(WRITE, [day])""",
    "by a cursor of each": """
for day in days:
    with target.cursor() as cursor: cursor.executemany(WRITE, source.execute(READ).fetchall())""",
    "in a comment's wake": "for day in days: target.execute('-- days\\nUPDATE days\\nSET day = 1')",
    "behind a name": """
with_days = "with more as (select 1) insert into days select * from more"
for day in days: target.execute(with_days)""",
    "of a table": """
SQL = {"load": "delete from days", "read": READ}
for day in days: target.execute(SQL["load"])""",
    "put together": "for day in days: target.execute(f'insert into {day} ' + 'values (1)')",
    "by a function": """
def load(connection, day):
    with connection.cursor() as cursor: cursor.execute(WRITE, [day])
def read(connection): return connection.execute(READ).fetchall()
for day in days: load(target, read(source))""",
    "by a function that is called in another": """
def load(connection, day): send(connection.cursor(), day)
def send(cursor, day): cursor.execute(WRITE, [day])
for day in days: load(connection=target, day=day)""",
    "by a function with any SQL": """
def run(sql, *values): target.execute(sql, values)
for day in days: run("insert into days values (%s)", day)""",
    "by a function of a library": "for day in days: values(target.cursor(), WRITE, [day])",
    "by a function that is handed on": """
def load(connection, day): connection.execute(WRITE, [day])
for day in days: call(load, target, day)""",
    "by an object": """
class Store:
    def __init__(self, connection): self.database = connection
    def put(self, day): self.database.execute(WRITE, [day])
store = Store(target)
for day in days: store.put(day)""",
    "by an object of fields": """
from dataclasses import dataclass
@dataclass
class Store:
    connection: object
    def put(self, day): self.connection.execute(WRITE, [day])
store = Store(target)
for day in days: store.put(day)""",
    "by what a function returns": """
def database(): return target
for day in days: database().execute(WRITE, [day])""",
    "through a generator": """
def each():
    for day in days: yield day
def main():
    for day in each(): target.execute(WRITE, [day])
main()""",
    "by a copy that is open": """
def main():
    with target.cursor() as cursor, cursor.copy("copy days from stdin") as copy:
        for day in days: copy.write_row([day])
main()""",
    "by a function of a table": """
def load(day): target.execute(WRITE, [day])
WORK = {"load": load}
for day in days: WORK["load"](day)""",
    "by a function that was registered": """
def remember(function): return function
@remember
def load(day): target.execute(WRITE, [day])
for day in days: load(day)""",
    "by a name for a function": """
load = lambda day: target.execute(WRITE, [day])
for day in days: load(day)""",
    "by what the database holds": "for day in days: target.callproc('load', [day])",
    "in no loop of its own": "list(map(lambda day: target.execute(WRITE, [day]), days))",
}
ONLY_READ = {
    "here": "for day in days: source.execute('select 1')",
    "with SQL by name": "for day in days: source.execute(READ, [day])",
    "beside one that is written to": """
for day in days:
    target.cursor().executemany("insert into days values (%s)", source.execute(READ).fetchall())
    target.commit()""",
    "by functions beside one that is written to": """
def load(connection, rows):
    with connection.cursor() as cursor: cursor.executemany("insert into days values (1)", rows)
    connection.commit()
def read(connection):
    with connection.cursor() as cursor: return cursor.execute("select 1").fetchall()
def main():
    source, target = connect(), connect()
    for day in days: load(target, read(source))
main()""",
    "after it was written to": """
def main():
    source.execute("insert into runs values (1)")
    source.commit()
    for day in days: source.execute("select 1")
main()""",
    "after a function wrote to it": """
def prepare(connection):
    connection.execute("create table if not exists days (day int)")
    connection.commit()
prepare(source)
for day in days: source.execute("select 1")""",
    "for a copy to the program": """
for day in days: source.cursor().copy("copy (select * from days) to stdout")""",
    "with what is told": """
for day in days: source.execute("select 1"); print("Update of days: insert it")""",
}


@pytest.fixture(autouse=True)
def _driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that programs have loaded."""
    module = ModuleType(DRIVER)
    module.__dict__["Connection"] = Connection
    monkeypatch.setitem(sys.modules, DRIVER, module)


def ends(folder: Path, text: str, files: Callable[[], list[str]] | None = None) -> list[bool]:
    """Whether rows may be lacking as each of the program's two units ends."""
    program = folder / "job.py"
    drivers = Drivers(KNOWN, files or (lambda: [str(program)]))
    found: list[bool] = []

    def days() -> Iterator[int]:
        for day in (1, 2):
            yield day
            found.append(drivers.may_lack())

    def call(function: Any, *values: object) -> None:
        function(*values)

    def values(cursor: Cursor, *_: object) -> None:
        cursor.execute()

    program.write_text(text)
    names = {"connect": Connection, "days": days(), "call": call, "values": values}
    exec(compile(program.read_text(), program, "exec"), names | {"__file__": str(program)})
    return found


@pytest.mark.parametrize("way", WRITTEN)
def test_unit_that_wrote_in_an_open_transaction_is_in_doubt(tmp_path: Path, way: str) -> None:
    assert ends(tmp_path, HEAD + WRITTEN[way]) == [True, True]


@pytest.mark.parametrize("way", ONLY_READ)
def test_unit_that_only_read_in_an_open_transaction_is_in_none(tmp_path: Path, way: str) -> None:
    assert ends(tmp_path, HEAD + ONLY_READ[way]) == [False, False]


def test_units_are_in_doubt_until_all_is_committed(tmp_path: Path) -> None:
    text = """
for day in days:
    target.execute(WRITE, [day])
    if day == 2: target.commit()"""
    assert ends(tmp_path, HEAD + text) == [True, False]


@pytest.mark.parametrize(("more", "doubt"), [("", False), ("WRITE = 'delete from days'", True)])
def test_sql_that_no_text_spells_out_may_write_where_the_program_does(
    tmp_path: Path, more: str, doubt: bool
) -> None:
    text = """
source, query = connect(), open(__file__).read()
for day in days: source.execute(query)"""
    assert ends(tmp_path, more + text) == [doubt, doubt]


def test_text_that_cannot_be_followed_may_write(tmp_path: Path) -> None:
    def files() -> list[str]:
        raise RecursionError

    assert ends(tmp_path, HEAD + ONLY_READ["here"], files) == [True, True]
