"""How much databases in memory and trees of XML hold, in which a job may gather its units' yield.

Databases are asked through a cursor of their own, which leaves alone what the job asks them. A
shelf that writes back holds in memory what was read from it.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def rows_in_memory(value: object) -> int | None:
    """Return how much a database or an element holds, none where it is no such or keeps a file."""
    for module, name, ask in (
        ("sqlite3", "Connection", _of_sqlite),
        ("duckdb", "DuckDBPyConnection", _of_duckdb),
        ("shelve", "Shelf", _of_shelf),
        ("xml.etree.ElementTree", "Element", _of_element),
        ("lxml.etree", "_Element", _of_element),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if kind and issubclass(type(value), kind):
            with contextlib.suppress(getattr(sys.modules[module], "Error", ValueError)):
                return ask(value)  # It may be closed.
    return None


def _of_sqlite(connection: Any) -> int | None:
    """Count its changes: what was deleted again counts, too."""
    return None if has_file(connection) else int(connection.total_changes)


def has_file(connection: Any) -> bool:
    """Whether a connection of SQLite has a file; raises its ``Error`` where that is closed."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return any(file for _, _, file in cursor.execute("pragma database_list"))


def _of_duckdb(connection: Any) -> int:
    """Count its rows: what was deleted again may count, too."""
    asked = connection.cursor().execute(
        "select sum(estimated_size) from duckdb_tables()"
        " join duckdb_databases() using (database_oid) where path is null"
    )
    return int(asked.fetchone()[0] or 0)


def _of_shelf(shelf: Any) -> int:
    """Count what it writes once it is closed, and what lies in that."""
    held = list(shelf.cache.values())
    return len(held) + sum(len(one) for one in held if hasattr(one, "__len__"))


def _of_element(element: Any) -> int:
    return len(element)
