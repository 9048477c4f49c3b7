"""Metrics that stand in log lines, in CloudWatch's embedded format: found, for whoever keeps them.

On AWS the logs turn every event that has them into metrics. What is not of the format is a log line
and nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract.logs import METRICS

_MARK = f'"{METRICS}"'


@dataclass(frozen=True)
class Measured:
    """Values of one metric under one set of dimensions; ``at`` is aware UTC."""

    namespace: str
    name: str
    unit: str
    dimensions: Mapping[str, str]
    values: Sequence[float]
    at: datetime


def metrics_in(line: str) -> list[Measured]:
    """The metrics that a line brings; none for any other line."""
    if _MARK not in line:
        return []
    try:
        return list(_read(json.loads(line)))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return []


def _read(line: Mapping[str, Any]) -> Iterator[Measured]:
    at = datetime.fromtimestamp(line[METRICS]["Timestamp"] / 1000, UTC)
    for directive in line[METRICS]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = {name: str(line[name]) for name in names}
            for metric in directive["Metrics"]:
                given = line[metric["Name"]]
                values = [float(value) for value in (given if isinstance(given, list) else [given])]
                unit = metric.get("Unit", "None")
                name = str(metric["Name"])
                yield Measured(str(directive["Namespace"]), name, unit, dimensions, values, at)
