"""What a loop keeps in variables for what comes after it, as programs are written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from steadyspot.memory.carried import Carried
from steadyspot.memory.restored import Restored
from steadyspot.memory.under_loops import UnderLoops

HEAD = """
import array, asyncio, atexit, collections, concurrent.futures, configparser, dataclasses, hashlib
import heapq, itertools, json, logging, sqlite3, struct, sys, tempfile, time, types, xml.dom.minidom
import duckdb, numpy
def each():
    for unit in remaining(range(1, 9)): yield unit
"""
KEPT = {
    "number": ("total = 0\nfor unit in remaining(U): total += unit\nwrite(total)", "total"),
    "rows of DuckDB": (
        """
con = duckdb.connect(); con.execute("create table t as select 0 v")
for unit in each(): con.execute("update t set v = v + 1")
write(con.execute("select v from t").fetchone())""",
        "con",
    ),
    "rows of DuckDB itself": (
        """
duckdb.sql("create or replace table of_loop as select 0 v")
for unit in each(): duckdb.execute("update of_loop set v = v + 1")
write(duckdb.sql("select v from of_loop").fetchone())""",
        "duckdb",
    ),
    "over lines": (
        "total = 0\nfor unit in remaining(\n    U,\n):\n    total += unit\nwrite(total)",
        "total",
    ),
    "with a count": (
        "total = 0\nfor count, unit in enumerate(each()): total += unit\nwrite(total)",
        "total",
    ),
    "by a name of the loop": (
        "total, todo = 0, remaining(U)\nfor unit in todo: total += unit\nwrite(total)",
        "total",
    ),
    "asked by next": (
        """
total, left = 0, remaining(U)
while True:
    unit = next(left, None)
    if unit is None: break
    total += unit
write(total)""",
        "total",
    ),
    "asked until there is none": (
        """
def main():
    total, left = 0, iter(remaining(U))
    while True:
        try: unit = next(left)
        except StopIteration: break
        total += unit
    write(total)
main()""",
        "total",
    ),
    "asked by the condition": (
        """
total, left = 0, map(int, remaining(U))
while (unit := next(left, None)) is not None: total += unit
else: write(total)""",
        "total",
    ),
    "told, and what else": (
        """
def note(count): return write(count)
count = 0
for unit in each(): count += 1
if note(count): print("written")""",
        "count",
    ),
    "that ends the program": (
        """
count = 0
for unit in each(): count += 1
if count > 99: sys.exit()
write("done")""",
        "count",
    ),
    "told by what writes": (
        """
count = 0
for unit in each(): count += 1
line = f"{count} units"
print(write(line))""",
        "count",
    ),
    "told if it is written": (
        """
count = 0
for unit in each(): count += 1
if count or True: print(write(count))""",
        "count",
    ),
    "compared": (
        """
count, size = 0, 8
for unit in each(): count += 1
half = count / 2
print(half)
match size:
    case _ if size > half: write("more")""",
        "count",
    ),
    "named in a text": (
        """
count = 0
for unit in each(): count += 1
rows = [count]
print(rows)
write("select * from rows")""",
        "count",
    ),
    "by all names": (
        """
count = 0
for unit in each(): count += 1
line = f"{count} units"
write(globals())""",
        "count",
    ),
    "told by a function that writes": (
        """
def summary(count):
    print(count)
    write(count)
count = 0
for unit in each(): count += 1
summary(count)""",
        "count",
    ),
    "what a program said": (
        """
count, said = 0, types.SimpleNamespace(stdout="")
for unit in each(): said.stdout += str(unit)
write(said.stdout.split())""",
        "stdout",
    ),
    "two on a line": (
        "one = other = 0\nfor unit in remaining(U): one += unit\nwrite(one); write(other)",
        "one",
    ),
    "broken off": (
        "total = 0\nfor unit in each():\n    total += unit\n    if unit == 7: break\nwrite(total)",
        "total",
    ),
    "returned": (
        """
def main():
    total = 0
    for unit in each(): total += unit
    return total
main()""",
        "total",
    ),
    "of each table": (
        """
for table in "ab":
    total = 0
    for unit in each(): total += unit
    write(total)""",
        "total",
    ),
    "number of an object": (
        """
class Report:
    def __init__(self): self.total = 0
    def add(self, unit): self.total += unit
    def text(self): return str(self.total)
report = Report()
for unit in each(): report.add(unit)
write(report.text())""",
        "total",
    ),
    "number of this object": (
        """
class Report:
    def __init__(self): self.total, self.unit, self.calls = 0, None, 0
    def make(self):
        for unit in each():
            self.unit = unit
            self.add()
        write(self.total)
        print(self.calls)
    def add(self):
        self.calls += 1
        self.total = self.total + self.unit
