"""The Python API in jobs of all kinds: threads, pools, callbacks, and a folder instead of AWS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from steadyspot.worker.supervising.supervisor import SOCKET_PATH_BYTES
from tests.local.worker.kit import ROOT, Bench, wait_until
from tests.local.worker.test_local_folder import CLOSES_ALL

POOL = """
import sys, time
from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor
from steadyspot import current_run

def work(part):
    run = current_run()
    with run.unit(part):
        with run.output(f"{part}.txt") as path:
            path.write_text(str(part))
        print("did", part, flush=True)
        time.sleep(60 if part > 2 and run.attempt == 1 else 0.1)

if __name__ == "__main__":
    run = current_run()
    pool = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}[sys.argv[1]]
    with pool(3) as workers:
        list(workers.map(work, run.undone(range(9))))
"""


def check_pool(bench: Bench, kind: str) -> None:
    command = bench.job_file(POOL)
    first = bench.start("--drain", "0", *command, kind)
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) == 3)
    first.terminate()
    assert first.end() == 143, first.said()
    done = int(bench.item()["checkpoint"]["units_done"])

    second = bench.start(*command, kind)
    assert second.end() == 0, second.said()
    assert len([line for line in second.text if line.startswith("did")]) == 9 - done
    assert len(bench.objects()) == 10


def test_units_in_threads_are_marked_each_for_itself(bench: Bench) -> None:
    check_pool(bench, "threads")


def test_units_in_processes_of_a_pool_are_marked_too(bench: Bench) -> None:
    check_pool(bench, "processes")


def test_stopping_can_be_waited_for_and_callbacks_are_called(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "run.on_stop(lambda: print('called', flush=True))\n"
        "assert not run.stopping\n"
        "print('ready', flush=True)\n"
        "assert run.stopping.wait(30)\n"
        "print('seen', bool(run.stopping), flush=True)\n"
    ))  # fmt: skip
    worker.wait_for("ready")
    worker.terminate()

    assert worker.end() == 143, worker.said()
    assert "seen True" in worker.text
    assert "called" in worker.text


def test_stop_is_told_even_where_no_signal_is_forwarded(bench: Bench) -> None:
    worker = bench.start("--signal", "none", *bench.job_file(
        "import time\n"
        "from steadyspot import current_run\n"
        "for part in current_run().remaining(range(100)):\n"
        "    print('part', part, flush=True); time.sleep(0.2)\n"
    ))  # fmt: skip
    worker.wait_for("part 2")
    worker.terminate()

    assert worker.end() == 143
    # The job's share of the grace would be enough for far more of them.
    assert len([line for line in worker.text if line.startswith("part")]) < 40


def test_all_units_done_before_the_job_ends_counts_as_finished(bench: Bench) -> None:
    """SIGTERM in the last unit: it ends within the grace, and so does the run."""
    worker = bench.start(*bench.job_file(
        "import time\n"
        "from steadyspot import current_run\n"
        "for part in current_run().remaining(range(2)):\n"
        "    print('part', part, flush=True); time.sleep(0.7)\n"
    ))  # fmt: skip
    worker.wait_for("part 1")
    worker.terminate()

    assert worker.end() == 0, worker.said()
    assert bench.item()["status"] == "complete"


def test_job_that_ends_early_because_it_saw_the_stop_is_not_finished(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "list(run.remaining(range(2)))\n"
        "print('merging', flush=True)\n"
        "run.stopping.wait(30)\n"
        "raise SystemExit(0)\n"
    ))  # fmt: skip
    worker.wait_for("merging")
    worker.terminate()

    assert worker.end() == 143
    assert bench.item()["status"] == "running"


def test_unit_left_by_an_exception_or_a_break_is_not_done(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        "import time\n"
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "for part in run.remaining('abcd'):\n"
        "    time.sleep(0.01)\n"
        "    if part == 'c':\n"
        "        break\n"
        "print(run.undone('abcd'), flush=True)\n"
        "for part in run.remaining('abcd'):\n"
        "    raise ValueError(part)\n"
    ))  # fmt: skip
    assert worker.end() == 1
    assert "['c', 'd']" in worker.text
    assert bench.item()["checkpoint"]["units_done"] == 2


def test_half_written_output_is_never_published(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "try:\n"
        "    with run.output('half') as path:\n"
        "        path.write_text('ha'); raise ValueError\n"
        "except ValueError: pass\n"
        "with run.output('twice') as path: path.write_text('old')\n"
        "with run.output('twice') as path: path.write_text('new')\n"
        "with run.output('empty') as path: path.touch()\n"
    ))  # fmt: skip
    assert worker.end() == 0, worker.said()

    objects = bench.objects()
    objects.pop("completion.json")
    assert objects == {"twice": b"new", "empty": b""}
    wait_until(lambda: bench.open_uploads() == [])


def test_state_and_progress_are_durable_and_come_back(bench: Bench) -> None:
    command = bench.job_file(
        "import sys\n"
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "print('state', run.state, flush=True)\n"
        "run.state['at'] = 7\n"
        "run.progress(0.25)\n"
        "run.save()\n"
        "sys.exit(75)\n"
    )
    first = bench.start(*command)
    assert first.end() == 75
    assert float(bench.item()["progress"]["fraction"]) == 0.25
    assert bench.item()["stop_report"]["reason"] == "try-again"

    second = bench.start(*command)
    second.end()
    assert "state {'at': 7}" in second.text


def test_many_units_are_sealed_into_segments_and_come_back(bench: Bench) -> None:
    command = bench.job_file(
        "import sys\n"
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "left = run.undone(range(350))\n"
        "print('left', len(left), flush=True)\n"
        "for part in run.remaining(range(350)):\n"
        "    if part == int(sys.argv[1]):\n"
        "        sys.exit(75)\n"
        "    run.state['last'] = part\n"
    )
    assert bench.start(*command, "300").end(60) == 75
    manifest = json.loads(
        bench.s3.get_object(Bucket=bench.bucket, Key=bench.item()["checkpoint"]["key"])[
            "Body"
        ].read()
    )
    assert len(manifest["history"]["segments"]) == 1
    assert len(manifest["history"]["units"]) < 256
    second = bench.start(*command, "-1")
    assert second.end(60) == 0, second.said()
    assert "left 50" in second.text
    assert bench.completion()["units"] == 350


WHERE = """
import os, time
from steadyspot import current_run
current_run()
print("socket", os.environ["STEADYSPOT_SOCKET"], flush=True)
time.sleep(60)
"""


def test_socket_lies_in_the_scratch_folder_however_long_its_path_is(bench: Bench) -> None:
    """Elsewhere it would stay behind when the worker is killed."""
    scratch = bench.folder / ("long" * 25)
    scratch.mkdir()
    worker = bench.start(*bench.job_file(WHERE), STEADYSPOT_SCRATCH_DIR=str(scratch))
    worker.wait_for("socket ")
    path = next(line.split()[1] for line in worker.text if line.startswith("socket "))
    assert len(path.encode()) < SOCKET_PATH_BYTES
    assert scratch in Path(path).resolve().parents
    worker.kill_all()
    worker.end()


LOCAL = """
from steadyspot import current_run
run = current_run()
for part in run.remaining(range(5)):
    print("part", part, flush=True)
    with run.output(f"sub/{part}") as path:
        path.write_text(str(part))
    run.state["sum"] = run.state.get("sum", 0) + part
    if part == 2:
        run.stopping.wait(60)
