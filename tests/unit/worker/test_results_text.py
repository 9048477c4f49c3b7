"""What a program makes of the results of units that it hands to a pool, as programs are written."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from steadyspot.memory.results_text import results_read, returned_read

READ = {
    "map": ("found = pool.map(work, undone(U))\nwrite(sum(found))", {"found"}),
    "list of a map": ("found = list(pool.map(work, undone(U)))\nwrite(str(sum(found)))", {"found"}),
    "at once": ("write(sum(pool.map(work, undone(U))))", {""}),
    "todo": (
        "todo = sorted(undone(U))\nfound = pool.map(work, todo)\nwrite(dict(zip(todo, found)))",
        {"found"},
    ),
    "sum": (
        "total = 0\nfor one in pool.map(work, undone(U)): total += one\nwrite(total)",
        {"total"},
    ),
    "rows": (
        "rows = []\nfor one in pool.map(work, undone(U)):\n    rows.append(one)\nwrite(rows)",
        {"rows"},
    ),
    "lines of a file": ("for one in pool.map(work, undone(U)): file.write(one)", {"one"}),
    "as they end": (
        """
todo = [pool.submit(work, unit) for unit in undone(U)]
total = 0
for one in as_completed(todo): total += one.result()
write(total)""",
        {"total"},
    ),
    "by future": (
        """
todo = {pool.submit(work, unit): unit for unit in undone(U)}
names = {}
for one in as_completed(todo): names[todo[one]] = one.result()
write(names)""",
        {"names"},
    ),
    "in a loop of units": (
        """
total = 0
for unit in undone(U):
    with run.unit(unit):
        total += work(unit)
write(total)""",
        {"total"},
    ),
    "list in a loop of units": (
        """
names = []
for unit in undone(U):
    with run.unit(unit): names.append(work(unit))
write(names)""",
        {"names"},
    ),
    "how many": (
        "count = 0\nfor unit in undone(U):\n    work(unit); count += 1\nwrite(count)",
        {"count"},
    ),
    "returned": ("def main():\n    return pool.map(work, undone(U))\nwrite(main())", {""}),
    "of a method": (
        """
class Job:
    def main(self):
        self.found = pool.map(work, undone(U))
        write(self.found)
Job().main()""",
        {".found"},
    ),
}
NOT_READ = {
    "list of a map": "list(pool.map(work, undone(U)))",
    "map": "pool.map(work, undone(U))",
    "wait": "wait([pool.submit(work, unit) for unit in undone(U)])",
    "errors alone": """
todo = [pool.submit(work, unit) for unit in undone(U)]
for one in as_completed(todo):
    one.result()
write("done")""",
    "told": """
count, todo = 0, undone(U)
for one in pool.map(work, todo):
    count += 1
    print(count, "of", len(todo), one)
print(f"{count} done")
write("done")""",
    "raised": """
failed = [one for one in pool.map(work, undone(U)) if one]
if failed: raise ValueError(failed)
write("done")""",
    "outputs of units": """
for unit in undone(U):
    with run.unit(unit):
        rows = work(unit)
        write(rows)
rows = 1
""",
    "batches": """
todo = undone(U)
for begin in range(0, len(todo), 3):
    batch = todo[begin : begin + 3]
    with run.unit(*batch):
        rows = work(batch)
        write(rows)
write("done")""",
    "batch that is filled": """
batch = []
for unit in undone(U):
    batch.append(unit)
    if len(batch) == 3:
        with run.unit(*batch): write(work(batch))
        batch = []
if batch:
    with run.unit(*batch): write(work(batch))
""",
    "nothing left": "todo = undone(U)\nif not todo: raise SystemExit(0)\npool.map(work, todo)",
    "of another function": """
def work(unit):
    found = unit * 2
    write(found)
for unit in undone(U): work(unit)
""",
}


class Anything:
    """Whatever a program asks for: a pool, a run, a file."""

    def __call__(self, *_: object) -> Anything:
        return self

    def __getattr__(self, _: str) -> Anything:
        return self

    def __iter__(self) -> object:
        return iter([])

    def __enter__(self) -> Anything:
        return self

    def __exit__(self, *_: object) -> None: ...
    def __radd__(self, _: int) -> int:
        return 0


def results(folder: Path, text: str) -> set[str]:
    found: list[set[str]] = []

    def undone(units: list[int]) -> list[int]:
        caller = sys._getframe(1)
        found.append(results_read(caller.f_code, caller.f_lasti))
        return []

    program = folder / "job.py"
    program.write_text(f"{text}\n")
    names = ("pool", "run", "write", "work", "wait", "as_completed", "file")
    given = {name: Anything() for name in names} | {"undone": undone, "U": [1]}
    with contextlib.suppress(SystemExit):
        exec(compile(program.read_text(), program, "exec"), given)
    (names_read,) = found
    return names_read


@pytest.mark.parametrize("way", READ)
def test_what_is_made_of_results_is_known_by_its_name(tmp_path: Path, way: str) -> None:
    text, names = READ[way]
    assert results(tmp_path, text) == names


@pytest.mark.parametrize("way", NOT_READ)
def test_results_that_are_waited_for_told_or_a_units_own_are_none(tmp_path: Path, way: str) -> None:
    assert results(tmp_path, NOT_READ[way]) == set()


RETURNED = {
    "written": ("write(take(U))", {""}),
    "by name": ("found = take(U)\nwrite(found)", {"found"}),
    "by a function": ("def main():\n    return take(U)\nmain()", {""}),
    "dropped": ("take(U)", set()),
    "told": ("found = take(U)\nprint(found, len(found))", set()),
}


@pytest.mark.parametrize("way", RETURNED)
def test_what_is_made_of_all_that_units_yield_at_once_is_known(tmp_path: Path, way: str) -> None:
    text, names = RETURNED[way]
    found: list[set[str]] = []

    def take(_: object) -> list[int]:
        caller = sys._getframe(1)
        found.append(returned_read(caller.f_code, caller.f_lasti))
        return []

    program = tmp_path / "job.py"
    program.write_text(f"{text}\n")
    given = {"run": Anything(), "write": Anything(), "remaining": Anything()}
    exec(compile(program.read_text(), program, "exec"), given | {"take": take, "U": [1]})
    assert found == [names]