Report().make()""",
        "total",
    ),
    "dataclass": (
        """
@dataclasses.dataclass
class Report: total: int = 0
report = Report()
for unit in each(): report.total += unit
write(dataclasses.asdict(report))""",
        "total",
    ),
    "number of outer code": (
        """
def main():
    total = 0
    def add(unit):
        nonlocal total
        total += unit
    for unit in each(): add(unit)
    write(total)
main()""",
        "total",
    ),
    "global number": (
        """
total = 0
def add(unit):
    global total
    total += unit
def report(): write(total)
def main():
    for unit in each(): add(unit)
    report()
main()""",
        "total",
    ),
    "sums": (
        "sums = {'a': 0}\nfor unit in each(): sums['a'] += unit\nwrite(sums)",
        "sums",
    ),
    "sums that functions hand on": (
        """
sums = {"a": 0}
def first(rows, unit): second(rows, unit)
def second(rows, unit): third(rows, unit)
def third(rows, unit): rows["a"] += unit
for unit in each(): first(sums, unit)
write(sums)""",
        "sums",
    ),
    "counts": (
        "counts = collections.Counter()\nfor unit in each(): counts.update('a')\nwrite(counts)",
        "counts",
    ),
    "array": ("sums = numpy.zeros(3)\nfor unit in each(): sums += unit\nwrite(sums)", "sums"),
    "array by a function": (
        "sums = numpy.zeros(3)\nfor unit in each(): numpy.add(sums, unit, out=sums)\nwrite(sums)",
        "sums",
    ),
    "sums by a function": (
        """
def add(unit, sums): sums["a"] += unit
sums = {"a": 0}
for unit in each(): add(unit, sums)
write(sums)""",
        "sums",
    ),
    "array by functions": (
        """
class Job:
    def work(self, unit, into):
        self.add(unit, to=into)
    def add(self, unit, to): to += unit
def main(job):
    sums = numpy.zeros(3)
    for unit in each(): job.work(unit, sums)
    return sums
main(Job())""",
        "sums",
    ),
    "array at some places": (
        "sums = numpy.zeros(9)\nfor unit in each(): numpy.add.at(sums, unit, 1)\nwrite(sums)",
        "sums",
    ),
    "attribute by name": (
        """
class Report: total = 0
report = Report()
for unit in each(): setattr(report, "total", report.total + unit)
write(report.total)""",
        "total",
    ),
    "number of a namespace": (
        """
report = types.SimpleNamespace(total=0)
for unit in each(): report.total += unit
write(report.total)""",
        "total",
    ),
    "number of a class": (
        "class Report: total = 0\nfor unit in each(): Report.total += unit\nwrite(Report.total)",
        "total",
    ),
    "number of slots": (
        """
class Report:
    __slots__ = ("total",)
    def __init__(self): self.total = 0
    def add(self, unit): self.total += unit
report = Report()
for unit in each(): report.add(unit)
write(report.total)""",
        "total",
    ),
    "number of a function": (
        """
def add(unit): add.total += unit
add.total = 0
for unit in each(): add(unit)
write(add.total)""",
        "total",
    ),
    "filled array": (
        "rows = numpy.zeros(9)\nfor unit in each(): rows[unit] = 1\nwrite(rows)",
        "rows",
    ),
    "filled list": ("rows = [0] * 9\nfor unit in each(): rows[unit] = 1\nwrite(rows)", "rows"),
    "replaced array": (
        "rows = numpy.zeros(0)\nfor unit in each(): rows = numpy.append(rows, unit)\nwrite(rows)",
        "rows",
    ),
    "hash": (
        "found = hashlib.md5()\nfor unit in each(): found.update(b'x')\nwrite(found.digest())",
        "found",
    ),
    "largest": (
        """
best = None
for unit in each():
    if not best or unit > best: best = unit
write(best)""",
        "best",
    ),
    "flag": (
        "found = False\nfor unit in each():\n    if unit == 2: found = True\nwrite(found)",
        "found",
    ),
    "errors": (
        """
errors = 0
for unit in each():
    try: write(unit)
    except ValueError: errors += 1
if errors: write("bad")""",
        "errors",
    ),
    "skipped over": (
        """
last = None
for unit in each():
    if unit == 3: continue
    last = unit
write(last)""",
        "last",
    ),
    "in a coroutine": (
        """
async def main():
    total = 0
    for unit in each(): total += unit
    await asyncio.sleep(0)
    write(total)
