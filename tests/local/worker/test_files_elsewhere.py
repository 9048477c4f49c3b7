"""What units leave in files outside the run's folders is never taken for what all of them left.

A resumed attempt begins in another container, whose disk has nothing of that. Here it is another
temporary folder with each attempt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.worker.kit import Bench
from tests.local.worker.test_local_folder import (
    killed_behind,
    published,
    run_to_its_end,
)
from tests.local.worker.test_units_carried import undisturbed
from tests.local.worker.test_units_handed_on import folder_of_attempt

HEAD = """
import glob, json, os, shutil, sqlite3, subprocess, sys, tarfile, tempfile, time, zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import duckdb
from steadyspot import current_run

run = current_run()
disk = Path(tempfile.mkdtemp())
os.environ["WORK"] = str(disk)

def each():
    for unit in run.remaining(range(8)):
        time.sleep(0.005)
        yield unit
        print("gave", unit, flush=True)
    print("over", flush=True)

def put(name, value):
    with run.output(f"{name}.txt") as path: path.write_text(str(value))
"""
WAYS = {
    "parts by a pattern": """
for unit in each(): (disk / f"{unit}.csv").write_text(f"{unit}\\n")
rows = [part.read_text() for part in sorted(disk.glob("*.csv"))]
put("all", rows)""",
    "parts by their names": """
for unit in each():
    with open(os.path.join(disk, f"{unit}.json"), "w") as file: json.dump(unit, file)
put("all", [json.load(open(os.path.join(disk, f"{unit}.json"))) for unit in range(8)])""",
    "rows added to a file": """
os.chdir(disk)
for unit in each():
    put(unit, unit)
    print(unit, file=open("index.tsv", "a"))
with run.output("index.txt") as path: shutil.copy("index.tsv", path)""",
    "parts of another program": """
for unit in each(): subprocess.run(["sh", "-c", f"echo {unit} > {disk}/{unit}"], check=True)
with run.output("all.txt") as path:
    subprocess.run(f"cat {disk}/* > {path}", shell=True, check=True)""",
    "a folder by the environment": """
def keep(unit): Path(os.environ["WORK"], f"{unit}").write_text(str(unit))
def kept():
    for folder, _, names in os.walk(os.environ["WORK"]):
        yield from (Path(folder, name).read_text() for name in sorted(names))
for unit in each(): keep(unit)
put("all", list(kept()))""",
    "a database of SQLite that each unit opens": """
os.chdir(disk)
def base(): return sqlite3.connect("rows.db")
with base() as rows: rows.execute("create table rows (unit)")
for unit in each():
    with base() as rows: rows.execute("insert into rows values (?)", [unit])
with base() as rows: found = list(rows.execute("select unit from rows order by unit"))
put("all", found)""",
    "a database of SQLite that is open all the time": """
rows = sqlite3.connect(disk / "rows.db")
rows.execute("pragma journal_mode=wal")
rows.execute("create table rows (unit)")
for unit in each():
    with rows: rows.execute("insert into rows values (?)", [unit])
    put(unit, unit)
put("all", list(rows.execute("select sum(unit) from rows")))""",
    "a database of DuckDB": """
base = str(disk / "rows.duckdb")
for unit in each():
    with duckdb.connect(base) as rows:
        rows.execute("create table if not exists rows (unit int)")
        rows.execute("insert into rows values (?)", [unit])
with run.output("all.csv") as path, duckdb.connect(base) as rows:
    rows.execute(f"copy (select * from rows order by unit) to '{path}'")""",
    "parts that DuckDB reads": """
os.chdir(disk)
for unit in each(): duckdb.sql(f"copy (select {unit} as unit) to 'part-{unit}.parquet'")
with run.output("all.csv") as path:
    duckdb.sql(f"copy (select unit from 'part-*.parquet' order by unit) to '{path}'")""",
    "parts that DuckDB reads by their names": """
