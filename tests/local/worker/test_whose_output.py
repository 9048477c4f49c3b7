"""An output belongs to the unit in hand, whatever thread or child makes it; its mark counts it."""

from __future__ import annotations

import pytest

from tests.local.worker.kit import Bench, wait_until

LOOP = """
import multiprocessing, os, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from steadyspot import current_run

def write(name):
    with current_run().output(name) as path:
        path.write_text(name)

def many(kind):
    if kind == "threads":
        return ThreadPoolExecutor(4)
    if kind == "thread pool":
        return ThreadPool(4)
    start = multiprocessing.get_context(kind.split()[-1])
    if kind.startswith("pool"):
        return start.Pool(2)
    return ProcessPoolExecutor(2, mp_context=start)

if __name__ == "__main__":
    if sys.argv[1] == "child":
        write(sys.argv[2])
        raise SystemExit
    run = current_run()
    kind = sys.argv[1]
    with many("threads" if kind == "program" else kind) as pool:
        for day in run.remaining(["mon", "tue", "wed"]):
            names = [f"{day}/{i}" for i in range(2)]
            if kind == "program":
                for name in names:
                    subprocess.run([sys.executable, __file__, "child", name], check=True)
            else:
                list(pool.map(write, names))
            time.sleep(0.002)  # A unit that takes no time may have been taken ahead.
            print("made", day, flush=True)
            if day == "wed" and run.attempt == 1:
                while not run.stopping.wait(0.05):
                    pass
                os._exit(143)
"""
KINDS = [
    "threads",
    "thread pool",
    "processes fork",
    "processes spawn",
    "processes forkserver",
    "pool fork",
    "pool spawn",
    "program",
]
SIX = {f"{day}/{i}": f"{day}/{i}".encode() for day in ("mon", "tue", "wed") for i in range(2)}


def published(bench: Bench) -> dict[str, bytes]:
    objects = bench.objects()
    objects.pop("completion.json")
    return objects


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_threads_and_children_are_the_units(bench: Bench, kind: str) -> None:
    command = bench.job_file(LOOP)
    # What a pool leaves behind has the whole grace, and some ends only with that.
    first = bench.start(*command, kind, STEADYSPOT_STOP_TIMEOUT="5")
    first.wait_for("made wed", 60)
    first.terminate()
    assert first.end() == 143, first.said()
    assert bench.item()["checkpoint"]["units_done"] == 2

    second = bench.start(*command, kind)
    assert second.end(60) == 0, second.said()
    assert [line for line in second.text if line.startswith("made")] == ["made wed"]
    assert published(bench) == SIX


def job(bench: Bench, text: str) -> list[str]:
    return bench.job_file(
        "import os, sys, time, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "def write(name):\n"
        "    with run.output(name) as path: path.write_text(name)\n" + text
    )


def test_output_made_outside_any_unit_is_durable_with_the_next_mark(bench: Bench) -> None:
    command = job(
        bench,
        "if run.attempt == 1: write('first')\n"
        "for unit in run.remaining(range(2)):\n"
        "    time.sleep(0.01); print('unit', unit, flush=True)\n"
        "    if unit == 1 and run.attempt == 1: time.sleep(60)\n",
    )
    first = bench.start("--drain", "0", *command)
    first.wait_for("unit 1")
    first.terminate()
    assert first.end() == 143
    assert bench.start(*command).end() == 0

    assert published(bench) == {"first": b"first"}


