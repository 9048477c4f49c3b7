"""AWS in trouble for a while: it is waited for, and no unit is done twice for it.

The door between worker and AWS delays, cuts, loses, halves, doubles or refuses what passes, at
every stage of a run: its opening, a mark, a save of the folders, the commit.
"""

from __future__ import annotations

import time

import pytest

from steadyspot.contract import COMPLETION
from tests.local.worker.door import Door, Fault, Kind, Request, all_of
from tests.local.worker.kit import Bench, Worker, assert_said, wait_until

OUTAGE_SECONDS = 1.0
"""Longer than an attempt without patience tried."""

LOOP = """
import os, time
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(3)):
    print("unit", unit, flush=True)
    while unit == 1 and not os.path.exists("go"):
        time.sleep(0.02)
    with run.output(f"{unit}") as path:
        path.write_text(f"{unit}" * 2000)
print("all done", flush=True)
while not os.path.exists("end"):
    time.sleep(0.02)
"""
S3_SAYS = "<Error><Code>{}</Code><Message>…</Message></Error>"
DYNAMODB_SAYS = '{{"__type": "com.amazonaws.dynamodb.v20120810#{}", "message": "…"}}'


def refused(service: str, status: int, code: str) -> Fault:
    text = (S3_SAYS if service == "s3" else DYNAMODB_SAYS).format(code)
    return Fault(Kind.REFUSE, refusal=(status, text.encode()))


def units(worker: Worker) -> list[str]:
    return [line for line in worker.text if line.startswith("unit")]


OUTAGES = [
    ("s3", Fault(Kind.CUT)),
    ("dynamodb", Fault(Kind.LOSE)),
    ("s3", Fault(Kind.HALVE)),
    ("dynamodb", Fault(Kind.HALVE)),
    ("s3", refused("s3", 503, "SlowDown")),
    ("s3", refused("s3", 403, "RequestTimeTooSkewed")),
    ("dynamodb", refused("dynamodb", 400, "ProvisionedThroughputExceededException")),
    ("dynamodb", refused("dynamodb", 400, "ExpiredTokenException")),
]
"""The other codes stand in the unit test of refusals."""


def named(outage: tuple[str, Fault]) -> str:
    service, fault = outage
    said = fault.refusal[1].decode() if fault.kind is Kind.REFUSE else ""
    return f"{service} {fault.kind} {said}"


@pytest.mark.parametrize("outage", OUTAGES, ids=map(named, OUTAGES))
def test_mark_waits_until_aws_answers_again(
    bench: Bench, door: Door, outage: tuple[str, Fault]
) -> None:
    (bench.folder / "end").touch()
    worker = bench.start(*bench.job_file(LOOP), AWS_ENDPOINT_URL=door.address)
    worker.wait_for("unit 1")
    door.meddle = all_of(*outage)
    (bench.folder / "go").touch()
    wait_until(lambda: door.met)
    time.sleep(OUTAGE_SECONDS)
    door.meddle = lambda request: None

    assert worker.end(60) == 0, worker.said()
    assert units(worker) == ["unit 0", "unit 1", "unit 2"]
    assert {n: bench.objects()[n] for n in "012"} == {n: n.encode() * 2000 for n in "012"}


@pytest.mark.parametrize(("service", "kind"), [("s3", Kind.LOSE), ("dynamodb", Kind.LOSE)])
def test_commit_waits_until_aws_answers_again(
    bench: Bench, door: Door, service: str, kind: Kind
) -> None:
    (bench.folder / "go").touch()
    worker = bench.start(*bench.job_file(LOOP), AWS_ENDPOINT_URL=door.address)
    worker.wait_for("all done")
    door.meddle = all_of(service, Fault(kind))
    (bench.folder / "end").touch()
    wait_until(lambda: door.met)
    time.sleep(OUTAGE_SECONDS)
    door.meddle = lambda request: None

    assert worker.end(60) == 0, worker.said()
    assert sorted(bench.objects()) == ["0", "1", "2", "completion.json"]


