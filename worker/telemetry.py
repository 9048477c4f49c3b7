"""Numbers and traces of an attempt: CloudWatch's embedded metrics, and one X-Ray segment.

Metrics are log lines, so they cost nothing and cannot fail. The segment goes out in this process
through ``PutTraceSegments``: a daemon beside it would cost money, and its exit code can fail a
``.sync`` state. Documents are written by hand because the X-Ray SDK, in maintenance since February
2026, adds 20 MiB and 0.15 s to every container. A move to OpenTelemetry changes this file,
``send_trace`` in ``keeping/store.py``, the permission in ``platform.yaml``, and the models of
botocore that ``worker/Dockerfile`` keeps.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from steadyspot.contract import Exit
from steadyspot.contract.logs import METRICS

NAMESPACE = "Steadyspot"
_STOPS = (Exit.INTERRUPTED, Exit.TIMED_OUT)
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


class Trace:
    """One segment with its subsegments; times are seconds since the epoch."""

    def __init__(
        self,
        name: str,
        annotations: dict[str, Any],
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._random = random
        self._begun = clock()
        self._name = name
        self._annotations = annotations
        self._parts: list[dict[str, Any]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A subsegment that lasts as long as the block; marked as a fault where that raises."""
        begun = self._clock()
        fault = True
        try:
            yield
            fault = False
        finally:
            self.add(name, begun, self._clock(), fault)

    def add(self, name: str, begun: float, ended: float, fault: bool = False) -> None:
        """A subsegment that is over already."""
        part = {"id": self._id(), "name": name, "start_time": begun, "end_time": ended}
        self._parts.append(part | ({"fault": True} if fault else {}))

    def document(self, exit_code: int, message: str = "") -> str:
        """The whole segment, closed now. A stop is an error, a failure of the job a fault."""
        return json.dumps(
            {
                "name": self._name[:200],
                "id": self._id(),
                "trace_id": f"1-{int(self._begun):08x}-{self._random(12).hex()}",
                "start_time": self._begun,
                "end_time": self._clock(),
                "origin": "AWS::ECS::Container",
                "error": exit_code in _STOPS,
                "fault": exit_code not in (Exit.FINISHED, *_STOPS),
                "annotations": self._annotations | {"exit_code": exit_code},
                "metadata": {"steadyspot": {"message": message}},
                "subsegments": self._parts,
            }
        )

    def _id(self) -> str:
        return self._random(8).hex()
