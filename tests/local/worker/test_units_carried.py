"""What a loop keeps in variables for what comes after it is whole after a kill, or nothing counts.

A resumed attempt leaves out units, and with them what they had added up. Where an output is made of
that, the run begins anew, so that it is never complete without it; where none is, it goes on.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.worker.kit import Bench
from tests.local.worker.test_local_folder import (
    killed_behind,
    published,
    run_to_its_end,
    units_done,
)

HEAD = """
import collections, duckdb, heapq, numpy, os, statistics, sys, time
from steadyspot import current_run

OWN = sys.argv[1:] == ["own"]
def write(value):
    print("writing", flush=True)
    if sys.argv[1:] == ["late"] and current_run().attempt == 1: time.sleep(60)
    with current_run().output("sum") as path: path.write_text(str(value))

def each():
    for unit in current_run().remaining(range(1, 9)):
        time.sleep(0.01)
        if OWN:
            with current_run().output(f"own-{unit}") as path: path.touch()
        yield unit
        print("gave", unit, flush=True)
"""
NUMBER = "total = 0\nfor unit in each(): total += unit\nwrite(total)"
WAYS = {
    "number": (NUMBER, "none"),
    "number beside outputs": (NUMBER, "own"),
    "number where next is asked": (
        """
total, left = 0, each()
while (unit := next(left, None)) is not None: total += unit
write(total)""",
        "own",
    ),
    "list beside outputs": (
        "names = []\nfor unit in each(): names.append(unit)\nwrite(names)",
        "own",
    ),
    "list by a library": (
        "best = [0] * 3\nfor unit in each(): heapq.heappushpop(best, unit)\nwrite(best)",
        "none",
    ),
    "row of DuckDB itself": (
        """
duckdb.execute("create table total as select 0 as units")
for unit in each(): duckdb.execute("update total set units = units + ?", [unit])
write(duckdb.sql("select units from total").fetchone())""",
        "own",
    ),
    "list in an array of objects": (
        """
rows = numpy.empty(3, object)
for at in range(3): rows[at] = []
for unit in each(): rows[unit % 3].append(unit)
write(rows.tolist())""",
        "own",
    ),
    "sum of a generator": ("write(sum(unit for unit in each()))", "own"),
    "comprehension": ("found = {unit: unit for unit in each()}\nwrite(found)", "own"),
    "loop of a library": ("write(statistics.mean(each()))", "own"),
    "number until it is broken off": (
        "total = 0\nfor unit in each():\n    total += unit\n    if unit == 7: break\nwrite(total)",
        "none",
    ),
}


def undisturbed(folder: Path, job: str, *arguments: str) -> dict[str, bytes]:
    folder.mkdir()
    code, said = run_to_its_end(folder, job, *arguments)
    assert code == 0, said
    return published(folder)


@pytest.mark.parametrize("way", WAYS)
def test_output_that_would_lack_what_units_left_in_memory_is_made_of_all_units(
    tmp_path: Path, way: str
) -> None:
    text, own = WAYS[way]
    job = f"{HEAD}{text}\n"
    right = undisturbed(tmp_path / "undisturbed", job, own)
    assert killed_behind("gave 5", tmp_path, job, own)

    code, said = run_to_its_end(tmp_path, job, own)
    assert code == 75, said
    assert "Run it again: all units are done again." in said
    assert units_done(tmp_path) == {}
    code, said = run_to_its_end(tmp_path, job, own)
    assert code == 0, said
    assert published(tmp_path) == right


def test_output_after_a_loop_of_which_nothing_was_left_is_made_of_all_units(tmp_path: Path) -> None:
    """As where the job was killed while it wrote that."""
    job = f"{HEAD}{NUMBER}\n"
    right = undisturbed(tmp_path / "undisturbed", job)
    assert len(killed_behind("writing", tmp_path, job, "late")) == 8

    assert run_to_its_end(tmp_path, job, "late")[0] == 75
    code, said = run_to_its_end(tmp_path, job, "late")
    assert code == 0, said
    assert published(tmp_path) == right


WITH_OUTPUTS = HEAD.replace("OWN =", "OWN = True or")
UNSEEN = {
    "row by another name": """
rows = {key: {"sum": 0} for key in range(3)}
for unit in each():
    row = rows[unit % 3]
    row["sum"] += unit
write(rows)""",
    "list in a dictionary": """
rows = {key: [] for key in range(3)}
for unit in each(): rows[unit % 3].append(unit)
write(rows)""",
    "objects in a list": """
class Part:
    def __init__(self): self.rows, self.total = [], 0
parts = [Part() for _ in range(3)]
for unit in each():
    parts[unit % 3].total += unit
    parts[unit % 3].rows.append(unit)
write([(part.total, part.rows) for part in parts])""",
    "number of a class": """
class Report: total = 0
for unit in each(): Report.total += unit
write(Report.total)""",
    "object that is replaced": """
