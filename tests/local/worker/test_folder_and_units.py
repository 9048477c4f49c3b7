"""A checkpoint folder and units: what a unit changes in the folder counts once, with its mark.

As people write it: a unit appends a line, a row or a count, which is no harm as long as the unit is
done again in the folder as it was when the unit began.
"""

from __future__ import annotations

import sqlite3

import pytest

from steadyspot.worker.keeping.warnings import LONGEST
from tests.local.worker.kit import Bench, Worker, wait_until

UNITS = 4
JOB = f"""
import os, shelve, signal, sqlite3, sys, time
from steadyspot import current_run

def line(unit):
    with open("state/lines", "a") as file: file.write(f"{{unit}}\\n")

def row(unit):
    with sqlite3.connect("state/rows.db") as rows:
        rows.execute("create table if not exists rows (unit)")
        rows.execute("insert into rows values (?)", (unit,))

def count(unit):
    with shelve.open("state/counts") as counts: counts["n"] = counts.get("n", 0) + 1

run = current_run()
for unit in run.remaining(range({UNITS})):
    line(unit); row(unit); count(unit)
    print("changed", unit, flush=True)
    if run.attempt == 1 and unit == 1:
        HOW
print("counted", shelve.open("state/counts")["n"], flush=True)
"""
HANGS = "time.sleep(60)"
RAISES = "raise ValueError('a bug')"
ITS_HANDLER = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); time.sleep(60)"


def _is_once(bench: Bench, worker: Worker) -> None:
    lines = (bench.folder / "state" / "lines").read_text().split()
    assert lines == [str(unit) for unit in range(UNITS)]
    with sqlite3.connect(bench.folder / "state" / "rows.db") as rows:
        assert [unit for (unit,) in rows.execute("select unit from rows")] == list(range(UNITS))
    assert f"counted {UNITS}" in worker.text
    assert bench.completion()["units"] == UNITS


def _on_a_new_disk(bench: Bench, folder: str = "state") -> None:
    (bench.folder / folder).rename(bench.folder / f"{folder}-of-the-first")


@pytest.mark.parametrize("how", [HANGS, RAISES, ITS_HANDLER])
def test_what_a_unit_had_changed_when_it_was_stopped_does_not_count(bench: Bench, how: str) -> None:
    options = ("--checkpoint-dir", "state", "--drain", "0.5", "--every", "0.1")
    command = bench.job_file(JOB.replace("HOW", how))
    first = bench.start(*options, *command, STEADYSPOT_STOP_TIMEOUT="3")
    first.wait_for("changed 1")
    if how is not RAISES:
        first.terminate()
    assert first.end() in (1, 143), first.said()
    assert bench.item()["checkpoint"]["units_done"] == 1
    _on_a_new_disk(bench)

    again = bench.start(*options, *command)
    assert again.end() == 0, again.said()
    _is_once(bench, again)


def test_interval_saves_nothing_in_the_midst_of_a_unit_and_says_how_to_ask(bench: Bench) -> None:
    options = ("--checkpoint-dir", "state", "--every", "0.1")
    command = bench.job_file(JOB.replace("HOW", HANGS))
    bench.kill_behind("run.save()", *options, *command)
    _on_a_new_disk(bench)

    again = bench.start(*options, *command)
    assert again.end() == 0, again.said()
    _is_once(bench, again)


SHORT = """
import time
from steadyspot import current_run
run = current_run()
for unit in LOOP:
    with MARK:
        with open("state/lines", "a") as file: file.write(f"{unit}\\n")
        print("done", unit, flush=True)
        if run.attempt == 1 and unit == 20: time.sleep(60)
with run.output("lines") as path: path.write_text(open("state/lines").read())
"""


@pytest.mark.parametrize(
    ("loop", "mark", "most_again"),
    [
        ("run.remaining(range(30))", "open('/dev/null')", 21),
        ("run.undone(range(30))", "run.unit(unit)", 1),
    ],
)
def test_units_that_take_no_time_change_the_folder_once(
    bench: Bench, loop: str, mark: str, most_again: int
) -> None:
    options = ("--checkpoint-dir", "state", "--every", "0.1")
    text = SHORT.replace("LOOP", loop).replace("MARK", mark)
    command = bench.job_file(text)
    bench.kill_behind(["done 20", "run.save()"], *options, *command)
    _on_a_new_disk(bench)

    again = bench.start(*options, *command)
    assert again.end() == 0, again.said()
    assert bench.objects()["lines"].decode().split() == [str(unit) for unit in range(30)]
    assert "warnings" not in bench.item(), "what the units yielded is in the folder"
    done = [int(line.split()[1]) for line in again.text if line.startswith("done")]
    assert len([unit for unit in done if unit <= 20]) <= most_again


LONG = """
import os, time
from pathlib import Path
from steadyspot import current_run
run = current_run()
at = Path("state/at")
for unit in run.remaining(["long"]):
    for step in range(int(at.read_text()) if at.exists() else 0, 4):
        at.write_text(str(step + 1))
        HOW
        print("step", step, flush=True)
        if run.attempt == 1 and step == 2: time.sleep(60)
"""


