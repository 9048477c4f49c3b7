"""A transaction that is open over many units, in a database wherever it is: as libraries do it.

What they have not committed, or not even sent, is gone after a kill; so the units wait for it.
SQLAlchemy, peewee, Django and LMDB live in an environment of their own, as in
``test_stops_of_servers``.
"""

from __future__ import annotations

import sys

import pytest

from tests.local.worker.kit import ROOT, Bench

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LIBRARIES = ROOT / "tests" / "programs" / ".venv" / "lib" / PYTHON / "site-packages"
UNITS = list(range(9))
LOOP = f"""
import sys, time
sys.path.append({str(LIBRARIES)!r})
from steadyspot import current_run

run = current_run()

def each(own=False):
    for unit in run.remaining({UNITS}):
        if run.attempt == 1 and unit == 6: print("hangs", flush=True); time.sleep(60)
        time.sleep(0.002)
        yield unit
        if own:
            with run.output(f"own-{{unit}}") as path: path.touch()
"""
HEAD = f"""{LOOP}
import sqlite3
def publish():
    rows = sqlite3.connect("FOLDER/rows").execute("select unit from rows order by unit")
    with run.output("rows") as path: path.write_text(" ".join(str(row) for row, in rows))
"""
HEAD_OF_BLOCKS = f"""
from contextlib import closing
UNITS = {UNITS}
def blocks():
    for unit in run.undone(UNITS):
        with run.unit(unit): yield unit
"""
SQLITE = """
database = sqlite3.connect("FOLDER/rows")
database.execute("create table if not exists rows (unit integer primary key)")
def add(unit): database.execute("insert or ignore into rows values (?)", [unit])
"""
SQLALCHEMY = """
import sqlalchemy as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): pass
class Row(Base):
    __tablename__ = "rows"
    unit: Mapped[int] = mapped_column(primary_key=True)

engine = sql.create_engine("sqlite:///FOLDER/rows")
Base.metadata.create_all(engine)
session = Session(engine)
insert = sql.text("insert or ignore into rows values (:unit)")
"""
PEEWEE = """
import peewee
database = peewee.SqliteDatabase("FOLDER/rows")
class Row(peewee.Model):
    unit = peewee.IntegerField(primary_key=True)
    class Meta: database, table_name = database, "rows"
database.create_tables([Row])
"""
DJANGO = """
import django
from django.conf import settings
settings.configure(DATABASES={
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "FOLDER/rows"},
})
django.setup()
from django.db import connection, models, transaction
class Row(models.Model):
    unit = models.IntegerField(primary_key=True)
    class Meta: app_label, db_table = "rows", "rows"
if not connection.introspection.table_names():
    with connection.schema_editor() as schema: schema.create_model(Row)
"""
LMDB = """
import lmdb
database = lmdb.open("FOLDER/rows")
def add(unit, to): to.put(str(unit).encode(), b"")
def publish():
    with database.begin() as every, run.output("rows") as path:
        path.write_text(" ".join(key.decode() for key, _ in every.cursor()))
"""

WAYS = {
    "SQLite": (f"{SQLITE}for unit in each(): add(unit)\ndatabase.commit()", 0),
    "SQLite, each committed": (
        f"{SQLITE}for unit in each():\n    with database: add(unit)",
        6,
    ),
    "session": (
        f"{SQLALCHEMY}for unit in each(): session.add(Row(unit=unit))\nsession.commit()",
        0,
    ),
    "session, beside outputs": (
        f"{SQLALCHEMY}for unit in each(True): session.add(Row(unit=unit))\nsession.commit()",
        0,
    ),
    "session, committed at times": (
        f"""{SQLALCHEMY}
for count, unit in enumerate(each()):
    session.merge(Row(unit=unit))
    if count % 4 == 3: session.commit()
session.commit()""",
        4,
    ),
    "session that began before the loop": (
        f"""{SQLALCHEMY}
with Session(engine) as session, session.begin():
    for unit in each(): session.add(Row(unit=unit))""",
        0,
    ),
    "session that sent": (
        f"""{SQLALCHEMY}
for unit in each():
    session.add(Row(unit=unit))
    session.flush()
session.commit()""",
        0,
    ),
    "session that executed": (
        f"{SQLALCHEMY}for unit in each(): session.execute(insert, {{'unit': unit}})\n"
        "session.commit()",
        0,
    ),
    "connection": (
        f"""{SQLALCHEMY}
with engine.begin() as connection:
    for unit in each(): connection.execute(insert, {{'unit': unit}})""",
        0,
    ),
    "connection that commits each": (
        f"""{SQLALCHEMY}
connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
for unit in each(): connection.execute(insert, {{"unit": unit}})""",
        6,
    ),
    "engine that commits each": (
        f"""{SQLALCHEMY}
connection = sql.create_engine(engine.url, isolation_level="AUTOCOMMIT").connect()
for unit in each(): connection.execute(insert, {{"unit": unit}})""",
        6,
    ),
    "session of each unit": (
        f"""{SQLALCHEMY}
for unit in each():
    with Session(engine) as session: session.merge(Row(unit=unit)); session.commit()""",
        6,
    ),
    "session that reads": (
        f"""{SQLALCHEMY}
for unit in range(9): session.merge(Row(unit=unit))
session.commit()
for unit in each(): session.get(Row, unit).unit""",
        6,
    ),
    "peewee": (
        f"{PEEWEE}with database.atomic():\n    for unit in each(): Row.create(unit=unit)",
        0,
    ),
    "peewee, each committed": (
        f"{PEEWEE}for unit in each(): Row.insert(unit=unit).on_conflict_ignore().execute()",
        6,
    ),
    "peewee that reads": (
        f"""{PEEWEE}
for unit in range(9): Row.insert(unit=unit).on_conflict_ignore().execute()
with database.atomic():
    for unit in each(): Row.get_by_id(unit)""",
        6,
    ),
    "Django": (
        f"{DJANGO}with transaction.atomic():\n    for unit in each(): Row(unit=unit).save()",
        0,
    ),
    "LMDB": (
        f"""{LMDB}
with database.begin(write=True) as one:
    for unit in each(True): add(unit, one)""",
        0,
    ),
    "LMDB, each committed": (
        f"""{LMDB}
for unit in each(True):
    with database.begin(write=True) as one: add(unit, one)""",
        6,
    ),
    "LMDB that is read all through": (
        f"""{LMDB}
with database.begin() as first:
    for unit in each(True):
        with database.begin(write=True) as one: add(unit, one)""",
        6,
    ),
    "Django, each committed": (f"{DJANGO}for unit in each(): Row(unit=unit).save()", 6),
}
"""Ways, each with how many of six units are done when the seventh begins."""


