"""`run --local` where no embedded AWS is kept up: all that can be known must be told at once."""

from __future__ import annotations

import os
from pathlib import Path

from tests.local.forks import Forks
from tests.local.runs import ROOT

CONFIG = """
[jobs.night]
image = "night:local"
command = ["sh", "-c", "echo the source is empty; exit 7"]
expected_minutes = 1
"""


def test_a_run_that_fails_shows_what_it_printed_and_says_what_to_do(
    commands: Forks, tmp_path: Path
) -> None:
    (tmp_path / "steadyspot.toml").write_text(CONFIG)
    given = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**given, "PYTHONPATH": str(ROOT)}
    run = commands.start("steadyspot", ["run", "--local"], environment, tmp_path, text=True)
    said, complained = run.communicate()
    assert run.returncode == 1, said + complained
    assert "the source is empty" in said
    assert "what to do   Read the job's log" in said
