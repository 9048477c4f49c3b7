"""For the want of what a program may have failed that has left out units, as they are written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from steadyspot.memory.failing import Failure
from steadyspot.memory.left_out import LeftOut
from steadyspot.memory.lost import Lost
from steadyspot.memory.open_files import OpenFiles
from tests.unit.worker.test_left_out import others

HEAD = """
import sys
class run:
    remaining = remaining
    output = lambda name: None
def load(unit): return [unit]
def fail(unit): raise OSError(unit)
"""
AFTER = {
    "mean": ("n = 0\nfor unit in remaining(U): n += 1\nmean = 1 / n", "n"),
    "mean that is told": ("n = 0\nfor unit in remaining(U): n += 1\nprint(1 / n)", "n"),
    "last": ("for unit in remaining(U): rows = load(unit)\nprint(len(rows))", "rows"),
    "last unit": ("for unit in remaining(U): load(unit)\nprint(unit)", "unit"),
    "looked up": ("index = {}\nfor unit in remaining(U): index[unit] = 1\nindex[0]", "index"),
    "counted": (
        "n = 0\nfor unit in remaining(U): n += 1\nif n < 8: raise ValueError('incomplete')",
        "n",
    ),
    "asserted": ("n = 0\nfor unit in remaining(U): n += 1\nassert n == 8", "n"),
    "of a function": (
        """
def mean(values): return sum(values) / len(values)
values = []
for unit in remaining(U): values.append(unit)
mean(values)""",
        "values",
    ),
    "of an object": (
        """
class Report:
    def __init__(self): self.total = self.count = 0
    def add(self, unit):
        self.total += unit
        self.count += 1
    def mean(self): return self.total / self.count
report = Report()
for unit in remaining(U): report.add(unit)
print(report.mean())""",
        "count",
    ),
    "made of it, for an output": (
        """
index = {}
for unit in remaining(U): index[unit] = 1
first = list(index)
def end(): return first[0]
end()
run.output(index)""",
        "index",
    ),
}
WITHIN = {
    "looked up": (
        "index = {}\nfor unit in remaining(U):\n    old = index[unit // 2]\n    index[unit] = old",
        "index",
    ),
    "the one before": (
        "last = None\nfor unit in remaining(U):\n    if last.real < unit: last = unit",
        "last",
    ),
    "of a function": (
        """
rows = []
def before(): return rows[-1]
def work(unit):
    last = before()
    rows.append(unit)
for unit in remaining(U): work(unit)""",
        "rows",
    ),
}
OWN = {
    "after the loop": "total = 0\nfor unit in remaining(U): total += unit\nprint(total)\nfail(0)",
    "of another": "total = 0\nfor unit in remaining(U): total += unit\nhere = {}\nhere['a']",
    "of a unit that adds": "total = 0\nfor unit in remaining(U): total += fail(unit)",
    "of a unit that fills": "rows = {}\nfor unit in remaining(U): rows[unit] = fail(unit)",
    "of a unit that gathers": "rows = []\nfor unit in remaining(U): rows.append(fail(unit))",
    "of a unit for an output": (
        "rows = []\nfor unit in remaining(U): rows.append(fail(unit))\nrun.output(rows)"
    ),
    "of a unit that reads": (
        "old = set()\nfor unit in remaining(U):\n    fail(unit)\n    if unit in old: old.add(unit)"
    ),
    "before another loop": "for unit in remaining(U): load(unit)\nfor unit in 'ab': fail(unit)",
}


def lost_by(folder: Path, text: str, *, ran: bool) -> tuple[Lost, BaseException | None]:
    """What a program lacks as it ends, and the error by which it does."""
    found: list[Lost] = []

    def remaining(units: Iterable[int]) -> Iterator[int]:
        left_out = LeftOut(lambda *_: None, others(OpenFiles("", "")), lambda: [str(program)])
        left_out.add("0")
        through = False
        try:
            yield from units if ran else ()
            through = True
        finally:
            left_out.loop_is_over(kept=False, ran=ran, made=0, each_made=False, through=through)
            found.append(left_out.lost)

    program = folder / "job.py"
    program.write_text(f"{HEAD}{text}\n")
    module = type(sys)("job")
    given: dict[str, Any] = {"U": range(1, 9), "remaining": remaining, "print": lambda *_: None}
    module.__dict__.update(given)
    error = None
    try:
        exec(compile(program.read_text(), program, "exec"), module.__dict__)
    except Exception as met:
        error = met
        met.__traceback__ = met.__traceback__ and met.__traceback__.tb_next
    return found[-1], error


@pytest.mark.parametrize("way", AFTER)
def test_what_the_loop_has_changed_is_missed_after_it(tmp_path: Path, way: str) -> None:
    text, name = AFTER[way]
    lost, error = lost_by(tmp_path, text, ran=False)
    assert error
    assert name in lost.missed(Failure(error))


@pytest.mark.parametrize("way", WITHIN)
def test_what_units_have_looked_up_is_missed_within_one(tmp_path: Path, way: str) -> None:
    text, name = WITHIN[way]
    lost, error = lost_by(tmp_path, text, ran=True)
    assert error
    assert lost.missed(Failure(error)) == [name]


@pytest.mark.parametrize("way", OWN)
def test_failure_of_the_jobs_own_misses_nothing(tmp_path: Path, way: str) -> None:
    lost, error = lost_by(tmp_path, OWN[way], ran=True)
    assert error
    assert lost.missed(Failure(error)) == []


def test_what_each_unit_makes_anew_is_not_missed_where_one_ran(tmp_path: Path) -> None:
    lost, error = lost_by(tmp_path, f"{AFTER['last'][0]}\nrows['a']", ran=True)
    assert error
    assert lost.missed(Failure(error)) == []


def test_program_that_ends_without_an_error_may_miss_what_it_reads_later(tmp_path: Path) -> None:
    text = "n = 0\nfor unit in remaining(U): n += 1\nwrong = n < 8\nif wrong: print(n)"
    lost, error = lost_by(tmp_path, text, ran=True)
    assert error is None
    assert lost.missed(None) == ["n"]
    assert lost_by(tmp_path, "for unit in remaining(U): load(unit)", ran=True)[0].missed(None) == []
