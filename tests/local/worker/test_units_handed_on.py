"""A unit that reads what those before it left is never done without them.

A resumed attempt begins with nothing of what units before a stop had left to those after them: the
next number, the rows that were seen, where the random numbers stood. Its units would end as
complete with other outputs than an undisturbed run makes, so the run begins anew.
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
from tests.local.worker.test_units_carried import undisturbed

HEAD = """
import random, sqlite3, sys, time
from steadyspot import current_run

def put(unit, value):
    time.sleep(0.01)
    with current_run().output(f"{unit}.txt") as path: path.write_text(str(value))

def each():
    for unit in current_run().remaining(range(8)):
        yield unit
        print("gave", unit, flush=True)

def rows(unit): return [(unit + row) % 9 for row in range(3)]
"""
WAYS = {
    "number": """
number = 0
for unit in each():
    numbered = []
    for row in rows(unit):
        number += 1
        numbered.append((number, row))
    put(unit, numbered)""",
    "rows that were seen": """
seen = set()
def new(row):
    if row in seen: return False
    seen.add(row)
    return True
for unit in each(): put(unit, list(filter(new, rows(unit))))""",
    "rows that a database in memory has": """
seen = sqlite3.connect(":memory:")
seen.execute("create table seen (row primary key)")
def new(row):
    return seen.execute("insert or ignore into seen values (?)", (row,)).rowcount
for unit in each(): put(unit, list(filter(new, rows(unit))))""",
    "seeded random numbers": """
random.seed(7)
for unit in each(): put(unit, random.random())""",
    "count of the loop": "for at, unit in enumerate(each()): put(unit, at)",
    "function in the head": """
seen = set()
def known(unit):
    was = unit % 5 in seen
    seen.add(unit % 5)
    return unit, was
for unit, was in map(known, each()): put(unit, was)""",
    "rows that a decorator has seen": """
def once(function):
    seen = set()
    def inner(row):
        if row in seen: return "seen"
        seen.add(row)
        return function(row)
    return inner
@once
def name(row): return f"row {row}"
for unit in each(): put(unit, [name(row) for row in rows(unit)])""",
    "rows before, of an object": """
class Changes:
    def __init__(self): self.before = None
    def of(self, unit):
        now = rows(unit)
        changed = [one for one in now if one not in (self.before or ())]
        self.before = now
        return changed
changes = Changes()
for unit in each(): put(unit, changes.of(unit))""",
    "number of an object in a tuple": """
class Number:
    def __init__(self): self.last = 0
    def of(self, unit):
        self.last += 1
        return self.last
class Steps:
    def __init__(self, *steps): self.steps = steps
    def of(self, unit): return [step.of(unit) for step in self.steps]
steps = Steps(Number())
for unit in each(): put(unit, steps.of(unit))""",
    "numbers by key, in a comprehension": """
ids = {}
def number(row): return ids.setdefault(row, len(ids))
done = [put(unit, [number(row) for row in rows(unit)]) for unit in each()]""",
    "until it is broken off": """
total = 0
for unit in each():
    total += unit
    put(unit, total)
    if unit == 7: break
with current_run().output("end.txt") as path: path.touch()""",
}


@pytest.mark.parametrize("way", WAYS)
def test_units_that_read_what_those_before_left_are_done_with_them(
    tmp_path: Path, way: str
) -> None:
    job = f"{HEAD}{WAYS[way]}\n"
    right = undisturbed(tmp_path / "undisturbed", job)
    killed_behind("gave 4", tmp_path, job)

    code, said = run_to_its_end(tmp_path, job)
    assert code == 75, said
    assert "What was made would lack what" in said
    assert units_done(tmp_path) == {}
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert published(tmp_path) == right


def test_they_are_where_a_resumed_attempt_had_done_the_last_one(tmp_path: Path) -> None:
    job = f"{HEAD}{WAYS['number']}\n"
    right = undisturbed(tmp_path / "undisturbed", job)
    killed_behind("gave 4", tmp_path, job)
    killed_behind("gave 7", tmp_path, job)

    assert run_to_its_end(tmp_path, job)[0] == 75
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert published(tmp_path) == right


GO_ON = {
    "cache": """
cache = {}
def twice(row):
    if row not in cache: cache[row] = row * 2
    return cache[row]
for unit in each(): put(unit, [twice(row) for row in rows(unit)])""",
    "order by random numbers": """
random.seed(7)
order = random.sample(range(8), 8)
for unit in current_run().remaining(order):
    put(unit, unit)
    print("gave", len(list(filter(None, order[: order.index(unit) + 1]))), flush=True)""",
    "progress": """