settings = {"work": str(disk)}
def place(unit): return f"{settings['work']}/{unit}.parquet"
for unit in each(): duckdb.sql(f"copy (select {unit} as unit) to '{place(unit)}'")
rows = duckdb.read_parquet([place(unit) for unit in range(8)])
with run.output("all.csv") as path: rows.order("unit").write_csv(str(path))""",
    "an archive": """
whole = disk / "all.zip"
for unit in each():
    with zipfile.ZipFile(whole, "a") as zip: zip.writestr(zipfile.ZipInfo(f"{unit}"), str(unit))
with run.output("all.zip") as path: shutil.move(whole, path)""",
    "a folder that is packed": """
def plain(entry):
    entry.mtime = entry.uid = entry.gid = 0
    return entry
for unit in each(): (disk / f"{unit}").write_text(str(unit))
with run.output("all.tar") as path, tarfile.open(path, "w") as tar:
    tar.add(disk, ".", filter=plain)""",
    "what a class keeps": """
class Store:
    def __init__(self): self.folder = tempfile.mkdtemp()
    def add(self, unit): Path(self.folder, str(unit)).write_text(str(unit))
    def all(self): return [open(one).read() for one in sorted(glob.glob(self.folder + "/*"))]
store = Store()
for unit in each(): store.add(unit)
put("all", store.all())""",
    "threads of a pool": """
def work(unit):
    with run.unit(unit): (disk / f"{unit}").write_text(str(unit))
    time.sleep(0.02)
    print("gave", unit, flush=True)
with ThreadPoolExecutor(1) as pool: list(pool.map(work, run.undone(range(8))))
print("over", flush=True)
put("all", [(disk / name).read_text() for name in sorted(os.listdir(disk))])""",
    "groups of a second loop": """
for unit in each(): (disk / f"{unit % 2}-{unit}").write_text(str(unit))
for group in run.remaining(["odd", "even"]):
    parts = sorted(disk.glob(f"{len(group) % 2}-*"))
    put(group, [part.read_text() for part in parts])
put("groups", 2)""",
    "a number that each unit reads and writes": """
last = disk / "last.json"
for unit in each():
    number = json.loads(last.read_text()) + 1 if last.exists() else 0
    last.write_text(json.dumps(number))
    put(unit, number)""",
    "rows that were seen, in a database": """
rows = sqlite3.connect(disk / "seen.db")
rows.execute("create table seen (row unique)")
def new(row):
    with rows: return rows.execute("insert or ignore into seen values (?)", [row]).rowcount > 0
for unit in each(): put(unit, [row for row in (unit % 3, unit % 2 + 5) if new(row)])""",
    "rows that were seen, in a database for each unit": """
def new(row):
    with sqlite3.connect(disk / "seen.db") as rows:
        rows.execute("create table if not exists seen (row)")
        found = rows.execute("select * from seen where row = ?", [row]).fetchall()
        if not found: rows.execute("insert into seen values (?)", [row])
    return not found
for unit in each(): put(unit, [row for row in (unit % 3, unit % 2 + 5) if new(row)])""",
}


@pytest.mark.parametrize("line", ["gave 4", "over"])
@pytest.mark.parametrize("way", WAYS)
def test_output_that_would_lack_what_units_left_in_files_is_made_of_all_units(
    tmp_path: Path, way: str, line: str
) -> None:
    job = f"{HEAD}{WAYS[way]}\n"
    right = undisturbed(tmp_path / "undisturbed", job)
    killed_behind(line, tmp_path, job)

    codes: list[int] = []
    while not codes or (codes[-1] and len(codes) < 4):
        code, said = run_to_its_end(tmp_path, job)
        codes.append(code)
        assert code in (0, 75) or "would lack" in said or "looked for" in said, said
    assert published(tmp_path) == right


GO_ON = {
    "what each unit writes before it reads it": """
scratch = disk / "page"
for unit in each():
    subprocess.run(["sh", "-c", f"echo {unit} > {scratch}"], check=True)
    put(unit, scratch.read_text())
