"""Metrics in log lines: what is of CloudWatch's embedded format, and what only looks like it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from steadyspot.contract.metrics import CAPACITY, JOB, NAMESPACE
from steadyspot.deploy.local.embedded_metrics import Measured, metrics_in
from steadyspot.worker.telemetry import embedded_metrics

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
META = {
    "Timestamp": int(AT.timestamp() * 1000),
    "CloudWatchMetrics": [
        {"Namespace": "N", "Dimensions": [[], ["D"]], "Metrics": [{"Name": "M", "Unit": "Count"}]}
    ],
}


def test_a_line_of_the_worker_brings_each_metric_under_its_dimensions() -> None:
    dimensions = {JOB: "night", CAPACITY: "spot"}
    metrics = {(JOB, CAPACITY): {"RunSeconds": 60.5}, (JOB,): {"GracePercent": 9.0}}
    line = json.dumps(embedded_metrics(dimensions, metrics, AT.timestamp()))
    assert metrics_in(line) == [
        Measured(NAMESPACE, "RunSeconds", "Seconds", dimensions, [60.5], AT),
        Measured(NAMESPACE, "GracePercent", "Percent", {JOB: "night"}, [9.0], AT),
    ]


def test_a_metric_may_have_many_values_and_no_dimension() -> None:
    line = json.dumps({"_aws": META, "M": [1, 2], "D": "d"})
    assert [(one.dimensions, one.values) for one in metrics_in(line)] == [
        ({}, [1.0, 2.0]),
        ({"D": "d"}, [1.0, 2.0]),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "plain",
        '"_aws"',
        '{"_aws": 1}',
        '{"_aws": {}}',
        {"_aws": {**META, "Timestamp": "now"}, "M": 1, "D": "d"},
        {"_aws": {**META, "Timestamp": 1e300}, "M": 1, "D": "d"},
        {"_aws": META, "D": "d"},
        {"_aws": META, "M": "many", "D": "d"},
        {"_aws": META, "M": 1},
        '{"_aws": ' + "[" * 100_000,
    ],
    ids=str,
)
def test_any_other_line_brings_none(line: Any) -> None:
    assert metrics_in(line if isinstance(line, str) else json.dumps(line)) == []
