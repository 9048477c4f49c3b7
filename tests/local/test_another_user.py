"""The embedded AWS and a run on it, as a user who is not root and owns nothing but a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import steadyspot

NOBODY = 65534
CONFIG = """
[platform]
name = "nb"

[jobs.night]
image = "night:1"
command = ["sh", "-c", "id -u >/work/output/who; echo saved >/work/checkpoint/here"]
checkpoint_dir = "/work/checkpoint"
output_dir = "/work/output"
"""
COMMAND = ["-m", "steadyspot", "run", "night", "--local", "--json"]
PYTHON = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
"""One that every user of the machine may run; that of the tests may lie in root's home."""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of nobody's, within that of the tests, which has to let others pass."""
    above = Path(tempfile.gettempdir())
    mode = above.stat().st_mode
    above.chmod(0o711)
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)
    above.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(PYTHON is None, reason="no Python of this release that every user may run")
def test_a_whole_run_needs_no_root(home: Path) -> None:
    (home / "steadyspot.toml").write_text(CONFIG)
    subprocess.run([str(PYTHON), "-m", "venv", "--without-pip", home / "venv"], check=True)
    (libraries,) = (home / "venv/lib").glob("python*/site-packages")
    here = [sysconfig.get_path("purelib"), str(Path(steadyspot.__file__).parents[1])]
    (libraries / "of-the-tests.pth").write_text("\n".join(here))
    ended = subprocess.run(
        [home / "venv/bin/python", *COMMAND],
        cwd=home,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home)},
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    run = json.loads(ended.stdout.splitlines()[-1])["run"]
    assert run["status"] == "complete"
    assert run["completion"]["output_bytes"] == len(f"{NOBODY}\n")
    assert {path.name for path in home.iterdir()} == {"venv", "steadyspot.toml"}