@pytest.mark.parametrize(("service", "kind"), [("s3", Kind.HALVE), ("dynamodb", Kind.HALVE)])
def test_opening_and_restore_wait_until_aws_answers_again(
    bench: Bench, door: Door, service: str, kind: Kind
) -> None:
    options = ("--checkpoint-dir", "state", "sh", "-c")
    first = bench.start(*options, "head -c 50000 /dev/zero > state/big; exit 75")
    assert first.end() == 75, first.said()
    (bench.folder / "state" / "big").unlink()
    door.meddle = all_of(service, Fault(kind))
    worker = bench.start(*options, "wc -c < state/big", AWS_ENDPOINT_URL=door.address)
    wait_until(lambda: door.met, 60)
    time.sleep(OUTAGE_SECONDS)
    door.meddle = lambda request: None

    assert worker.end(60) == 0, worker.said()
    assert "50000" in worker.text


def test_save_of_the_folders_waits_until_aws_answers_again(bench: Bench, door: Door) -> None:
    worker = bench.start(
        "--checkpoint-dir", "state", "--every", "0.2", "sh", "-c",
        "echo a > state/a; while [ ! -e end ]; do sleep 0.05; done",
        AWS_ENDPOINT_URL=door.address,
    )  # fmt: skip
    wait_until(lambda: bench.item().get("checkpoint"), 60)
    door.meddle = all_of("s3", Fault(Kind.REFUSE, refusal=(503, b"")))
    (bench.folder / "state" / "b").write_text("b" * 100_000)
    wait_until(lambda: door.met)
    worker.wait_for("It is tried again")
    door.meddle = lambda request: None
    wait_until(lambda: "b" in bench.saved())
    (bench.folder / "end").touch()

    assert worker.end(60) == 0, worker.said()
    assert "could not be saved" not in worker.said()
    assert "It is tried again" in worker.said()
    assert "all goes on" in worker.said()


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "InvalidSignatureException"])
def test_credentials_that_aws_never_took_are_told_at_once(
    bench: Bench, door: Door, code: str
) -> None:
    """Whether the job began before it was known, or waits to be restored."""
    door.meddle = all_of("dynamodb", refused("dynamodb", 400, code))
    for _ in range(2):
        worker = bench.start("sleep", "60", AWS_ENDPOINT_URL=door.address)

        assert_said(worker, 125, f"AWS does not take the task's credentials ({code}).")
    assert door.met <= 4


def test_patience_ends(bench: Bench, door: Door) -> None:
    (bench.folder / "end").touch()
    worker = bench.start("--patience", "1.5", *bench.job_file(LOOP), AWS_ENDPOINT_URL=door.address)
    worker.wait_for("unit 1")
    begun = time.monotonic()
    door.meddle = all_of("s3", Fault(Kind.CUT))
    (bench.folder / "go").touch()

    assert worker.end(60) == 69, worker.said()
    # No try begins after the patience has ended, and the longest pause by then is 0.8 s.
    assert time.monotonic() - begun > 1.5 - 0.8
    assert bench.item()["stop_report"]["reason"] == "aws-in-trouble"


