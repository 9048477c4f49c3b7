"""How much jobs logged, by CloudWatch's own count of what came into their log groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_QUERIES = 500
"""Of one call."""
_DAY = 86_400


def groups_of(platform: str, job: str) -> tuple[str, str]:
    """Return the log groups of a job: its own and its workflows'."""
    return f"/steadyspot/{platform}/{job}", f"/aws/vendedlogs/states/{platform}-{job}"


def logged(
    cloudwatch: Any, platform: str, jobs: Sequence[str], since: datetime, now: datetime
) -> dict[str, float]:
    """Return by job the bytes that it logged; empty where that may not be asked."""
    names = [(job, group) for job in jobs for group in groups_of(platform, job)]
    found = dict.fromkeys(jobs, 0.0)
    try:
        for some in _some(names):
            queries = [_query(f"q{number}", group) for number, (_, group) in enumerate(some)]
            pages = cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries, StartTime=since, EndTime=now
            )
            for result in (one for page in pages for one in page["MetricDataResults"]):
                job, _ = some[int(result["Id"][1:])]
                found[job] += sum(result["Values"])
    except (ClientError, BotoCoreError):
        return {}
    return found


def _some(names: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    for begin in range(0, len(names), _QUERIES):
        yield names[begin : begin + _QUERIES]


def _query(name: str, group: str) -> dict[str, Any]:
    metric = {
        "Namespace": "AWS/Logs",
        "MetricName": "IncomingBytes",
        "Dimensions": [{"Name": "LogGroupName", "Value": group}],
    }
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": _DAY, "Stat": "Sum"}}