done, begun = 0, time.time()
for unit in each():
    put(unit, unit)
    done += 1
    if done % 2: print(done, "in", time.time() - begun)""",
}


@pytest.mark.parametrize("way", GO_ON)
def test_units_that_read_nothing_of_those_before_are_not_done_again(
    tmp_path: Path, way: str
) -> None:
    job = f"{HEAD}{GO_ON[way]}\n"
    killed_behind("gave 4", tmp_path, job)
    assert len(units_done(tmp_path)) >= 3
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert len(published(tmp_path)) == 8


def test_the_run_begins_anew_and_is_complete_with_what_an_undisturbed_one_makes(
    bench: Bench,
) -> None:
    command = bench.job_file(f"{HEAD}{WAYS['number']}\n")
    bench.kill_behind("gave 4", *command)

    resumed = bench.start(*command)
    assert resumed.end() == 75, resumed.said()
    assert bench.item()["stop_report"]["reason"] == "kept-in-memory"
    assert "What was made would lack what" in resumed.said()
    assert "had left in 'number', so all units are done again." in resumed.said()
    again = bench.start(*command)
    assert again.end() == 0, again.said()
    last = [(22, 7), (23, 8), (24, 0)]
    assert bench.objects()["7.txt"] == str(last).encode()


KEPT_BESIDE = {
    "state": "run.state['last'] = unit",
    "folder": "open(os.environ['STEADYSPOT_CHECKPOINT_DIR'] + '/log.txt', 'a').write(f'{unit},')",
}
COUNTED = """
import os
run = current_run()
number = total = 0
for unit in each():
    number += 1
    total += unit
    {keep}
    put(unit, number)
put("total", total)
if 'STEADYSPOT_CHECKPOINT_DIR' in os.environ:
    put("log", open(os.environ['STEADYSPOT_CHECKPOINT_DIR'] + '/log.txt').read())"""


def folder_of_attempt(folder: Path, where: str, attempt: int) -> dict[str, str]:
    """Each attempt of a task has an empty one, as that of a container is."""
    kept = folder / f"kept-{attempt}"
    return {"STEADYSPOT_CHECKPOINT_DIR": str(kept)} if where == "folder" else {}


@pytest.mark.parametrize("where", KEPT_BESIDE)
def test_what_a_job_keeps_of_another_thing_does_not_count(
    bench: Bench, tmp_path: Path, where: str
) -> None:
    command = bench.job_file(HEAD + COUNTED.format(keep=KEPT_BESIDE[where]))
    of_attempts = [folder_of_attempt(tmp_path, where, each) for each in range(3)]
    bench.kill_behind("gave 4", *command, **of_attempts[0])

    resumed = bench.start(*command, **of_attempts[1])
    assert resumed.end() == 75, resumed.said()
    again = bench.start(*command, **of_attempts[2])
    assert again.end() == 0, again.said()
    outputs = bench.objects()
    assert outputs["7.txt"] == b"8"
    assert outputs["total.txt"] == b"28"
    if where == "folder":
        assert outputs["log.txt"] == b"0,1,2,3,4,5,6,7,"


RESTORED = """
import json, os
run = current_run()
path = os.environ.get("STEADYSPOT_CHECKPOINT_DIR", "") + "/kept.json"
class Kept:
    def __init__(self): self.number = self.total = 0
    def restore(self):
        self.number, self.total = {restore}
    def keep(self, unit):
        self.number += 1
        self.total += unit
        {keep}
kept = Kept()
kept.restore()
for unit in each():
    kept.keep(unit)
    put(unit, kept.number)
put("total", kept.total)"""
WAYS_TO_RESTORE = {
    "state": {
        "restore": "run.state.get('kept', (0, 0))",
        "keep": "run.state['kept'] = [self.number, self.total]",
    },
    "folder": {
        "restore": "json.load(open(path)) if os.path.exists(path) else (0, 0)",
        "keep": "json.dump([self.number, self.total], open(path, 'w'))",
    },
}


@pytest.mark.parametrize("where", WAYS_TO_RESTORE)
def test_what_a_job_reads_back_goes_on(bench: Bench, tmp_path: Path, where: str) -> None:
    command = bench.job_file(HEAD + RESTORED.format(**WAYS_TO_RESTORE[where]))
    of_attempts = [folder_of_attempt(tmp_path, where, each) for each in range(2)]
    bench.kill_behind("gave 4", *command, **of_attempts[0])

    resumed = bench.start(*command, **of_attempts[1])
    assert resumed.end() == 0, resumed.said()
    outputs = bench.objects()
    assert outputs["7.txt"] == b"8"
    assert outputs["total.txt"] == b"28"


def test_a_folder_is_emptied_before_its_units_are_done_again(tmp_path: Path) -> None:
    """Without AWS nobody but its owner may empty it."""
    kept = tmp_path / "kept"
    kept.mkdir()
    head = f"import os\nos.environ['STEADYSPOT_CHECKPOINT_DIR'] = {str(kept)!r}\n"
    job = head + HEAD + COUNTED.format(keep=KEPT_BESIDE["folder"])
    killed_behind("gave 4", tmp_path, job)

    for code in (75, 125):
        ended, said = run_to_its_end(tmp_path, job)
        assert ended == code, said
        assert f"What is in {kept} is of units that are done again: empty it first." in said
    (kept / "log.txt").unlink()
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert published(tmp_path)["log.txt"] == b"0,1,2,3,4,5,6,7,"
