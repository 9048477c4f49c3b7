"""Two workers at one run: one wins, the other leaves with 76 and destroys nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from steadyspot.worker.keeping.uploads import SHARED_BYTES
from tests.local.worker.door import Door, Request
from tests.local.worker.kit import Bench, wait_until

SLOW = """
import os, sys, time
from steadyspot import current_run
run = current_run()
pause, name, *held = sys.argv[1:]
for part in run.remaining(range(4)):
    print("part", part, flush=True)
    while [str(part)] == held and not os.path.exists("go"):
        time.sleep(0.02)
    with run.output(f"{part}") as path:
        path.write_text(f"{part} by {name}")
    time.sleep(float(pause))
"""


def test_zombie_that_wakes_up_leaves_with_76_and_the_winner_keeps_what_was_done(
    bench: Bench,
) -> None:
    command = bench.job_file(SLOW)
    zombie = bench.start(*command, "0.1", "zombie", "2")
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) == 2)
    zombie.process.send_signal(signal.SIGSTOP)
    winner = bench.start(*command, "0.5", "winner")
    winner.wait_for("part 3")
    (bench.folder / "go").touch()
    zombie.process.send_signal(signal.SIGCONT)

    assert zombie.end() == 76, zombie.said()
    assert "has taken it" in zombie.said()
    assert winner.end() == 0, winner.said()
    objects = bench.objects()
    assert objects["0"] == objects["1"].replace(b"1", b"0") == b"0 by zombie"
    assert objects["3"] == b"3 by winner"
    assert len(objects) == 5
    assert bench.item()["status"] == "complete"
    assert bench.open_uploads() == []


@pytest.mark.parametrize("size", [1, SHARED_BYTES + 1])
def test_zombie_frozen_in_its_own_commit_changes_nothing_when_it_wakes(
    size: int, bench: Bench, door: Door
) -> None:
    """It is frozen with requests on their way; the next attempt finishes the commit."""
    publishing: list[Request] = []

    def shut(request: Request) -> None:
        if request.publishes:
            publishing.append(request)
            if len(publishing) == 11:
                door.hold()

    door.meddle = shut
    command = bench.job_file(
        "from steadyspot import current_run\n"
        "run = current_run()\n"
        "for i in range(30):\n"
        f"    with run.output(str(i)) as path: path.write_bytes(bytes({size}))\n"
    )
    zombie = bench.start("--uploads", "2", *command, AWS_ENDPOINT_URL=door.address)
    wait_until(lambda: door.waiting)
    zombie.process.send_signal(signal.SIGSTOP)
    assert bench.item()["status"] == "committing"

    winner = bench.start("sh", "-c", "echo ran")
    assert winner.end() == 0, winner.said()
    assert "ran" not in winner.text
    before = (bench.item(), bench.objects())
    assert len(before[1]) == 31

    zombie.process.send_signal(signal.SIGCONT)
    door.let_go()
    assert zombie.end() == 76, zombie.said()
    assert (bench.item(), bench.objects()) == before


def test_same_number_handed_out_twice_leaves_one_worker(bench: Bench) -> None:
    command = bench.job_file(SLOW)
    workers = [
        bench.start(*command, "0.2", name, STEADYSPOT_FENCE="10001") for name in ("one", "two")
    ]
    assert sorted(worker.end() for worker in workers) == [0, 76]
    assert len(bench.objects()) == 5


def test_run_that_may_not_run_twice_waits_for_the_fence(bench: Bench) -> None:
    assert bench.start("true", STEADYSPOT_FENCE="10001", STEADYSPOT_RERUN="never").end() == 0
    second = bench.start("sh", "-c", "echo ran", STEADYSPOT_FENCE="10001", STEADYSPOT_RERUN="never")

    assert second.end() == 0
    assert "ran" not in second.text


def test_taken_over_by_another_execution(bench: Bench, tmp_path: Path) -> None:
    command = bench.job_file(SLOW)
    old = bench.start(*command, "0.1", "old", "1")
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) == 1)
    bench.execution = "arn:aws:states:us-east-1:123456789012:execution:job:another"
    bench.claim(claims=2)
    (bench.folder / "go").touch()

    assert old.end() == 76, old.said()
    assert "has taken the run over" in old.said()
    new = bench.start(*command, "0", "new")
    assert new.end() == 0
    assert bench.objects()["0"] == b"0 by old"
