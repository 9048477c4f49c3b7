"""What a job gathers of its units and writes later is whole after a kill, however it gathers.

As people write it: batches of rows in a list, in a thread that they are handed to, in a file that
is open all the while. Each row is in the outputs once, as if nobody had disturbed the job.
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

UNITS = 12
HEAD = f"""
import atexit, collections, csv, io, multiprocessing, queue, shelve, sqlite3
import sys, threading, time
from xml.etree import ElementTree
from steadyspot import current_run

SIZE, OWN = 5, sys.argv[1] == "own"

def write(held):
    with run.output(f"batch-{{held[0]}}") as path: path.write_text("\\n".join(map(str, held)))

class Conditional:
    def __init__(self): self._changed, self._units = threading.Condition(), collections.deque()
    def put(self, unit):
        with self._changed: self._units.append(unit); self._changed.notify()
    def get(self):
        with self._changed:
            while not self._units: self._changed.wait()
            return self._units.popleft()

class Flagged:
    def __init__(self): self._flag, self._units = threading.Event(), collections.deque()
    def put(self, unit): self._units.append(unit); self._flag.set()
    def get(self):
        while not self._units: self._flag.wait(); self._flag.clear()
        return self._units.popleft()

class Polled:
    def __init__(self): self._lock, self._units = threading.Lock(), []
    def put(self, unit):
        with self._lock: self._units.append(unit)
    def get(self):
        while True:
            with self._lock:
                if self._units: return self._units.pop(0)
            time.sleep(0.005)

class Piped:
    def __init__(self): self._out, self._in = multiprocessing.Pipe(False)
    def put(self, unit): self._in.send(unit)
    def get(self): return self._out.recv()

def gathers(todo):
    held = []
    while (unit := todo.get()) is not None:
        held.append(unit)
        if len(held) == SIZE: write(held); held = []
    if held: write(held)

def writes(todo):
    with run.output("all") as path, path.open("w") as file:
        while (unit := todo.get()) is not None: print(unit, file=file)

