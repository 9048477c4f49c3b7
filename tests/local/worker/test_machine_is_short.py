"""A machine that runs short in the middle of a run: it is waited for, or told in one sentence.

Open files, threads and disk are taken from the worker alone while its job goes on, by the kernel's
own limits, and given back or not.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.worker.kit import Bench, Worker, assert_said, wait_until

LOOP = """
import os, time
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(4)):
    print("unit", unit, flush=True)
    while unit == 2 and not os.path.exists("go"):
        time.sleep(0.02)
    with run.output(f"{unit}") as path:
        path.write_text(f"{unit}" * 100_000)
"""
WHOLE = {name: name.encode() * 100_000 for name in "0123"}


@pytest.fixture
def forks() -> None:
    """Each worker is started: what it has open and holds is its own."""


def outputs(bench: Bench) -> dict[str, bytes]:
    found = bench.objects()
    found.pop("completion.json", None)
    return found


def units(worker: Worker) -> list[str]:
    return [line for line in worker.text if line.startswith("unit")]


@contextlib.contextmanager
def no_more_files(worker: Worker) -> Iterator[None]:
    """In the block the worker can open nothing more than it has open."""
    pid = worker.process.pid
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
    yield
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_open_files_that_run_out_are_waited_for(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(LOOP))
    worker.wait_for("unit 2")
    with no_more_files(worker):
        (bench.folder / "go").touch()
        worker.wait_for("Too many open files. It is tried again.")

    assert_said(worker, 0, "all goes on")
    assert units(worker) == ["unit 0", "unit 1", "unit 2", "unit 3"]
    assert outputs(bench) == WHOLE


def test_open_files_that_stay_out_end_the_attempt_with_a_sentence(bench: Bench) -> None:
    """What was done before is durable, and nothing is begun again that was."""
    command = bench.job_file(LOOP)
    worker = bench.start("--patience", "2", *command)
    worker.wait_for("unit 2")
    with no_more_files(worker):
        (bench.folder / "go").touch()
        assert_said(worker, 125, "Too many open files", "Raise the task definition's limit")
    assert bench.item()["stop_report"]["reason"] == "bad-setup"

    again = bench.start(*command)
    assert_said(again, 0)
    assert units(again) == ["unit 2", "unit 3"]
    assert outputs(bench) == WHOLE


ORDINARY = (
    [
        "setpriv", "--reuid=54321", "--bounding-set=-sys_resource,-sys_admin",
        *(f"--{kind}-caps=+dac_override,+dac_read_search" for kind in ("inh", "ambient")),
    ]
    if os.getuid() == 0
    else []
)  # fmt: skip
"""Root may begin as many processes as it likes; this one, which may read all files, may not."""


def limit_threads(worker: Worker, number: int) -> None:
    """Let the worker's user have so many threads and processes."""
    pid = worker.process.pid
    subprocess.run([*ORDINARY, "prlimit", f"--pid={pid}", f"--nproc={number}:"], check=True)


@pytest.mark.parametrize("folders", [False, True])
def test_threads_that_run_out_are_not_needed_any_more(bench: Bench, folders: bool) -> None:
    """For marks, saves, the commit and the log."""
    options = ["--checkpoint-dir", "state", "--output-dir", "out"] if folders else []
    worker = bench.start(*options, *bench.job_file(LOOP), way=ORDINARY)
    worker.wait_for("unit 2")
    limit_threads(worker, 1)
    (bench.folder / "go").touch()

    assert_said(worker, 0, "The run is complete")
    assert units(worker) == ["unit 0", "unit 1", "unit 2", "unit 3"]
    assert outputs(bench) == WHOLE


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6, 10])
def test_few_threads(bench: Bench, limit: int) -> None:
    """From none but its own to too few, the worker leaves with a sentence."""
    way = [*ORDINARY, "prlimit", f"--nproc={limit}"]
    worker = bench.start("--patience", "1", "sleep", "60", way=way)

    assert_said(worker, 125, "Resource temporarily unavailable", "fewer threads")


