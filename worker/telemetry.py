"""Numbers of an attempt, in CloudWatch's embedded metric format.

They are log lines, so they cost no call and cannot fail.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract.logs import METRICS

NAMESPACE = "Steadyspot"
UNITS = {"Seconds": "Seconds", "Bytes": "Bytes"}


def embedded_metrics(
    job: str, capacity: str, values: dict[str, float], at: float
) -> dict[str, Any]:
    """A line in CloudWatch's embedded metric format; ``at`` is seconds since the epoch.

    The name's ending gives the unit: ``…Seconds``, ``…Bytes``, else Count.
    """
    metrics = [
        {"Name": name, "Unit": next((u for end, u in UNITS.items() if name.endswith(end)), "Count")}
        for name in values
    ]
    meta = {
        "Timestamp": int(at * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [["Job"], ["Job", "Capacity"]],
                "Metrics": metrics,
            }
        ],
    }
    return {METRICS: meta, "Job": job, "Capacity": capacity or "unknown"} | values
