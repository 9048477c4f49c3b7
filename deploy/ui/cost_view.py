"""What the page of costs shows: bills, a month or a run each, and what would save most; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.money.costs import COLUMNS, Advice, Bill, cells, sentences
from steadyspot.deploy.ui.charts import Chart, Column, chart_of


@dataclass(frozen=True)
class CostView:
    """All that the page of costs shows; rows are cells as ``columns`` names them."""

    sentences: tuple[str, ...]
    charts: tuple[Chart, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]

    columns = COLUMNS


def cost_view(
    bills: Sequence[Bill],
    tips: Sequence[Advice],
    unreadable: Sequence[str],
    prices: Prices,
    days: int,
) -> CostView:
    """Return what the page shows; ``unreadable`` are runs that no bill counts."""
    jobs = dict.fromkeys(bill.job for bill in bills)
    charts = (_chart(job, [bill for bill in bills if bill.job == job]) for job in jobs)
    said = sentences(bills, tips, prices, days) if bills else (f"No run in the last {days} days.",)
    return CostView(
        sentences=tuple(said),
        charts=tuple(chart for chart in charts if chart),
        rows=tuple(map(cells, bills)),
        left_out=tuple(unreadable),
    )


def _chart(job: str, bills: Sequence[Bill]) -> Chart | None:
    full = max(bill.cost_on_demand_only for bill in bills)
    ends = (bills[0].when, bills[-1].when if len(bills) > 1 else "")
    return chart_of(
        job,
        [
            Column(
                bill.cost,
                "good" if bill.saving >= 0 else "bad",
                "",
                f"{bill.when}: {dollars(bill.cost)}, on on-demand only "
                f"{dollars(bill.cost_on_demand_only)}, {bill.saving:.0%} saved",
            )
            for bill in bills
        ],
        lambda most: f"at most {dollars(most)}; on on-demand only at most {dollars(full)}",
        ends,
    )
