"""What the last runs of a job took, cost and met, as charts and a table; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.records import RunRecord, money
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.charts import Chart, Column, Limit, chart_of
from steadyspot.deploy.ui.tones import SIGNS, tone_of

_WEEKS = 8


@dataclass(frozen=True)
class CausesByWeek:
    """How often what stopped attempts, by week; a week is named by its Monday."""

    weeks: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def charts(job: Job, runs: Sequence[RunRecord], prices: Prices) -> list[Chart]:
    """Return run time, cost, and the grace that stops took; ``runs`` come newest first."""
    shown = [run for run in reversed(runs) if run.attempts]
    if not shown:
        return []
    costs = [money(run, prices, vcpu=job.vcpu, memory_gb=job.memory_gb) for run in shown]
    ends = (_when(shown[0]), _when(shown[-1]) if len(shown) > 1 else "")
    took = [cost.spot_seconds + cost.on_demand_seconds for cost in costs]
    graces = [
        Column(
            run.stop.grace_seconds,
            "bad" if run.stop.grace_seconds > job.stop_timeout_seconds else "good",
            "",
            f"{run.run_key}: {run.stop.grace_seconds:.0f} s",
        )
        for run in shown
        if run.stop
    ]
    found = (
        chart_of(
            "Run time",
            [_column(run, value, duration(value)) for run, value in zip(shown, took, strict=True)],
            lambda value: f"at most {duration(value)}",
            ends,
        ),
        chart_of(
            "Compute",
            [
                _column(run, cost.cost, dollars(cost.cost))
                for run, cost in zip(shown, costs, strict=True)
            ],
            lambda value: f"at most {dollars(value)}",
            ends,
        ),
        chart_of(
            "Grace used by stops",
            graces,
            lambda value: f"at most {value:.0f} s of {job.stop_timeout_seconds} s",
            limit=Limit(
                job.stop_timeout_seconds, f"stop_timeout {job.stop_timeout_seconds} s: then SIGKILL"
            ),
        ),
    )
    return [chart for chart in found if chart]


def causes_by_week(runs: Sequence[RunRecord]) -> CausesByWeek | None:
    """Return what stopped attempts in the last weeks with any; None where nothing did."""
    counts: dict[str, Counter[str]] = {}
    for run in runs:
        for attempt in run.attempts:
            if attempt.cause not in ("", "finished") and attempt.ended_at:
                counts.setdefault(attempt.cause, Counter())[_week(attempt.ended_at)] += 1
    weeks = tuple(sorted({week for by_week in counts.values() for week in by_week})[-_WEEKS:])
    ordered = sorted(counts.items(), key=lambda one: (-one[1].total(), one[0]))
    rows = tuple((cause, tuple(by_week[week] for week in weeks)) for cause, by_week in ordered)
    return CausesByWeek(weeks, rows) if weeks else None


def _column(run: RunRecord, value: float, told: str) -> Column:
    tone = tone_of(run.status)
    return Column(value, tone, SIGNS[tone], f"{run.run_key}: {told}, {run.status}")


def _when(run: RunRecord) -> str:
    return run.claimed_at[:10]


def _week(time: str) -> str:
    day = datetime.fromisoformat(time).date()
    return f"{day.fromordinal(day.toordinal() - day.weekday()):%m-%d}"