asyncio.run(main())""",
        "total",
    ),
    "read by a function": (
        "total = 0\ndef end(): write(total)\nfor unit in each(): total += unit\nend()",
        "total",
    ),
}
CHANGED = {
    "array by what it is added to": (
        "sums = numpy.zeros(3)\nfor unit in each(): numpy.add(sums, unit, sums)\nwrite(sums)",
        "sums",
    ),
    "array by another name": (
        """
rows = numpy.zeros((9, 2))
for unit in each():
    row = rows[unit]
    row += unit
write(rows)""",
        "rows",
    ),
    "row by another name": (
        """
rows = {unit: [0] for unit in range(9)}
for unit in each():
    row = rows.get(unit)
    row[0] = unit
write(rows)""",
        "rows",
    ),
    "rows within": (
        "rows = [[], []]\nfor unit in each(): rows[unit % 2].append(unit)\nwrite(rows)",
        "rows",
    ),
    "largest": (
        "best = [0] * 3\nfor unit in each(): heapq.heappushpop(best, unit)\nwrite(best)",
        "best",
    ),
    "largest by an object": (
        """
class Report:
    def __init__(self): self.best = [0] * 3
    def add(self, unit): heapq.heappushpop(self.best, unit)
    def write(self): write(self.best)
def main():
    report = Report()
    for unit in each(): report.add(unit)
    report.write()
main()""",
        "best",
    ),
    "last ones": (
        "last = collections.deque(maxlen=3)\nfor unit in each(): last.append(unit)\nwrite(last)",
        "last",
    ),
    "those left": (
        "left = {*range(20)}\nfor unit in each(): left.discard(unit)\nwrite(left)",
        "left",
    ),
    "in the caller": (
        """
def work(best):
    for unit in each(): heapq.heappushpop(best, unit)
def main():
    best = [0] * 3
    work(best)
    write(best)
main()""",
        "best",
    ),
    "list of outer code": (
        """
def main():
    sums = [0]
    def add(unit): sums[0] += unit
    for unit in each(): add(unit)
    return sums
main()""",
        "sums",
    ),
    "at the end": (
        """
sums = [0]
atexit.register(lambda: write(sums))
def add(unit): sums[0] += unit
for unit in each(): add(unit)""",
        "sums",
    ),
    "bytes": (
        "row = bytearray(9)\nfor unit in each(): struct.pack_into('B', row, unit, 1)\nwrite(row)",
        "row",
    ),
    "settings": (
        """
rows = configparser.ConfigParser()
rows["units"] = {}
for unit in each(): rows["units"][str(unit)] = "done"
with open("/dev/null", "w") as file: rows.write(file)""",
        "rows",
    ),
    "document by its root": (
        """
tree = xml.dom.minidom.Document()
root = tree.appendChild(tree.createElement("units"))
for unit in each(): root.appendChild(tree.createElement("unit"))
write(tree.toxml())""",
        "tree",
    ),
    "file that is closed": (
        """
with tempfile.NamedTemporaryFile("w") as rows:
    for unit in each(): rows.write(str(unit))
write("done")""",
        "rows",
    ),
    "generator": (
        """
def summed():
    total = 0
    while True: total += yield total
sums = summed()
next(sums)
for unit in each(): sums.send(unit)
write(sums.send(0))""",
        "sums",
    ),
    "object of the job's by a library's class": (
        """
class Rows(collections.UserDict):
    def put(self, unit): self[unit] = unit
rows = Rows()
def main():
    for unit in each(): rows.put(unit)
    write(dict(rows))
main()""",
        "rows",
    ),
    "numbers": (
        "rows = array.array('i', [0] * 9)\nfor unit in each(): rows[unit] = unit\nwrite(rows)",
        "rows",
    ),
}
NOT_KEPT = {
    "only told": "count = 0\nfor unit in each(): count += 1; print(count)\nprint(f'{count} done')",
    "of each table": (
        "for table in 'ab':\n    total = 0\n    for unit in each(): total += unit\n    print(total)"
    ),
    "looked up": "prices = numpy.ones(9)\nfor unit in each(): price = prices[unit]\nwrite(prices)",
    "made anew": """
for unit in each():
    try: rows = [unit]
    except ValueError: raise
    with open("/dev/null") as file: text = file.read()
    if unit: size = 1
    else: size = 2
    names = [row for row in rows]
rows, text, size = [1], "", 3
write(rows, text, size, [row for row in rows])
with open("/dev/null") as file: write(file)""",
    "given to a function": """
def work(unit, size, prices, options):
    size += unit
    options = dict(options, unit=unit)
    return size * prices[0], options
