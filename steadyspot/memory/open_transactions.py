"""Transactions of databases that are open as a unit ends, wherever the database is.

What a unit gave to one is lost with a kill, as is what a session of an ORM has not sent yet. So it
keeps units in doubt until it is committed. One in which rows were only read does not: SQLAlchemy
says by its events what it wrote, SQLite how many rows were changed, LMDB which transaction writes.
Of other drivers the program's text tells, see ``drivers``.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakSet

from steadyspot.memory.drivers import Drivers
from steadyspot.memory.gathering import reached
from steadyspot.memory.in_memory import has_file

_WRITES = re.compile(r"\s*(insert|update|delete|replace|merge|copy)\b", re.IGNORECASE)


class OpenTransactions:
    """Those of one process, as the loop's own thread sees them."""

    def __init__(self, alchemy: _Alchemy | None = None) -> None:
        self._alchemy = alchemy or _Alchemy()
        self._drivers = Drivers()
        self._changes: dict[int, int] = {}

    def begin(self) -> None:
        """A unit begins: what was changed before it in a transaction is none of the loop's."""
        self._alchemy.listen()
        self._changes = {id(one): self._before(one) for one in _of_sqlite()}

    def of_block(self) -> OpenTransactions:
        """The same for a unit that begins now, and is done where its block ends."""
        found = OpenTransactions(self._alchemy)
        found.begin()
        return found

    def may_lack(self) -> bool:
        """Whether what units wrote may not be committed yet."""
        return self._have_written(_of_sqlite()) or self._drivers.may_lack()

    def lack(self) -> bool:
        """Whether something was written that is not committed, as far as that is certain."""
        return self._have_written(one for one in _of_sqlite() if not _is_always_open(one))

    def _have_written(self, of_sqlite: Iterable[Any]) -> bool:
        return (
            self._alchemy.may_lack()
            or any(map(self._has_changed, of_sqlite))
            or any(one.in_transaction() for one in _of_peewee() if not _connection_of_sqlite(one))
            or any(one.in_atomic_block for one in _of_django())
            or _has_open_of_lmdb()
        )

    def _before(self, connection: Any) -> int:
        """How many rows a connection had changed before a unit did in its open transaction."""
        now: int = connection.total_changes
        known = self._changes.get(id(connection), now) if connection.in_transaction else now
        return min(known, now)

    def _has_changed(self, connection: Any) -> bool:
        before = self._changes.get(id(connection), 0)
        return bool(connection.in_transaction and connection.total_changes > before)


class _Alchemy:
    """What sessions and connections of SQLAlchemy have written and not committed.

    It is told by the library's own events, those of all its engines and sessions.
    """

    def __init__(self) -> None:
        self._listens: set[str] = set()
        self._sessions: WeakSet[Any] = WeakSet()
        self._full: WeakSet[Any] = WeakSet()
        self._written: WeakSet[Any] = WeakSet()
        self.listen()

    def listen(self) -> None:
        """Listen from now on, as far as it is loaded."""
        for module, name, events in (
            ("sqlalchemy.engine", "Engine", self._of_engines),
            ("sqlalchemy.orm", "Session", self._of_sessions),
        ):
            kind = getattr(sys.modules.get(module), name, None)
            if kind and name not in self._listens:
                self._listens.add(name)
                for event, called in events().items():
                    sys.modules["sqlalchemy"].event.listen(kind, event, called)

    def _of_engines(self) -> dict[str, Any]:
        def executed(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            if _WRITES.match(statement):
                self._written.add(connection)

        def ended(connection: Any, *_: Any) -> None:
            self._written.discard(connection)

        ends = ("commit", "rollback", "commit_twophase", "rollback_twophase")
        return {"after_cursor_execute": executed} | dict.fromkeys(ends, ended)

    def _of_sessions(self) -> dict[str, Any]:
        def began(session: Any, *_: Any) -> None:
            self._sessions.add(session)

        def sent(session: Any, *_: Any) -> None:
            self._full.discard(session)

        return {
            "after_transaction_create": began,
            "transient_to_pending": began,
            "after_flush": sent,
            "after_transaction_end": sent,
        }

    def may_lack(self) -> bool:
        self.listen()
        for session in list(self._sessions - self._full):
            if session.new or session.dirty or session.deleted:
                self._full.add(session)
        return bool(self._full) or any(
            one.in_transaction() and not _commits_each(one) for one in list(self._written)
        )


def _commits_each(connection: Any) -> bool:
    """Whether a connection of SQLAlchemy commits with each statement."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    with contextlib.suppress(Exception):  # Not every driver says so.
        driver = connection.connection.dbapi_connection
        return bool(connection.dialect.detect_autocommit_setting(driver))
    return False


def _of_sqlite() -> Iterator[Any]:
    """Connections to files that this thread may use: by a name of the program, or of peewee."""
    kind = getattr(sys.modules.get("sqlite3"), "Connection", None)
    if kind:
        named = (one for _, one, _ in reached(lambda value: 0 if isinstance(value, kind) else None))
        for one in (*named, *filter(None, map(_connection_of_sqlite, _of_peewee()))):
            with contextlib.suppress(sys.modules["sqlite3"].Error):  # It is closed, or another's.
                if has_file(one):
                    yield one


def _is_always_open(connection: Any) -> bool:
    """Whether a new transaction is begun with each commit, so that none tells what was written."""
    return getattr(connection, "autocommit", None) is False


def _connection_of_sqlite(database: Any) -> Any:
    """The connection of a database of peewee, none where it is no open one of SQLite."""
    if database.is_closed():
        return None
    connection = database.connection()
    return connection if hasattr(connection, "total_changes") else None


def _of_peewee() -> set[Any]:
    """The databases that models of peewee have."""
    model = getattr(sys.modules.get("peewee"), "Model", None)
    found = {one._meta.database for one in _below(model)} if model else set()
    return {one for one in found if hasattr(one, "is_closed")}


def _below(kind: Any) -> Iterator[Any]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _has_open_of_lmdb() -> bool:
    """Whether a transaction that writes is open that the program has by name, with its database.

    It has the number after that of the last one that was committed; one that reads has an older.
    """
    lmdb: Any = sys.modules.get("lmdb")
    if not hasattr(lmdb, "Transaction"):
        return False
    kinds = lmdb.Environment, lmdb.Transaction
    last, under_way = set(), set()
    found: list[Any] = [
        one for _, one, _ in reached(lambda value: 0 if type(value) in kinds else None)
    ]
    for one in found:
        with contextlib.suppress(lmdb.Error):  # It is closed.
            if type(one) is lmdb.Transaction:
                under_way.add(one.id())
            else:
                last.add(one.info()["last_txnid"])
    return not under_way.isdisjoint(number + 1 for number in last)


def _of_django() -> list[Any]:
    """Connections of Django that are open in this thread."""
    connections = getattr(sys.modules.get("django.db"), "connections", None)
    return connections.all(initialized_only=True) if connections else []
