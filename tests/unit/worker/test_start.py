"""What a job's first instruction waits for stays small, and its constants are what they seem."""

from __future__ import annotations

import subprocess
import sys

from tests.local.worker.kit import ROOT
from worker.contract import Exit, Reason

SLOW = {"enum", "re", "json", "typing", "dataclasses", "ctypes", "logging", "argparse", "socket"}
START = """
import sys
sys.path.append(sys.argv[1])
from worker.__main__ import main
from worker.options import Options
from worker.supervisor import Supervisor
print(*sys.modules)
"""


def test_nothing_that_loads_slowly_is_loaded_before_the_job_starts() -> None:
    command = [sys.executable, "-IS", "-c", START, str(ROOT)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert "worker.supervisor" in loaded
    assert SLOW & set(loaded) == set()


def test_constants_are_strings_and_numbers_that_know_their_name() -> None:
    assert str(Reason.TIMED_OUT) == "timed-out"
    assert (Reason.TIMED_OUT.name, Reason.TIMED_OUT.value) == ("TIMED_OUT", "timed-out")
    assert f"{Exit.INTERRUPTED} {int(Exit.INTERRUPTED)}" == "143 143"
    assert isinstance(Exit.INTERRUPTED, Exit)
    words: dict[str, int] = {Reason.FAILED: 1}
    assert words["failed"] == 1
