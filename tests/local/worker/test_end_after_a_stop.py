"""Exit 0 after a stop counts only by the job's own word: what follows the loop belongs to it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.local.worker.kit import Bench
from tests.local.worker.test_local_folder import published, run_to_its_end, start

LOOP = """
import signal, subprocess, sys, time
from steadyspot import current_run
run = current_run()
{before}
for part in run.remaining(range(2)):
    with run.output(str(part)) as path:
        path.write_text(str(part))
{after}
"""
MERGE = """
print('merging', flush=True)
for _ in range({turns}):
    time.sleep(0.1)
with run.output('merged') as path:
    path.write_text('all')
"""


def job(bench: Bench, before: str = "", after: str = "", name: str = "job.py") -> list[str]:
    return bench.job_file(LOOP.format(before=before, after=after), name)


def merge(turns: int) -> str:
    return MERGE.format(turns=turns)


def test_merge_that_a_handler_of_the_jobs_own_left_out_is_done_by_the_next_attempt(
    bench: Bench,
) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"
    worker = bench.start(*job(bench, own, merge(100)))
    worker.wait_for("merging")
    worker.terminate()
    assert worker.end() == 143, worker.said()

    again = bench.start(*job(bench, own, merge(1)))
    assert again.end() == 0, again.said()
    assert set(bench.objects()) == {"0", "1", "merged", "completion.json"}


@pytest.mark.parametrize("end", ["", "sys.exit()", "sys.exit(0)"])
def test_merge_that_ends_within_the_grace_is_published(bench: Bench, end: str) -> None:
    worker = bench.start(*job(bench, "", merge(10) + end))
    worker.wait_for("merging")
    worker.terminate()
    assert worker.end() == 0, worker.said()
    assert set(bench.objects()) == {"0", "1", "merged", "completion.json"}


SECOND = "print('second', flush=True); import time; time.sleep(10)"


@pytest.mark.parametrize("kind", ["trap", "orchestrator", "exec"])
def test_program_that_follows_the_loop_is_part_of_the_job(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    """A second program, and a first process that ends 0 on SIGTERM whatever it has still to do."""
    loop = job(bench)
    (tmp_path / "second.py").write_text(
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n" + SECOND
    )
    second = [sys.executable, str(tmp_path / "second.py")]
    orchestrator = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        f"subprocess.run({loop!r}); subprocess.run({second!r})\n"
    )
    command = {
        "trap": ["sh", "-c", f"trap 'exit 0' TERM; {' '.join(loop)}; {' '.join(second)} & wait"],
        "orchestrator": bench.job_file(orchestrator, "orchestrator.py"),
        "exec": job(bench, "", f"import os; os.execv({second[0]!r}, {second!r})", "exec.py"),
    }[kind]
    worker = bench.start(*command)
    worker.wait_for("second")
    worker.terminate()

    assert worker.end() == 143, worker.said()
    assert bench.item()["status"] == "running"


@pytest.mark.parametrize(
    "end", ["import os; os._exit(0)", "run.stopping.wait(20)", "if run.stopping: sys.exit(0)"]
)
def test_end_that_is_not_the_programs_own_does_not_count(bench: Bench, end: str) -> None:
    worker = bench.start(*job(bench, "", merge(20) + end))
    worker.wait_for("merging")
    worker.terminate()
    assert worker.end() == 143, worker.said()


def test_job_may_say_itself_that_it_is_finished(bench: Bench) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"
    loop = job(bench, own, "run.finish(); print('finished', flush=True); time.sleep(20)")
    worker = bench.start("sh", "-c", f"trap 'exit 0' TERM; {' '.join(loop)} & wait")
    worker.wait_for("finished")
    worker.terminate()
    assert worker.end() == 0, worker.said()
    assert bench.item()["status"] == "complete"


def test_sight_of_the_stop_takes_nothing_back_that_the_job_said_itself(bench: Bench) -> None:
    end = "run.finish(); print('ready', flush=True); run.stopping.wait(20)"
    worker = bench.start(*job(bench, "", end))
    worker.wait_for("ready")
    worker.terminate()
    assert worker.end() == 0, worker.said()


CHILDREN = """
import multiprocessing, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from steadyspot import current_run

def work(units):
    for unit in units:
        with current_run().unit(unit):
            print("begun", unit, flush=True)
            while current_run().attempt == 1 and not current_run().stopping: time.sleep(0.01)
            with current_run().output(str(unit)) as path: path.touch()

def fork(units):
    if os.fork() == 0:
        try: work(units)
        finally: os._exit(1)

def joined(make):
    beside = [make(target=work, args=(units,)) for units in (left[::2], left[1::2])]
    for one in beside: one.start()
    for one in beside: one.join()

def forks():
    for units in (left[::2], left[1::2]): fork(units)
    for _ in "12": os.wait()

def submitted():
    with ThreadPoolExecutor(2) as pool: [pool.submit(work, [unit]) for unit in left]

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    run = current_run()
    left = run.undone(range(6))
    ways = {
        "processes": lambda: joined(multiprocessing.Process),
        "threads": lambda: joined(threading.Thread),
        "forks": forks,
        "pool": submitted,
    }
    ways[sys.argv[1]]()
    with run.output("merged") as path: path.touch()
    run.finish()
    print("said that it is through", flush=True)
"""
ALL = {*map(str, range(6)), "merged"}


@pytest.mark.parametrize("way", ["processes", "threads", "forks", "pool"])
def test_job_that_asks_nobody_how_they_ended_is_not_finished_by_a_stop(
    bench: Bench, way: str
) -> None:
    command = [*bench.job_file(CHILDREN), way]
    worker = bench.start("--drain", "50", *command, STEADYSPOT_STOP_TIMEOUT="60")
    worker.wait_for("begun 1")
    worker.terminate()
    assert worker.end() == 143, worker.said()
    assert "said that it is through" in worker.text
    assert bench.objects() == {}

    again = bench.start(*command)
    assert again.end() == 0, again.said()
    assert set(bench.objects()) == ALL | {"completion.json"}


@pytest.mark.parametrize("tell", [os.kill, os.killpg], ids=["first told", "all told"])
@pytest.mark.parametrize("way", ["processes", "threads", "forks", "pool"])
def test_such_a_job_is_not_told_as_done_by_the_local_folder(
    tmp_path: Path, way: str, tell: Callable[[int, int], None]
) -> None:
    with start(tmp_path, CHILDREN, way) as process:
        assert process.stdout
        begun = {process.stdout.readline() for _ in "12"}
        assert begun == {"begun 0\n", "begun 1\n"}
        tell(process.pid, signal.SIGTERM)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 143, said
    assert "said that it is through" in said

    code, said = run_to_its_end(tmp_path, CHILDREN, way)
    assert code == 0, said
    assert set(published(tmp_path)) == ALL
