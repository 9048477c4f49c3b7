"""A resumed attempt that fails for the want of what units had left in memory begins the run anew.

So does one that makes no output, since what decides on that is lacking. What fails of itself loses
no unit.
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
import os, sys, time
from concurrent.futures import ThreadPoolExecutor
from steadyspot import current_run
run = current_run()
def write(name, value):
    with run.output(str(name)) as path: path.write_text(str(value))
def did(unit):
    time.sleep(0.01)
    write(unit, unit)
    print("did", unit, flush=True)
    return unit
def over():
    print("over", flush=True)
    if run.attempt == 1: time.sleep(60)
U = range(1, 9)
"""
FAIL = {
    "mean": (
        """
n = 0
for unit in run.remaining(U): n += bool(did(unit))
over()
write("all", 36 / n)""",
        "over",
    ),
    "last that is told": (
        "for unit in run.remaining(U): last = did(unit)\nover()\nprint(last)",
        "over",
    ),
    "greatest of a generator": (
        "greatest = max(did(unit) for unit in run.remaining(U))\nover()\nprint(greatest)",
        "over",
    ),
    "slowest of a pool": (
        """
def work(unit):
    with run.unit(unit): return did(unit)
with ThreadPoolExecutor(2) as pool: found = list(pool.map(work, run.undone(U)))
over()
print(max(found))""",
        "over",
    ),
    "greatest of a pool": (
        """
def work(unit):
    with run.unit(unit): return did(unit)
with ThreadPoolExecutor(2) as pool: greatest = max(pool.map(work, run.undone(U)))
over()
write("all", greatest)""",
        "over",
    ),
    "one before": (
        """
index = {0: 0}
for unit in run.remaining(U):
    index[unit] = unit + index[unit - 1]
    did(unit)""",
        "did 5",
    ),
    "exit code": (
        """
done = []
for unit in run.remaining(U): done.append(did(unit))
if len(done) < 8: sys.exit("incomplete")
write("all", "done")""",
        "did 5",
    ),
    "exit code at the end": (
        "done = []\nfor unit in run.remaining(U): done.append(did(unit))\nsys.exit(len(done) < 8)",
        "did 5",
    ),
}
LOCALLY = [way for way in FAIL if way != "exit code at the end"]
"""No program is told its own exit code."""

DECIDE = {
    "flag": (
        """
changed = False
for unit in run.remaining(U):
    if did(unit) == 2: changed = True
if changed: write("all", "changed")""",
        "did 5",
    ),
    "list that is empty": (
        """
bad = []
for unit in run.remaining(U):
    if did(unit) % 4 == 0: bad.append(unit)
over()
for unit in bad: write(f"bad-{unit}", unit)""",
        "over",
    ),
    "results of a pool": (
        """
def work(unit):
    with run.unit(unit): return did(unit) % 4 == 0
with ThreadPoolExecutor(2) as pool: found = list(pool.map(work, run.undone(U)))
over()
if any(found): write("all", "found")""",
        "over",
    ),
    "list to which nothing comes": (
        """
def end(bad):
    if not bad: return
    write("all", bad)
def main():
    bad = []
    for unit in run.remaining(U):
        if did(unit) == 2: bad.append(unit)
    end(bad)
main()""",
        "did 5",
    ),
}


@pytest.mark.parametrize("way", FAIL)
def test_what_fails_for_the_want_of_what_units_left_is_done_again(bench: Bench, way: str) -> None:
    text, line = FAIL[way]
    command = bench.job_file(f"{HEAD}{text}\n")
    bench.kill_behind(line, *command)

    resumed = bench.start(*command)
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    again = bench.start(*command)
    assert again.end() == 0, again.said()
    assert bench.completion()["units"] == 8


@pytest.mark.parametrize("way", [*LOCALLY, *DECIDE])
def test_so_it_is_in_the_local_folder(tmp_path: Path, way: str) -> None:
    text, line = {**FAIL, **DECIDE}[way]
    job = f"{HEAD}{text}\n"
    (tmp_path / "undisturbed").mkdir()
    code, said = run_to_its_end(tmp_path / "undisturbed", job.replace("sleep(60)", "sleep(0)"))
    assert code == 0, said
    assert killed_behind(line, tmp_path, job)

    code, said = run_to_its_end(tmp_path, job)
    assert code == 75, said
    assert "all units are done again" in said
    assert units_done(tmp_path) == {}
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert published(tmp_path) == published(tmp_path / "undisturbed")


@pytest.mark.parametrize("where", ["output", "folder"])
@pytest.mark.parametrize("way", DECIDE)
def test_run_that_would_be_complete_without_an_output_begins_anew(
    bench: Bench, tmp_path: Path, way: str, where: str
) -> None:
    text, line = DECIDE[way]
    job, folders = f"{HEAD}{text}\n", [dict[str, str]()] * 3
    if where == "folder":
        out = "open(f\"{os.environ['STEADYSPOT_OUTPUT_DIR']}/{name}\", 'w').write(str(value))"
        job = f"{HEAD}def put(name, value): {out}\n{text.replace('write(', 'put(')}\n"
        folders = [{"STEADYSPOT_OUTPUT_DIR": str(tmp_path / f"out-{each}")} for each in range(3)]
    command = bench.job_file(job)
    bench.kill_behind(line, *command, **folders[0])

    resumed = bench.start(*command, **folders[1])
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    again = bench.start(*command, **folders[2])
    assert again.end() == 0, again.said()
    assert len(bench.objects()) > bench.completion()["units"] == 8


OWN = {
    "of a unit": (
        "total = 0\nfor unit in run.remaining(U): total += fail(unit)\nwrite('all', total)"
    ),
    "of a unit that a function does": (
        "total = sum(fail(unit) for unit in run.remaining(U))\nwrite('all', total)"
    ),
    "of a unit of a pool": (
        """
def work(unit):
    with run.unit(unit): return fail(unit)
with ThreadPoolExecutor(1) as pool: write("all", sum(pool.map(work, run.undone(U))))"""
    ),
    "after the loop": (
        "total = 0\nfor unit in run.remaining(U): total += did(unit)\nfail(6)\nprint(total)"
    ),
}


@pytest.mark.parametrize("way", OWN)
def test_what_fails_of_itself_loses_no_unit(bench: Bench, way: str) -> None:
    job = f"""{HEAD}
def fail(unit):
    if unit == 6: raise OSError("out of order")
    return did(unit)
{OWN[way]}
"""
    command = bench.job_file(job)
    bench.kill_behind("did 4", *command)
    for _ in range(2):
        failed = bench.start(*command)
        assert failed.end() == 1, failed.said()
    assert "did 4" not in failed.said()


def test_what_is_told_or_ends_the_program_decides_on_nothing(tmp_path: Path) -> None:
    job = f"""{HEAD}
bad = []
for unit in run.remaining(U):
    if did(unit) == 2: bad.append(unit)
write("all", "done")
if bad: print(bad)
if bad: sys.exit(1)
"""
    assert killed_behind("did 5", tmp_path, job)
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert len(published(tmp_path)) == 9
