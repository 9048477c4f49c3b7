"""Metrics and traces have the shapes that CloudWatch and X-Ray read."""

from __future__ import annotations

import json
import re

import pytest

from steadyspot.worker.telemetry import Trace, embedded_metrics


def test_metrics_line_names_each_value_with_its_unit() -> None:
    line = embedded_metrics(
        "job", "spot", {"LostSeconds": 1.5, "CheckpointBytes": 9, "Units": 3}, 2
    )

    (block,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 2000
    assert block["Namespace"] == "Steadyspot"
    assert {m["Name"]: m["Unit"] for m in block["Metrics"]} == {
        "LostSeconds": "Seconds",
        "CheckpointBytes": "Bytes",
        "Units": "Count",
    }
    assert all(line[m["Name"]] is not None for m in block["Metrics"])
    assert all(line[name] for names in block["Dimensions"] for name in names)


def trace() -> Trace:
    clock = iter(range(100, 200))
    return Trace("job", {"run_key": "key"}, lambda: float(next(clock)), lambda n: b"\x01" * n)


def test_trace_is_one_closed_segment_with_its_parts() -> None:
    one = trace()
    with one.part("save"):
        pass
    document = json.loads(one.document(0))

    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", document["trace_id"])
    assert re.fullmatch(r"[0-9a-f]{16}", document["id"])
    assert document["start_time"] < document["end_time"]
    assert [part["name"] for part in document["subsegments"]] == ["save"]
    assert document["annotations"] == {"run_key": "key", "exit_code": 0}
    assert (document["error"], document["fault"]) == (False, False)


@pytest.mark.parametrize(
    ("code", "error", "fault"), [(143, True, False), (124, True, False), (3, False, True)]
)
def test_a_stop_is_an_error_and_a_failure_a_fault(code: int, error: bool, fault: bool) -> None:
    document = json.loads(trace().document(code))
    assert (document["error"], document["fault"]) == (error, fault)


def test_part_that_raises_is_a_fault() -> None:
    one = trace()
    with pytest.raises(ValueError, match="x"), one.part("publish"):
        raise ValueError("x")
    assert json.loads(one.document(1))["subsegments"][0]["fault"] is True
