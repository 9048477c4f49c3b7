"""What a run cost, in words: the same on a terminal and on a page."""

from __future__ import annotations

from steadyspot.deploy.aws.prices import dollars
from steadyspot.deploy.runs.records import Money


def money_line(money: Money, date: str, *, complete: bool) -> str:
    """Return what a run cost, as a sentence; ``date`` is that of the prices.

    What it saved can only be said of a run that did its work.
    """
    saved = f"saved {money.saving:.0%}" if money.saving >= 0 else f"cost {-money.saving:.0%} more"
    instead = f" instead of {dollars(money.cost_on_demand_only)} on on-demand only, {saved}"
    return (
        f"Spot {money.spot_seconds:.0f} s, on-demand {money.on_demand_seconds:.0f} s, "
        f"wasted {money.wasted_seconds:.1f} s: compute {dollars(money.cost)}"
        f"{instead if complete else ''} (prices of {date}). "
        f"Beside that {money.transitions} transitions, {dollars(money.transitions_cost)}."
    )
