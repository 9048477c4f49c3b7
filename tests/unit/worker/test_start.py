"""What a job's first instruction waits for, and what memory the worker takes beside it.

Both are asked of the kernel by the job itself: the processor time that the worker has used when the
job begins, and the worker's memory then. What a processor does in that time depends on what else
the machine does, so it is compared with an interpreter that only starts a job, at the same time.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.local.worker.kit import ROOT

START = """
import sys
sys.path.append(sys.argv.pop(1))
from steadyspot.worker.__main__ import leave
leave()
"""
START_ALONE = "import os, sys; os.spawnvp(os.P_WAIT, sys.argv[2], sys.argv[2:])"
LOOK = "cut -d' ' -f1 /proc/$PPID/schedstat; grep -E '^(RssAnon|RssFile):' /proc/$PPID/status"
MOST_MILLISECONDS, MOST_TIMES = 40, 5
"""Or so many times what an interpreter takes to start a job, where the machine is busy or slow."""
MOST_MIB = 20
TRIES = 30


def start(program: str) -> tuple[float, float]:
    """Start a job once: milliseconds of processor time before it, MiB of memory."""
    command = [sys.executable, "-IS", "-c", program, str(ROOT), "sh", "-c", LOOK]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    nanoseconds, *memory = done.stdout.splitlines()
    return int(nanoseconds) / 1e6, sum(int(line.split()[1]) for line in memory) / 1024


def test_start_costs_little_time_and_memory() -> None:
    # The caches of the processor are shared, too; the best of some tries is the worker's own.
    for _ in range(TRIES):
        milliseconds, memory = start(START)
        alone, _ = start(START_ALONE)
        assert memory <= MOST_MIB
        if milliseconds <= max(MOST_MILLISECONDS, MOST_TIMES * alone):
            break
    else:
        pytest.fail(f"{milliseconds} ms, where an interpreter takes {alone} ms")


SELDOM_NEEDED = {
    "dataclasses", "decimal", "fractions", "hashlib", "inspect", "subprocess", "uuid",
    "steadyspot.local_folder", "steadyspot.local_shards",
}  # fmt: skip
API = "import sys; sys.path.append(sys.argv[1]); import steadyspot.run; print(*sys.modules)"


def test_job_loads_with_the_api_nothing_that_is_slow_and_seldom_needed() -> None:
    command = [sys.executable, "-IS", "-c", API, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert SELDOM_NEEDED & set(done.stdout.split()) == set()