ALONE = """
import os, signal, sys, time
def told(*_):
    os.write(1, b"told\\n")
    sys.exit(3)
signal.signal(signal.SIGTERM, told)
open("state/a", "w").close()
print("ready", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_threads_that_are_missing_at_the_start_are_waited_for(bench: Bench, stopped: bool) -> None:
    """Of three, one is the job; it goes on meanwhile, and signals are answered."""
    worker = bench.start(
        *("--stop-timeout", "20", "--checkpoint-dir", "state"),
        *bench.job_file(ALONE),
        way=[*ORDINARY, "prlimit", "--nproc=3:"],
    )
    worker.wait_for("ready")
    tasks = Path(f"/proc/{worker.process.pid}/task")
    wait_until(lambda: len(list(tasks.iterdir())) == 2)
    if stopped:
        worker.terminate()
        worker.wait_for("told")
    limit_threads(worker, 1000)
    (bench.folder / "go").touch()

    assert_said(worker, 143 if stopped else 0)
    assert bench.item()["status"] == ("running" if stopped else "complete")
    assert not stopped or set(bench.saved()) == {"a"}


def test_stop_with_a_full_scratch_disk_saves_all_the_same(bench: Bench, small_disk: Path) -> None:
    """The job is gone, so that nothing need be copied."""
    worker = bench.start(
        "--checkpoint-dir", "state", "--every", "0.2", "--scratch-dir", str(small_disk),
        "sh", "-c",
        "head -c 3000000 /dev/urandom > state/big; echo kept > state/small; echo ready; sleep 60",
    )  # fmt: skip
    worker.wait_for("No space left", 60)
    worker.terminate()

    assert_said(worker, 143, "Give the job more disk")
    assert {name: len(data) for name, data in bench.saved().items()} == {
        "big": 3_000_000,
        "small": 5,
    }


def test_output_that_finds_no_room_is_the_jobs_own_trouble(bench: Bench, small_disk: Path) -> None:
    """It fails where it writes; what was marked is durable, and nothing of it is published."""
    text = LOOP.replace("100_000", "(3_000_000 if unit == 2 else 100_000)")
    worker = bench.start("--scratch-dir", str(small_disk), *bench.job_file(text))
    worker.wait_for("unit 2")
    (bench.folder / "go").touch()

    assert worker.end() == 1, worker.said()
    assert "No space left on device" in worker.said()
    assert bench.item()["checkpoint"]["units_done"] == 2
    assert bench.objects() == {}


@pytest.mark.parametrize("folder", ["state", "out", "scratch"])
def test_read_only_folder_is_told_before_the_job_begins(bench: Bench, folder: str) -> None:
    """Else a job that does not look at its errors would be complete without any output."""
    options = {"state": "--checkpoint-dir", "out": "--output-dir", "scratch": "--scratch-dir"}
    place = bench.folder / folder
    place.mkdir()
    with mounted(place, "ro"):
        worker = bench.start(options[folder], folder, "sh", "-c", "echo ran")
        assert_said(worker, 125, f"The worker cannot write in {folder}", options[folder])
    assert "ran" not in worker.text


@contextlib.contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """Have a file system of its own at a folder."""
    if os.getuid() != 0:
        pytest.skip("a file system can be mounted by root only")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        wait_until(lambda: subprocess.run(["umount", str(place)], check=False).returncode == 0)


@pytest.fixture
def small_disk(bench: Bench) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = bench.folder / "small"
    place.mkdir()
    with mounted(place, "size=1m"):
        yield place


FOLDERS = """
echo a > state/a
while [ ! -e go ]; do sleep 0.05; done
echo b > state/b; echo b > out/b; touch done
while [ ! -e end ]; do sleep 0.05; done
"""
OF_FOLDERS = ("--checkpoint-dir", "state", "--output-dir", "out")


@pytest.mark.parametrize("given_back", [True, False])
def test_outputs_that_cannot_be_looked_for_are_not_taken_for_none(
    bench: Bench, given_back: bool
) -> None:
    command = ("sh", "-c", FOLDERS)
    worker = bench.start("--patience", "2", *OF_FOLDERS, "--every", "0.2", *command)
    wait_until(lambda: bench.item().get("checkpoint"))
    (bench.folder / "end").touch()
    with no_more_files(worker):
        (bench.folder / "go").touch()
        worker.wait_for("outputs are published")
        if not given_back:
            assert_said(worker, 125, "folder out cannot be read: Too many open", "open files (ulim")
            worker = bench.start(*OF_FOLDERS, *command)
    assert_said(worker, 0, "1 outputs")
    assert outputs(bench) == {"b": b"b\n"}


@pytest.mark.parametrize(("hard", "raised"), [(2000, 2000), (100, 100)])
def test_worker_may_open_the_files_there_are_and_the_job_keeps_its_limit(
    bench: Bench, hard: int, raised: int
) -> None:
    script = "ulimit -Sn; exec sleep 60"
    worker = bench.start("sh", "-c", script, way=["prlimit", f"--nofile=100:{hard}"])
    worker.wait_for("100")

    pid = worker.process.pid
    wait_until(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE) == (raised, hard))


def test_last_save_of_folders_waits_for_files_within_the_grace(bench: Bench) -> None:
    worker = bench.start("--stop-timeout", "20", *OF_FOLDERS, "sh", "-c", FOLDERS)
    wait_until((bench.folder / "state" / "a").exists)
    wait_until(lambda: bench.item().get("fence"))
    with no_more_files(worker):
        (bench.folder / "go").touch()
        wait_until((bench.folder / "done").exists)
        worker.terminate()
        worker.wait_for("Too many open files. It is tried again.")

    assert_said(worker, 143, "all goes on")
    assert set(bench.saved()) == {"a", "b"}


HOLDER = """
import os, signal, socket, sys, time
def told(*_):
    os.write(1, b"told\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, told)
held = []
for _ in range(70):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(os.environ["STEADYSPOT_SOCKET"])
print("held", flush=True)
time.sleep(60)
"""


def test_connections_of_the_job_leave_the_worker_files_of_its_own(bench: Bench) -> None:
    """It needs some to see whom to tell of a stop once the first process is gone, and to save."""
    holder = " ".join(bench.job_file(HOLDER))
    worker = bench.start(
        "--checkpoint-dir", "state", "--stop-timeout", "20",
        "sh", "-c", f"echo kept > state/kept; {holder} & {holder} & wait",
        way=["prlimit", "--nofile=100:100"],
    )  # fmt: skip
    wait_until(lambda: worker.text.count("held") == 2)
    wait_until(lambda: bench.item().get("fence"))
    worker.terminate()
    begun = time.monotonic()
    wait_until(lambda: worker.text.count("told") == 2)
    assert time.monotonic() - begun < 10

    assert_said(worker, 143)
    assert "Too many open files" not in worker.said()
    assert set(bench.saved()) == {"kept"}
