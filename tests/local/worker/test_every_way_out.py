"""Every way out is one of the contract's codes with a sentence, also where the machine is short.

What a job, a task definition or a small machine can do to the worker: none of it ends in a
traceback, hangs, or leaves with a code that nobody knows.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.local.worker.door import Door
from tests.local.worker.kit import ROOT, Bench, assert_said, wait_until

WORKER = ["-m", "steadyspot.worker"]
NESTED = "[" * 3000
SPEAK = """
import json, os, socket
def connect():
    s = socket.socket(socket.AF_UNIX); s.connect(os.environ['STEADYSPOT_SOCKET'])
    return s, s.makefile('rb')
def ask(line):
    s, f = connect(); s.sendall(line + b'\\n'); return json.loads(f.readline())
"""


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("STEADYSPOT_COMMAND", json.dumps(["echo", "a\0b"]), "cannot be passed to a program"),
        ("STEADYSPOT_COMMAND", '["echo", "\\ud800"]', "cannot be passed to a program"),
        ("STEADYSPOT_COMMAND", NESTED, "STEADYSPOT_COMMAND is not JSON"),
        ("STEADYSPOT_COMMAND", '[""]', "There is no command to run"),
        ("STEADYSPOT_COMMAND", '["", "a"]', "There is no command to run"),
        ("STEADYSPOT_ENVIRONMENT", NESTED, "STEADYSPOT_ENVIRONMENT is not JSON"),
        ("STEADYSPOT_ENVIRONMENT", '{"A": "\\ud800"}', "Write it like"),
        ("STEADYSPOT_SECRETS", NESTED, "STEADYSPOT_SECRETS is not JSON"),
        ("STEADYSPOT_SOCKET", "/tmp/another", "inside another worker"),
    ],
)
def test_what_no_program_can_be_given(bench: Bench, variable: str, value: str, words: str) -> None:
    assert_said(bench.start("sh", "-c", "echo ran", **{variable: value}), 125, words)


@pytest.mark.parametrize("option", ["--checkpoint-dir", "--output-dir"])
def test_folder_that_holds_the_workers_own_files(bench: Bench, option: str) -> None:
    """A restore would remove its socket, and no attempt after the first could go on."""
    worker = bench.start(option, str(bench.folder), "sh", "-c", "echo ran")
    assert_said(worker, 125, "holds the worker's own files", option)


def test_empty_command_of_an_image(bench: Bench) -> None:
    assert_said(bench.start("--", ""), 125, "There is no command to run")


def test_worker_inside_a_worker_is_told(bench: Bench) -> None:
    worker = bench.start(sys.executable, *WORKER, "sh", "-c", "echo ran")

    assert worker.end() == 125, worker.said()
    assert "inside another worker" in worker.said()
    assert "ran" not in worker.text


def test_job_killed_before_it_was_let_go(bench: Bench, door: Door) -> None:
    """Its first process waits for the run to be opened; somebody kills it there."""
    door.hold()
    worker = bench.start(
        "sh", "-c", "echo ran", STEADYSPOT_RERUN="never", AWS_ENDPOINT_URL=door.address
    )
    wait_until(lambda: door.waiting)
    (job,) = _children(worker.process.pid)
    os.kill(job, signal.SIGKILL)
    wait_until(lambda: job not in _children(worker.process.pid))
    door.let_go()

    assert_said(worker, 137, "killed before it could begin")
    assert "ran" not in worker.text
    assert bench.item()["stop_report"]["exit_code"] == 137


@pytest.mark.parametrize(
    "line",
    [
        NESTED,
        "no json",
        "[]",
        "7",
        "null",
        "{}",
        '{"do": {}}',
        '{"do": "mark"}',
        '{"do": "stage", "output": "x"}',
        '{"do": "stage", "output": [1]}',
        '{"do": "progress", "fraction": "x"}',
        '{"do": "progress", "total": {}}',
        '{"do": "progress", "fraction": NaN}',
        '{"do": "stage", "output": 1e999}',
        '{"do": "save", "state": ' + "[" * 980 + "]" * 980 + "}",
        '{"do": "output"}',
        '{"do": "output", "name": "a", "unit": {}}',
        '{"do": "output", "name": "a", "within": [1]}',
    ],
)
def test_request_that_nobody_understands_is_answered(bench: Bench, line: str) -> None:
    text = f"print('answer', ask({line.encode()!r}), flush=True)\n"
    worker = bench.start(*bench.job_file(SPEAK + text))

    assert worker.end() == 0, worker.said()
    (answer,) = [text for text in worker.text if text.startswith("answer")]
    assert "'ok': False" in answer
    assert "not understood" in answer


@pytest.mark.parametrize("limit", [5, 8, 12, 16, 24])
def test_few_file_descriptors(bench: Bench, limit: int) -> None:
    """From none that are left to just enough, the worker leaves with a code of the contract."""
    ended = subprocess.run(
        ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", sys.executable, *WORKER, "true"],
        env=bench.environment(),
        cwd=bench.folder,
        capture_output=True,
        timeout=110,
        check=False,
    )
    said = ended.stderr.decode()
    assert ended.returncode in (0, 125), said
    assert "Traceback" not in said
    assert ended.returncode == 0 or "open files" in said


def test_uncaught_error_in_any_thread_is_the_worker_s_own_fault(bench: Bench) -> None:
    """Others may wait for what the thread was to do. No value of the environment is told."""
    (bench.folder / "sitecustomize.py").write_text(
        "import os, sys, threading, time\n"
        "def run():\n"
        "    while not os.path.exists('go'): time.sleep(0.02)\n"
        "    raise ValueError('is not: ' + os.environ['TOKEN'] + ' or hush-hush')\n"
        "if 'steadyspot.worker' in sys.orig_argv:\n"
        "    threading.Thread(target=run, daemon=True).start()\n"
    )
    worker = bench.start(
        "sh", "-c", "echo ran; exec sleep 60",
        PYTHONPATH=f"{bench.folder}:{ROOT}",
        TOKEN="a-secret-of-mine",
        STEADYSPOT_SECRETS='{"PASSWORD": "hush-hush"}',
    )  # fmt: skip
    worker.wait_for("ran")
    wait_until(lambda: bench.item().get("fence"))
    (bench.folder / "go").touch()

    assert worker.end() == 70, worker.said()
    assert bench.item()["stop_report"]["reason"] == "worker-fault"
    (leave,) = [line for line in worker.lines if "traceback" in line]
    assert "sitecustomize.py" in leave["traceback"]
    assert "ValueError" in leave["message"]
    assert "a-secret-of-mine" not in worker.said() + str(bench.item())
    assert "hush-hush" not in worker.said() + str(bench.item())


def test_log_that_nobody_reads_holds_up_nothing(bench: Bench) -> None:
    """A job that fills the pipe is stuck, as it would be anywhere; the worker goes on."""
    reader, writer = os.pipe()
    worker = subprocess.Popen(
        [sys.executable, *WORKER, "--checkpoint-dir", "state", "--every", "0.1", "sh", "-c",
         "echo a > state/a; exec yes >&2"],
        env=bench.environment(STEADYSPOT_STOP_TIMEOUT="6"),
        cwd=bench.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=writer,
    )  # fmt: skip
    os.close(writer)
    wait_until(lambda: bench.item().get("checkpoint") and bench.saved().get("a"))
    (bench.folder / "state" / "b").write_text("b")
    begun = time.monotonic()
    worker.terminate()

    assert worker.wait(60) == 143
    assert time.monotonic() - begun < 6
    assert bench.item()["stop_report"]["reason"] == "interrupted"
    assert set(bench.saved()) == {"a", "b"}
    os.close(reader)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]