print("sum", run.state["sum"], flush=True)
"""


def test_same_code_runs_in_a_local_folder_and_resumes_there(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(LOCAL)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout
    while first.stdout.readline().strip() != "part 2":
        pass
    first.send_signal(signal.SIGTERM)
    first.stdout.close()
    assert first.wait(60) == 143

    second = subprocess.run(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert second.stdout.splitlines() == ["part 3", "part 4", "sum 10"]
    outputs = tmp_path / ".steadyspot" / "outputs" / "sub"
    assert sorted(path.name for path in outputs.iterdir()) == ["0", "1", "2", "3", "4"]


def run_locally(folder: Path, job: str) -> subprocess.CompletedProcess[str]:
    (folder / "job.py").write_text(job)
    return subprocess.run(
        [sys.executable, "job.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_processes_of_a_pool_share_a_local_folder(tmp_path: Path) -> None:
    """One that begins leaves alone what another is writing; what a dead one left is removed."""
    done = run_locally(
        tmp_path,
        "import subprocess, sys\n"
        "from steadyspot import current_run\n"
        "begin = [sys.executable, '-c', 'from steadyspot import current_run; current_run()']\n"
        "dead = subprocess.Popen(['true']); dead.wait()\n"
        "run = current_run()\n"
        "with run.output('part') as path:\n"
        "    path.write_text('x')\n"
        "    path.parent.with_name(f'{dead.pid}-1-abc').write_text('left')\n"
        "    path.parent.with_name(f'{dead.pid}-1-def').mkdir()\n"
        "    subprocess.run(begin, check=True)\n"
        "    print([p.name == path.parent.name for p in path.parent.parent.iterdir()])\n",
    )
    assert done.stdout == "[True]\n", done.stderr
    assert (tmp_path / ".steadyspot" / "outputs" / "part").read_text() == "x"


def test_units_may_be_any_iterable_with_stable_keys(tmp_path: Path) -> None:
    job = (
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "days = ((year, f'{month:02}') for year in (2025, 2026) for month in (1, 2))\n"
        "rows = iter([{'id': 1}, {'id': 2}])\n"
        "print(list(run.remaining(days)), list(run.remaining(rows, key=lambda row: row['id'])))\n"
    )
    first = run_locally(tmp_path, job)
    assert "(2026, '02')]" in first.stdout, first.stderr
    assert "{'id': 2}]" in first.stdout
    assert run_locally(tmp_path, job).stdout == "[] []\n"


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("a", "pass", "no file"),
        ("a", "path.mkdir(); (path / 'part').touch()", "no file"),
        ("../a", "path.touch()", "climbs out"),
        ("completion.json", "path.touch()", "completion record"),
        ("a" * 701, "path.touch()", "too long"),
    ],
)
def test_output_that_cannot_be_published_is_refused_at_once(
    tmp_path: Path, name: str, write: str, says: str
) -> None:
    done = run_locally(
        tmp_path,
        "from steadyspot import current_run\n"
        f"with current_run().output({name!r}) as path:\n"
        f"    {write}\n",
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob(".steadyspot/*/*")) == []


def test_units_without_a_stable_key_are_refused_and_a_key_function_helps(tmp_path: Path) -> None:
    done = run_locally(
        tmp_path,
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "rows = [{'at': {'a'}}, {'at': {'b'}}]\n"
        "print(len(list(run.remaining(rows, key=lambda row: min(row['at'])))))\n"
        "list(run.remaining([object()]))\n",
    )
    assert done.stdout == "2\n"
    assert done.returncode == 1
    assert "has no stable key" in done.stderr
    assert "Traceback" not in done.stderr


def test_job_that_closes_all_its_files_goes_on(bench: Bench) -> None:
    """As programs do that go into the background; what it opens then has the numbers of ours."""
    worker = bench.start(*bench.job_file(CLOSES_ALL))

    assert worker.end(60) == 0, worker.said()
    assert sorted(bench.objects()) == ["0", "1", "2", "completion.json"]
    assert {path.read_text() for path in bench.folder.glob("own-*")} == {"whole"}
