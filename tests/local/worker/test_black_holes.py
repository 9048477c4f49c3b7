"""An AWS that takes connections and never answers costs no more than the grace, signal or none."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.worker.door import Door
from tests.local.worker.holes import Tunnel, black_hole
from tests.local.worker.kit import Bench, wait_until

ONE_OUTPUT = """
import os, time
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(1)):
    with run.output("part") as path:
        path.write_text("x")
print("all done", flush=True)
while not os.path.exists("go"):
    time.sleep(0.02)
"""


@pytest.fixture
def tunnel(bench: Bench) -> Iterator[Tunnel]:
    between = Tunnel(bench.endpoint)
    yield between
    between.close()


@pytest.mark.parametrize("rerun", ["always", "never"])
def test_aws_that_never_answers_is_given_up_when_patience_ends(bench: Bench, rerun: str) -> None:
    with black_hole() as hole:
        begun = time.monotonic()
        worker = bench.start(
            "--stop-timeout", "12", "--patience", "4", "sh", "-c", "echo ran",
            AWS_ENDPOINT_URL=hole, STEADYSPOT_RERUN=rerun,
        )  # fmt: skip
        assert worker.end(60) == 69, worker.said()
        assert time.monotonic() - begun < 4 + 12
    assert "did not answer" in worker.said()
    assert ("ran" in worker.text) == (rerun == "always")


def test_credentials_that_never_come_are_given_up_when_patience_ends(bench: Bench) -> None:
    """ECS gives them at an address of its own."""
    with black_hole() as hole:
        begun = time.monotonic()
        worker = bench.start(
            "--patience", "0", "sleep", "60",
            AWS_ACCESS_KEY_ID="", AWS_CONTAINER_CREDENTIALS_FULL_URI=hole,
        )  # fmt: skip
        assert worker.end(60) == 69, worker.said()
        assert time.monotonic() - begun < 30
    assert "retrieving credentials" in worker.said()


def test_publishing_into_a_black_hole_is_given_up_and_finished_by_the_next_attempt(
    bench: Bench, tunnel: Tunnel
) -> None:
    command = bench.job_file(ONE_OUTPUT)
    options = ("--stop-timeout", "12", "--patience", "4")
    worker = bench.start(*options, *command, AWS_ENDPOINT_URL=tunnel.address)
    worker.wait_for("all done")
    tunnel.stall()
    begun = time.monotonic()
    (bench.folder / "go").touch()

    assert worker.end(60) == 69, worker.said()
    assert time.monotonic() - begun < 4 + 12
    assert bench.objects() == {}
    assert bench.start(*command).end() == 0
    assert bench.objects()["part"] == b"x"


def test_sigterm_after_the_job_is_over_bounds_the_publishing_by_the_grace(
    bench: Bench, tunnel: Tunnel
) -> None:
    command = bench.job_file(ONE_OUTPUT)
    worker = bench.start("--stop-timeout", "3", *command, AWS_ENDPOINT_URL=tunnel.address)
    worker.wait_for("all done")
    tunnel.stall()
    (bench.folder / "go").touch()
    worker.wait_for('"event": "publish"')
    begun = time.monotonic()
    worker.terminate()

    # Interrupted, or in trouble where the last try ends before the grace does.
    assert worker.end(60) in (143, 69), worker.said()
    assert time.monotonic() - begun < 3
    assert bench.start(*command).end() == 0
    assert bench.objects()["part"] == b"x"


def test_sigterm_while_s3_completes_an_upload_leaves_within_the_grace(
    bench: Bench, door: Door
) -> None:
    command = bench.job_file(ONE_OUTPUT)
    (bench.folder / "go").touch()
    door.completion_seconds = 30
    worker = bench.start("--stop-timeout", "3", *command, AWS_ENDPOINT_URL=door.address)
    wait_until(lambda: door.completions)
    begun = time.monotonic()
    worker.terminate()

    assert worker.end(60) == 143, worker.said()
    assert time.monotonic() - begun < 3
    assert bench.item()["status"] == "committing"
    assert bench.start(*command).end() == 0
    assert bench.objects()["part"] == b"x"


def test_sigterm_while_s3_hangs_still_leaves_within_the_grace(bench: Bench) -> None:
    with black_hole() as hole:
        worker = bench.start(
            "--checkpoint-dir", "state", "--stop-timeout", "4", "sh", "-c", "echo ready; sleep 60",
            AWS_ENDPOINT_URL_S3=hole,
        )  # fmt: skip
        worker.wait_for("ready")
        wait_until(lambda: bench.item().get("fence"))
        worker.terminate()
        # The call gives up as its share of the grace ends: either may be seen first.
        assert worker.end(6) in (143, 69), worker.said()


def test_stop_while_waiting_for_the_fence_runs_nothing(bench: Bench) -> None:
    with black_hole() as hole:
        worker = bench.start(
            "--stop-timeout", "3", "sh", "-c", "echo ran",
            STEADYSPOT_RERUN="never", AWS_ENDPOINT_URL=hole,
        )  # fmt: skip
        wait_until(lambda: b"worker" in _command_of(worker.process.pid))
        wait_until(lambda: _catches(worker.process.pid, signal.SIGTERM))
        worker.terminate()
        assert worker.end(12) == 143, worker.said()
    assert "ran" not in worker.text


def _catches(pid: int, number: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
