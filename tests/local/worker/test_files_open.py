"""A file of a folder that is open over many units: what they wrote to it is there after a kill.

As people write it: a handle to append to, a database, a writer of a library. The run ends with what
an undisturbed one has, whether units are done at once or wait for what is still in memory.
"""

from __future__ import annotations

import pytest

from tests.local.worker.kit import Bench

UNITS = list(range(9))
HEAD = f"""
import csv, gzip, mmap, os, sqlite3, subprocess, sys, time
from pathlib import Path
from steadyspot import current_run

run, rows, out = current_run(), Path("state/rows"), Path("out/rows")

def hangs(unit, place):
    if run.attempt == 1 and [str(unit), place] == sys.argv[1:]:
        print("hangs", flush=True); time.sleep(60)

def each(own=False):
    for unit in run.remaining({UNITS}):
        hangs(unit, "before")
        time.sleep(0.002)
        yield unit
        hangs(unit, "after")
        if own:
            with run.output(f"own-{{unit}}") as path: path.touch()

def publish(units):
    with run.output("rows") as path: path.write_text(" ".join(map(str, units)))

def connected(wal=False):
    database = sqlite3.connect(rows)
    if wal: database.execute("pragma journal_mode = wal")
    database.execute("create table if not exists rows (unit)")
    return database

def of_database(database): publish(u for u, in database.execute("select unit from rows"))
"""

APPENDED = """
with open(rows, "a") as file:
    for unit in each(OWN): print(unit, file=file)
publish(rows.read_text().split())
"""
CSV = """
def main():
    with open(rows, "a", newline="") as file:
        table = csv.writer(file)
        for unit in each(): table.writerow([unit])
main()
publish(rows.read_text().split())
"""
BLOCKS = """
with open(rows, "a") as file:
    for unit in run.undone(range(9)):
        with run.unit(unit):
            hangs(unit, "before")
            print(unit, file=file)
            hangs(unit, "after")
publish(rows.read_text().split())
"""
MADE_ANEW = """
with open(rows, "w") as file:
    for unit in each(): print(unit, file=file)
publish(rows.read_text().split())
"""
GZIP = """
with gzip.open(rows, "at") as file:
    for unit in each(): print(unit, file=file)
publish(gzip.open(rows, "rt").read().split())
"""
OF_OUTPUTS = """
with open(out, "a") as file:
    for unit in each(OWN): print(unit, file=file)
"""
COMMITTED_AT_TIMES = """
database = connected(WAL)
for count, unit in enumerate(each(OWN)):
    database.execute("insert into rows values (?)", [unit])
    if count % 4 == 3: database.commit()
database.commit()
of_database(database)
"""
COMMITTED = """
database = connected(WAL)
for unit in each():
    with database: database.execute("insert into rows values (?)", [unit])
of_database(database)
"""
DUCKDB = """
import duckdb
database = duckdb.connect(rows)
database.execute("create table if not exists rows (unit int)")
if BEGUN: database.begin()
for count, unit in enumerate(each()):
    database.execute("insert into rows values (?)", [unit])
    if BEGUN and count % 4 == 3: database.commit(); database.begin()
if BEGUN: database.commit()
publish(u for u, in database.execute("select unit from rows").fetchall())
"""
MAPPED = """
if not rows.exists(): rows.write_bytes(b"." * 9)
with rows.open("r+b") as file, mmap.mmap(file.fileno(), 0) as text:
    for unit in each(OWN): text[unit] = ord(str(unit))
publish(rows.read_text())
"""
ARRAY = """
import numpy
if not rows.exists(): numpy.save(open(rows, "wb"), numpy.zeros(9, int))
array = numpy.load(rows, mmap_mode="r+")
for unit in each(): array[unit] = unit
publish(numpy.load(rows))
"""
NEW_ARRAY = """
import numpy
array = numpy.lib.format.open_memmap("state/rows", mode="w+", shape=(9,), dtype=int)
for unit in each(OWN): array[unit] = unit
publish(numpy.load(rows))
"""
NEW_ARRAY_OF_BLOCKS = """
import numpy
array = numpy.memmap("state/rows", mode="w+", shape=(9,), dtype=int)
for unit in run.undone(range(9)):
    with run.unit(unit):
        hangs(unit, "before")
        array[unit] = unit
array.flush()
publish(numpy.memmap(rows, dtype=int))
"""
NEW_FILE_OF_BLOCKS = """
units = run.undone(range(9))
with OPEN as file:
    for unit in units:
        with run.unit(unit):
            hangs(unit, "before")
            print(unit, file=file)
publish(READ)
"""
CHILD = """
child = subprocess.Popen(["sh", "-c", "cat >> state/rows"], stdin=subprocess.PIPE, text=True)
for unit in each(own=True): print(unit, file=child.stdin)
child.stdin.close(); child.wait()
publish(rows.read_text().split())
"""
LOGS = """
os.dup2(os.open("out/said", os.O_WRONLY | os.O_CREAT), 2)
with open("out/night.log", "w") as log, open("state/log.txt", "wb") as other:
    for unit in each(own=True): print(unit, file=log)
publish(range(9))
"""

