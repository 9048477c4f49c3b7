"""Runs that are spread over tasks, with real ones: what a shard is, and told and parked once."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from steadyspot.contract import COMPLETION, Status, output_prefix
from steadyspot.contract.metrics import CAUSE, FINISHED, JOB, NAMESPACE, OUTCOME, PARKED, RUNS
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.local.outbox import Mail
from steadyspot.deploy.runs import shards
from steadyspot.deploy.runs.evidence import explanation_of
from steadyspot.deploy.runs.following import watch
from steadyspot.deploy.runs.listing import listed
from steadyspot.deploy.runs.outputs import made_by
from steadyspot.deploy.ui.reading import read_run
from tests.local.runs import Place, Work, eventually, faults

TIME, KEY = "2026-11-24T02:00:00Z", "20261124T020000Z"
EACH = """
import os, pathlib, sys
shard, shards = os.environ["STEADYSPOT_SHARD"], os.environ["STEADYSPOT_SHARDS"]
if shard in sys.argv[1:] and not pathlib.Path(os.environ["MENDED"]).exists():
    print("bad luck")
    sys.exit(3)
out = pathlib.Path(os.environ["STEADYSPOT_OUTPUT_DIR"])
(out / "part.txt").write_text(f"{shard} of {shards}")
"""


def spread(place: Place, mended: Any, *bad: str, **more: Any) -> Work:
    """A job of three shards that each write a file; those that are bad fail until it is mended."""
    return place.job(
        *("python", "-c", EACH, *bad),
        shards=3,
        shards_at_once=2,
        environment={"MENDED": str(mended)},
        output_dir="/work/output",
        **more,
    )


def completion(work: Work, key: str = KEY) -> dict[str, Any]:
    """The completion record of a run."""
    found = work.s3.get_object(Bucket=work.bucket, Key=output_prefix(work.name, key) + COMPLETION)
    return dict(json.loads(found["Body"].read()))


def of_shard(work: Work, shard: int) -> list[str]:
    """The executions of a shard."""
    return [one for one in work.executions() if f":{shard_key(KEY, shard)}." in one]


def stand(work: Work) -> str:
    """How the shards of the run stand, as it is told while the run is followed."""
    now = datetime.now(UTC)
    return shards.told(shards.read_stand(work.target.runs, work.record(KEY), now), now)


def told(work: Work) -> list[Mail]:
    """The mails about the job's runs; alarms have others."""
    work.mail(lambda mail: mail.subject.startswith("Steadyspot: "))
    return [mail for mail in work.mails() if mail.subject.startswith("Steadyspot: ")]


@pytest.mark.timeout(180)
def test_three_shards_make_one_run(place: Place, tmp_path: Any) -> None:
    work = spread(place, tmp_path / "mended", tell_every_run=True, finish_within_minutes=400_000)
    execution = work.start(scheduledTime=TIME)
    run = work.succeeded(execution, KEY)
    assert run.complete
    assert run.shards == 3
    record = completion(work)
    assert not faults("completion-of-shards", record)
    assert [part["shard"] for part in record["parts"]] == [0, 1, 2]
    assert record["outputs"] == 3
    for shard in range(3):
        key = shard_key(KEY, shard)
        (child,) = of_shard(work, shard)
        assert len(work.states_entered(child)) == 4
        assert work.record(key).complete
        found = work.s3.get_object(
            Bucket=work.bucket, Key=output_prefix(work.name, key) + "part.txt"
        )
        assert found["Body"].read() == f"{shard} of 3".encode()
    (mail,) = told(work)
    assert "over 3 shards after 3 attempts" in mail.subject
    assert "The slowest shards:" in mail.body
    assert not work.waiting()


def counted(work: Work) -> dict[tuple[str, str], float]:
    """Runs of the job that CloudWatch has counted, by outcome and what stopped them."""
    cloudwatch = work.target.client("cloudwatch")
    now = datetime.now(UTC)
    found = {}
    for one in cloudwatch.list_metrics(
        Namespace=NAMESPACE, MetricName=RUNS, Dimensions=[{"Name": JOB, "Value": work.name}]
    )["Metrics"]:
        named = {dimension["Name"]: dimension["Value"] for dimension in one["Dimensions"]}
        if named[OUTCOME] == PARKED and CAUSE not in named:
            continue
        points = cloudwatch.get_metric_statistics(
            **one,
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=86_400,
            Statistics=["Sum"],
        )["Datapoints"]
        found[named[OUTCOME], named.get(CAUSE, "")] = sum(point["Sum"] for point in points)
    return found


