"""What databases in memory hold, and how much, in which a job may gather its units' yield.

They are asked through a cursor of their own, which leaves alone what the job asks them. Of trees of
XML the length is told, and of a shelf that writes back: it holds in memory what was read from it.
"""

from __future__ import annotations

import contextlib
import sys
import zlib
from collections.abc import Callable
from itertools import islice
from types import ModuleType
from typing import Any

ROWS = 100_000
"""So many rows of a table of SQLite are looked at."""

_BUILTINS = int.__module__
_ROWS_SUMMED = 10_000_000
"""So many rows has a table at most that DuckDB sums."""

_TABLES_OF_SQLITE = (
    "select name from {}.sqlite_master where type = 'table' and name not like 'sqlite_%'"
)
_TABLES_OF_DUCKDB = (
    "select t.database_name, t.schema_name, t.table_name, t.estimated_size from duckdb_tables() t"
    " join duckdb_databases() d using (database_oid) where d.path is null order by all"
)


def rows_in_memory(value: object) -> int | None:
    """Return how much a database or an element holds, none where it is no such or keeps a file."""
    return _asked(value, _SIZES)


def is_database(value: object) -> bool:
    """Whether it is a database that keeps no file."""
    return _asked(value, _DATABASES) is not None


def checksum_of_rows(value: object) -> int | None:
    """The same number until rows are others, none where it is no such database."""
    return _asked(value, _ROWS_THERE)


_Ask = Callable[[Any], int | None]
_Ways = tuple[tuple[str, str, _Ask], ...]
"""Module and name of a class, and what is asked of its objects."""


def _of_databases(sqlite: _Ask, duckdb: _Ask) -> _Ways:
    return (
        ("sqlite3", "Connection", sqlite),
        ("sqlite3", "Cursor", lambda cursor: sqlite(cursor.connection)),
        ("duckdb", "DuckDBPyConnection", duckdb),
    )


def _asked(value: object, ways: _Ways) -> int | None:
    if type(value).__module__ == _BUILTINS and not isinstance(value, ModuleType):
        return None  # As most are that are asked for.
    value = _database_of(value)
    for module, name, ask in ways:
        kind = getattr(sys.modules.get(module), name, None)
        if kind and issubclass(type(value), kind):
            with contextlib.suppress(getattr(sys.modules[module], "Error", ValueError)):
                return ask(value)  # It may be closed.
    return None


def _database_of(value: object) -> object:
    """The database that a module of DuckDB keeps for what is asked of the module itself."""
    if value is not None and value is sys.modules.get("duckdb"):
        with contextlib.suppress(AttributeError):  # An older one.
            return sys.modules["duckdb"].default_connection()
    return value


def _changes_of_sqlite(connection: Any) -> int | None:
    """Count its changes: what was deleted again counts, too."""
    return None if has_file(connection) else int(connection.total_changes)


def _rows_of_sqlite(connection: Any) -> int | None:
    """Sum its rows in order; where there are more than are looked at, its changes count, too."""
    if has_file(connection):
        return None
    cursor = _cursor_of(connection)
    found, all_seen = 0, True
    for _, database, _ in cursor.execute("pragma database_list").fetchall():
        for (table,) in cursor.execute(_TABLES_OF_SQLITE.format(_quoted(database))).fetchall():
            name = f"{_quoted(database)}.{_quoted(table)}"
            rows = cursor.execute(f"select * from {name}")
            for row in islice(rows, ROWS):
                found = zlib.crc32(repr(row).encode("utf-8", "surrogatepass"), found)
            all_seen = all_seen and next(rows, None) is None
            found = zlib.crc32(name.encode(), found)
    return hash((found, None if all_seen else connection.total_changes))


def has_file(connection: Any) -> bool:
    """Whether a connection of SQLite has a file; raises its ``Error`` where that is closed."""
    return any(file for _, _, file in _cursor_of(connection).execute("pragma database_list"))


def _cursor_of(connection: Any) -> Any:
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor


def _size_of_duckdb(connection: Any) -> int:
    """Count its rows: what was deleted again may count, too."""
    tables = connection.cursor().execute(_TABLES_OF_DUCKDB).fetchall()
    return sum(int(size) for *_, size in tables)


def _rows_of_duckdb(connection: Any) -> int:
    """Sum its rows in whatever order; of a table that is too long its size alone counts."""
    cursor = connection.cursor()
    tables = cursor.execute(_TABLES_OF_DUCKDB).fetchall()
    found = []
    for *names, size in tables:
        summed = None
        if size <= _ROWS_SUMMED:
            name = ".".join(map(_quoted, names))
            asked = cursor.execute(f"select count(*), sum(hash(*columns(*))) from {name}")
            summed = asked.fetchone()
        found.append((*names, summed or size))
    return hash(tuple(found))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _size_of_shelf(shelf: Any) -> int:
    """Count what it writes once it is closed, and what lies in that."""
    held = list(shelf.cache.values())
    return len(held) + sum(len(one) for one in held if hasattr(one, "__len__"))


_DATABASES = _of_databases(_changes_of_sqlite, _size_of_duckdb)
_ROWS_THERE = _of_databases(_rows_of_sqlite, _rows_of_duckdb)
_SIZES: _Ways = (
    *_DATABASES,
    ("shelve", "Shelf", _size_of_shelf),
    ("xml.etree.ElementTree", "Element", len),
    ("lxml.etree", "_Element", len),
)
