"""A loop that takes units before their work is done costs time after a kill, and never an output.

As people write it: the units as a list, in batches, handed on to pools, threads, children or tasks
that end later. A unit that made nothing by itself counts only with one that did, or at the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.local.worker.kit import Bench
from tests.local.worker.test_local_folder import (
    killed_behind,
    published,
    run_to_its_end,
    start,
    units_done,
    written_down,
)

UNITS = 5
HEAD = f"""
import itertools, os, queue, subprocess, sys, threading, time
from steadyspot import current_run

def work(unit):
    time.sleep(0.15)
    with current_run().output(str(unit)) as path: path.write_text(f"made {{unit}}")
    print("made", unit, flush=True)

def slowly(unit):
    with current_run().output(str(unit)) as path:
        path.write_text(f"made {{unit}}")
        time.sleep(0.3)
    print("made", unit, flush=True)

def busy(unit):
    end = time.monotonic() + 0.1
    while time.monotonic() < end: pass
    work(unit)

async def tasks():
    async with asyncio.TaskGroup() as group:
        for unit in units:
            group.create_task(asyncio.to_thread(work, unit))
            await asyncio.sleep(0.002)

class Loop:
    # Of another library's, as Trio has one.
    def __init__(self): self.tasks = queue.SimpleQueue()
    def run(self, main):
        self.tasks.put(main)
        while not self.tasks.empty():
            task = self.tasks.get()
            try: task.send(None)
            except StopIteration: continue
            self.tasks.put(task)

class Turn:
    def __await__(self): yield

async def in_a_turn(unit):
    for _ in range(40): time.sleep(0.002); await Turn()
    work(unit)

async def begins(loop):
    for unit in units:
        loop.tasks.put(in_a_turn(unit))
        time.sleep(0.002)
        await Turn()

def of_another():
    loop = Loop()
    loop.run(begins(loop))

async def awaits(units):
    while (unit := await units.get()) is not None:
        await asyncio.sleep(0.15)
        with current_run().output(str(unit)) as path: path.write_text(f"made {{unit}}")
        print("made", unit, flush=True)

async def feeds(seconds):
    todo = asyncio.Queue(2)
    others = [asyncio.create_task(awaits(todo)) for _ in range(2)]
    for unit in units:
        await asyncio.sleep(seconds)
        await todo.put(unit)
    for _ in others: await todo.put(None)
    await asyncio.gather(*others)

def takes(units):
    while (unit := units.get()) is not None: work(unit)

def feed(kind, todo, seconds):
    others = [kind(target=takes, args=(todo,)) for _ in range(2)]
    for each in others: each.start()
    for unit in units: time.sleep(seconds); todo.put(unit)
    for each in others: todo.put(None)
    for each in others: each.join()

async def later():
    loop = asyncio.get_running_loop()
    for unit in units:
        await asyncio.sleep(0.1)
        loop.call_later(0.3, work, unit)
    await asyncio.sleep(2)

async def gently(unit):
    await asyncio.sleep(0.2)
    work(unit)

def elsewhere():
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    todo = []
    for unit in units:
        time.sleep(0.1)
        todo.append(asyncio.run_coroutine_threadsafe(gently(unit), loop))
    for one in todo: one.result()

class Shelf:
    def __init__(self): self._changed, self._units = threading.Condition(), []
    def put(self, unit):
        with self._changed: self._units.append(unit); self._changed.notify()
    def get(self):
        with self._changed:
            while not self._units: self._changed.wait()
            return self._units.pop(0)

