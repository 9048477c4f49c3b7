"""Transactions that drivers of databases have open, asked for by nothing but what they know.

Nothing is sent to a database. Most are in a transaction once they have read, too, and none says
what it wrote, so the program's text tells what its units write to.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from steadyspot.memory.gathering import reached
from steadyspot.memory.sql_text import At, Name, is_among, written_by_units
from steadyspot.own_code import files_of_job
from steadyspot.under_way import job_stack

_IDLE, _CLOSED = 0, 4
"""Of libpq; the others say that a transaction is open, has failed, or copies."""

_IN_TRANSACTION = 1
"""Of the flags of a server of MySQL."""


def _is_open_of_libpq(status: int) -> bool:
    return status not in (_IDLE, _CLOSED)


def _of_psycopg(connection: Any) -> bool:
    return not connection.read_only and _is_open_of_libpq(connection.info.transaction_status)


def _of_psycopg2(connection: Any) -> bool:
    return not connection.readonly and _is_open_of_libpq(connection.get_transaction_status())


def _of_aiopg(connection: Any) -> bool:
    return _of_psycopg2(connection.raw)


def _of_mysql(connection: Any) -> bool:
    return bool(connection.server_status & _IN_TRANSACTION)


_Known = Sequence[tuple[str, str, Callable[[Any], Any]]]

_DRIVERS: _Known = (
    ("psycopg", "Connection", _of_psycopg),
    ("psycopg", "AsyncConnection", _of_psycopg),
    ("psycopg2.extensions", "connection", _of_psycopg2),
    ("aiopg", "Connection", _of_aiopg),
    ("asyncpg", "Connection", lambda one: one.is_in_transaction()),
    ("asyncpg.pool", "PoolConnectionProxy", lambda one: one.is_in_transaction()),
    ("pymysql.connections", "Connection", _of_mysql),
    ("aiomysql.connection", "Connection", lambda one: one.get_transaction_status()),
    ("mysql.connector.abstracts", "MySQLConnectionAbstract", lambda one: one.in_transaction),
    ("oracledb", "Connection", lambda one: one.transaction_in_progress),
    ("oracledb", "AsyncConnection", lambda one: one.transaction_in_progress),
)
"""Where they have their connections, and how these tell whether a transaction is open."""


class Drivers:
    """Those that the program of this thread has by name; ``files`` gives those of its text."""

    def __init__(
        self, known: _Known = _DRIVERS, files: Callable[[], Iterable[str]] = files_of_job
    ) -> None:
        self._files = files
        self._known = known
        self._packages = {_package(module) for module, _, _ in known}
        self._written: dict[tuple[tuple[At, ...], int], frozenset[Name]] = {}

    def may_lack(self) -> bool:
        """Whether a transaction is open in which units may have written."""
        asks = [
            (kind, ask)
            for module, name, ask in self._known
            if (kind := getattr(sys.modules.get(module), name, None))
        ]
        if not asks:
            return False

        def is_open(value: object) -> int | None:
            for one in (value, self._connection_of(value)):
                for kind, ask in asks:
                    if issubclass(type(one), kind):
                        with contextlib.suppress(Exception):  # It is closed, or half-made.
                            return 0 if ask(one) else None
            return None

        paths = [path for path, _, _ in reached(is_open)]
        try:
            return any(is_among(path, self._names()) for path in paths)
        except Exception:  # A text that cannot be followed may write.
            return True

    def _names(self) -> frozenset[Name]:
        """What units write to. A module that a unit has loaded may write, too."""
        stack = tuple((frame.f_code, frame.f_lasti) for frame in job_stack())
        key = stack, len(sys.modules)
        if key not in self._written:
            self._written = {key: written_by_units(stack, self._files())}
        return self._written[key]

    def _connection_of(self, value: object) -> object:
        """The connection of a cursor of a driver."""
        is_cursor = _package(type(value).__module__) in self._packages
        return getattr(value, "connection", None) if is_cursor else None


def _package(module: str) -> str:
    return module.partition(".")[0]