@pytest.mark.parametrize("how", ["run.save()", "Path('marker').touch()"])
def test_long_unit_asks_for_a_save_and_goes_on_from_there(bench: Bench, how: str) -> None:
    options = ("--checkpoint-dir", "state", "--marker", "marker", "--drain", "0")
    command = bench.job_file(LONG.replace("HOW", how))
    first = bench.start(*options, *command)
    first.wait_for("step 2")
    wait_until(lambda: not (bench.folder / "marker").exists())
    first.terminate()
    assert first.end() == 143, first.said()
    _on_a_new_disk(bench)

    again = bench.start(*options, *command)
    assert again.end() == 0, again.said()
    assert [line for line in again.text if line.startswith("step")] == ["step 3"]


ON_STOP = """
import sys, time
from pathlib import Path
from steadyspot import current_run
run = current_run()
at = Path("state/at")
now = [int(at.read_text())] if at.exists() else [0]
HOW
for unit in run.remaining(["long"]):
    while now[0] < 500:
        now[0] += 1
        print("step", now[0], flush=True)
        if run.attempt == 1:
            time.sleep(0.02)
            WITHIN
"""
ON_STOP_WAYS = {
    "by a callback, and is killed": (
        "run.on_stop(lambda: (at.write_text(str(now[0])), run.save()))",
        "pass",
    ),
    "when it sees the stop, and leaves": (
        "pass",
        "if run.stopping: at.write_text(str(now[0])); run.save(); sys.exit(143)",
    ),
}


@pytest.mark.parametrize("way", ON_STOP_WAYS)
def test_what_a_job_saves_for_the_stop_counts_in_the_midst_of_a_unit(
    bench: Bench, way: str
) -> None:
    how, within = ON_STOP_WAYS[way]
    options = ("--checkpoint-dir", "state", "--drain", "2")
    command = bench.job_file(ON_STOP.replace("HOW", how).replace("WITHIN", within))
    first = bench.start(*options, *command)
    first.wait_for("step 9")
    first.terminate()
    assert first.end() == 143, first.said()
    _on_a_new_disk(bench)

    again = bench.start(*options, *command)
    assert again.end() == 0, again.said()
    assert "step 500" in again.text
    assert "step 9" not in again.text


PARTS = """
import signal, sys, time, uuid
from steadyspot import current_run
run = current_run()
for unit in run.undone("ab"):
    with run.unit(unit):
        with open(f"out/part-{unit}-{uuid.uuid4()}.csv", "w") as file: file.write(unit)
        if run.attempt == 1 and unit == "b":
            HOW
"""


@pytest.mark.parametrize("how", [RAISES, f"print('changed', flush=True); {ITS_HANDLER}"])
def test_file_of_a_unit_that_failed_is_not_published_beside_that_of_the_next_attempt(
    bench: Bench, how: str
) -> None:
    options = ("--output-dir", "out", "--drain", "0.5")
    command = bench.job_file(PARTS.replace("HOW", how))
    first = bench.start(*options, *command, STEADYSPOT_STOP_TIMEOUT="3")
    if how is not RAISES:
        first.wait_for("changed")
        first.terminate()
    assert first.end() in (1, 143), first.said()
    _on_a_new_disk(bench, "out")

    again = bench.start(*options, *command)
    assert again.end() == 0, again.said()
    assert sorted(n.split("-")[1] for n in bench.objects() if n.startswith("part")) == ["a", "b"]


BESIDE = """
import threading, uuid
from concurrent.futures import ThreadPoolExecutor
from steadyspot import current_run
run = current_run()
both = threading.Barrier(2)
marked = [threading.Event() for _ in range(3)]
def work(unit):
    with run.unit(unit):
        HOW
        both.wait()
        if unit % 2: marked[unit // 2].wait()
    marked[unit // 2].set()
with ThreadPoolExecutor(2) as pool: list(pool.map(work, run.undone(range(6))))
"""


SHARED = "Units side by side change 'all'"
UNREPEATABLE = "Units side by side make files such as"
BESIDE_WAYS = {
    "with open('state/all', 'a') as file: file.write(f'{unit}\\n')": [SHARED],
    "with open(f'state/{unit}', 'w') as file: file.write('own'); file.flush()": [],
    "open(f'out/{unit}-{uuid.uuid4()}.csv', 'w').close()": [UNREPEATABLE],
    "open(f'out/{unit}-{uuid.uuid4().hex}-0.parquet', 'w').close()": [UNREPEATABLE],
    "open(f'out/{unit}-d41d8cd98f00b204e9800998ecf8427e.csv', 'w').close()": [],
}


@pytest.mark.parametrize("how", BESIDE_WAYS)
def test_what_units_side_by_side_cannot_keep_right_is_told(bench: Bench, how: str) -> None:
    options = ("--checkpoint-dir", "state", "--output-dir", "out")
    worker = bench.start(*options, *bench.job_file(BESIDE.replace("HOW", how)))
    assert worker.end() == 0, worker.said()
    warnings = bench.item().get("warnings", [])
    assert len(warnings) == len(BESIDE_WAYS[how])
    for warning, said in zip(warnings, BESIDE_WAYS[how], strict=True):
        assert warning.startswith(said)
        assert len(warning) < LONGEST
