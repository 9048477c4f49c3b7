"""What a run cost, in words: the same on a terminal and on a page."""

from __future__ import annotations

from steadyspot.deploy.aws.prices import dollars
from steadyspot.deploy.runs.records import Money


def money_line(money: Money, date: str) -> str:
    """Return what a run cost, as a sentence; ``date`` is that of the prices."""
    saved = f"saved {money.saving:.0%}" if money.saving >= 0 else f"cost {-money.saving:.0%} more"
    beside = f"Beside that {money.transitions} transitions, {dollars(money.transitions_cost)}."
    return (
        f"Spot {money.spot_seconds:.0f} s, on-demand {money.on_demand_seconds:.0f} s, "
        f"wasted {money.wasted_seconds:.1f} s: {dollars(money.cost)} instead of "
        f"{dollars(money.cost_on_demand_only)} on on-demand only, {saved} (prices of {date}). "
        f"{beside}"
    )
