"""`run --local` where no embedded AWS is kept up: all that can be known must be told at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.local.runs import ROOT

CONFIG = """
[jobs.night]
image = "night:local"
command = ["sh", "-c", "echo the source is empty; exit 7"]
expected_minutes = 1
"""


def test_a_run_that_fails_shows_what_it_printed_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "steadyspot.toml").write_text(CONFIG)
    given = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "steadyspot", "run", "--local"],
        cwd=tmp_path,
        env={**given, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the source is empty" in done.stdout
    assert "what to do   Read the job's log" in done.stdout
