"""The local folder keeps the promises that the supervisor keeps: the same jobs, and no AWS."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local.worker.kit import ROOT
from tests.local.worker.test_whose_output import KINDS, LOOP, SIX

HEAD = """
import os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor
from steadyspot import current_run
run = current_run()
def write(name):
    with run.output(name) as path: path.write_text(name)
"""


def start(folder: Path, job: str, *arguments: str) -> subprocess.Popen[str]:
    (folder / "job.py").write_text(job)
    return subprocess.Popen(
        [sys.executable, "job.py", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_to_its_end(folder: Path, job: str, *arguments: str) -> tuple[int, str]:
    with start(folder, job, *arguments) as process:
        said = process.communicate(timeout=110)[0]
    return process.returncode, said


def killed_behind(line: str, folder: Path, job: str, *arguments: str) -> dict[str, Any]:
    """The units done of a job that was killed with all its processes when it had said a line."""
    with start(folder, job, *arguments) as process:
        assert process.stdout
        while process.stdout.readline() != f"{line}\n":
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    return units_done(folder)


def written_down(folder: Path) -> dict[str, Any]:
    done = folder / ".steadyspot" / "done.json"
    return json.loads(done.read_text()) if done.exists() else {"units": {}, "moving": []}


def units_done(folder: Path) -> dict[str, Any]:
    units: dict[str, Any] = written_down(folder)["units"]
    return units


def published(folder: Path) -> dict[str, bytes]:
    """All outputs, and those that a mark has named and was killed before it moved them."""
    staged = (Path(each) / "staged" for each in written_down(folder)["moving"])
    return {
        str(path.relative_to(outputs)): path.read_bytes()
        for outputs in (folder / ".steadyspot" / "outputs", *staged)
        for path in outputs.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_threads_and_children_are_the_units(tmp_path: Path, kind: str) -> None:
    with start(tmp_path, LOOP, kind) as first:
        assert first.stdout
        while (line := first.stdout.readline()) not in ("made wed\n", ""):
            pass
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 143, line
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)  # What a pool leaves behind.
    assert sorted(published(tmp_path)) == ["mon/0", "mon/1", "tue/0", "tue/1"]

    code, said = run_to_its_end(tmp_path, LOOP, kind)
    assert code == 0, said
    assert [line for line in said.splitlines() if line.startswith("made")] == ["made wed"]
    assert published(tmp_path) == SIX


@pytest.mark.parametrize(
    "text",
    [
        "try:\n"
        "    with run.unit(1):\n"
        "        write('a'); raise ValueError\n"
        "except ValueError: pass\n",
        "for unit in run.remaining([1]):\n    write('a'); break\n",
        "left = run.remaining([1]); next(left); write('a')\n",
        "def child():\n"
        "    with run.unit(1):\n"
        "        write('a'); os._exit(0)\n"
        "pid = os.fork()\n"
        "if pid == 0: child()\n"
        "os.waitpid(pid, 0)\n",
    ],
    ids=["failed", "break", "left open", "process gone"],
)
def test_output_counts_only_with_the_mark_of_its_unit(tmp_path: Path, text: str) -> None:
    code, said = run_to_its_end(tmp_path, HEAD + text + "with run.unit(2): write('b')\n")

    assert code == 0, said
    assert published(tmp_path) == {"b": b"b"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("with run.unit(1): pass\nwith run.unit(1): pass\n", "done already in this attempt"),
        ("with run.unit(1):\n    with run.unit(1): pass\n", "in hand already"),
        ("list(run.remaining([5, 5]))\n", "Two units have the key 5"),
        (
            "with run.unit(1), run.unit(2):\n"
            "    with ThreadPoolExecutor() as pool: pool.submit(write, 'a').result()\n",
            "Several units are in hand",
        ),
        (
            "go, begun = threading.Event(), threading.Event()\n"
            "def slow():\n"
            "    with run.output('a') as path: begun.set(); go.wait(); path.write_text('a')\n"
            "thread = threading.Thread(target=slow, daemon=True)\n"
            "with run.unit(1): thread.start(); begun.wait()\n",
            "still being written",
        ),
        ("write('a'); write('a/b')\n", "is no folder of another"),
        ("run.state[1] = 2; run.save()\n", "has the key 1"),
        ("with run.output('a', unit=7): pass\n", "is not in hand"),
    ],
)
def test_what_is_refused_there_is_refused_here(tmp_path: Path, text: str, says: str) -> None:
    code, said = run_to_its_end(tmp_path, HEAD + text)

    assert code == 1, said
    assert says in said
    assert "Traceback" not in said


def test_unit_made_anew_replaces_what_an_earlier_attempt_made_of_it(tmp_path: Path) -> None:
    job = HEAD + "with run.unit(1): write(f'a-{run.attempt}')\n"
    assert run_to_its_end(tmp_path, job)[0] == 0
    assert run_to_its_end(tmp_path, job)[0] == 0
    assert published(tmp_path) == {"a-2": b"a-2"}


def test_mark_that_broke_off_is_finished_by_whoever_comes_next(tmp_path: Path) -> None:
    """Killed between the decision and the move of the second output."""
    job = HEAD + (
        "import steadyspot.local_record as local_record\n"
        "def move(written, place, move=local_record.move):\n"
        "    if place.name == 'b' and run.attempt == 1: os._exit(9)\n"
        "    move(written, place)\n"
        "local_record.move = move\n"
        "for unit in run.remaining('x'):\n"
        "    for name in 'abc': write(name)\n"
    )
    assert run_to_its_end(tmp_path, job)[0] == 9

    code, said = run_to_its_end(tmp_path, job)
    assert code == 0, said
    assert "All 1 units were done before" in said
    assert published(tmp_path) == {name: name.encode() for name in "abc"}


DIES = """
import itertools
from steadyspot.local_record import LocalRecord
class Killing(LocalRecord):
    left = int(sys.argv[1])
    def _dies(self):
        Killing.left -= 1
        if Killing.left == 0: os._exit(9)
    def replace(self, done):
        self._dies()
        super().replace(done)
        self._dies()
