"""``remaining`` marks a unit when the next is asked for: only by the one loop that does the work.

A pool, a second thread or a second loop that takes units from it would have them marked before they
are done, and a stop would leave a run that reads as complete without their outputs.
"""

from __future__ import annotations

import pytest

from tests.local.worker.kit import Bench

HEAD = """
import itertools, multiprocessing, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from steadyspot import current_run

def work(unit):
    with current_run().output(str(unit)) as path:
        path.write_text("made")

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    run = current_run()
    units = run.remaining(range(6))
"""
POOLS = {
    "executor": "with ThreadPoolExecutor(2) as pool: list(pool.map(work, units))",
    "processes": "with ProcessPoolExecutor(2) as pool: list(pool.map(work, units, chunksize=2))",
    "pool": "with multiprocessing.Pool(2) as pool: pool.map(work, units)",
    "pool that takes one by one": (
        "with multiprocessing.Pool(2) as pool: list(pool.imap_unordered(work, units))"
    ),
    "threads": "with ThreadPool(2) as pool: list(pool.imap(work, units))",
    "generator": "with ThreadPool(2) as pool: pool.map(work, (unit for unit in units))",
}


@pytest.mark.parametrize("how", POOLS)
def test_pool_that_takes_its_units_from_the_loop_is_refused(bench: Bench, how: str) -> None:
    worker = bench.start(*bench.job_file(f"{HEAD}    {POOLS[how]}\n"))

    assert worker.end(60) == 125, worker.said()
    assert "run.undone" in worker.said()
    assert bench.item().get("checkpoint", {}).get("units_done", 0) == 0
    assert bench.objects() == {}


SHARED = """
    lock = threading.Lock()
    def consume():
        while True:
            with lock: unit = next(units, None)
            if unit is None: return
            work(unit); time.sleep(0.05)
    threads = [threading.Thread(target=consume) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_loop_that_several_threads_share_is_refused(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(HEAD + SHARED))

    assert worker.end(60) == 125, worker.said()
    assert "in one thread" in worker.said()
    assert bench.objects() == {}


def test_loops_side_by_side_are_refused(bench: Bench) -> None:
    """What the body makes belongs to the unit begun last; the other would be done without it."""
    text = HEAD + "    for one, other in zip(units, run.remaining('abcdef')): work((one, other))\n"
    worker = bench.start(*bench.job_file(text))

    assert worker.end(60) == 125, worker.said()
    assert 'ends while the unit "a"' in worker.said()
    assert bench.objects() == {}


NESTED = """
    for unit in itertools.islice(enumerate(units), 6):
        for part in run.remaining([(unit, "a"), (unit, "b")]):
            work(part)
        for part in run.remaining([(unit, "c"), (unit, "d")]): break
        with run.unit((unit, "e")): work((unit, "e"))
    list(units)
"""


def test_loops_within_loops_are_taken(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(HEAD + NESTED))

    assert worker.end(60) == 0, worker.said()
    assert bench.completion()["units"] == 6 * 4
    assert len(bench.objects()) == 6 * 3 + 1


LEFT = """
    for name, unit in zip("pqrstu", units): work(f"{name}{unit}")
"""


def test_unit_that_was_left_is_spoken_of_in_the_record(bench: Bench) -> None:
    """Here ``zip`` asks for no unit after the last, which is not marked for that."""
    worker = bench.start(*bench.job_file(HEAD + LEFT))

    assert worker.end(60) == 0, worker.said()
    assert sorted(bench.objects()) == ["completion.json", "p0", "q1", "r2", "s3", "t4"]
    (warning,) = bench.item()["warnings"]
    assert "1 units were begun and not done, the first is '5'" in warning


def test_unit_that_was_left_and_done_later_is_not_spoken_of(bench: Bench) -> None:
    twice = "    for unit in run.remaining(range(6)): {}\n"
    text = HEAD + twice.format("break") + twice.format("pass")
    worker = bench.start(*bench.job_file(text))

    assert worker.end(60) == 0, worker.said()
    assert "warnings" not in bench.item()
