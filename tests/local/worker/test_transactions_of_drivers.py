"""A transaction of a database's own server that a driver holds open over many units.

Drivers open one for what is read, too. So units wait for it where the program writes there, and a
program that only reads, or reads from one database and writes to another, goes on unit by unit.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.local.worker.kit import Bench, served
from tests.local.worker.test_transactions_open import LIBRARIES, LOOP, UNITS

NOBODY = 65534
"""A server of Postgres refuses root."""

SERVER = """
import os, subprocess, sys, threading
from pathlib import Path
kind, folder, *who = sys.argv[1:]
other = {"user": int(who[0]), "group": int(who[0]), "extra_groups": []} if who else {}
def first(pattern): return str(next(Path("/").glob(pattern), "")) or "none"
data = Path(folder, "data")
if kind == "postgres":
    programs = Path(first("usr/lib/postgresql/*/bin"))
    make = [programs / "initdb", "-A", "trust", "-U", "job", "-N", "-D", data]
    start = [programs / "postgres", "-F", "-D", data, "-k", folder, "-c", "listen_addresses="]
    says, end = b"ready to accept", 2
else:
    make = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal"]
    start = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={folder}/socket",
             "--skip-networking", f"--pid-file={folder}/pid"]
    says, end = b"ready for connections", 15
path = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
subprocess.run(make, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
               cwd=folder, env=path, **other)
with subprocess.Popen(start, stderr=subprocess.PIPE, cwd=folder, env=path, **other) as server:
    try:
        while (line := server.stderr.readline()) and says not in line: pass
        print("is ready" if line else "has ended", flush=True)
        if line:
            threading.Thread(target=server.stderr.read, daemon=True).start()
            sys.stdin.read()
    finally:
        server.send_signal(end)
"""
"""A server that ends when its input does."""

NEEDED = {"postgres": "usr/lib/postgresql/*/bin/initdb", "mariadb": "usr/bin/mariadb-install-db"}
HEAD = f"""{LOOP}
def tables(connection):
    cursor = connection.cursor()
    if run.attempt == 1:
        cursor.execute("drop table if exists units")
        cursor.execute("create table units (unit int primary key)")
    connection.commit()

def publish(connection):
    cursor = connection.cursor()
    cursor.execute("select unit from units order by unit")
    with run.output("rows") as path: path.write_text(" ".join(str(row) for row, in cursor))

READ = "select %s"
"""
PSYCOPG = """
import psycopg
def connect(): return psycopg.connect(host="FOLDER", user="job", dbname="postgres")
WRITE = "insert into units values (%s) on conflict do nothing"
"""
PSYCOPG2 = """
import psycopg2, psycopg2.extras
def connect(): return psycopg2.connect(host="FOLDER", user="job", dbname="postgres")
WRITE = "insert into units values (%s) on conflict do nothing"
"""
PYMYSQL = """
import pymysql
def connect(): return pymysql.connect(unix_socket="FOLDER/socket", user="root", database="mysql")
WRITE = "insert ignore into units values (%s)"
"""
ASYNCPG = """
import asyncio, asyncpg
def connected(): return asyncpg.connect(host="FOLDER", user="job", database="postgres")
ROW = "insert into units values ($1) on conflict do nothing"
"""
BEGIN = "database = connect(); tables(database); cursor = database.cursor()\n"
ALL = f"{BEGIN}for unit in each(): cursor.execute(WRITE, [unit])\ndatabase.commit()"
EACH = f"{BEGIN}for unit in each(): cursor.execute(WRITE, [unit]); database.commit()"
READS = f"{BEGIN}for unit in each(True): cursor.execute(READ, [unit]); cursor.fetchall()"

WAYS = {
    "psycopg": (PSYCOPG + ALL, 0),
    "psycopg, each committed": (PSYCOPG + EACH, 6),
    "psycopg, committed at times": (
        f"""{PSYCOPG}{BEGIN}
for unit in each():
    cursor.execute(WRITE, [unit])
    if unit % 4 == 3: database.commit()
database.commit()""",
        4,
    ),
    "psycopg that commits each": (
        f"""{PSYCOPG}
database = connect(); tables(database); database.autocommit = True
for unit in each(): database.execute(WRITE, [unit])""",
        6,
    ),
    "psycopg that copies": (
        f"""{PSYCOPG}{BEGIN}
with cursor, cursor.copy("copy units from stdin") as copy:
    for unit in each(): copy.write_row([unit])