import dataclasses
@dataclasses.dataclass(frozen=True)
class Sum: total: int = 0
found = Sum()
for unit in each(): found = dataclasses.replace(found, total=found.total + unit)
write(found.total)""",
    "method by another name": """
rows = []
add = rows.append
for unit in each(): add(unit)
write(rows)""",
    "of a library": """
rows = []
for unit in each(): heapq.heappush(rows, unit)
write(rows)""",
    "threads": """
from concurrent.futures import ThreadPoolExecutor
rows = collections.defaultdict(int)
def work(unit):
    with current_run().unit(unit): rows[unit % 3] += unit
with ThreadPoolExecutor(2) as pool: list(pool.map(work, current_run().undone(range(1, 9))))
write(sorted(rows.items()))""",
}


@pytest.mark.parametrize("way", UNSEEN)
def test_what_no_text_shows_is_seen_as_the_last_unit_is_done_again(
    tmp_path: Path, way: str
) -> None:
    job = f"{WITH_OUTPUTS}{UNSEEN[way]}\n"
    right = undisturbed(tmp_path / "undisturbed", job)
    assert len(killed_behind("writing", tmp_path, job, "late")) == 8

    code, said = run_to_its_end(tmp_path, job, "late")
    assert code == 75, said
    code, said = run_to_its_end(tmp_path, job, "late")
    assert code == 0, said
    assert published(tmp_path) == right


CERTAIN = {
    "nothing is in reach": "for unit in each(): pass\nwrite('done')",
    "no output": "rows = []\nfor unit in each(): hash((unit, *rows))\nfound = sorted(rows)",
    "a look-up after the output": """
names = {unit: str(unit) for unit in range(1, 9)}
for unit in each(): pass
write(sorted(names))""",
}


@pytest.mark.parametrize("way", CERTAIN)
def test_no_unit_is_done_again_where_none_can_have_left_anything(tmp_path: Path, way: str) -> None:
    job = f"{HEAD}{CERTAIN[way]}\nprint('writing', flush=True); time.sleep(5)\n"
    assert len(killed_behind("writing", tmp_path, job)) == 8

    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert "gave" not in said


def test_unit_that_is_done_again_is_once_and_its_outputs_stay(tmp_path: Path) -> None:
    """Where it shows that nothing was left, the run goes on."""
    text = "names = {unit: str(unit) for unit in range(1, 9)}\n"
    text += "for unit in each(): hash(names[unit]); print('name', unit)\nwrite(sorted(names))"
    job = f"{WITH_OUTPUTS}{text}\n"
    right = undisturbed(tmp_path / "undisturbed", job)
    assert len(killed_behind("writing", tmp_path, job, "late")) == 8

    code, said = run_to_its_end(tmp_path, job, "late")
    assert code == 0, said
    assert said.count("name ") == 1
    assert "name 8" in said
    assert published(tmp_path) == right


HARMLESS = {
    "only told": "count = 0\nfor unit in each(): count += 1; print(count)\nwrite('done')",
    "told by a name": """
count = 0
for unit in each(): count += 1
line = f"{count} units"
if count: print(line)
write("done")""",
    "made of nothing": "OWN = True\ncollections.deque(map(print, each()), maxlen=0)\nwrite('done')",
    "no output": "total = 0\nfor unit in each(): total += unit\nsys.exit(0 if total else 1)",
    "state": """
run = current_run()
total = run.state.get("total", 0)
for unit in run.remaining(range(1, 9)):
    time.sleep(0.01)
    total += unit
    run.state["total"] = total
    print("gave", unit - 1, flush=True)
write(total)""",
    "checkpoint": """
run, kept = current_run(), os.path.join(sys.argv[1], "total")
total = int(open(kept).read()) if os.path.exists(kept) else 0
for unit in run.remaining(range(1, 9)):
    time.sleep(0.01)
    total += unit
    with open(kept, "w") as file: file.write(str(total))
    print("gave", unit - 1, flush=True)
write(total)""",
}


@pytest.mark.parametrize("way", HARMLESS)
def test_what_is_no_part_of_an_output_or_is_kept_by_the_job_costs_no_unit(
    bench: Bench, tmp_path: Path, way: str
) -> None:
    command = bench.job_file(f"{HEAD}{HARMLESS[way]}\n")
    if way == "checkpoint":
        command = ["--checkpoint-dir", str(tmp_path / "kept"), *command, str(tmp_path / "kept")]
    bench.kill_behind("gave 5", *command)

    resumed = bench.start(*command)
    assert resumed.end() == 0, resumed.said()
    assert "gave 1\n" not in resumed.said()
    assert bench.completion()["units"] == 8
    assert (
        way in ("only told", "told by a name", "no output", "made of nothing")
        or bench.objects()["sum"] == b"36"
    )


POOL = """
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
import multiprocessing

