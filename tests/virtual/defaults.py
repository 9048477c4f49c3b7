"""The job's definition with the template's defaults filled in, for tests and measures."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from steadyspot.statemachines.render import definition
from tests.virtual.machine import substituted

WRITTEN = "ExpressionAttributeValues"
DEFAULTS = {
    "Job": "nightly",
    "Table": "runs",
    "Cluster": "cluster",
    "TaskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/nightly:1",
    "Network": "{'Subnets':['subnet-a','subnet-b','subnet-c'],'SecurityGroups':['sg-1'],"
    "'AssignPublicIp':'ENABLED'}",
    "Topic": "arn:aws:sns:us-east-1:123456789012:topic",
    "Queue": "https://sqs.us-east-1.amazonaws.com/123456789012/queue",
    "Bucket": "bucket",
    "Region": "us-east-1",
    "Architecture": "X86_64",
    "Log": "/steadyspot/platform/nightly",
    "Capacity": "spot-first",
    "Rerun": "always",
    "Overlap": "allow",
    "QueueAtMost": "100",
    "Shards": "1",
    "ShardsAtOnce": "100",
    "TellEveryRun": "false",
    "CommandOverride": "true",
    "Debug": "false",
    "ZoneOffsets": "",
    "FinishWithinMinutes": "0",
    "ExpectedMinutes": "60",
    "MaximumWaitMinutes": "60",
    "MissedAfterHours": "26",
    "LimitMinutes": "0",
    "LaunchMinutes": "0",  # Worlds have no watch on launches, but where a test says so.
    "StopTimeout": "120",
    "BackoffSeconds": "120",
    "BackoffCapSeconds": "3600",
    "Interruptions": "5",
    "Throttles": "8",
    "Infrastructure": "3",
    "Failures": "0",
    "StartUpSeconds": "60",
    "MarginSeconds": "15",
    "Cpu": "1024",
    "MemoryGb": "2",
    "SpotDiscount": "0.7",
    "VcpuHourPrice": "0.04048",
    "GbHourPrice": "0.004445",
    "PriceDate": "2026-06",
    "KeepRunsDays": "0",
    "LockDays": "0",
}


def job_definition(*, silent: bool = False, **values: str) -> Any:
    """Return the rendered definition of a job.

    ``silent``: what people are told and what is written down of the attempts is left out: it
    decides nothing, and takes most of the time of a run.
    """
    return substituted(_written(silent=silent), tuple(sorted({**DEFAULTS, **values}.items())))


@cache
def _written(*, silent: bool) -> str:
    """The text of the definition, built once in a process."""
    graph = definition("job")
    if silent:
        for name in ("Tell people", "Tell people it finished", "Tell people it waits"):
            graph["States"][name]["Arguments"] = {}
        for state in graph["States"].values():
            given = state.get("Arguments")
            values_written = given.get(WRITTEN, {}) if isinstance(given, dict) else {}
            if ":attempts" in values_written:
                values_written |= {":attempts": {"L": []}, ":money": {"M": {}}}
    return json.dumps(graph)