@pytest.mark.parametrize(
    "text",
    [
        "try:\n"
        "    with run.unit(1):\n"
        "        write('a'); raise ValueError\n"
        "except ValueError: pass\n",
        "try:\n"
        "    with run.unit(1):\n"
        "        write('a'); sys.exit(3)\n"
        "except SystemExit: pass\n",
        "for unit in run.remaining([1]):\n    write('a'); break\n",
        "left = run.remaining([1]); next(left); write('a')\n",
        "def child():\n"
        "    with run.unit(1):\n"
        "        write('a'); os._exit(0)\n"
        "pid = os.fork()\n"
        "if pid == 0: child()\n"
        "os.waitpid(pid, 0)\n",
        "def work():\n"
        "    with run.unit(1):\n"
        "        write('a'); made.set(); time.sleep(60)\n"
        "made = threading.Event()\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "made.wait()\n",
        "def work():\n"
        "    with run.unit(1):\n"
        "        with ThreadPoolExecutor() as pool: pool.submit(write, 'a').result()\n"
        "        raise ValueError\n"
        "try: work()\n"
        "except ValueError: pass\n",
    ],
    ids=["failed", "left by exit", "break", "left open", "process gone", "thread at the end",
         "made in a thread"],
)  # fmt: skip
def test_output_counts_only_with_the_mark_of_its_unit(bench: Bench, text: str) -> None:
    worker = bench.start(*job(bench, text + "with run.unit(2): write('b')\n"))
    assert worker.end() == 0, worker.said()

    assert published(bench) == {"b": b"b"}
    assert bench.completion()["units"] == 1
    assert "The unit 1 was left before its mark: 1 outputs of it" in worker.said()
    wait_until(lambda: bench.open_uploads() == [])


PARALLEL = """
both = threading.Barrier(2)
def work(unit):
    with run.unit(unit):
        both.wait()
        inner = threading.Thread(target=HOW, args=(f"{unit}",))
        inner.start(); inner.join()
        both.wait()
with ThreadPoolExecutor(2) as pool:
    for _ in [pool.submit(work, unit) for unit in "ab"]: pass
"""


def test_output_that_may_be_of_several_units_is_refused_and_none_is_done(bench: Bench) -> None:
    """The refusal falls into a thread that nobody asks; the run is not complete all the same."""
    worker = bench.start(*job(bench, PARALLEL.replace("HOW", "write")))

    assert worker.end() == 125, worker.said()
    assert "unit=" in worker.said()
    assert bench.item()["status"] == "running"
    assert bench.objects() == {}


def test_output_of_a_thread_may_name_its_unit(bench: Bench) -> None:
    text = (
        "def named(unit):\n    with run.output(unit, unit=unit) as path: path.write_text(unit)\n"
    ) + PARALLEL.replace("HOW", "named")
    worker = bench.start(*job(bench, text))

    assert worker.end() == 0, worker.said()
    assert published(bench) == {"a": b"a", "b": b"b"}


def test_processes_with_units_of_their_own_and_threads_in_them(bench: Bench) -> None:
    """The nearest process that has a unit in hand tells whose output it is."""
    worker = bench.start(*bench.job_file(
        "import multiprocessing\n"
        "from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor\n"
        "from steadyspot import current_run\n"
        "def write(name):\n"
        "    with current_run().output(name) as path: path.write_text(name)\n"
        "def work(unit):\n"
        "    with current_run().unit(unit), ThreadPoolExecutor(2) as pool:\n"
        "        both.wait()\n"
        "        list(pool.map(write, [f'{unit}/0', f'{unit}/1']))\n"
        "        both.wait()\n"
        "if __name__ == '__main__':\n"
        "    both = multiprocessing.get_context('fork').Barrier(2)\n"
        "    start = multiprocessing.get_context('fork')\n"
        "    with ProcessPoolExecutor(2, mp_context=start) as pool: list(pool.map(work, 'ab'))\n"
    ))  # fmt: skip
    assert worker.end() == 0, worker.said()
    assert sorted(published(bench)) == ["a/0", "a/1", "b/0", "b/1"]


def test_unit_that_ends_while_an_output_of_it_is_written_is_not_done(bench: Bench) -> None:
    text = (
        "go = threading.Event()\n"
        "def slow():\n"
        "    with run.output('a') as path: begun.set(); go.wait(); path.write_text('a')\n"
        "begun = threading.Event()\n"
        "thread = threading.Thread(target=slow)\n"
        "try:\n"
        "    with run.unit(1): thread.start(); begun.wait()\n"
        "except Exception as error: print(error, flush=True)\n"
        "go.set(); thread.join()\n"
    )
    worker = bench.start(*job(bench, text))

    assert worker.end() == 125, worker.said()
    assert "is still being written" in worker.said()
    assert bench.objects() == {}