size, prices, options = 3, numpy.ones(9), {"deep": True}
for unit in each(): work(unit, size, prices, options)
write(size, prices, options)""",
    "the last": "for unit in each(): last = unit * 2\nwrite(last)",
    "now and then": """
last = 0.0
for unit in each():
    if time.monotonic() - last > 60: print("alive"); last = time.monotonic()
write("done")""",
    "an object's own": """
class Client:
    def __init__(self): self.token, self.calls, self.unit = "t", 0, None
    def send(self, unit):
        self.calls += 1
        self.unit = unit
        return self.token, self.unit
client, options = Client(), {"deep": True}
for unit in each(): client.send((unit, options))
print(client.calls)
write(client.send(0), options)""",
    "answers that are kept": """
answers = {}
def ask(unit):
    if unit not in answers: answers[unit] = unit * 2
    return answers[unit]
def main():
    for unit in each(): write(ask(unit))
    write("done")
main()""",
    "rate that is limited": """
class Limiter:
    def __init__(self): self.times = collections.deque(maxlen=3)
    def wait(self):
        if self.times and self.times[0] > 9: time.sleep(0)
        self.times.append(time.monotonic())
class Client:
    def __init__(self): self.limiter = Limiter()
    def send(self, unit):
        self.limiter.wait()
        return unit
def main():
    client = Client()
    for unit in each(): write(client.send(unit))
    write("done")
main()""",
    "buffer of each unit": """
buffer = numpy.zeros(3)
for unit in each():
    numpy.multiply(unit, 2, buffer)
    write(buffer)
write("done")""",
    "filled and written": """
rows = []
for unit in each():
    rows.append(unit)
    if len(rows) == 3: write(rows); rows.clear()
if rows: write(rows)""",
    "looked up by libraries": """
prices, names = numpy.ones(9), {"a": [1, 2]}
for unit in each(): write(numpy.dot(prices, prices), json.dumps(names), heapq.nlargest(1, prices))
write(prices, names)""",
    "flushed": """
rows = []
for unit in each():
    rows.append(unit)
    if len(rows) == 3: write(rows); rows = []
write(rows)""",
    "looked up in an object": """
settings = configparser.ConfigParser()
settings.read_string("[a]\\nb = c")
for unit in each(): write(settings["a"]["b"], settings.get("a", "none", fallback=unit))
write(settings["a"]["b"])""",
    "pool and log": """
pool = concurrent.futures.ThreadPoolExecutor()
log = logging.getLogger("job")
for unit in each():
    write(*pool.map(str, [unit]))
    log.warning("%s", unit)
write(*pool.map(str, [0]), log.name)
pool.shutdown()""",
    "pool that is ended": """
with concurrent.futures.ThreadPoolExecutor() as pool:
    for unit in each(): write(*pool.map(str, [unit]))
write("done")""",
    "numbers of units": """
numbers = itertools.count()
for unit in each(): print(next(numbers), unit)
write("done")""",
    "document of each": """
for unit in each():
    tree = xml.dom.minidom.Document()
    tree.appendChild(tree.createElement("unit"))
    write(tree)
tree = xml.dom.minidom.Document()
write(tree)""",
    "told where there is none": """
count = 0
for unit in each(): count += 1
if not count: print("nothing new")
write("done")
if count:
    if count > 3: print(count)
    print("done", count)""",
    "told by a name": """
count = 0
for unit in each(): count += 1
line = f"{count} units"
print(line)
write("done")""",
    "told item by item": """
counts = collections.Counter()
for unit in each(): counts[unit % 2] += 1
for name, count in counts.most_common(): print(name, count)
else: logging.info("%s", len(counts))
write("done")""",
    "told by a function": """
def summary(count):
    if count: print("units", count)
def main():
    count = 0
    for unit in each(): count += 1
    summary(count)
    write("done")
main()""",
    "times that are told": """
times = {}
def add(name, seconds): times[name] = times.get(name, 0) + seconds
def main():
    for unit in each(): add("each", time.monotonic())
    add("end", time.monotonic())
    for name, seconds in sorted(times.items()): print(f"{name}: {seconds:.3f}")
    write("done")
main()""",
    "written where people see it": """
count = 0
for unit in each():
    count += 1
    sys.stderr.write(f"\\r{count}")
sys.stderr.write(f"{count} done")
write("done")""",
    "told one by one": """
left, count, price = remaining(U), 0, 2
while True:
    try: unit = next(left)
    except StopIteration: break
    count += 1
    twice = unit * price
    print(count, twice)
print(count)
write(price)""",
    "answers kept one by one": """
