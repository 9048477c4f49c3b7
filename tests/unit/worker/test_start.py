"""What a job's first instruction waits for, and what memory the worker takes beside it.

Both are asked of the kernel by the job itself: the processor time that the worker has used when the
job begins, so that it counts for nothing how busy the machine is, and the worker's memory then.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.local.worker.kit import ROOT

START = """
import sys
sys.path.append(sys.argv.pop(1))
from steadyspot.worker.__main__ import leave
leave()
"""
LOOK = "cut -d' ' -f1 /proc/$PPID/schedstat; grep -E '^(RssAnon|RssFile):' /proc/$PPID/status"
MOST_MILLISECONDS = 40
MOST_MIB = 20
TRIES = 30


def start() -> tuple[float, float]:
    """Start a job once: milliseconds of processor time before it, MiB of memory."""
    command = [sys.executable, "-IS", "-c", START, str(ROOT), "sh", "-c", LOOK]
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
    took: list[float] = []
    # What else the machine does costs processor, too (caches); the best of some tries is its own.
    while len(took) < TRIES and min(took, default=MOST_MILLISECONDS + 1) > MOST_MILLISECONDS:
        milliseconds, memory = start()
        assert memory <= MOST_MIB
        took.append(milliseconds)
    assert min(took) <= MOST_MILLISECONDS