class Gatherer(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.todo, self.rows = queue.SimpleQueue(), []
    def run(self):
        while (unit := self.todo.get()) is not None:
            self.rows.append(unit)
            if len(self.rows) == SIZE: write(self.rows); self.rows.clear()
        if self.rows: write(self.rows)

def each():
    for unit in run.remaining(range({UNITS})):
        time.sleep(0.01)
        if OWN:
            with run.output(f"own-{{unit}}") as path: path.touch()
        yield unit
        print("gave", unit, flush=True)

def feed(other, todo):
    other.start()
    for unit in each(): todo.put(unit)
    todo.put(None)
    other.join()

def threads(todo, target=gathers):
    feed(threading.Thread(target=target, args=(todo,), daemon=True), todo)

def subclass():
    thread = Gatherer()
    feed(thread, thread.todo)

def child(todo): feed(multiprocessing.Process(target=gathers, args=(todo,)), todo)

async def task():
    changed, units = asyncio.Condition(), collections.deque()
    async def gathers():
        held = []
        while True:
            async with changed:
                while not units: await changed.wait()
                held.append(units.popleft())
            if held[-1] is None: break
            if len(held) == SIZE: write(held); held = []
        if held[:-1]: write(held[:-1])
    async def put(unit):
        async with changed: units.append(unit); changed.notify()
        await asyncio.sleep(0)
    other = asyncio.create_task(gathers())
    await asyncio.sleep(0)
    for unit in each(): await put(unit)
    await put(None)
    await other

async def task_elsewhere():
    units, held = asyncio.Queue(), []
    loop = asyncio.get_running_loop()
    def feeds():
        for unit in each(): loop.call_soon_threadsafe(units.put_nowait, unit)
        loop.call_soon_threadsafe(units.put_nowait, None)
    feeding = loop.run_in_executor(None, feeds)
    while (unit := await units.get()) is not None:
        held.append(unit)
        if len(held) == SIZE: write(held); held = []
    await feeding
    if held: write(held)

def ticks():
    rows, lock, over = [], threading.Lock(), threading.Event()
    def flush():
        with lock:
            if rows: write(rows); rows.clear()
    def beats():
        while not over.wait(0.045): flush()
    thread = threading.Thread(target=beats, daemon=True)
    thread.start()
    for unit in each():
        with lock: rows.append(unit)
    over.set(); thread.join(); flush()

def rows_in_a_list():
    rows = []
    for unit in each():
        rows.append(unit)
        if len(rows) == SIZE: write(rows); rows = []
    if rows: write(rows)

def rows_until_the_end():
    rows = []
    atexit.register(lambda: write(rows))
    for unit in each(): rows.append(unit)

def rows_in_a_table():
    table = sqlite3.connect(":memory:")
    table.execute("create table rows (unit)")
    for unit in each():
        table.execute("insert into rows values (?)", [unit])
        rows = [row for row, in table.execute("select unit from rows order by unit")]
        if len(rows) == SIZE or unit == {UNITS - 1}: write(rows); table.execute("delete from rows")

def rows_in_duckdb():
    import duckdb
    table = duckdb.connect()
    table.execute("create table rows (unit int)")
    for unit in each(): table.execute("insert into rows values (?)", [unit])
    write([row for row, in table.execute("select unit from rows").fetchall()])

def rows_in_a_shelf():
    with shelve.open("rows", writeback=True) as shelf:
        shelf.setdefault("units", [])
        for unit in each(): shelf["units"].append(unit)
        write(shelf["units"])

def rows_in_a_tree():
    tree = ElementTree.Element("rows")
    for unit in each(): ElementTree.SubElement(tree, "row").text = str(unit)
    write([row.text for row in tree])

def rows_in_a_module():
    with open("report.py", "w") as file: file.write("rows = []")
    import report
    for unit in each(): report.rows.append(unit)
    write(report.rows)

def rows_in_a_buffer():
    buffer = io.StringIO()
    for unit in each(): csv.writer(buffer).writerow([unit])
    write(buffer.getvalue().split())

def rows_by_unit():
    class Report:
        def __init__(self): self.rows = collections.defaultdict(list)
        def add(self, unit): self.rows[unit].append(unit)
    report = Report()
    for unit in each(): report.add(unit)
    write([*report.rows])

def rows_flushed_before_the_next():
    rows = []
    for unit in each():
        if len(rows) == SIZE: write(rows); rows = []
        rows.append(unit)
    write(rows)

def todo(): return run.remaining(range({UNITS}))
def rows_of_a_comprehension(): write([unit for unit in todo() if done(unit)])
def rows_of_a_map(): write(list(map(done, todo())))
def rows_of_a_generator_expression(): write(sorted(done(unit) for unit in todo()))

def done(unit):
    time.sleep(0.01)
    print("gave", unit - 1, flush=True)
    return str(unit)

def rows_in_a_file():
    with run.output("all") as path, path.open("w") as file:
        for unit in each(): csv.writer(file).writerow([unit])

def rows_in_a_generator():
    def batches():
        held = []
        for unit in each():
            held.append(unit)
            if len(held) == SIZE: yield held; held = []
        if held: yield held
    for held in batches(): write(held)

multiprocessing.set_start_method("fork")
run = current_run()
"""
WAYS = {
    "thread at a queue": "threads(queue.Queue())",
    "thread at a queue of C": "threads(queue.SimpleQueue())",
    "thread at a condition": "threads(Conditional())",
    "thread at an event": "threads(Flagged())",
    "thread that polls": "threads(Polled())",
    "thread of a class": "subclass()",
    "thread that has a file open": "threads(queue.SimpleQueue(), writes)",
    "thread that writes at times": "ticks()",
    "child at a queue": "child(multiprocessing.Queue())",
    "child at a pipe": "child(Piped())",
    "task": "import asyncio; asyncio.run(task())",
    "task of a loop elsewhere": "import asyncio; asyncio.run(task_elsewhere())",
}
IN_THE_LOOP = {
    "list": "rows_in_a_list()",
    "list until the end": "rows_until_the_end()",
    "table": "rows_in_a_table()",
    "table of DuckDB": "rows_in_duckdb()",
    "shelf": "rows_in_a_shelf()",
    "tree": "rows_in_a_tree()",
    "module": "rows_in_a_module()",
    "buffer": "rows_in_a_buffer()",
    "dictionary of an object": "rows_by_unit()",
    "list flushed before the next": "rows_flushed_before_the_next()",
    "comprehension": "rows_of_a_comprehension()",
    "map": "rows_of_a_map()",
    "generator expression": "rows_of_a_generator_expression()",
    "file": "rows_in_a_file()",
    "generator": "rows_in_a_generator()",
}


def rows(outputs: dict[str, bytes]) -> list[int]:
    """What was gathered, in order."""
    gathered = [data for name, data in outputs.items() if not name.startswith("own")]
    return sorted(int(row) for data in gathered for row in data.split())


@pytest.mark.parametrize(
    ("way", "own"),
    [(way, own) for way in WAYS for own in ("own", "none")]
    + [(way, "none") for way in IN_THE_LOOP],
)
def test_what_units_yielded_is_written_once_after_a_kill(
    tmp_path: Path, way: str, own: str
) -> None:
    """Whether units make outputs of their ``own`` besides, or none."""
    job = f"{HEAD}{(WAYS | IN_THE_LOOP)[way]}\n"
    killed_behind("gave 6", tmp_path, job, own)

    code, said = run_to_its_end(tmp_path, job, own)
    assert code == 0, said
    assert rows(published(tmp_path)) == list(range(UNITS))
    assert len(units_done(tmp_path)) == UNITS


BETWEEN = """
import time
from steadyspot import current_run
run, rows = current_run(), []

def write():
    with run.output(f"batch-{rows[0]}-{rows[-1]}", unit=None) as path:
        path.write_text("\\n".join(map(str, rows)))

for unit in run.remaining(range(12)):
    time.sleep(0.01)
    rows.append(unit)
    if len(rows) == 5: write(); print("wrote", unit, flush=True); rows.clear()
write()
"""


def test_output_of_no_unit_waits_for_units_whose_rows_it_may_hold(tmp_path: Path) -> None:
    """As that of a thread which writes just when one unit has ended and the next not begun."""
    job = BETWEEN.replace("rows.clear()", "time.sleep(60)")
    assert killed_behind("wrote 4", tmp_path, job) == {}
    assert published(tmp_path) == {}

    code, said = run_to_its_end(tmp_path, BETWEEN)
    assert code == 0, said
    assert sorted(published(tmp_path)) == ["batch-0-4", "batch-10-11", "batch-5-9"]
    assert not [*(tmp_path / ".steadyspot" / "beside").iterdir()]


INSTALLED = """
import queue, threading, time
from steadyspot import current_run

def write(run, rows):
    with run.output("all") as path: path.write_text("\\n".join(map(str, rows)))

def gather(run, todo):
    rows = []
    while (unit := todo.get()) is not None: rows.append(unit)
    write(run, rows)

def main(way):
    run, rows, todo = current_run(), [], queue.SimpleQueue()
    thread = threading.Thread(target=gather, args=(run, todo), daemon=True)
    if way == "thread": thread.start()
    for unit in run.remaining(range(12)):
        time.sleep(0.01)
        if way == "thread": todo.put(unit)
        else: rows.append(unit)
        print("gave", unit, flush=True)
    if way == "thread": todo.put(None); thread.join()
    else: write(run, rows)
"""


@pytest.mark.parametrize("way", ["list", "thread"])
def test_job_that_is_installed_among_the_libraries_is_looked_at_as_any(
    tmp_path: Path, way: str
) -> None:
    package = tmp_path / "site-packages" / "nightly"
    package.mkdir(parents=True)
    (package / "work.py").write_text(INSTALLED)
    job = "import sys; sys.path.insert(0, 'site-packages')\nfrom nightly.work import main\n"
    killed_behind("gave 6", tmp_path, f"{job}main(sys.argv[1])", way)

    code, said = run_to_its_end(tmp_path, f"{job}main(sys.argv[1])", way)
    assert code == 0, said
    assert rows(published(tmp_path)) == list(range(12))


def test_batch_of_the_loop_is_done_with_its_output(tmp_path: Path) -> None:
    job = f"{HEAD}{IN_THE_LOOP['list']}\n"
    assert sorted(killed_behind("gave 7", tmp_path, job, "none")) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("way", ["thread at a queue of C", "thread that polls"])
def test_what_a_thread_gathers_beside_units_with_outputs_survives_a_kill_and_a_stop(
    bench: Bench, way: str
) -> None:
    command = [*bench.job_file(f"{HEAD}{WAYS[way]}\n"), "own"]
    bench.kill_behind("gave 3", *command)
    stopped = bench.start(*command, STEADYSPOT_STOP_TIMEOUT="1")
    stopped.wait_for("gave 6")
    stopped.terminate()
    stopped.end()

    worker = bench.start(*command)
    assert worker.end() == 0, worker.said()
    objects = bench.objects()
    del objects["completion.json"]
    assert rows(objects) == list(range(UNITS))
    assert bench.completion()["units"] == UNITS


QUIET = """
import collections, io, sqlite3, sys, time
from steadyspot import current_run

run = current_run()
seen, last = dict.fromkeys(range(100)), collections.deque(maxlen=3)
elsewhere = sqlite3.connect("elsewhere.db")
elsewhere.execute("create table if not exists rows (unit unique)")

def load(unit):
    rows = [unit] * (unit + 1)
    seen[unit] = len(rows)
    last.append(unit)
    text = io.StringIO("x" * unit)
    with elsewhere: elsewhere.execute("insert or ignore into rows values (?)", [unit])
    time.sleep(0.01)
    return rows

def all_at_once():
    total = 0
    for count, unit in enumerate(way(run.remaining(range(100)))):
        rows = load(unit)
        names = sorted(str(row) for row in rows if row)
        total += len(rows)
        print("loaded", unit, flush=True)

way = {"plain": iter, "in a generator": lambda units: (unit for unit in units)}[sys.argv[1]]
all_at_once()
"""


@pytest.mark.parametrize("way", ["plain", "in a generator"])
def test_what_a_loop_makes_anew_for_each_unit_keeps_no_unit_from_being_done(
    tmp_path: Path, way: str
) -> None:
    """Lists of one unit, a database in a file, values that are replaced: nothing is gathered."""
    assert set("0123456") <= set(killed_behind("loaded 7", tmp_path, QUIET, way))


TOGETHER = """
import queue, sys, threading, time
from steadyspot import current_run

def gathers():
    held = []
    while (unit := todo.get()) is not None:
        held.append(unit)
        if len(held) == 3 or unit == 8:
            with run.unit(*held), run.output(f"batch-{held[0]}") as path:
                path.write_text("\\n".join(map(str, held)))
            print("wrote", unit, flush=True)
            held = []

run, todo = current_run(), queue.SimpleQueue()
thread = threading.Thread(target=gathers)
thread.start()
for unit in run.undone(range(9)):
    todo.put(unit)
    time.sleep(0.02)
todo.put(None)
thread.join()
"""


def test_units_that_are_written_together_are_done_together(tmp_path: Path) -> None:
    assert sorted(killed_behind("wrote 5", tmp_path, TOGETHER)) == list("012345")

    code, said = run_to_its_end(tmp_path, TOGETHER)
    assert code == 0, said
    assert rows(published(tmp_path)) == list(range(9))
    assert sorted(published(tmp_path)) == ["batch-0", "batch-3", "batch-6"]


def test_units_that_are_written_together_are_done_together_by_the_worker(bench: Bench) -> None:
    command = bench.job_file(TOGETHER)
    bench.kill_behind("wrote 5", *command)
    assert bench.item()["checkpoint"]["units_done"] == 6

    worker = bench.start(*command)
    assert worker.end() == 0, worker.said()
    assert "wrote 5" not in worker.said()
    assert sorted(bench.objects()) == ["batch-0", "batch-3", "batch-6", "completion.json"]
    assert bench.completion()["units"] == 9


REFUSED = """
from steadyspot import current_run
run = current_run()
try:
    with run.unit({units}): pass
except Exception as error: print("refused:", error)
with run.unit(1, 2), run.output("a") as path: path.touch()
"""


@pytest.mark.parametrize(
    ("units", "says"), [("1, 2, 1", "Two units have the key 1"), ("", "one key at least")]
)
def test_units_of_a_block_that_is_refused_can_be_begun_again(
    tmp_path: Path, units: str, says: str
) -> None:
    code, said = run_to_its_end(tmp_path, REFUSED.format(units=units))
    assert code == 0, said
    assert says in said
    assert sorted(units_done(tmp_path)) == ["1", "2"]