@pytest.mark.parametrize("way", WAYS)
def test_what_units_gave_to_a_transaction_is_there_once(bench: Bench, way: str) -> None:
    """In a database that is none of the run's folders, and stays as it is."""
    check(bench, way, "elsewhere")


@pytest.mark.parametrize(
    "way", ["session", "session, beside outputs", "session of each unit", "session that reads"]
)
def test_what_units_gave_to_a_session_is_there_once_in_the_checkpoint_folder(
    bench: Bench, way: str
) -> None:
    check(bench, way, "state")


def skip_without(way: str) -> None:
    library = "lmdb" if "LMDB" in way else "sqlalchemy"
    if "SQLite" not in way and not (LIBRARIES / library).is_dir():
        pytest.skip("there are no libraries: make tests/programs/.venv/.synced")


def check(bench: Bench, way: str, folder: str) -> None:
    text, done = WAYS[way]
    skip_without(way)
    (bench.folder / folder).mkdir()
    job = f"{HEAD}{text}\npublish()\n".replace("FOLDER", folder)
    command = bench.job_file(job)
    if folder == "state":
        command = ["--checkpoint-dir", "state", "--every", "0.1", *command]
    bench.kill_behind("hangs", *command)
    assert bench.item().get("checkpoint", {}).get("units_done", 0) == done
    if folder == "state":
        (bench.folder / folder).rename(bench.folder / "of-the-first")
        (bench.folder / folder).mkdir()

    again = bench.start(*command)
    assert again.end() == 0, again.said()
    assert [int(row) for row in bench.objects()["rows"].split()] == UNITS
    assert bench.completion()["units"] == len(UNITS)


BLOCKS = {
    "SQLite": (f"{SQLITE}for unit in blocks(): add(unit)\ndatabase.commit()", True),
    "SQLite, each committed": (
        f"""{SQLITE}
for unit in blocks():
    with database: add(unit)
    database.execute("select unit from rows").fetchall()""",
        False,
    ),
    "SQLite of each thread": (
        """
from concurrent.futures import ThreadPoolExecutor
import threading
begun = threading.Barrier(3)
sqlite3.connect("FOLDER/rows").execute("create table rows (unit)")
def work(unit):
    with run.unit(unit):
        begun.wait(60)
        with closing(sqlite3.connect("FOLDER/rows", timeout=60)) as database, database:
            database.execute("insert into rows values (?)", [unit])
with ThreadPoolExecutor(3) as pool: list(pool.map(work, run.undone(UNITS)))""",
        False,
    ),
    "session": (
        f"{SQLALCHEMY}for unit in blocks(): session.add(Row(unit=unit))\nsession.commit()",
        True,
    ),
    "session of each": (
        f"""{SQLALCHEMY}
for unit in blocks():
    with Session(engine) as session, session.begin(): session.add(Row(unit=unit))""",
        False,
    ),
    "peewee": (
        f"{PEEWEE}with database.atomic():\n    for unit in blocks(): Row.create(unit=unit)",
        True,
    ),
    "peewee, each committed": (
        f"""{PEEWEE}
for unit in blocks():
    with database.atomic(): Row.create(unit=unit)""",
        False,
    ),
    "Django": (
        f"{DJANGO}with transaction.atomic():\n    for unit in blocks(): Row(unit=unit).save()",
        True,
    ),
    "LMDB": (
        f"""{LMDB}
with database.begin(write=True) as one:
    for unit in blocks(): add(unit, one)""",
        True,
    ),
}
"""Ways, each with whether a transaction is open as the blocks of its units end."""


@pytest.mark.parametrize("way", BLOCKS)
def test_block_of_a_unit_that_ends_before_its_rows_are_committed_is_told_once(
    bench: Bench, way: str
) -> None:
    text, told = BLOCKS[way]
    skip_without(way)
    (bench.folder / "elsewhere").mkdir()
    job = f"{HEAD}{HEAD_OF_BLOCKS}{text}\npublish()\n".replace("FOLDER", "elsewhere")
    run = bench.start(*bench.job_file(job))
    assert run.end() == 0, run.said()
    assert [int(row) for row in bench.objects()["rows"].split()] == UNITS
    warnings = bench.item().get("warnings", [])
    open_then = "The unit '0' ended while a transaction was open in which it had written."
    assert [open_then in warning for warning in warnings] == [True] * told
