"""What a job's own children make of the API: pools that end, and pools that stop in time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.local.worker.kit import ROOT, Bench

TERMINATE = """
import multiprocessing, sys, threading, time
from steadyspot import current_run
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    run = current_run()
    child = multiprocessing.Process(target=time.sleep, args=(60,))
    child.start()
    time.sleep(0.3)
    child.terminate()
    child.join(10)
    print("exit code", child.exitcode)
    child.kill()
"""
IN_A_POOL = """
import multiprocessing, sys
from steadyspot import current_run
def square(number):
    current_run()
    return number * number
if __name__ == "__main__":
    run = current_run()
    for _ in range(15):
        with multiprocessing.Pool(4) as pool:
            total = sum(pool.imap_unordered(square, range(20)))
    print("total", total)
"""


def run_locally(folder: Path, job: str, *arguments: str) -> str:
    (folder / "job.py").write_text(job)
    done = subprocess.run(
        [sys.executable, "job.py", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_can_be_terminated(tmp_path: Path, method: str) -> None:
    assert "exit code -15" in run_locally(tmp_path, TERMINATE, method)


def test_pools_end_again_and_again(tmp_path: Path) -> None:
    assert "total 2470" in run_locally(tmp_path, IN_A_POOL)


UNITS = """
import multiprocessing, sys, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from steadyspot import current_run

def work(part):
    run = current_run()
    with run.unit(part):
        print("begun", part, flush=True)
        with run.output(f"{part}.txt") as path:
            path.write_text(str(part))
        time.sleep(1)
        print("ended", part, flush=True)

if __name__ == "__main__":
    kind, method = sys.argv[1:]
    run = current_run()
    undone = run.undone(range(12))
    if kind == "Pool":
        with multiprocessing.get_context(method).Pool(2) as pool:
            list(pool.imap_unordered(work, undone))
    elif kind == "processes":
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(work, undone))
    else:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, undone))
"""


@pytest.mark.parametrize(
    ("kind", "method"),
    [("threads", ""), ("processes", "fork"), ("processes", "spawn"), ("Pool", "fork")],
)
def test_pool_takes_no_new_unit_at_a_stop_and_ends_those_in_hand(
    bench: Bench, kind: str, method: str
) -> None:
    worker = bench.start(*bench.job_file(UNITS), kind, method)
    worker.wait_for("ended")
    worker.terminate()
    told = time.monotonic()
    assert worker.end() == 143, worker.said()

    assert time.monotonic() - told < 8
    begun = [line for line in worker.text if line.startswith("begun")]
    ended = [line for line in worker.text if line.startswith("ended")]
    assert len(begun) == len(ended) <= 6
    assert bench.item()["checkpoint"]["units_done"] == len(ended)


UNEQUAL = """
import multiprocessing, sys, time
from steadyspot import current_run

def work(part):
    run = current_run()
    with run.unit(part):
        print("begun", part, flush=True)
        time.sleep(0.5 if part % 2 else 3)
        print("ended", part, flush=True)

if __name__ == "__main__":
    run = current_run()
    with multiprocessing.Pool(2) as pool:
        if sys.argv[1] == "a unit above":
            for _ in run.remaining(["all"]):
                list(pool.imap_unordered(work, range(12)))
        else:
            list(pool.imap_unordered(work, run.undone(range(12))))
"""


@pytest.mark.parametrize("kind", ["", "a unit above"])
def test_no_child_of_a_pool_cuts_the_unit_of_another(bench: Bench, kind: str) -> None:
    """A ``Pool`` ends all its children at the first exception: that has to wait for the slowest."""
    worker = bench.start("--stop-timeout", "30", *bench.job_file(UNEQUAL), kind)
    worker.wait_for("ended 1")
    worker.terminate()
    assert worker.end() == 143, worker.said()

    begun = {line.split()[1] for line in worker.text if line.startswith("begun")}
    ended = {line.split()[1] for line in worker.text if line.startswith("ended")}
    assert begun == ended >= {"0", "1"}
    assert bench.item()["checkpoint"]["units_done"] == len(ended)


@pytest.mark.parametrize("kind", ["processes", "Pool"])
def test_pool_in_a_local_folder_takes_no_new_unit_either(tmp_path: Path, kind: str) -> None:
    (tmp_path / "job.py").write_text(UNITS)
    job = subprocess.Popen(
        [sys.executable, "job.py", kind, "fork"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout
    said = []
    for line in job.stdout:
        said.append(line.split()[0])
        if line.startswith("ended") and said.count("ended") == 1:
            job.terminate()
    assert job.wait(60) == 143
    job.stdout.close()
    assert said.count("begun") == said.count("ended") <= 6
