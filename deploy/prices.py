"""What Fargate costs, with the date of the figures.

From third-party pages of June 2026 for us-east-1, Linux, x86; Spot moves with supply and was seen
67 to 70 % below on-demand. The template's parameters of the same meaning put them into the mails.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prices:
    """US dollars per hour on on-demand; ``spot_ratio`` is the Spot price as a share of it."""

    vcpu_hour: float = 0.04048
    gb_hour: float = 0.004445
    spot_ratio: float = 0.3
    date: str = "2026-06"

    def second(self, *, vcpu: float, memory_gb: float) -> float:
        """Return the price of one on-demand second of a task of that size."""
        return (vcpu * self.vcpu_hour + memory_gb * self.gb_hour) / 3600


def dollars(amount: float) -> str:
    """Return an amount with as many places as it takes to see something."""
    places = 2 if amount >= 10 else 4 if amount >= 0.01 else 6
    return f"${amount:.{places}f}"
