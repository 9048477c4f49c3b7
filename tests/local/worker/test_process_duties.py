"""What dumb-init and tini do for a container's first process, done by the worker too.

Each test runs the worker as an ordinary process and, where the machine allows namespaces, as PID 1.
"""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.worker.kit import ROOT, descendants, wait_until

WORKER = [sys.executable, "-m", "steadyspot.worker"]
UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _namespaces_allowed() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


WAYS = {"as an ordinary process": WORKER}
if _namespaces_allowed():
    WAYS["as PID 1"] = [*UNSHARE, *WORKER]


class Started:
    """A worker whose output is read line by line; ``pid`` is the worker itself."""

    def __init__(self, way: list[str], arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            [*way, *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.outer = len(way) > len(WORKER)

    @property
    def pid(self) -> int:
        if not self.outer:
            return self.process.pid
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait_until(lambda: path.read_text().split())[0])

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> int:
        code = self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()
        return code


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> list[str]:
    return WAYS[request.param]


@pytest.fixture
def started(way: list[str]) -> Iterator[list[Started]]:
    workers: list[Started] = []
    yield workers
    for worker in workers:
        if worker.process.poll() is None:
            below = list(descendants(worker.process.pid))
            worker.process.kill()
            worker.process.wait()
            for pid in below:  # Also what has a session of its own, which nobody else would end.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def start(started: list[Started], way: list[str], *arguments: str) -> Started:
    worker = Started(way, list(arguments))
    started.append(worker)
    return worker


PRINTER = """
import os, signal, sys
def say(number, frame):
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
caught = [getattr(signal, "SIG" + name) for name in sys.argv[1:]]
for number in caught:
    signal.signal(number, say)
print("ready", flush=True)
while True:
    signal.pause()
"""
STOPS = ["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "PWR"]
OTHERS = ["CONT", "ALRM", "TSTP", "URG", "VTALRM"]


def test_every_catchable_signal_that_is_no_stop_reaches_the_job(
    way: list[str], started: list[Started]
) -> None:
    """With those that would be one, where the job asks for them."""
    forwarded = [*STOPS, *OTHERS]
    options = ["--forward", ",".join(STOPS)]
    worker = start(started, way, *options, sys.executable, "-c", PRINTER, *forwarded)
    assert worker.line() == "ready"

    for name in forwarded:
        worker.send(getattr(signal, f"SIG{name}"))
        assert worker.line() == f"SIG{name}"
        if name == "TSTP":
            if not worker.outer:  # The kernel does not let PID 1 stop itself.
                wait_until(lambda: _state(worker.pid) == "T")
            worker.send(signal.SIGCONT)
            assert worker.line() == "SIGCONT"


@pytest.mark.skipif("as PID 1" not in WAYS, reason="this machine allows no PID namespace")
def test_no_signal_is_lost_while_the_first_process_of_a_container_still_loads(
    tmp_path: Path,
) -> None:
    """The image's own ENTRYPOINT, told before a line of Python has run."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    entry = shutil.copy(ROOT / "worker" / "steadyspot-worker", tmp_path / "bin")
    (tmp_path / "lib" / "steadyspot").symlink_to(ROOT / "steadyspot")
    slow = tmp_path / "bin" / "python3"
    slow.write_text(
        f"#!{sys.executable} -IS\nimport os, sys, time\ntime.sleep(1)\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n"
    )
    slow.chmod(0o755)
    worker = subprocess.Popen(
        [*UNSHARE, str(entry), "sleep", "60"],
        env={"PATH": f"{slow.parent}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    first = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    pid = int(wait_until(lambda: first.read_text().split())[0])
    program = Path(f"/proc/{pid}/comm")
    wait_until(lambda: program.read_text().strip() == slow.name)
    os.kill(pid, signal.SIGTERM)

    try:
        said = worker.communicate(timeout=90)[1]
    finally:
        worker.kill()
    assert worker.returncode == 143
    assert "SIGTERM came" in said


@pytest.mark.parametrize("name", ["TERM", *STOPS, "RTMIN", "RTMAX"])
def test_whatever_an_image_may_name_as_its_stopsignal_is_a_stop(
    name: str, way: list[str], started: list[Started]
) -> None:
    script = "trap 'echo told; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    worker = start(started, way, "sh", "-c", script)
    assert worker.line() == "ready"
    worker.send(getattr(signal, f"SIG{name}"))

    assert worker.line() == "told"
    assert worker.end() == 143


def test_signals_reach_the_first_process_and_the_whole_group_on_request(
    way: list[str], started: list[Started]
) -> None:
    script = (
        "trap 'echo parent; sleep 0.5; exit 7' USR1;"
        " sh -c \"trap 'echo child; exit' USR1; echo ready; while true; do sleep 0.05; done\" &"
        " wait; wait"
    )
    options = ["--forward", "USR1", "--signal", "group"]
    group = start(started, way, *options, "sh", "-c", script)
    assert group.line() == "ready"
    group.send(signal.SIGUSR1)
    assert {group.line(), group.line()} == {"parent", "child"}
    assert group.end() == 7

    first = start(started, way, "--forward", "USR1", "sh", "-c", script)
    assert first.line() == "ready"
    first.send(signal.SIGUSR1)
    assert first.line() == "parent"
    assert first.line() == ""
    assert first.end() == 7


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_ends_with_the_jobs_exit_code(code: int, way: list[str], started: list[Started]) -> None:
    assert start(started, way, "sh", "-c", f"exit {code}").end() == code


@pytest.mark.parametrize("name", ["KILL", "INT", "SEGV", "USR1"])
def test_ends_with_128_and_the_signal_that_ended_the_job(
    name: str, way: list[str], started: list[Started]
) -> None:
    number = getattr(signal, f"SIG{name}")
    assert start(started, way, "sh", "-c", f"kill -{name} $$").end() == 128 + number


def test_orphans_are_reaped(way: list[str], started: list[Started]) -> None:
    """Double-forked children end as the worker's children and do not stay as zombies."""
    script = "for i in 1 2 3 4 5; do (true & ) ; done; sleep 0.5; echo orphaned; sleep 30"
    worker = start(started, way, "sh", "-c", script)
    assert worker.line() == "orphaned"

    wait_until(lambda: "Z" not in [_state(pid) for pid in _below(worker.pid)])


def test_leaves_no_process_behind(way: list[str], started: list[Started], tmp_path: Path) -> None:
    """Neither one that left the group and session, nor one that ignores SIGTERM."""
    script = (
        "setsid sh -c 'trap \"\" TERM HUP; while true; do sleep 1; done' &"
        " sh -c 'trap \"\" TERM; echo $$; while true; do sleep 1; done' &"
        f" until [ -e {tmp_path}/go ]; do sleep 0.02; done; exit 4"
    )
    worker = start(started, way, "sh", "-c", script)
    worker.line()
    below = _below(worker.pid)
    assert len(below) >= 2
    (tmp_path / "go").touch()

    assert worker.end() == 4
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []


def test_a_killed_worker_takes_its_job_along(way: list[str], started: list[Started]) -> None:
    worker = start(started, way, "sh", "-c", "echo ready; exec sleep 300")
    worker.line()
    below = _below(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)
    worker.end()

    wait_until(lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()])


def test_second_sigterm_changes_nothing(way: list[str], started: list[Started]) -> None:
    script = "trap 'echo term' TERM; echo ready; while true; do sleep 0.05; done"
    worker = start(started, way, "--stop-timeout", "4", "sh", "-c", script)
    assert worker.line() == "ready"
    begun = time.monotonic()
    worker.send(signal.SIGTERM)
    assert worker.line() == "term"
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGTERM)

    assert worker.line() == ""
    assert worker.end() == 143
    assert time.monotonic() - begun > 2


