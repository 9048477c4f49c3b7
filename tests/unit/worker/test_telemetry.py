"""Metrics have the shape that CloudWatch reads."""

from __future__ import annotations

from steadyspot.worker.telemetry import embedded_metrics


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
