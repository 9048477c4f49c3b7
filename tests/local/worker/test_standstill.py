"""A job stands still as long as anybody looks at it, and whoever looks last lets it go on."""

from __future__ import annotations

import subprocess
import sys

from tests.local.worker.kit import ROOT

LOOKERS = """
import subprocess, time
from steadyspot.worker.supervising.processes import adopt_orphans, descendants, stands
from steadyspot.worker.supervising.standstill import Standstill

def seen():
    return {stands(one) for one in descendants()}

def until(expected):
    while seen() != expected:
        time.sleep(0.001)

adopt_orphans()
child = subprocess.Popen(["sh", "-c", "setsid sleep 60 & sleep 60 & wait"])
while len(descendants()) < 3:
    time.sleep(0.001)
standstill = Standstill()
for _ in range(2):
    standstill.begin(60)
assert seen() == {True}
standstill.end()
assert seen() == {True}

first = descendants()[0]
standstill.let_answer(first, 0.01)
assert not stands(first)
assert [stands(one) for one in descendants()[1:]] == [True, True]
child.terminate()
standstill.let_answer(first, 60)
assert [stands(one) for one in descendants()] == [True, True]

standstill.end()
until({False})
for one in descendants():
    subprocess.run(["kill", str(one.pid)])
child.wait()
"""


def test_it_stands_until_nobody_looks_any_more() -> None:
    """Two look at once; then one is let go alone, as it was told, and ends."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKERS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


WAITS = """
import os, signal
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
if os.fork() == 0:
    while True: pass
if (child := os.fork()) == 0:
    while True: signal.pause()
os.nice(15)
while not os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]): pass
"""
"""A parent that is slow to stop, since another has its processor, and asks how its child is."""

PARENT = f"""
import subprocess, sys
from steadyspot.worker.supervising.processes import adopt_orphans, descendants
from steadyspot.worker.supervising.standstill import Standstill

adopt_orphans()
parent = subprocess.Popen([sys.executable, "-c", {WAITS!r}])
while len(descendants()) < 3 and parent.poll() is None: pass
standstill = Standstill()
for _ in range(20):
    standstill.begin(60)
    standstill.end()
seen = parent.poll()
for one in descendants():
    subprocess.run(["kill", "-9", str(one.pid)])
assert seen is None, "the parent saw its child stop"
"""


def test_no_parent_sees_its_child_stop() -> None:
    """A shell with job control would take that for the end of what it waits for."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