database.commit()""",
        0,
    ),
    "psycopg that reads": (PSYCOPG + READS, 6),
    "psycopg that reads there and writes here": (
        f"""{PSYCOPG}
def fetch(connection, unit):
    with connection.cursor() as cursor: return cursor.execute(f"{{READ}}::int", [unit]).fetchall()
def load(connection, rows):
    with connection.cursor() as cursor: cursor.executemany(WRITE, rows)
    connection.commit()
def main():
    there, here = connect(), connect()
    tables(here)
    for unit in each(): load(here, fetch(there, unit))
main()""",
        6,
    ),
    "psycopg of asyncio": (
        f"""{PSYCOPG}
import asyncio
async def main():
    async with await psycopg.AsyncConnection.connect(host="FOLDER", user="job") as database:
        for unit in each(True): await database.execute(WRITE, [unit])
with connect() as one: tables(one)
asyncio.run(main())""".replace('user="job")', 'user="job", dbname="postgres")'),
        0,
    ),
    "psycopg2": (PSYCOPG2 + ALL, 0),
    "psycopg2 that sends many": (
        f"""{PSYCOPG2}{BEGIN}
MANY = "insert into units values %s on conflict do nothing"
for unit in each(): psycopg2.extras.execute_values(cursor, MANY, [[unit]])
database.commit()""",
        0,
    ),
    "psycopg2, each committed": (
        f"""{PSYCOPG2}{BEGIN}
for unit in each():
    with database, database.cursor() as own: own.execute(WRITE, [unit])""",
        6,
    ),
    "psycopg2 that reads": (PSYCOPG2 + READS, 6),
    "PyMySQL": (PYMYSQL + ALL, 0),
    "PyMySQL that reads": (PYMYSQL + READS.replace("fetchall()", "fetchall(); database.ping()"), 6),
    "asyncpg": (
        f"""{ASYNCPG}{PSYCOPG}
async def main():
    database = await connected()
    async with database.transaction():
        for unit in each(True): await database.execute(ROW, unit)
with connect() as one: tables(one)
asyncio.run(main())""",
        0,
    ),
    "asyncpg of a pool, each committed": (
        f"""{ASYNCPG}{PSYCOPG}
async def main():
    async with asyncpg.create_pool(host="FOLDER", user="job", database="postgres") as pool:
        for unit in each(True):
            async with pool.acquire() as one, one.transaction(): await one.execute(ROW, unit)
with connect() as one: tables(one)
asyncio.run(main())""",
        6,
    ),
}
"""Ways, each with how many of six units are done when the seventh begins."""


@pytest.fixture(scope="module")
def folder_of() -> Iterator[Callable[[str], str]]:
    """Gives the folder in which a server can be reached, which is started when asked for first."""
    with contextlib.ExitStack() as servers:
        yield cache(lambda kind: servers.enter_context(started(kind)))


@contextlib.contextmanager
def started(kind: str) -> Iterator[str]:
    who = [str(NOBODY)] if os.geteuid() == 0 else []
    above = Path(tempfile.gettempdir())
    mode = above.stat().st_mode
    with tempfile.TemporaryDirectory(prefix="s-") as folder:
        if who:
            above.chmod(0o711)
            os.chown(folder, NOBODY, NOBODY)
        with served("-c", SERVER, kind, folder, *who) as line:
            assert line == "is ready"
            yield folder
        above.chmod(mode)


@pytest.mark.parametrize("way", WAYS)
def test_what_units_gave_to_a_transaction_of_a_driver_is_there_once(
    bench: Bench, folder_of: Callable[[str], str], way: str
) -> None:
    text, done = WAYS[way]
    driver = way.replace(",", " ").split(maxsplit=1)[0].lower()
    kind = "mariadb" if driver == "pymysql" else "postgres"
    if not (LIBRARIES / driver).is_dir():
        pytest.skip(f"there is no {driver}: make tests/programs/.venv/.synced")
    if not any(Path("/").glob(NEEDED[kind])):
        pytest.skip(f"there is no server of {kind}")
    reads = way.endswith("that reads")
    job = f"{HEAD}{text}\n{'' if reads else 'publish(connect())'}\n"
    command = bench.job_file(job.replace("FOLDER", folder_of(kind)))
    bench.kill_behind("hangs", *command)
    assert bench.item().get("checkpoint", {}).get("units_done", 0) == done

    again = bench.start(*command)
    assert again.end() == 0, again.said()
    if not reads:
        assert [int(row) for row in bench.objects()["rows"].split()] == UNITS
    assert bench.completion()["units"] == len(UNITS)