WAYS = {
    "appended": (APPENDED.replace("OWN", "False"), 6),
    "appended, beside outputs": (APPENDED.replace("OWN", "True"), 6),
    "CSV": (CSV, 6),
    "blocks": (BLOCKS, 6),
    "SQLite": (COMMITTED.replace("WAL", "False"), 6),
    "SQLite with a log": (COMMITTED.replace("WAL", "True"), 6),
    "DuckDB": (DUCKDB.replace("BEGUN", "False"), 6),
    "mapped": (MAPPED.replace("OWN", "False"), 6),
    "mapped, beside outputs": (MAPPED.replace("OWN", "True"), 6),
    "array": (ARRAY, 6),
    "logs": (LOGS, 6),
    "transaction": (COMMITTED_AT_TIMES.replace("WAL", "False").replace("OWN", "False"), 4),
    "transaction, beside outputs": (
        COMMITTED_AT_TIMES.replace("WAL", "False").replace("OWN", "True"),
        4,
    ),
    "transaction with a log": (COMMITTED_AT_TIMES.replace("WAL", "True").replace("OWN", "True"), 4),
    "transaction of DuckDB": (DUCKDB.replace("BEGUN", "True"), 4),
    "made anew": (MADE_ANEW, 0),
    "gzip": (GZIP, 0),
    "of the outputs": (OF_OUTPUTS.replace("OWN", "False"), 0),
    "of the outputs, beside outputs": (OF_OUTPUTS.replace("OWN", "True"), 0),
    "child": (CHILD, 0),
}
"""Ways, each with how many of six units are done when the seventh begins.

A unit is done at its end where its rows are in the file, else with the transaction that holds them,
or once the file is closed. Of what a log lacks no unit has to wait.
"""
OPTIONS = ("--checkpoint-dir", "state", "--output-dir", "out", "--every", "0.1", "--drain", "0")


@pytest.mark.parametrize("stopped", [False, True], ids=["killed", "stopped"])
@pytest.mark.parametrize("way", WAYS)
def test_what_units_wrote_to_an_open_file_is_there_once(
    bench: Bench, way: str, stopped: bool
) -> None:
    text, done = WAYS[way]
    place = ("5", "after") if stopped else ("6", "before")
    command = [*bench.job_file(HEAD + text), *place]
    for folder in ("state", "out"):
        (bench.folder / folder).mkdir()
    first = bench.start(*OPTIONS, *command, STEADYSPOT_STOP_TIMEOUT="2")
    first.wait_for("hangs")
    if stopped:
        first.terminate()
    else:
        first.kill_all()
    first.end()
    assert bench.item().get("checkpoint", {}).get("units_done", 0) == min(done, 5 if stopped else 6)
    for folder in ("state", "out"):
        (bench.folder / folder).rename(bench.folder / f"{folder}-of-the-first")
        (bench.folder / folder).mkdir()

    again = bench.start(*OPTIONS, *command)
    assert again.end() == 0, again.said()
    rows = bench.objects()["rows"].decode()
    assert [int(row) for row in rows.split()] == UNITS
    assert bench.completion()["units"] == len(UNITS)


ANEW = {
    "array": NEW_ARRAY.replace("OWN", "False"),
    "array, beside outputs": NEW_ARRAY.replace("OWN", "True"),
    "array of blocks": NEW_ARRAY_OF_BLOCKS,
    "file of blocks": NEW_FILE_OF_BLOCKS.replace("OPEN", 'rows.open("w")').replace(
        "READ", "rows.read_text().split()"
    ),
    "gzip of blocks": NEW_FILE_OF_BLOCKS.replace("OPEN", 'gzip.open(rows, "wt")').replace(
        "READ", "gzip.open(rows, 'rt').read().split()"
    ),
}


@pytest.mark.parametrize("way", ANEW)
def test_run_whose_next_attempt_makes_its_file_anew_begins_anew(bench: Bench, way: str) -> None:
    command = [*OPTIONS, *bench.job_file(HEAD + ANEW[way]), "6", "before"]
    for folder in ("state", "out"):
        (bench.folder / folder).mkdir()
    bench.kill_behind("hangs", *command)
    assert bench.item()["checkpoint"]["units_done"] == 6

    resumed = bench.start(*command)
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    again = bench.start(*command)
    assert again.end() == 0, again.said()
    assert [int(row) for row in bench.objects()["rows"].split()] == UNITS
    assert bench.completion()["units"] == len(UNITS)


def test_array_that_is_made_once_and_mapped_again_costs_no_unit(bench: Bench) -> None:
    made_once = NEW_ARRAY.replace("OWN", "False").replace(
        'mode="w+", shape=(9,), dtype=int',
        '**({"mode": "r+"} if rows.exists() else {"mode": "w+", "shape": (9,), "dtype": int})',
    )
    command = [*OPTIONS, *bench.job_file(HEAD + made_once), "6", "before"]
    for folder in ("state", "out"):
        (bench.folder / folder).mkdir()
    bench.kill_behind("hangs", *command)
    assert bench.item()["checkpoint"]["units_done"] == 6

    resumed = bench.start(*command)
    assert resumed.end() == 0, resumed.said()
    assert [int(row) for row in bench.objects()["rows"].split()] == UNITS
