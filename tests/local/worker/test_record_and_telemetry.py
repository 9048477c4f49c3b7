"""The table's conditions mean on DynamoDB what they mean in the code; numbers go out."""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any

import pytest

from steadyspot.contract import Env, Status
from steadyspot.contract.metrics import REFUSALS
from steadyspot.deploy.local.embedded_metrics import metrics_in
from steadyspot.worker.keeping.aws import Aws
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.keeping.store import Condition, ConditionFailed
from tests.local.worker.kit import Bench, sha256


def test_conditions_mean_the_same_in_dynamodb_and_in_the_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bench.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    table = Aws(4, 30, Patience(0, print), os.environ).table(bench.table, bench.job, bench.run_key)
    rows: list[dict[str, Any]] = [
        {"status": status, "execution": execution, **fence}
        for status in ("running", "committing", "complete")
        for execution in ("mine", "other")
        for fence in ({}, *({"fence": f, "holder": h} for f in (1, 2, 3) for h in ("me", "you")))
    ]
    alive = frozenset({Status.RUNNING, Status.COMMITTING})
    for row, taking in itertools.product(rows, (True, False)):
        bench.runs.put_item(Item=bench.key | row)
        condition = Condition("mine", 2, "me", alive, taking)
        if condition.holds(row):
            table.update({"seen": 1}, [], condition)
            continue
        with pytest.raises(ConditionFailed) as failed:
            table.update({"seen": 1}, [], condition)
        assert failed.value.item["status"] == row["status"]


def test_metrics_of_an_interrupted_attempt(bench: Bench) -> None:
    worker = bench.start("sh", "-c", "echo ready; sleep 60")
    worker.wait_for("ready")
    worker.terminate()
    assert worker.end() == 143

    (line,) = [line for line in worker.lines if "_aws" in line]
    assert line["Job"] == bench.job
    assert line["Capacity"] == "spot"
    assert line["Cause"] == "interrupted"
    assert line["SignalToExitSeconds"] < 5
    assert 0 < line["GracePercent"] < 100
    measured = {(one.name, *one.dimensions) for one in metrics_in(json.dumps(line))}
    assert measured == {
        ("RunSeconds", "Job", "Capacity"),
        ("LostSeconds", "Job", "Capacity"),
        ("Attempts", "Job", "Cause"),
        ("SignalToExitSeconds", "Job"),
        ("GracePercent", "Job"),
    }
    assert {"StartupSeconds", "RunSeconds", "LostSeconds", "CheckpointSeconds", "Units"} <= set(
        line
    )


def test_metrics_of_a_run_come_with_the_attempt_that_finished_it(bench: Bench) -> None:
    told = {
        Env.SCHEDULED_TIME.value: "2026-11-24T02:00:00Z",
        Env.DEADLINE.value: "2026-11-24T03:00:00Z",
        Env.PRICES.value: "1024 2 0.04048 0.004445 0.7",
    }
    worker = bench.start("true", **told)
    assert worker.end() == 0
    (line,) = [line for line in worker.lines if "_aws" in line]
    assert (line["Outcome"], line["Runs"], line["Cause"]) == ("late", 1, "finished")
    assert line["FinishDelaySeconds"] >= line["StartDelaySeconds"] > 3600
    assert 0 < line["Cost"] < line["Saved"]


def test_launches_that_came_to_nothing_are_metrics_of_the_next_attempt(bench: Bench) -> None:
    worker = bench.start("true", **{Env.REFUSALS.value: "spot/no-capacity=3 on-demand/throttled=1"})
    assert worker.end() == 0
    found = [
        (one.dimensions["Capacity"], one.dimensions["Cause"], *one.values)
        for line in worker.lines
        for one in metrics_in(json.dumps(line))
        if one.name == REFUSALS
    ]
    assert found == [("spot", "no-capacity", 3), ("on-demand", "throttled", 1)]


def test_completion_record_tells_all_that_was_promised(bench: Bench) -> None:
    job = "mkdir -p out; echo whole > out/whole"
    assert bench.start("--output-dir", "out", "sh", "-c", job).end() == 0

    record = bench.completion()
    assert set(record) == {
        "run_key", "job", "request_sha256", "attempts", "units", "outputs", "seconds",
        "lost_seconds", "worker_version", "started_at", "completed_at", "execution", "fence",
    }  # fmt: skip
    (output,) = record["outputs"]
    assert (output["name"], output["size"]) == ("whole", 6)
    assert output["sha256"] == sha256(b"whole\n")
    column = bench.item()["completion"]
    same = set(record) & set(column) - {"outputs"}
    assert {name: record[name] for name in same} == {
        name: type(record[name])(column[name]) for name in same
    }
    assert column["sha256"] == sha256(bench.objects()["completion.json"])


def test_lost_seconds_add_up_over_attempts(bench: Bench) -> None:
    for _ in range(2):
        worker = bench.start("--drain", "0", "sh", "-c", "echo ready; sleep 60")
        worker.wait_for("ready")
        time.sleep(1)
        worker.terminate()
        assert worker.end() == 143
    lost = float(bench.item()["stop_report"]["total_lost_seconds"])
    assert lost >= 1.8

    assert bench.start("true").end() == 0
    assert bench.completion()["lost_seconds"] == pytest.approx(lost)
