"""What ``tests/conftest.py`` promises, seen from outside: pytest as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILD_ENDS_AT_CTRL_C = """
import signal
import subprocess

def test_child():
    child = subprocess.Popen(["sleep", "60"])
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == -signal.SIGINT

def test_itself():
    signal.raise_signal(signal.SIGINT)
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
def test_where_ctrl_c_is_ignored_children_still_end_by_it(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = session(tmp_path, CHILD_ENDS_AT_CTRL_C, *options, before="trap '' INT;")
    assert "2 passed" in done.stdout, done.stdout + done.stderr