def test_stop_in_an_outage_goes_on_trying_within_the_grace(bench: Bench, door: Door) -> None:
    worker = bench.start(
        "--stop-timeout", "20", *bench.job_file(LOOP), AWS_ENDPOINT_URL=door.address
    )
    worker.wait_for("unit 1")
    door.meddle = all_of("s3", Fault(Kind.CUT))
    (bench.folder / "go").touch()
    wait_until(lambda: door.met)
    worker.terminate()
    worker.wait_for('"event": "notice"')
    time.sleep(OUTAGE_SECONDS)
    door.meddle = lambda request: None

    assert worker.end(60) == 143, worker.said()
    assert bench.item()["checkpoint"]["units_done"] == 2


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.REFUSE])
def test_stop_whose_last_save_aws_refuses_is_aws_s_trouble(
    bench: Bench, door: Door, kind: Kind
) -> None:
    """Whether the job is killed at once or ends by itself."""
    (bench.folder / "state").mkdir()
    worker = bench.start(
        "--checkpoint-dir", "state", "--stop-timeout", "4", "sh", "-c", "echo ready; sleep 60",
        AWS_ENDPOINT_URL=door.address,
    )  # fmt: skip
    worker.wait_for("ready")
    wait_until(lambda: bench.item().get("fence"))
    (bench.folder / "state" / "a").write_text("a")
    door.meddle = all_of("s3", Fault(kind))
    begun = time.monotonic()
    worker.terminate()

    assert worker.end(60) == 69, worker.said()
    assert time.monotonic() - begun < 4
    assert bench.item()["stop_report"]["reason"] == "aws-in-trouble"
    assert bench.item()["stop_report"]["exit_code"] == 69


LOST = """
import os, time
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(2)):
    print("unit", unit, flush=True)
    with run.output(f"{unit}") as path:
        path.write_bytes(os.urandom(20_000_000))
"""


def test_upload_that_is_removed_while_it_goes_on_has_its_unit_done_again(
    bench: Bench, door: Door
) -> None:
    """Whoever may abort uploads, a lifecycle rule or a hand, did so."""

    def abort(request: Request) -> None:
        if request.method == "PUT" and "partNumber=2" in request.path and not door.met:
            door.met += 1
            for upload in bench.s3.list_multipart_uploads(Bucket=bench.bucket)["Uploads"]:
                bench.s3.abort_multipart_upload(
                    Bucket=bench.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )

    door.meddle = abort
    command = bench.job_file(LOST)
    worker = bench.start(*command, AWS_ENDPOINT_URL=door.address)

    assert worker.end(60) == 75, worker.said()
    assert bench.item()["stop_report"]["reason"] == "work-lost"
    assert bench.start(*command).end(60) == 0
    assert sorted(bench.objects()) == ["0", "1", "completion.json"]


MANY = """
import sys, time
from pathlib import Path
from steadyspot import current_run
run = current_run()
for unit in run.remaining(range(2)):
    print("unit", unit, flush=True)
    for number in range(20):
        with run.output(f"{unit}/{number}") as path:
            path.write_text(f"{unit} {number}")
while sys.argv[1:] and not Path("go").exists():
    time.sleep(0.02)
"""


@pytest.mark.parametrize("becomes", [None, b"", b"1 11", b"not what it was, but longer than that"])
def test_small_outputs_whose_pack_is_gone_cut_or_altered_are_made_again(
    bench: Bench, becomes: bytes | None
) -> None:
    """A lifecycle rule or a hand removed it, or wrote another in its place."""
    worker = bench.start(*bench.job_file(MANY), "held")
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) == 2)
    listed = bench.s3.list_objects_v2(Bucket=bench.bucket)["Contents"]
    packs = [one["Key"] for one in listed if "/packs/" in one["Key"]]
    assert len(packs) == 2, "one for each unit"
    for pack in packs:
        body = bench.s3.get_object(Bucket=bench.bucket, Key=pack)["Body"].read()
        if body.startswith(b"1 "):
            bench.s3.delete_object(Bucket=bench.bucket, Key=pack)
            if becomes is not None:
                bench.s3.put_object(Bucket=bench.bucket, Key=pack, Body=becomes)
    (bench.folder / "go").touch()

    assert worker.end() == 75, worker.said()
    assert "12 outputs were removed" in worker.said()
    again = bench.start(*bench.job_file(MANY))
    assert again.end() == 0, again.said()
    assert "unit 1" in again.said()
    assert "unit 0" not in again.said()
    objects = bench.objects()
    del objects[COMPLETION]
    assert objects == {f"{u}/{n}": f"{u} {n}".encode() for u in range(2) for n in range(20)}