@pytest.mark.timeout(240)
def test_a_redrive_runs_the_unfinished_shard_alone(place: Place, tmp_path: Any) -> None:
    mended = tmp_path / "mended"
    work = spread(place, mended, "1")
    shown = work.failed(work.start(scheduledTime=TIME))
    assert shown["error"] == "Steadyspot.ShardsUnfinished"
    assert "Of 3 shards 1 did not finish: 1 (job-failed)" in shown["cause"]
    assert work.record(KEY).status == Status.UNFINISHED
    assert work.parked()["cause"] == "shards-unfinished"
    (mail,) = told(work)
    assert "1 (job-failed)" in mail.body
    story = explanation_of(work.target, work.job, KEY)
    assert "Of 3 shards 1 did not finish: 1 (job-failed)" in story.outcome
    assert [one.status for one in story.shards] == ["complete", "unfinished", "complete"]
    (child,) = of_shard(work, 1)
    assert explanation_of(work.target, work.job, KEY, shard=1).stops[0].cause == "job-failed"
    assert read_run(work.target, work.job, KEY, 1).name == shard_key(KEY, 1)
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120))
    with pytest.raises(SystemExit, match="1"):
        watch(work.target, screen, work.job, child, logs=True, machine=False, shard=1)
    said = out.getvalue()
    assert "attempt 1 failed (job-failed, exit 3" in said, said
    assert "bad luck" in said
    (line,) = (line for line in listed(work.target, work.job, 5))
    assert (line.run_key, line.cause) == (KEY, "shards-unfinished")
    mended.touch()
    (redriven,) = work.redrive()
    assert work.succeeded(redriven.execution, KEY).complete
    assert [len(of_shard(work, shard)) for shard in range(3)] == [1, 2, 1]
    assert [part["shard"] for part in completion(work)["parts"]] == [0, 1, 2]
    assert not work.waiting()
    made = {output.name for output in made_by(work.target, work.job, KEY).outputs}
    assert f"{KEY}/{COMPLETION}" in made
    assert {f"{shard_key(KEY, shard)}/part.txt" for shard in range(3)} < made
    assert counted(work) == {(PARKED, "shards-unfinished"): 1, (FINISHED, ""): 1}


@pytest.mark.timeout(240)
def test_a_run_that_is_stopped_takes_its_shards_with_it(place: Place) -> None:
    slow = ("python", "-c", "import time; time.sleep(60)")
    work = place.job(*slow, shards=3, shards_at_once=2)
    execution = work.start(scheduledTime=TIME)
    eventually(
        lambda: all(
            (run := work.target.runs.get(work.name, shard_key(KEY, shard))) and run.fence
            for shard in range(2)
        )
    )
    under_way = r"0 of 3 shards complete, 2 running, the longest shard [01] for (\d+) s, 1 waiting"
    assert re.fullmatch(under_way, stand(work))
    eventually(lambda: (now := re.fullmatch(under_way, stand(work))) and int(now[1]) >= 2)
    work.sfn.stop_execution(executionArn=execution)
    for one in (execution, *of_shard(work, 0), *of_shard(work, 1)):
        assert work.ended(one)["status"] == "ABORTED"
        work.after(one)
    assert work.record(shard_key(KEY, 0)).status == Status.UNFINISHED
    eventually(lambda: stand(work) == "0 of 3 shards complete, 2 unfinished, 1 waiting")
    (line,) = listed(work.target, work.job, 5)
    assert (line.attempts, line.shards_done, line.shards) == (2, 0, 3)
    assert line.spot_seconds > 0
    assert line.cost > 0
    assert work.parked()["runKey"] == KEY  # once, and not for each shard
    (mail,) = told(work)
    assert f" {KEY} " in mail.subject
