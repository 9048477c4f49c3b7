"""A permission that is lost in the middle of a run: one sentence, nothing half published, no storm.

The job does two units and a third after the role has lost S3 or DynamoDB, or loses it only before
the commit; the next attempt has its permission back.
"""

from __future__ import annotations

import pytest

from tests.local.worker.door import Door
from tests.local.worker.kit import Bench, wait_until

JOB = """
import os, time
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(3)):
    print("unit", unit, flush=True)
    while unit == 2 and not os.path.exists("go"):
        time.sleep(0.02)
    with run.output(f"{unit}") as path:
        path.write_text(f"{unit}")
print("all done", flush=True)
while not os.path.exists("end"):
    time.sleep(0.02)
"""
PLACES = {"s3": "the bucket", "dynamodb": "the run table"}
CALLS_AT_MOST = 6
"""Refused calls of a whole attempt: that of the trouble, uploads to withdraw, the last word."""


@pytest.mark.parametrize("service", PLACES)
@pytest.mark.parametrize(("said", "go_on"), [("unit 2", "go"), ("all done", "end")])
def test_permission_lost_in_a_unit_or_before_the_commit(
    bench: Bench, door: Door, service: str, said: str, go_on: str
) -> None:
    command = bench.job_file(JOB)
    (bench.folder / ("end" if go_on == "go" else "go")).touch()
    worker = bench.start(*command, AWS_ENDPOINT_URL=door.address)
    worker.wait_for(said)
    door.forbid(service)
    (bench.folder / go_on).touch()

    assert worker.end(60) == 125, worker.said()
    leave = [line for line in worker.lines if line.get("event") == "leave"][-1]
    assert f"The task role may not use {PLACES[service]}" in leave["message"]
    assert leave["message"].endswith("Give it the permissions of the template.")
    assert leave["reason"] == "bad-setup"
    assert "Traceback" not in worker.said()
    assert ".." not in worker.said()
    assert 1 <= door.refused <= CALLS_AT_MOST
    assert bench.objects() == {}
    item = bench.item()
    assert item["status"] == "running"
    assert (item.get("stop_report", {}).get("reason") == "bad-setup") == (service == "s3")
    assert item["checkpoint"]["units_done"] == (2 if go_on == "go" else 3)

    again = bench.start(*command)
    assert again.end(60) == 0, again.said()
    done = {"unit 0", "unit 1"} if go_on == "go" else {"unit 0", "unit 1", "unit 2"}
    assert not done & set(again.text)
    assert set(bench.objects()) == {"0", "1", "2", "completion.json"}


def test_folders_that_may_not_be_saved_are_spoken_of_and_the_end_is_plain(
    bench: Bench, door: Door
) -> None:
    """The job goes on, since a permission may come back; without it nothing is published."""
    (bench.folder / "out").mkdir()
    worker = bench.start(
        "--output-dir", "out", "--every", "0.2", "sh", "-c",
        "echo a > out/a; while [ ! -e go ]; do sleep 0.05; done",
        AWS_ENDPOINT_URL=door.address,
    )  # fmt: skip
    wait_until(lambda: bench.item().get("checkpoint"))
    door.forbid("s3")
    (bench.folder / "out" / "b").write_text("b")
    worker.wait_for("could not be saved this time: The task role may not use the bucket")
    (bench.folder / "go").touch()

    assert worker.end(60) == 125, worker.said()
    assert bench.objects() == {}
    assert bench.item()["stop_report"]["reason"] == "bad-setup"