put("all", "done")""",
    "a folder that is removed": """
for unit in each():
    (disk / f"{unit}").write_text(str(unit))
    with run.output(f"{unit}.txt") as path: shutil.copy(disk / f"{unit}", path)
shutil.rmtree(disk)
put("all", "done")""",
    "a folder of work in which another file is made then": """
for unit in each():
    page = os.path.join(disk, f"{unit}.csv")
    Path(page).write_text(f"unit\\n{unit}\\n")
    put(unit, duckdb.sql(f"select * from '{page}'").fetchall())
print("worked in", disk)
last = os.path.join(disk, "all.csv")
duckdb.sql(f"copy (select 8 as units) to '{last}'")
with run.output("all.txt") as path: shutil.copy(last, path)""",
    "a cache": """
def twice(number):
    known = disk / f"{number}.json"
    if not known.exists(): known.write_text(json.dumps(2 * number))
    return json.loads(known.read_text())
for unit in each(): put(unit, twice(unit % 2))
put("all", "done")""",
    "a log": """
for unit in each():
    print(unit, file=open(disk / "job.log", "a"))
    put(unit, unit)
print(open(disk / "job.log").read())
put("all", "done")""",
    "what was there before": """
(disk / "countries.csv").write_text("de,fr")
for unit in each(): put(unit, (disk / "countries.csv").read_text())
put("all", [file.read_text() for file in disk.glob("*.csv")])""",
    "what is made after the loop": """
for unit in each(): put(unit, unit)
subprocess.run(f"echo report > {disk}/report", shell=True, check=True)
put("all", (disk / "report").read_text())""",
    "a database that is made anew for each unit": """
rows = duckdb.connect(str(disk / "rows.duckdb"))
for unit in each():
    rows.execute(f"create or replace table rows as select {unit} as unit")
    put(unit, rows.execute("select * from rows").fetchall())
put("all", "done")""",
    "a database that units only write": """
numbers = sqlite3.connect(disk / "numbers.db")
numbers.execute("create table numbers (unit)")
for unit in each():
    with numbers: numbers.execute("insert into numbers values (?)", [unit])
    put(unit, unit)
with run.output("all.txt") as path: path.write_text("done")""",
    "a program that reads nothing of it": """
os.chdir(disk)
for unit in each():
    Path("scratch").write_text(str(unit))
    put(unit, unit)
put("all", subprocess.run(["uname"], capture_output=True, text=True).stdout)""",
}


@pytest.mark.parametrize("way", GO_ON)
def test_files_of_which_nothing_is_made_later_cost_nothing(tmp_path: Path, way: str) -> None:
    job = f"{HEAD}{GO_ON[way]}\n"
    assert killed_behind("gave 4", tmp_path, job)
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert len(published(tmp_path)) == 9


KEPT = """
import os, shutil, sqlite3, tempfile
from pathlib import Path
from steadyspot import current_run

run = current_run()
kept = Path(os.environ["STEADYSPOT_CHECKPOINT_DIR"], "rows.db")
base = Path(tempfile.mkdtemp(), "rows.db")
if kept.exists(): shutil.copy(kept, base)
rows = sqlite3.connect(base)
rows.execute("create table if not exists rows (unit primary key)")
for unit in run.remaining(range(8)):
    with rows: rows.execute("insert or replace into rows values (?)", [unit])
    shutil.copy(base, kept.with_suffix(".part"))
    kept.with_suffix(".part").replace(kept)
    print("did", unit, flush=True)
with run.output("sum.txt") as path:
    path.write_text(str(rows.execute("select sum(unit) from rows").fetchone()[0]))
