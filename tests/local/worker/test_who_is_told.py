"""Who is told of a stop: as under plain ECS the first process, once; then whoever it left behind.

Real programs and real signals, once with the worker as an ordinary process and once as PID 1.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.local.runs import faults
from tests.local.worker.kit import Bench, wait_until
from tests.local.worker.test_process_duties import Started, start, started, way

__all__ = ["started", "way"]

CHILD = """
import os, signal, sys, time
def told(number, frame):
    os.write(1, b"told %s\\n" % sys.argv[1].encode())
    end.append(time.monotonic() + float(sys.argv[2]))
end = []
signal.signal(signal.SIGTERM, told)
os.write(1, b"ready %s\\n" % sys.argv[1].encode())
while not end or time.monotonic() < end[0]:
    time.sleep(0.02)
os.write(1, b"ended %s\\n" % sys.argv[1].encode())
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return f"{sys.executable} {path}"


def test_only_the_first_process_is_told_while_it_lives(
    way: list[str], started: list[Started], program: str
) -> None:
    script = f"trap 'echo told shell; sleep 0.5; exit 3' TERM; {program} child 0.2 & wait; wait"
    worker = start(started, way, "sh", "-c", script)
    assert worker.line() == "ready child"
    begun = time.monotonic()
    worker.send(signal.SIGTERM)

    assert worker.line() == "told shell"
    assert worker.line() == "told child"
    assert time.monotonic() - begun > 0.4
    assert worker.line() == "ended child"
    assert worker.line() == ""
    assert worker.end() == 143


def test_what_the_first_process_leaves_is_told_once_and_has_the_rest_of_its_share(
    way: list[str], started: list[Started], program: str
) -> None:
    """In its group, in a session of its own; longer than a moment, as the grace allows."""
    script = f"{program} near 6 & setsid {program} far 6 & wait"
    worker = start(started, way, "--stop-timeout", "20", "sh", "-c", script)
    assert {worker.line(), worker.line()} == {"ready near", "ready far"}
    begun = time.monotonic()
    worker.send(signal.SIGTERM)

    assert {worker.line(), worker.line()} == {"told near", "told far"}
    assert {worker.line(), worker.line()} == {"ended near", "ended far"}
    assert time.monotonic() - begun > 5.5
    assert worker.line() == ""
    assert worker.end() == 143


def test_what_reacts_to_being_told_may_start_helpers_that_are_not(
    way: list[str], started: list[Started]
) -> None:
    """A trap of what is left runs its own commands: they are not cut."""
    inner = "trap 'sleep 1 && echo saved; exit' TERM; echo ready; while true; do sleep 0.05; done"
    worker = start(started, way, "sh", "-c", f'sh -c "{inner}" & wait')
    assert worker.line() == "ready"
    worker.send(signal.SIGTERM)

    assert worker.line() == "saved"
    assert worker.end() == 143


def test_the_whole_group_is_told_at_once_where_a_job_asks_for_it(
    way: list[str], started: list[Started], program: str
) -> None:
    script = f"trap 'echo told shell' TERM; {program} near 0.5; echo over; setsid {program} far 0"
    worker = start(started, way, "--signal", "group", "sh", "-c", script)
    assert worker.line() == "ready near"
    worker.send(signal.SIGTERM)

    assert worker.line() == "told near"
    assert worker.line() == "ended near"
    assert worker.line() == "told shell"
    assert worker.line() == "over"
    assert worker.line() == "ready far"


def test_nobody_is_told_where_a_job_asks_for_it(
    way: list[str], started: list[Started], program: str
) -> None:
    options = ["--signal", "none", "--drain", "0.5"]
    worker = start(started, way, *options, "sh", "-c", f"exec {program} only 0")
    assert worker.line() == "ready only"
    worker.send(signal.SIGTERM)

    assert worker.line() == ""
    assert worker.end() == 143


SUBPROCESS_UNITS = """
import subprocess
from steadyspot import current_run
run = current_run()
for part in run.remaining(range(4)):
    with run.output(f"{part}.txt") as path:
        print("part", part, flush=True)
        subprocess.run(
            f"seq 1 5 | while read i; do echo $i; sleep .15; done > {path}", shell=True
        )
"""
FIVE_LINES = b"1\n2\n3\n4\n5\n"