run._channel._record.__class__ = Killing
"""
BATCHES = """
units = run.remaining(range(4))
while batch := list(itertools.islice(units, 2)):
    for unit in batch: write(str(unit))
"""
MADE_ANEW = """
with run.unit(1): write(f"a-{sys.argv[1]}")
"""


def test_units_marked_together_are_done_together_wherever_it_is_broken_off(tmp_path: Path) -> None:
    for moment in itertools.count(1):
        folder = tmp_path / str(moment)
        folder.mkdir()
        if run_to_its_end(folder, HEAD + DIES + BATCHES, str(moment))[0] == 0:
            break
        code, said = run_to_its_end(folder, HEAD + DIES + BATCHES, "0")
        assert code == 0, (moment, said)
        assert published(folder) == {name: name.encode() for name in "0123"}
    assert moment > 4


def test_unit_made_anew_has_its_outputs_wherever_it_is_broken_off(tmp_path: Path) -> None:
    assert run_to_its_end(tmp_path, HEAD + DIES + MADE_ANEW, "0")[0] == 0
    for moment in itertools.count(1):
        code, _ = run_to_its_end(tmp_path, HEAD + DIES + MADE_ANEW, str(moment))
        assert run_to_its_end(tmp_path, HEAD)[0] == 0
        assert sorted(published(tmp_path)) == units_done(tmp_path)["1"]["outputs"], moment
        if code == 0:
            break
    assert moment > 2


@pytest.mark.parametrize("work", ["write(str(unit))", "print('unit', unit)"])
def test_job_that_has_nothing_to_do_says_so_and_how_to_begin_anew(
    tmp_path: Path, work: str
) -> None:
    job = HEAD + f"for unit in run.remaining(range(int(sys.argv[1]))): {work}\n"
    assert "before" not in run_to_its_end(tmp_path, job, "2")[1]

    said = run_to_its_end(tmp_path, job, "2")[1]
    folder = tmp_path / ".steadyspot"
    assert f"All 2 units were done before; their outputs are in {folder / 'outputs'}." in said
    assert f"To begin anew, remove {folder}." in said
    assert "2 of 3 units were done before" in run_to_its_end(tmp_path, job, "3")[1]


def test_path_to_write_to_ends_in_the_name_of_the_output(tmp_path: Path) -> None:
    code, said = run_to_its_end(
        tmp_path,
        HEAD + "from pathlib import Path\n"
        "with run.output(Path('2026') / 'part-1.csv.gz') as path:\n"
        "    print(str(path).endswith('/2026/part-1.csv.gz')); path.touch()\n",
    )
    assert said.splitlines() == ["True"], said
    assert code == 0


def test_run_says_what_it_is(tmp_path: Path) -> None:
    said = run_to_its_end(
        tmp_path, HEAD + "print(run)\nimport steadyspot\nhelp(steadyspot)\nhelp(steadyspot.Run)\n"
    )[1]
    assert "<Run local of local, attempt 1, 0 units done" in said
    assert "current_run() -> " in said
    assert "remaining(self, units" in said
    assert "number ``shard``, from 0, of" in said


def test_output_of_a_unit_done_is_not_replaced_by_another_units(tmp_path: Path) -> None:
    job = (
        HEAD + "for number, unit in enumerate(run.remaining('abc')):\n"
        "    if sys.argv[1:] == [unit]: break\n"
        "    write(f'part-{number}')\n"
    )
    assert run_to_its_end(tmp_path, job, "b")[0] == 0
    code, said = run_to_its_end(tmp_path, job)
    assert code != 0
    assert """The units "a" and "b" have made an output of one name, 'part-0'""" in said


@pytest.mark.parametrize("end", ["raise ValueError", "os.kill(os.getpid(), 9)"])
def test_units_that_a_loop_took_ahead_are_not_done_where_the_program_breaks_off(
    tmp_path: Path, end: str
) -> None:
    job = HEAD + (
        "import os\n"
        "for unit in list(run.remaining(range(3))):\n"
        "    print('unit', unit)\n"
        f"    if sys.argv[1:]: {end}\n"
    )
    assert run_to_its_end(tmp_path, job, "broken")[0] != 0
    code, said = run_to_its_end(tmp_path, job)
    assert code == 0
    assert "before" not in said
    assert "All 3 units were done before" in run_to_its_end(tmp_path, job)[1]


CLOSES_ALL = """
import os, socket, time
from steadyspot import current_run
run = current_run()
own = []
for unit in run.remaining(range(3)):
    if unit == 1:
        os.closerange(3, 256)
        own = [open(f"own-{n}", "w+") for n in range(6)]
        own += [end for _ in range(3) for end in socket.socketpair()]
    with run.output(str(unit)) as path: path.write_text("made")
    time.sleep(0.01)
