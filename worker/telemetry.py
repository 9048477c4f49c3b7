"""Numbers of an attempt, in CloudWatch's embedded metric format.

They are log lines, so they cost no call and cannot fail. Each metric has the dimensions that are
asked for and no other, since CloudWatch bills every combination: see ``docs/how-to/metrics.md``.
What else was measured stands in the line as a field, for queries of the log, and is no metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from steadyspot.contract import Capacity
from steadyspot.contract.logs import METRICS
from steadyspot.contract.metrics import FINISH_DELAY, FINISHED, LATE, NAMESPACE, RUNS

_UNITS = {"Seconds": "Seconds", "Bytes": "Bytes", "Percent": "Percent"}

Values = Mapping[str, float]


class Times(NamedTuple):
    """Of an attempt, in seconds since the epoch; None where there is none, or nobody knows.

    ``began`` is when its job did, ``ended`` when the attempt does.
    """

    began: float | None
    ended: float
    scheduled: float | None
    deadline: float | None


def embedded_metrics(
    dimensions: Mapping[str, str], metrics: Mapping[tuple[str, ...], Values], at: float
) -> dict[str, Any]:
    """A line in CloudWatch's embedded metric format; ``at`` is seconds since the epoch.

    ``metrics`` are values by the names of the dimensions that they have. A name's ending gives the
    unit: ``…Seconds``, ``…Bytes``, ``…Percent``, else Count.
    """
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [list(names)],
            "Metrics": [{"Name": name, "Unit": _unit(name)} for name in values],
        }
        for names, values in metrics.items()
        if values
    ]
    meta = {"Timestamp": int(at * 1000), "CloudWatchMetrics": directives}
    found = {name: value for values in metrics.values() for name, value in values.items()}
    return {METRICS: meta, **dimensions, **found}


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "Count")


def money(prices: str, capacity: str, seconds: float, lost_seconds: float) -> dict[str, float]:
    """What an attempt cost and saved, US dollars; nothing where ``prices`` does not say.

    ``prices`` are CPU units, GB, on-demand prices of a vCPU and of a GB for an hour, and the share
    that Spot saves, with blanks between them.
    """
    try:
        cpu, memory_gb, vcpu_hour, gb_hour, discount = map(float, prices.split())
    except ValueError:
        return {}
    second = (cpu / 1024 * vcpu_hour + memory_gb * gb_hour) / 3600
    cost = seconds * second * (1 - discount if capacity == Capacity.SPOT else 1)
    saved = max(0.0, seconds - lost_seconds) * second - cost
    return {"Cost": round(cost, 9), "Saved": round(saved, 9)}


def refused(refusals: str) -> Iterator[tuple[str, str, float]]:
    """Capacity, cause and number of the launches that came to nothing; what is no such is none."""
    for one in refusals.split():
        how, _, times = one.rpartition("=")
        capacity, _, cause = how.partition("/")
        if capacity and cause and times.isdecimal():
            yield capacity, cause, float(times)


def of_run(times: Times, *, first: bool, finished: bool) -> tuple[str, Values, Values]:
    """What an attempt tells of its run: outcome, then what is counted by it, and delays.

    The ``first`` attempt says when the run began, that which ``finished`` it when it ended.
    """
    delays: dict[str, float] = {}
    if times.scheduled is not None:
        if first and times.began:
            delays["StartDelaySeconds"] = round(max(0.0, times.began - times.scheduled), 3)
        if finished:
            delays[FINISH_DELAY] = round(max(0.0, times.ended - times.scheduled), 3)
    is_late = times.deadline is not None and times.ended > times.deadline
    return LATE if is_late else FINISHED, {RUNS: 1.0} if finished else {}, delays
