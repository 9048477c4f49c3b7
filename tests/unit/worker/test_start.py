"""What a job's first instruction waits for stays small."""

from __future__ import annotations

import subprocess
import sys

from tests.local.worker.kit import ROOT

SLOW = {"json", "typing", "dataclasses", "ctypes", "logging", "argparse", "socket"}
START = """
import sys
sys.path.append(sys.argv[1])
from steadyspot.worker.__main__ import main
from steadyspot.worker.options import Options
from steadyspot.worker.supervising.supervisor import Supervisor
print(*sys.modules)
"""


def test_nothing_that_loads_slowly_is_loaded_before_the_job_starts() -> None:
    command = [sys.executable, "-IS", "-c", START, str(ROOT)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert "steadyspot.worker.supervising.supervisor" in loaded
    assert SLOW & set(loaded) == set()