def work(unit):
    with current_run().unit(unit):
        time.sleep(0.05)
        if OWN:
            with current_run().output(f"own-{unit}") as path: path.touch()
    print("gave", unit, flush=True)
    return unit

total = multiprocessing.Value("i", 0)
def add(unit):
    with total.get_lock(): total.value += work(unit)

def gather(found, unit): found.append(work(unit))

if __name__ == "__main__":
    run = current_run()
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
"""
POOLS = {
    "results": """
        found = list(pool.map(work, run.undone(range(1, 9))))
    write(sum(found))""",
    "sum": """
        total = 0
        for one in as_completed([pool.submit(work, unit) for unit in run.undone(range(1, 9))]):
            total += one.result()
    write(total)""",
    "list of a function": """
        rows = []
        def add(one): rows.append(one)
        for one in pool.map(work, run.undone(range(1, 9))): add(one)
    write(sum(rows))""",
    "number of a function": """
        total = 0
        def add(unit):
            global total
            total += work(unit)
        for unit in run.undone(range(1, 9)): add(unit)
    write(total)""",
    "list of units": """
        rows = []
        for unit in run.undone(range(1, 9)):
            work(unit)
            rows.append(unit)
    write(sum(rows))""",
    "units of a function": """
        def todo(): return run.undone(range(1, 9))
        found = list(pool.map(work, todo()))
    write(sum(found))""",
    "comprehension": """
        found = [work(unit) for unit in run.undone(range(1, 9))]
    write(sum(found))""",
    "number of processes": """
        list(pool.map(add, run.undone(range(1, 9))))
    write(total.value)""",
    "list of a manager": """
        found = multiprocessing.Manager().list()
        list(pool.map(partial(gather, found), run.undone(range(1, 9))))
    write(sum(found))""",
}


@pytest.mark.parametrize("own", ["own", "none"])
@pytest.mark.parametrize("way", POOLS)
def test_output_that_would_lack_results_of_a_pool_is_made_of_all_units(
    bench: Bench, way: str, own: str
) -> None:
    command = [*bench.job_file(f"{HEAD}{POOL}{POOLS[way]}\n"), own]
    bench.kill_behind("gave 4", *command)

    resumed = bench.start(*command)
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    anew = bench.start(*command)
    assert anew.end() == 0, anew.said()
    outputs = bench.objects()
    assert outputs["sum"] == b"36"
    assert len([name for name in outputs if name.startswith("own")]) == (8 if own == "own" else 0)


NOTHING = {
    "waited for": """
        list(pool.map(work, run.undone(range(1, 9))))
    write('done')""",
    "answers that are kept": """
        answers = {}
        def ask(unit): return answers.setdefault(unit, unit)
        for unit in run.undone(range(1, 9)): work(ask(unit))
    write('done')""",
    "told": """
        rows, count = [], 0
        for unit in run.undone(range(1, 9)):
            rows.append(work(unit))
            count += 1
        print(count, rows)
    write('done')""",
}


@pytest.mark.parametrize("way", NOTHING)
def test_pool_of_which_nothing_is_made_goes_on(tmp_path: Path, way: str) -> None:
    job = f"{HEAD}{POOL}{NOTHING[way]}\n"
    assert len(killed_behind("gave 4", tmp_path, job, "own")) >= 4
    code, said = run_to_its_end(tmp_path, job, "own")
    assert code == 0, said
    assert len(published(tmp_path)) == 9


def test_pool_whose_results_are_lacking_begins_anew_in_the_local_folder(tmp_path: Path) -> None:
    job = f"{HEAD}{POOL}{POOLS['sum']}\n"
    assert len(killed_behind("gave 4", tmp_path, job, "own")) >= 4
    assert run_to_its_end(tmp_path, job, "own")[0] == 75
    code, said = run_to_its_end(tmp_path, job, "own")
    assert code == 0, said
    assert published(tmp_path)["sum"] == b"36"


@pytest.mark.parametrize("where", ["output", "folder"])
def test_run_that_would_be_complete_without_what_units_left_begins_anew(
    bench: Bench, tmp_path: Path, where: str
) -> None:
    job = f"{HEAD}{NUMBER}\n"
    folder = {}
    if where == "folder":
        job += "\nopen(os.environ['STEADYSPOT_OUTPUT_DIR'] + '/sum.txt', 'w').write(str(total))\n"
        job = job.replace("\nwrite(total)", "")
        folder = {"STEADYSPOT_OUTPUT_DIR": str(tmp_path / "out")}
    command = [*bench.job_file(job), "own"]
    bench.kill_behind("gave 5", *command, **folder)

    resumed = bench.start(*command, **folder)
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    assert "units done before had left in 'total'" in resumed.said()
    anew = bench.start(*command, **folder)
    assert anew.end() == 0, anew.said()
    outputs = bench.objects()
    assert outputs["sum" if where == "output" else "sum.txt"] == b"36"
    assert bench.completion()["units"] == 8