for end in own[6:]: end.setblocking(False)
for end in own[6:]:
    try: raise SystemExit(f"something was sent: {end.recv(100)}")
    except BlockingIOError: pass
for file in own[:6]: file.write("whole"); file.close()
"""


def test_job_that_closes_all_its_files_goes_on(tmp_path: Path) -> None:
    """As programs do that go into the background; what it opens then has the numbers of ours."""
    code, said = run_to_its_end(tmp_path, CLOSES_ALL)
    assert code == 0, said
    assert sorted(published(tmp_path)) == ["0", "1", "2"]
    assert {path.read_text() for path in tmp_path.glob("own-*")} == {"whole"}


STOPPED_THEN = """
import os, threading
from steadyspot import current_run
run = current_run()
told = threading.Event()
run.on_stop(told.set)
os.closerange(3, 256)
own = [open(f"own-{n}", "w") for n in range(8)]
for unit in run.remaining(range(2)):
    if unit == 0:
        print("ready", flush=True)
        told.wait()
"""


def test_job_that_has_closed_all_its_files_is_told_of_a_stop(tmp_path: Path) -> None:
    with start(tmp_path, STOPPED_THEN) as process:
        assert process.stdout
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert {path.read_text() for path in tmp_path.glob("own-*")} == {""}
