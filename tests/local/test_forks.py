"""A process that is forked is to itself and to others as one that is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.local.forks import ROOT, Forks

SHOWN = "tests.local.shown"
WORDS = ["one", "two words"]


def test_it_is_as_one_that_is_started(commands: Forks, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    started = subprocess.Popen(
        [sys.executable, "-m", SHOWN, *WORDS],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    forked = commands.start(SHOWN, WORDS, environment, tmp_path, text=True)
    said, complained = forked.communicate(timeout=60)
    expected = started.communicate(timeout=60)[0]
    assert (forked.returncode, started.returncode, complained) == (3, 3, "")
    assert said.splitlines()[1:] == expected.splitlines()[1:] == ["a thread", "the end"]
    assert json.loads(said.splitlines()[0]) == json.loads(expected.splitlines()[0])