@pytest.mark.parametrize("wrapped", ["", "first", "wrapper"])
def test_subprocess_of_the_unit_in_hand_is_not_cut(bench: Bench, wrapped: str) -> None:
    """Neither below the first process, nor below a shell that the signal has ended at once."""
    command = bench.job_file(SUBPROCESS_UNITS)
    if wrapped == "wrapper":
        command = ["sh", "-c", f"{' '.join(command)}; true"]
    elif wrapped == "first":
        command = ["sh", "-c", f"{' '.join(command)} & wait"]
    worker = bench.start(*command)
    worker.wait_for("part 1")
    worker.terminate()
    assert worker.end() == 143, worker.said()
    begun = len([line for line in worker.text if line.startswith("part")])
    wait_until(lambda: bench.item()["checkpoint"]["units_done"] == begun)

    again = bench.start(*command)
    assert again.end() == 0, again.said()
    objects = bench.objects()
    objects.pop("completion.json")
    assert objects == {f"{part}.txt": FIVE_LINES for part in range(4)}


def test_job_that_speaks_without_a_handler_is_told_on_its_own_channel_alone(bench: Bench) -> None:
    """A run that was opened outside the main thread has no handler: the signal would cut it."""
    worker = bench.start(*bench.job_file(
        "import threading, time\n"
        "from steadyspot import current_run\n"
        "opening = threading.Thread(target=current_run); opening.start(); opening.join()\n"
        "for part in current_run().remaining(range(4)):\n"
        "    print('part', part, flush=True)\n"
        "    time.sleep(1)\n"
    ))  # fmt: skip
    worker.wait_for("part 1")
    worker.terminate()

    assert worker.end() == 143, worker.said()
    begun = len([line for line in worker.text if line.startswith("part")])
    assert bench.item()["checkpoint"]["units_done"] == begun


def test_own_subprocesses_are_told_once_the_job_that_speaks_is_gone(
    bench: Bench, program: str
) -> None:
    script = (
        "import subprocess, sys, time\n"
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        f"subprocess.Popen({program.split()!r} + ['helper', '0.2'])\n"
        "for part in run.remaining(range(4)):\n"
        "    print('part', part, flush=True); time.sleep(1)\n"
        "    print('end', part, flush=True)\n"
    )
    worker = bench.start(*bench.job_file(script))
    worker.wait_for("part 1")
    worker.wait_for("ready helper")
    worker.terminate()

    assert worker.end() == 143, worker.said()
    assert worker.text.index("end 1") < worker.text.index("told helper")
    assert "ended helper" in worker.text


def test_work_left_behind_by_a_job_that_ended_well_is_ended_and_spoken_of(
    bench: Bench, program: str
) -> None:
    ready = "until grep -q ready said 2> /dev/null; do sleep 0.02; done"
    worker = bench.start("sh", "-c", f"{program} left 0 > said & {ready}")
    assert worker.end() == 0, worker.said()

    said = next(line for line in worker.lines if line.get("event") == "left-behind")
    assert said["level"] == "warning"
    assert "wait" in said["message"]
    assert "told left" in (bench.folder / "said").read_text()
    assert bench.completion()["left_behind"] == bench.item()["completion"]["left_behind"] == 1
    assert faults("completion", bench.completion()) == []


TRACKED = """
import time
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(create=True, size=10)
memory.unlink()
time.sleep(1)
print("tracked by", resource_tracker._resource_tracker._pid)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "sleep 0.2 & wait"],
        ["sh", "-c", "sleep 1; sleep 0.3 &"],
        [sys.executable, "-c", TRACKED],
    ],
    ids=["waited for", "gone by itself", "resource tracker of Python"],
)
def test_a_quiet_end_speaks_of_nothing_left_behind(bench: Bench, command: list[str]) -> None:
    worker = bench.start(*command)
    assert worker.end() == 0, worker.said()
    assert "left-behind" not in worker.events()
    assert "left_behind" not in bench.completion()