left, answers = remaining(U), {}
while (unit := next(left, None)) is not None:
    if unit not in answers: answers[unit] = unit * 2
    write(answers[unit])
write("done")""",
    "taken one by one": "left = remaining(U)\nwhile next(left, None): pass\nwrite(left)",
}


def kept(
    folder: Path,
    text: str,
    *,
    ran: bool = True,
    all_made: bool = False,
    others: Sequence[str] = (),
) -> list[str]:
    """What a program's loop keeps, which does units, or finds that all were done before."""
    found: list[str] = []

    def remaining(units: Iterable[int]) -> Iterator[int]:
        carried = Carried(files := [str(program), *others], Restored(UnderLoops(files)))
        try:
            yield from units if ran else ()
        finally:
            found.extend(carried.names(ran=ran, all_made=all_made))

    program = folder / "job.py"
    program.write_text(f"{HEAD}{text}\n")
    given: dict[str, Any] = {"__name__": "__main__", "U": range(1, 9), "remaining": remaining}
    given |= {"write": lambda *_: None, "print": lambda *_: None}
    module = type(sys)("job")
    module.__dict__.update(given)
    exec(compile(program.read_text(), program, "exec"), module.__dict__)
    return sorted(set(found))


@pytest.mark.parametrize("way", KEPT)
def test_what_is_changed_by_the_loop_and_read_later_is_kept(tmp_path: Path, way: str) -> None:
    text, name = KEPT[way]
    assert kept(tmp_path, text) == [name]
    assert name in kept(tmp_path, text, ran=False)


@pytest.mark.parametrize("way", CHANGED)
def test_what_holds_other_things_than_before_and_is_read_later_is_kept(
    tmp_path: Path, way: str
) -> None:
    """Whoever has changed it, and by whatever name."""
    text, name = CHANGED[way]
    assert kept(tmp_path, text) == [name]


@pytest.mark.parametrize("way", NOT_KEPT)
def test_what_is_told_made_anew_or_waits_for_its_output_is_not_kept(
    tmp_path: Path, way: str
) -> None:
    assert kept(tmp_path, NOT_KEPT[way]) == []


def test_list_is_kept_where_units_were_done_although_it_grew(tmp_path: Path) -> None:
    text = "names = []\nfor unit in each(): names.append(unit)\nwrite(names)"
    assert kept(tmp_path, text) == []
    assert kept(tmp_path, text, all_made=True) == ["names"]
    assert kept(tmp_path, text, ran=False) == ["names"]


def test_rows_in_memory_are_kept_where_units_were_done_although_they_grew(tmp_path: Path) -> None:
    text = """
names = sqlite3.connect(":memory:"); names.execute("create table t (v)")
for unit in each(): names.execute("insert into t values (?)", (unit,))
write(names.execute("select sum(v) from t").fetchone())"""
    assert kept(tmp_path, text) == []
    assert kept(tmp_path, text, all_made=True) == ["names"]
    assert kept(tmp_path, text, ran=False) == ["names"]


def test_what_the_last_unit_left_is_kept_where_no_unit_was_done(tmp_path: Path) -> None:
    assert kept(tmp_path, f"last = None\n{NOT_KEPT['the last']}", ran=False) == ["last"]


@pytest.mark.parametrize("terms", [2_000, 20_000])
def test_endless_expression_ends_no_job(tmp_path: Path, terms: int) -> None:
    """Python itself takes some thousands of terms; the text may have changed since."""
    text = KEPT["number"][0]
    program = tmp_path / "long.py"
    program.write_text(f"long = {' + '.join(['1'] * terms)}\n")
    assert kept(tmp_path, text, others=[str(program)]) == ["total"]


def test_text_that_python_warns_of_is_read_in_silence(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    program = tmp_path / "pattern.py"
    program.write_text('pattern = "\\d"\n')
    assert kept(tmp_path, KEPT["number"][0], others=[str(program)]) == ["total"]
    assert not recwarn.list


def test_file_that_has_two_names_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    text = KEPT["number of this object"][0]
    assert kept(tmp_path, text, others=[str(tmp_path / "link" / "job.py")]) == ["total"]


def test_program_without_a_text_keeps_nothing_that_is_known(tmp_path: Path) -> None:
    text = f"{HEAD}{KEPT['number'][0]}".replace("U)", "range(3))")
    found: list[str] = []

    def remaining(units: Iterable[int]) -> Iterator[int]:
        carried = Carried([], Restored(UnderLoops([])))
        yield from units
        found.extend(carried.names(ran=True, all_made=True))

    exec(compile(text, "<string>", "exec"), {"remaining": remaining, "write": print})
    assert found == []
