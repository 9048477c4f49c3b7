"""What programs that start others make of a stop: the table in docs/why/stops.md, row by row."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.local.worker.kit import ROOT
from tests.local.worker.test_process_duties import Started, start, started, way

__all__ = ["started", "way"]

CHILD = """
import os, signal, sys, time
def told(number, frame):
    os.write(1, b"told\\n")
    time.sleep(0.5)
    os.write(1, b"saved\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, told)
os.write(1, b"ready\\n")
while True:
    time.sleep(60)
"""
POOL_OF_EXECUTOR = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
def work(part):
    print("ready", flush=True); time.sleep(60)
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
"""
POOL_OF_MULTIPROCESSING = """
import multiprocessing, time
def work(part):
    print("ready", flush=True); time.sleep(60)
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(work, range(2))
"""
HOOK = """
public class Hook {
    public static void main(String[] words) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("saved")));
        System.out.println("ready");
        Thread.sleep(60000);
    }
}
"""
NODE = """
process.on("SIGTERM", () => {
  console.log("told");
  setTimeout(() => { console.log("saved"); process.exit(0); }, 500);
});
setInterval(() => {}, 1000);
console.log("ready");
"""

PLAIN = "told saved"
"""The program that works is told once and ends in its own time."""

PROGRAMS: dict[str, tuple[str, str]] = {
    "shell that executes its last command": ("sh -c 'exec {child}'", PLAIN),
    "shell without a trap": ("sh -c '{child}; echo never'", PLAIN),
    "shell with a trap that waits": (
        "sh -c 'trap \"kill \\$!; wait \\$!; exit\" TERM; {child} & wait'",
        PLAIN,
    ),
    "shell with a trap and a child in the foreground": (
        "sh -c 'trap \"echo trapped; exit\" TERM; sleep 1; {short}; echo never'",
        "trapped",
    ),
    "pipeline": ("sh -c 'sleep 60 | {child}'", PLAIN),
    "timeout": ("timeout 60 {child}", PLAIN),
    "setsid -w": ("setsid -w {child}", PLAIN),
    "nohup": ("nohup {child}", PLAIN),
    "env": ("env A=b {child}", PLAIN),
}


@pytest.fixture
def child(tmp_path: Path) -> str:
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return f"{sys.executable} {path}"


def shell(script: str) -> list[str]:
    """What a person would type at a prompt."""
    return ["sh", "-c", f"exec {script}"]


def until_the_end(worker: Started) -> list[str]:
    assert worker.process.stdout
    return [line.strip() for line in worker.process.stdout]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_that_starts_others(
    program: str, way: list[str], started: list[Started], child: str
) -> None:
    script, expected = PROGRAMS[program]
    script = script.format(child=child, short="echo ready; sleep 3")
    worker = start(started, way, "--stop-timeout", "12", *shell(script))
    assert worker.line() == "ready"
    worker.send(signal.SIGTERM)

    said = until_the_end(worker)
    if program == "timeout":  # It tells its child and then its group; the two may come as one.
        said = [word for word, before in zip(said, [None, *said], strict=False) if word != before]
    assert said == expected.split()
    assert worker.end() == 143


@pytest.mark.parametrize("pool", [POOL_OF_EXECUTOR, POOL_OF_MULTIPROCESSING])
def test_pool_without_a_handler_ends_at_once_with_all_its_children(
    pool: str, way: list[str], started: list[Started], tmp_path: Path
) -> None:
    (tmp_path / "pool.py").write_text(pool)
    worker = start(started, way, "--stop-timeout", "60", sys.executable, str(tmp_path / "pool.py"))
    assert (worker.line(), worker.line()) == ("ready", "ready")
    worker.send(signal.SIGTERM)

    assert until_the_end(worker) == []
    assert worker.end() == 143


@pytest.mark.skipif(not shutil.which("java"), reason="java is not installed here")
def test_hook_of_a_java_program_runs(
    way: list[str], started: list[Started], tmp_path: Path
) -> None:
    (tmp_path / "Hook.java").write_text(HOOK)
    worker = start(started, way, "java", str(tmp_path / "Hook.java"))
    if worker.line() != "ready":
        pytest.skip("this java runs no source file")
    worker.send(signal.SIGTERM)

    assert until_the_end(worker) == ["saved"]
    assert worker.end() == 143


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed here")
def test_node_is_told(way: list[str], started: list[Started]) -> None:
    worker = start(started, way, "node", "-e", NODE)
    assert worker.line() == "ready"
    worker.send(signal.SIGTERM)

    assert until_the_end(worker) == ["told", "saved"]
    assert worker.end() == 143


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed here")
def test_npm_leaves_what_it_started_to_be_told(
    way: list[str], started: list[Started], tmp_path: Path
) -> None:
    (tmp_path / "work.js").write_text(NODE)
    (tmp_path / "package.json").write_text('{"scripts": {"work": "node work.js"}}')
    prefix = ["--silent", "--prefix", str(tmp_path)]
    worker = start(started, way, "npm", *prefix, "run", "work")
    assert worker.line() == "ready"
    worker.send(signal.SIGTERM)

    assert until_the_end(worker) == ["told", "saved"]
    assert worker.end() == 143


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("su"), reason="su asks for a password")
def test_su_passes_the_stop_on(way: list[str], started: list[Started], child: str) -> None:
    worker = start(started, way, "su", "-c", f"exec {child}", "root")
    assert worker.line() == "ready"
    worker.send(signal.SIGTERM)

    assert until_the_end(worker) == ["told", "saved"]
    assert worker.end() == 143


def test_the_table_says_which_of_its_programs_no_test_runs() -> None:
    table = (ROOT / "docs" / "why" / "stops.md").read_text()
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    untested = [row for row in rows if row.endswith("\\*")]
    assert untested == ["| httpd \\*"]
    assert len(rows) >= len(PROGRAMS) + len(untested)
