"""Signals at random instants: never more than the unit in hand is lost, and one whole result.

The seed is fixed and the number of kills small; ``STEADYSPOT_KILLS=1000`` makes it longer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.local.worker.kit import Bench, sha256

KILLS = int(os.environ.get("STEADYSPOT_KILLS", "12"))
UNITS = 4
OUTPUTS = 4
UNIT_FILES = {
    f"{unit}/{i}": bytes([unit, i]) * 20000 for unit in range(UNITS) for i in range(OUTPUTS)
}


@dataclass(frozen=True)
class Job:
    """A program that notes in a journal which unit it begins, and what it has to publish.

    It is given the journal and a folder of its attempt's own, as each task has its own disk.
    """

    text: str
    options: tuple[str, ...]
    units: int
    expected: dict[str, bytes]


LOOP = Job(
    f"""
import os, sys
from steadyspot import current_run
run = current_run()
journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with run.output("head") as path:
    path.write_bytes(b"head" * 20000)
for unit in run.remaining(range({UNITS})):
    os.write(journal, b"%d\\n" % unit)
    for i in range({OUTPUTS}):
        with run.output(f"{{unit}}/{{i}}") as path:
            path.write_bytes(bytes([unit, i]) * 20000)
    run.state["sum"] = run.state.get("sum", 0) + unit
with run.output("sum") as path:
    path.write_text(str(run.state["sum"]))
""",
    (),
    UNITS,
    UNIT_FILES | {"sum": b"6", "head": b"head" * 20000},
)
FOLDERS = Job(
    f"""
import os, sys, time
def write(path, data):
    with open(path + ".tmp", "wb") as file:
        file.write(data)
    os.replace(path + ".tmp", path)
journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.chdir(sys.argv[2])
done = int(open("state/done").read()) if os.path.exists("state/done") else 0
if done:
    assert os.path.getsize("state/work") >= done * 20000
for unit in range(done, {UNITS}):
    os.write(journal, b"%d\\n" % unit)
    os.makedirs(f"out/{{unit}}", exist_ok=True)
    for i in range({OUTPUTS}):
        write(f"out/{{unit}}/{{i}}", bytes([unit, i]) * 20000)
    write("state/work", bytes((unit + 1) * 20000))
    write("state/done", b"%d" % (unit + 1))
    write("marker", b"")
    while os.path.exists("marker"):
        time.sleep(0.01)
""",
    (
        "--checkpoint-dir={disk}/state",
        "--output-dir={disk}/out",
        "--marker={disk}/marker",
    ),
    0,
    UNIT_FILES,
)


@dataclass
class Tally:
    """What the attempts at one run came to: how many were killed, the units each kill cost."""

    kills: int = 0
    lost: list[int] = field(default_factory=list)


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
        tally = one_run(Bench(endpoint, folder), number, chance)
        kills += tally.kills
        assert set(tally.lost) <= {0, 1}, "more than the unit in hand was lost"


def one_run(bench: Bench, number: signal.Signals, chance: random.Random) -> Tally:
    """Attempts at one run until it is complete, and all that must hold of it then."""
    job = chance.choice([LOOP, FOLDERS])
    journal = bench.folder / "journal"
    command = bench.job_file(job.text)
    tally = Tally()
    written_down: set[str] = set()
    while bench.item()["status"] != "complete":
        before = journal_of(journal)
        disk = bench.folder / f"disk-{bench.launches}"
        options = [option.format(disk=disk) for option in job.options]
        worker = bench.start("--drain", "0", *options, "--", *command, str(journal), str(disk))
        try:
            # Longer and longer, so that also a slow machine comes to an end.
            code = worker.process.wait(chance.uniform(0.05, 1.4 + 0.2 * tally.kills))
        except subprocess.TimeoutExpired:
            tally.kills += 1
            worker.process.send_signal(number)
            code = worker.end()
        else:
            worker.end()
        allowed = (143, -number) if number == signal.SIGTERM else (-number,)
        assert code == 0 or code in allowed, worker.said()
        new = journal_of(journal)[len(before) :]
        if before and new:
            tally.lost.append(before[-1] + 1 - new[0])
        assert sorted(new) == new
        written_down |= uploads_written_down(bench)

    objects = bench.objects()
    record = objects.pop("completion.json")
    assert bench.item()["completion"]["sha256"] == sha256(record), "two commits"
    assert objects == job.expected
    assert bench.item()["completion"]["units"] == job.units
    left = bench.open_upload_ids()
    assert not left & written_down, "an upload whose id was written down is still open"
    if number == signal.SIGTERM:
        assert not left, "a half-made output was not withdrawn"
    return tally


def uploads_written_down(bench: Bench) -> set[str]:
    """Ids of uploads that the checkpoint which counts names, done or only begun."""
    pointer = bench.item().get("checkpoint")
    if pointer is None:
        return set()
    reply = bench.s3.get_object(Bucket=bench.bucket, Key=pointer["key"])
    manifest = json.loads(reply["Body"].read())
    return set(manifest["open_uploads"]) | {o["upload_id"] for o in manifest["outputs"]}
