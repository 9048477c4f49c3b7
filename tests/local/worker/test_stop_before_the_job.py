"""A stop by whatever signal while the run is being restored: the job never begins, nothing is lost.

The restore is real, and long: through a narrow tunnel.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.local.worker.holes import Tunnel
from tests.local.worker.kit import Bench, Worker, wait_until

FILES, FILE_BYTES = 16, 256 << 10
FOLDER = ("--checkpoint-dir", "state")


@pytest.fixture
def saved(bench: Bench) -> Bench:
    """A run whose first attempt left some files in its checkpoint."""
    fill = f"for n in $(seq {FILES}); do head -c {FILE_BYTES} /dev/urandom > state/$n; done"
    first = bench.start(*FOLDER, "sh", "-c", f"{fill}; exit 75")
    assert first.end() == 75, first.said()
    shutil.rmtree(bench.folder / "state")
    return bench


@pytest.fixture
def narrow(saved: Bench) -> Iterator[str]:
    with contextlib.closing(Tunnel(saved.endpoint, pause_seconds=0.08)) as tunnel:
        yield tunnel.address


def restoring(bench: Bench, *options: str, through: str) -> Worker:
    worker = bench.start(*FOLDER, *options, "sh", "-c", "echo began", AWS_ENDPOINT_URL=through)
    wait_until(lambda: any((bench.folder / "state").glob("*")))
    return worker


@pytest.mark.parametrize("name", ["QUIT", "USR1", "WINCH", "RTMIN"])
def test_an_images_own_stopsignal_breaks_a_restore_off(
    saved: Bench, narrow: str, name: str
) -> None:
    before = saved.item()["checkpoint"]
    worker = restoring(saved, through=narrow)
    worker.process.send_signal(getattr(signal, f"SIG{name}"))

    assert worker.end() == 143, worker.said()
    assert len(list((saved.folder / "state").iterdir())) < FILES
    assert "began" not in worker.text
    assert "The job does not begin any more." in worker.said()
    item = saved.item()
    assert item["checkpoint"] == before
    assert item["stop_report"]["reason"] == "interrupted"


def test_a_signal_that_is_forwarded_is_no_stop_while_there_is_no_job_yet(
    saved: Bench, narrow: str
) -> None:
    worker = restoring(saved, "--forward", "USR1", through=narrow)
    worker.process.send_signal(signal.SIGUSR1)

    assert worker.end(60) == 0, worker.said()
    assert "began" in worker.text
