"""Signals at random instants: never more than the unit in hand is lost, and one whole result.

The seed is fixed and the number of kills small; ``STEADYSPOT_KILLS=1000`` makes it longer.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.local.worker.kit import Bench

KILLS = int(os.environ.get("STEADYSPOT_KILLS", "12"))
UNITS = 4
OUTPUTS = 4
JOB = f"""
import os, sys
from worker import current_run
run = current_run()
journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for unit in run.remaining(range({UNITS})):
    os.write(journal, b"%d\\n" % unit)
    for i in range({OUTPUTS}):
        with run.output(f"{{unit}}/{{i}}") as path:
            path.write_bytes(bytes([unit, i]) * 20000)
    run.state["sum"] = run.state.get("sum", 0) + unit
with run.output("sum") as path:
    path.write_text(str(run.state["sum"]))
"""
EXPECTED = {
    f"{unit}/{i}": bytes([unit, i]) * 20000 for unit in range(UNITS) for i in range(OUTPUTS)
} | {"sum": b"6"}


def journal_of(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.mark.timeout(60 + 10 * KILLS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_random_signals_cost_the_unit_in_hand_at_most(
    number: signal.Signals, endpoint: str, tmp_path: Path
) -> None:
    chance = random.Random(20261124 + number)
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        folder = tmp_path / str(runs)
        folder.mkdir()
        kills += one_run(Bench(endpoint, folder), number, chance, folder / "journal")


def one_run(bench: Bench, number: signal.Signals, chance: random.Random, journal: Path) -> int:
    """Attempts at one run until it is complete; how many were killed."""
    command = [*bench.job_file(JOB), str(journal)]
    kills = 0
    while bench.item()["status"] != "complete":
        before = journal_of(journal)
        worker = bench.start("--drain", "0", *command)
        try:
            code = worker.process.wait(chance.uniform(0.05, 1.4) if kills < KILLS else 30)
        except subprocess.TimeoutExpired:
            kills += 1
            worker.process.send_signal(number)
            code = worker.end()
        else:
            worker.end()
        allowed = (143, -number) if number == signal.SIGTERM else (-number,)
        assert code == 0 or code in allowed, worker.said()
        new = journal_of(journal)[len(before) :]
        if before and new:
            assert new[0] in (before[-1], before[-1] + 1), "more than the unit in hand was lost"
        assert sorted(new) == new

    objects = bench.objects()
    objects.pop("completion.json")
    assert objects == EXPECTED
    assert bench.item()["completion"]["units"] == UNITS
    if number == signal.SIGTERM:
        assert bench.open_uploads() == [], "a half-made output was not withdrawn"
    return kills
