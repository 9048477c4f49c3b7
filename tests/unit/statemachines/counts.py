"""What the workflow counts of a run that no worker ended, as tests expect it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from steadyspot.contract.metrics import CAUSE, JOB, OUTCOME, RUNS


def metric(name: str, amount: float, /, unit: str = "Count", **dimensions: str) -> dict[str, Any]:
    """A metric as PutMetricData takes it."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"MetricName": name, "Unit": unit, "Value": amount, "Dimensions": named}


def outcomes(counted: Iterable[dict[str, Any]]) -> list[str]:
    """The outcomes of the runs that were counted, each of which is counted by that alone once."""
    of_runs = (one["Dimensions"] for one in counted if one["MetricName"] == RUNS)
    named = ({one["Name"]: one["Value"] for one in dimensions} for dimensions in of_runs)
    return [one[OUTCOME] for one in named if one.keys() == {JOB, OUTCOME}]


def counted_end(outcome: str, cause: str, job: str = "nightly") -> list[dict[str, Any]]:
    """One run, by its outcome and by what stopped it."""
    by_outcome = {JOB: job, OUTCOME: outcome}
    return [metric(RUNS, 1, **by_outcome), metric(RUNS, 1, **by_outcome, **{CAUSE: cause})]