def child(flush):
    command = [sys.executable, __file__, "child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as other:
        for unit in units:
            time.sleep(0.1)
            print(unit, file=other.stdin, flush=flush)

def started(kind):
    for unit in units:
        one = kind(target=work, args=(unit,))
        one.start()
        yield one

if __name__ == "__main__":
    run = current_run()
    if sys.argv[1:]:
        for line in sys.stdin: work(int(line))
        raise SystemExit
    units = run.remaining(range({UNITS}))
"""
ASYNCIO = "import asyncio\n    "
THREADS = "from concurrent.futures import ThreadPoolExecutor\n    "
CHILDREN = "import multiprocessing; multiprocessing.set_start_method('fork')\n    "
PROCESSES = f"{CHILDREN}from concurrent.futures import ProcessPoolExecutor\n    "
"""What only some ways load: it takes longer than most of what they do."""
WAYS = {
    "list": "for unit in list(units): work(unit)",
    "sorted": "for unit in sorted(units, reverse=True): work(unit)",
    "batches": ("while batch := list(itertools.islice(units, 2)): list(map(work, batch))"),
    "tee": "one, other = itertools.tee(units); print(sum(one)); list(map(work, other))",
    "comprehension": "todo = [unit for unit in units]; list(map(work, todo))",
    "threads": (
        f"{THREADS}with ThreadPoolExecutor(2) as pool: [pool.submit(work, unit) for unit in units]"
    ),
    "busy threads": (
        f"{THREADS}with ThreadPoolExecutor(2) as pool: [pool.submit(busy, unit) for unit in units]"
    ),
    "threads, slowly": (
        f"{THREADS}with ThreadPoolExecutor(2) as pool:\n"
        "        for unit in units: time.sleep(0.1); pool.submit(slowly, unit)"
    ),
    "threads, but the last": (
        f"{THREADS}with ThreadPoolExecutor(4) as pool:\n"
        "        for unit in units: work(unit) if unit == 4 else pool.submit(slowly, unit)"
    ),
    "processes, slowly": (
        f"{PROCESSES}with ProcessPoolExecutor(2) as pool:\n"
        "        for unit in units: time.sleep(0.1); pool.submit(slowly, unit)"
    ),
    "processes": (
        f"{PROCESSES}with ProcessPoolExecutor(2) as pool:\n"
        "        for unit in units: pool.submit(work, unit)"
    ),
    "pool": (
        f"{CHILDREN}with multiprocessing.Pool(2) as pool:\n"
        "        for one in [pool.apply_async(work, [unit]) for unit in units]: one.get()"
    ),
    "pool of threads": (
        "from multiprocessing.pool import ThreadPool\n"
        "    with ThreadPool(2) as pool:\n"
        "        for one in [pool.apply_async(work, [unit]) for unit in units]: one.get()"
    ),
    "plain threads": "for one in list(started(threading.Thread)): one.join()",
    "children": f"{CHILDREN}for one in list(started(multiprocessing.Process)): one.join()",
    "tasks": f"{ASYNCIO}asyncio.run(tasks())",
    "threads that are there": "feed(threading.Thread, queue.Queue(1), 0)",
    "threads that are there, slowly": "feed(threading.Thread, queue.Queue(), 0.1)",
    "tasks that are there, slowly": f"{ASYNCIO}asyncio.run(feeds(0.1))",
    "children that are there, slowly": (
        f"{CHILDREN}feed(multiprocessing.Process, multiprocessing.Queue(), 0.1)"
    ),
    "threads at a queue of C, slowly": "feed(threading.Thread, queue.SimpleQueue(), 0.1)",
    "threads at a queue of the job's own, slowly": "feed(threading.Thread, Shelf(), 0.1)",
    "timers": "for unit in units: time.sleep(0.1); threading.Timer(0.3, work, [unit]).start()",
    "calls of asyncio, later": f"{ASYNCIO}asyncio.run(later())",
    "tasks of another event loop": "of_another()",
    "tasks in a thread": f"{ASYNCIO}elsewhere()",
    "child that is fed": "child(True)",
    "child that is fed at the end": "child(False)",
}
ALL = {str(unit): f"made {unit}".encode() for unit in range(UNITS)}


@pytest.mark.parametrize("way", WAYS)
def test_unit_that_was_taken_ahead_is_not_done_before_its_work(tmp_path: Path, way: str) -> None:
    job = f"{HEAD}    {WAYS[way]}\n"
    for output in range(2):
        with start(tmp_path, job) as process:
            assert process.stdout
            for _ in range(output + 1):
                while (line := process.stdout.readline()) and not line.startswith("made"):
                    pass
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert set(units_done(tmp_path)) <= set(published(tmp_path)), "done before it was made"

    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert published(tmp_path) == ALL


LOOKS_AHEAD = {
    "groups": """
    for group, members in itertools.groupby(units, key=lambda unit: unit // 2):
        made(str(group), list(members))
""",
    "groups of what is counted": """
    counted = itertools.groupby(enumerate(units), key=lambda one: one[1] // 2)
    for group, members in counted: made(str(group), [unit for _, unit in members])
""",
    "pairs": """
    for pair in itertools.pairwise(units): made("-".join(map(str, pair)), pair)
""",
}
OF_WHAT_WAS_BEFORE = """
    def made(name, members):
        time.sleep(0.05)
        with run.output(name) as path: path.write_text(str([*members]))
        print("made", name, flush=True)
"""


@pytest.mark.parametrize("way", LOOKS_AHEAD)
def test_units_of_a_loop_that_looks_ahead_are_done_when_all_are(tmp_path: Path, way: str) -> None:
    """Its output is made of units before the one in hand, and lacks none after a kill."""
    job = f"{HEAD}{OF_WHAT_WAS_BEFORE}{LOOKS_AHEAD[way]}"
    with start(tmp_path, job) as process:
        assert process.stdout
        for _ in range(2):
            while not process.stdout.readline().startswith("made"):
                pass
        os.killpg(process.pid, signal.SIGKILL)
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert run_to_its_end(undisturbed, job)[0] == 0
    assert published(tmp_path) == published(undisturbed)


MORE = """
    def more(unit):
        time.sleep(0.6)
        with run.output(f"more {unit}") as path: path.write_text(f"made {unit}")
        print("made", unit, flush=True)

    def own(unit):
        if sys.argv[1] == "state":
            run.state["units"] = run.state.get("units", 0) + 1
        else:
            with run.output(str(unit)) as path: path.write_text(f"made {unit}")
        time.sleep(0.05)
"""
MORE_WAYS = {
    "pool": (
        f"{THREADS}with ThreadPoolExecutor(2) as pool:\n"
        "        for unit in units: own(unit); pool.submit(more, unit)"
    ),
    "thread": ("for unit in units: own(unit); threading.Thread(target=more, args=(unit,)).start()"),
    "thread that is there": (
        "todo = queue.SimpleQueue()\n"
        "    def takes():\n"
        "        while (unit := todo.get()) is not None: more(unit)\n"
        "    threading.Thread(target=takes).start()\n"
        "    for unit in units: own(unit); todo.put(unit)\n"
        "    todo.put(None)"
    ),
}


@pytest.mark.parametrize("own", ["output", "state"])
@pytest.mark.parametrize("way", MORE_WAYS)
def test_unit_that_made_something_and_handed_on_more_is_done_when_both_are(
    tmp_path: Path, way: str, own: str
) -> None:
    job = f"{HEAD.replace('if sys.argv[1:]:', 'if 0:')}{MORE}    {MORE_WAYS[way]}\n"
    for _ in range(2):
        with start(tmp_path, job, own) as process:
            assert process.stdout
            while (line := process.stdout.readline()) and not line.startswith("made"):
                pass
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert {f"more {unit}" for unit in units_done(tmp_path)} <= set(published(tmp_path))

    code, said = run_to_its_end(tmp_path, job, own)
    assert code == 0, said
    made = published(tmp_path)
    assert {name: made.get(f"more {name}") for name in ALL} == ALL
    if own == "state":
        assert written_down(tmp_path)["state"] == [{"units": UNITS}]


JOINED = """
import asyncio, queue, sys, threading
from steadyspot import current_run

def takes(units):
    while True:
        print("made", units.get(), flush=True)
        units.task_done()

async def awaits(units):
    while True:
        print("made", await units.get(), flush=True)
        units.task_done()

async def feed():
    todo = asyncio.Queue()
    other = asyncio.create_task(awaits(todo))
    for unit in units:
        await asyncio.sleep(0.01)
        await todo.put(unit)
        await todo.join()

units = current_run().remaining(range(1_000))
if sys.argv[1] == "tasks":
    asyncio.run(feed())
todo = queue.Queue()
threading.Thread(target=takes, args=(todo,), daemon=True).start()
for unit in units:
    threading.Event().wait(0.01)
    todo.put(unit)
    todo.join()
"""


@pytest.mark.parametrize("others", ["threads", "tasks"])
def test_unit_that_waits_for_what_it_has_others_do_is_done_at_its_end(
    tmp_path: Path, others: str
) -> None:
    assert "0" in killed_behind("made 9", tmp_path, JOINED, others)


GATHERS = """
import queue, threading, time
from steadyspot import current_run

def gathers():
    held = []
    while (unit := todo.get()) is not None:
        held.append(unit)
        if len(held) == 3:
            for each in held:
                with run.output(str(each)) as path: path.touch()
            held.clear()
            written.set()

run, todo, written = current_run(), queue.Queue(), threading.Event()
threading.Thread(target=gathers).start()
for unit in run.remaining(range(9)):
    time.sleep(0.01)
    todo.put(unit)
    if unit == 2: written.wait()
    print("gave", unit, flush=True)
"""


def test_unit_that_a_thread_holds_which_has_made_outputs_is_not_done(tmp_path: Path) -> None:
    assert set(killed_behind("gave 4", tmp_path, GATHERS)) <= {"0", "1", "2"}


GATHERS_FIRST = """
import asyncio, queue, sys, threading, time
from steadyspot import current_run

def write(held):
    for each in held:
        with run.output(str(each)) as path: path.touch()

def gathers():
    held = []
    while (unit := todo.get()) is not None: held.append(unit)
    write(held)

async def gathers_too():
    held = []
    while (unit := await todo.get()) is not None: held.append(unit)
    write(held)

async def feeds():
    task = asyncio.create_task(gathers_too())
    for unit in units:
        await asyncio.sleep(0.01)
        await todo.put(unit)
        await asyncio.sleep(0.01)
        print("gave", unit, flush=True)
    await todo.put(None)
    await task

run = current_run()
units = run.remaining(range(9))
if sys.argv[1] == "task":
    todo = asyncio.Queue()
    asyncio.run(feeds())
else:
    todo = queue.Queue()
    thread = threading.Thread(target=gathers, daemon=sys.argv[1] == "daemon thread")
    thread.start()
    for unit in units:
        time.sleep(0.01)
        todo.put(unit)
        print("gave", unit, flush=True)
    todo.put(None)
    thread.join()
"""


@pytest.mark.parametrize("others", ["thread", "daemon thread", "task"])
def test_unit_whose_taker_has_not_said_that_it_is_through_is_not_done(
    tmp_path: Path, others: str
) -> None:
    assert killed_behind("gave 4", tmp_path, GATHERS_FIRST, others) == {}

    code, said = run_to_its_end(tmp_path, GATHERS_FIRST, others)
    assert code == 0, said
    assert sorted(published(tmp_path)) == [str(unit) for unit in range(9)]


HELPED = """
import collections, logging, logging.handlers, queue, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from steadyspot import current_run

def beats():
    while True: time.sleep(0.1)

def draws():
    while not threading.Event().wait(0.1): pass

def reads():
    for part in range(1_000): parts.put(time.sleep(0.001))

def measures():
    last = collections.deque(maxlen=3)
    while True: last.append(time.sleep(0.005))

def tells():
    while True: print("said", said.get(), flush=True)

def load(): time.sleep(0.03)

def log(unit):
    logging.warning("unit %s", unit)

def begins_to_draw(unit):
    if unit == 0: threading.Thread(target=draws, daemon=True).start()

run, parts = current_run(), queue.Queue(2)
kind, work = sys.argv[1], lambda unit: None
if kind == "log":
    records, work = queue.SimpleQueue(), log
    logging.basicConfig(handlers=[logging.handlers.QueueHandler(records)])
    logging.handlers.QueueListener(records, logging.NullHandler()).start()
if kind == "heartbeat": threading.Thread(target=beats, daemon=True).start()
if kind == "progress": work = begins_to_draw
if kind == "metrics": threading.Thread(target=measures, daemon=True).start()
if kind == "own log":
    said = queue.SimpleQueue()
    threading.Thread(target=tells, daemon=True).start()
    work = said.put
if kind == "reader":
    threading.Thread(target=reads, daemon=True).start()
    work = lambda unit: parts.get()
if kind == "pool":
    pool, ahead = ThreadPoolExecutor(1), []
    def work(unit):
        if ahead: ahead.pop().result()
        ahead.append(pool.submit(load))
        with run.output(str(unit)) as path: path.touch()
if kind == "pool of each":
    def work(unit):
        global pool
        with ThreadPoolExecutor(2) as pool: list(pool.map(time.sleep, [0.001]))
for unit in run.remaining(range(1_000)):
    time.sleep(0.01)
    work(unit)
    print("made", unit, flush=True)
"""


@pytest.mark.parametrize(
    "kind",
    [
        *("log", "own log", "heartbeat", "metrics", "progress", "reader"),
        *("pool", "pool of each"),
    ],
)
def test_units_are_done_at_their_end_beside_a_helper(tmp_path: Path, kind: str) -> None:
    assert "0" in killed_behind("made 29", tmp_path, HELPED, kind)


EARLY = """
import subprocess, sys
from steadyspot import current_run
run = current_run()
if sys.argv[1:]:
    with run.output(sys.argv[1]) as path: path.write_text(f"made {sys.argv[1]}")
else:
    children = []
    for unit in run.remaining(range(2)):
        subprocess.run([sys.executable, __file__, str(unit)], check=True)
        children.append(subprocess.Popen(["sleep", "0.2"]))
    for child in children: child.wait()
"""


def test_output_that_came_before_its_unit_was_set_aside_is_not_lost(tmp_path: Path) -> None:
    code, said = run_to_its_end(tmp_path, EARLY)
    assert code == 0, said
    assert sorted(published(tmp_path)) == ["0", "1"]


def test_output_of_a_unit_set_aside_is_published_at_the_end(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(EARLY))
    assert worker.end(60) == 0, worker.said()
    assert sorted(bench.objects()) == ["0", "1", "completion.json"]
    assert bench.completion()["units"] == 2


@pytest.mark.parametrize(
    "way", ["list", "batches", "threads", "threads, slowly", "threads, but the last"]
)
def test_run_whose_units_were_taken_ahead_is_never_complete_without_an_output(
    bench: Bench, way: str
) -> None:
    command = bench.job_file(f"{HEAD}    {WAYS[way]}\n")
    bench.kill_behind(["made", "made"], *command)
    stopped = bench.start(*command, STEADYSPOT_STOP_TIMEOUT="1")
    stopped.wait_for("made")
    stopped.terminate()
    stopped.end()

    worker = bench.start(*command)
    assert worker.end(60) == 0, worker.said()
    objects = bench.objects()
    assert {name: objects.get(name) for name in ALL} == ALL
    assert bench.completion()["units"] == UNITS
    assert "warnings" not in bench.item()


SIDE_EFFECTS = """
import os, time
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(9)):
    if unit % 3 != 2: continue
    time.sleep(0.002)
    print("sent", unit, flush=True)
    if unit == 5 and run.attempt == 1: time.sleep(60)
"""


def test_units_of_side_effects_alone_are_done_once_each(bench: Bench) -> None:
    """Those that were passed over become durable with the next that took some time."""
    command = bench.job_file(SIDE_EFFECTS)
    bench.kill_behind("sent 5", *command)
    assert bench.item()["checkpoint"]["units_done"] == 3

    again = bench.start(*command)
    assert again.end(60) == 0, again.said()
    assert [line for line in again.text if line.startswith("sent")] == ["sent 5", "sent 8"]
    assert bench.completion()["units"] == 9
    assert "warnings" not in bench.item()


def test_stop_says_that_units_were_taken_ahead(bench: Bench) -> None:
    text = HEAD + "    todo = list(units); print('made all', flush=True); time.sleep(60)\n"
    worker = bench.start(*bench.job_file(text), STEADYSPOT_STOP_TIMEOUT="2")
    worker.wait_for("made all")
    worker.terminate()
    worker.end()
    assert f"{UNITS} units, the first is '0', are done again" in worker.said()
    assert bench.item().get("checkpoint", {}).get("units_done", 0) == 0


def test_units_in_doubt_are_told_once_while_the_job_runs(bench: Bench) -> None:
    text = HEAD.replace(f"range({UNITS})", "range(30)") + "    todo = list(units)\n"
    worker = bench.start(*bench.job_file(text))
    assert worker.end(60) == 0, worker.said()
    (told,) = [line for line in worker.text if "may not be done" in line]
    assert "10 units ended" in told
    assert bench.completion()["units"] == 30
