"""How much databases in memory hold, in which a job may gather what its units yield.

They are asked through a cursor of their own, which leaves alone what the job asks them.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def rows_in_memory(value: object) -> int | None:
    """Return how much a connection's database holds, none where it is no such or keeps a file."""
    for module, name, ask in (
        ("sqlite3", "Connection", _of_sqlite),
        ("duckdb", "DuckDBPyConnection", _of_duckdb),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if kind and issubclass(type(value), kind):
            with contextlib.suppress(sys.modules[module].Error):  # It is closed.
                return ask(value)
    return None


def _of_sqlite(connection: Any) -> int | None:
    """Count its changes: what was deleted again counts, too."""
    cursor = connection.cursor()
    cursor.row_factory = None
    has_file = any(file for _, _, file in cursor.execute("pragma database_list"))
    return None if has_file else int(connection.total_changes)


def _of_duckdb(connection: Any) -> int:
    """Count its rows: what was deleted again may count, too."""
    asked = connection.cursor().execute(
        "select sum(estimated_size) from duckdb_tables()"
        " join duckdb_databases() using (database_oid) where path is null"
    )
    return int(asked.fetchone()[0] or 0)