"""


def test_file_that_is_brought_back_from_the_checkpoint_folder_goes_on(
    bench: Bench, tmp_path: Path
) -> None:
    command = bench.job_file(KEPT)
    bench.kill_behind("did 5", *command, **folder_of_attempt(tmp_path, "folder", 0))
    resumed = bench.start(*command, **folder_of_attempt(tmp_path, "folder", 1))
    assert resumed.end() == 0, resumed.said()
    assert bench.objects()["sum.txt"] == b"28"


@pytest.mark.parametrize("way", ["parts by a pattern", "parts by their names"])
def test_run_begins_anew_in_a_container(bench: Bench, way: str) -> None:
    """What fails for want of a file that units had left is no failure of the job."""
    command = bench.job_file(f"{HEAD}{WAYS[way]}\n")
    bench.kill_behind("gave 4", *command)

    resumed = bench.start(*command)
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    assert "so all units are done again" in resumed.said()
    again = bench.start(*command)
    assert again.end() == 0, again.said()
    assert bench.completion()["units"] == 8
    assert all(str(unit).encode() in bench.objects()["all.txt"] for unit in range(8))


IN_FOLDER = {
    "of parts elsewhere": """
for unit in each(): (disk / f"{unit}.csv").write_text(f"{unit}\\n")
rows = [part.read_text() for part in sorted(disk.glob("*.csv"))]
(out / "all.txt").write_text("".join(rows))""",
    "of parts in it": """
for unit in each(): (out / f"{unit}.csv").write_text(f"{unit}\\n")
rows = [part.read_text() for part in sorted(out.glob("*.csv"))]
(out / "all.txt").write_text("".join(rows))""",
    "of parts in it that a library reads": """
for unit in each(): duckdb.sql(f"copy (select {unit} as unit) to '{out}/{unit}.parquet'")
rows = duckdb.sql(f"from read_parquet('{out}/*.parquet') order by unit")
rows.write_csv(str(out / "all.txt"), header=False)""",
    "of parts in it by another program": """
for unit in each(): (out / f"{unit}.csv").write_text(f"{unit}\\n")
subprocess.run(["sh", "-c", "cd $0; cat *.csv > all.txt", out], check=True)""",
    "of nothing in it": """
for unit in each(): (out / f"{unit}.csv").write_text(f"{unit}\\n")
def finish(folder): Path(folder, "all.txt").write_text("done")
finish(out)""",
}


@pytest.mark.parametrize("line", ["gave 4", "over"])
@pytest.mark.parametrize("way", IN_FOLDER)
def test_file_in_the_folder_for_outputs_is_made_of_all_units(
    bench: Bench, tmp_path: Path, way: str, line: str
) -> None:
    """That folder is empty as an attempt begins."""
    head = "import os, pathlib\nout = pathlib.Path(os.environ['STEADYSPOT_OUTPUT_DIR'])\n"
    command = bench.job_file(f"{head}{HEAD}{IN_FOLDER[way]}\n")
    folders = [{"STEADYSPOT_OUTPUT_DIR": str(tmp_path / f"out-{each}")} for each in range(3)]
    bench.kill_behind(line, *command, **folders[0])

    resumed = bench.start(*command, **folders[1])
    assert resumed.end() == (0 if way == "of nothing in it" else 75), resumed.said()
    if way != "of nothing in it":
        again = bench.start(*command, **folders[2])
        assert again.end() == 0, again.said()
        assert bench.objects()["all.txt"] == b"0\n1\n2\n3\n4\n5\n6\n7\n"
    assert bench.completion()["units"] == 8


def test_failure_of_the_jobs_own_loses_no_unit(bench: Bench, tmp_path: Path) -> None:
    """What is missing was never a unit's: the next attempt goes on where this one was."""
    missing = tmp_path / "input.csv"
    command = bench.job_file(
        f"{HEAD}\nfor unit in each(): put(unit, unit)\nput('all', open({str(missing)!r}).read())\n"
    )
    bench.kill_behind("gave 4", *command)
    assert bench.start(*command).end() == 1
    missing.write_text("at last")
    last = bench.start(*command)
    assert last.end() == 0, last.said()
    assert last.said().count("gave") <= 1  # What it would have left is not to be seen.
    assert bench.objects()["all.txt"] == b"at last"
