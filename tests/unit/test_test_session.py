"""What ``tests/conftest.py`` promises, seen from outside: pytest as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILDREN_END_BY_A_KEY = """
import signal
import subprocess

KEYS = signal.SIGINT, signal.SIGQUIT

def test_children():
    for key in KEYS:
        child = subprocess.Popen(["sleep", "60"])
        child.send_signal(key)
        assert child.wait(60) == -key

def test_itself():
    for key in KEYS:
        signal.raise_signal(key)
"""


def session(
    folder: Path, test: str, *options: str, before: str = ""
) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    words = [*command, f"--rootdir={folder}", "-c", "/dev/null", "test_it.py", *options]
    return subprocess.run(
        ["sh", "-c", f'{before} exec "$@"', "sh", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [("-n0",), ("-n1",)], ids=["one process", "distributed"])
def test_where_keys_are_ignored_children_still_end_by_them(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = session(tmp_path, CHILDREN_END_BY_A_KEY, *options, before="trap '' INT QUIT;")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


LEAVES = """
import tempfile

def test_one(tmp_path):
    tempfile.mkdtemp(prefix="steadyspot-left-")
    tempfile.mkdtemp(dir=tmp_path)
"""
TIDIES_UP_LATE = """
import subprocess
import tempfile

def test_one():
    subprocess.Popen(["sh", "-c", 'sleep 0.5; rm -r "$0"', tempfile.mkdtemp()])
"""


def test_a_run_fails_that_leaves_something_in_the_temporary_folder(tmp_path: Path) -> None:
    done = session(tmp_path, LEAVES, "-n1", "-o", "tidying_seconds=0")
    assert (done.returncode, "1 passed" in done.stdout) == (1, True)
    assert done.stdout.count("left in the temporary folder: steadyspot-left-") == 1
    assert list(tmp_path.glob("steadyspot-*")) == []


def test_what_is_put_away_soon_was_not_left(tmp_path: Path) -> None:
    done = session(tmp_path, TIDIES_UP_LATE, "-n0")
    assert done.returncode == 0, done.stdout