def test_another_signal_may_be_what_stops_the_job(way: list[str], started: list[Started]) -> None:
    script = "trap 'echo int; exit 0' INT; echo ready; while true; do sleep 0.05; done"
    worker = start(started, way, "--signal-job", "INT", "sh", "-c", script)
    assert worker.line() == "ready"
    worker.send(signal.SIGTERM)

    assert worker.line() == "int"
    assert worker.end() == 143


def test_no_forwarding_means_no_signal_at_all(way: list[str], started: list[Started]) -> None:
    worker = start(
        started,
        way,
        "--signal",
        "none",
        "--forward",
        "HUP",
        "--drain",
        "0.5",
        sys.executable,
        "-c",
        PRINTER,
        "TERM",
        "HUP",
    )
    assert worker.line() == "ready"
    worker.send(signal.SIGHUP)
    worker.send(signal.SIGTERM)

    assert worker.line() == ""
    assert worker.end() == 143


def test_job_starts_with_an_empty_mask_and_ignores_only_what_the_worker_was_started_with(
    way: list[str], started: list[Started]
) -> None:
    look = ["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"]
    without = subprocess.run(look, capture_output=True, text=True, check=True).stdout.split()
    worker = start(started, way, *look)
    assert worker.line().split() + worker.line().split() == without
    assert without[1] == "0" * 16


def test_command_not_found_and_not_runnable(
    way: list[str], started: list[Started], tmp_path: Path
) -> None:
    (tmp_path / "plain").write_text("no program")
    assert start(started, way, "no-such-command").end() == 127
    assert start(started, way, str(tmp_path / "plain")).end() == 126


def test_on_a_terminal_the_job_is_in_the_foreground() -> None:
    """Ctrl-C at the terminal reaches the job, which may also read from it."""
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        os.execve(
            sys.executable,
            [*WORKER, "sh", "-c", "read word; echo got $word; read word"],
            environment,
        )
    os.write(terminal, b"hello\n")
    said = b""
    while b"got hello" not in said:
        said += os.read(terminal, 1024)
    # Only the shell is there: one that is just starting a program may keep a key to itself.
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 130


def test_job_reads_the_workers_own_standard_input(way: list[str]) -> None:
    done = subprocess.run(
        [*way, "cat"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        input=b"one\ntwo\n",
        capture_output=True,
        timeout=90,
        check=True,
    )
    assert done.stdout == b"one\ntwo\n"


def test_standard_streams_may_all_be_closed(way: list[str], tmp_path: Path) -> None:
    """What is opened next must not take their numbers, or a log line would be read as signals."""
    look = "for fd in 0 1 2; do [ -e /proc/self/fd/$fd ] && echo open > $fd; done; touch ready"
    job = f"{look}; while true; do sleep 0.05; done"
    worker = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *way, "sh", "-c", job],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    try:
        wait_until((tmp_path / "ready").exists)
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
        pid = worker.pid if way == WORKER else int(children.read_text().split()[0])
        os.kill(pid, signal.SIGTERM)
        assert worker.wait(90) == 143
    finally:
        worker.kill()
        worker.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["ready"]


def test_standard_output_is_the_jobs_own(way: list[str], started: list[Started]) -> None:
    """No copy in between: the job writes to the very pipe the worker was given."""
    worker = start(started, way, "sh", "-c", "readlink /proc/self/fd/1; echo next")
    assert worker.process.stdout
    mine = Path(f"/proc/self/fd/{worker.process.stdout.fileno()}").readlink()
    assert worker.line() == str(mine)
    assert worker.line() == "next"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found += [int(entry.name), *_below(int(entry.name))]
    return found
