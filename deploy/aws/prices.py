"""What Fargate costs, with the date of the figures.

From third-party pages of June 2026 for us-east-1, Linux, x86; Spot moves with supply and was seen
67 to 70 % below on-demand. ``prices`` in steadyspot.toml goes before them; the template's
parameters of the same meaning put what counts into the mails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from steadyspot.statemachines.values import TRANSITION_PRICE


@dataclass(frozen=True)
class Prices:
    """US dollars per hour on on-demand, of x86; ``spot_discount`` is the share that Spot saves.

    Beside them: of a state transition, of a GB of disk above 20 GB for an hour, of a public address
    for an hour, of a GB that is logged; and what arm64 costs as a share of x86.
    """

    vcpu_hour: float = 0.04048
    gb_hour: float = 0.004445
    spot_discount: float = 0.7
    transition: ClassVar[float] = TRANSITION_PRICE
    disk_gb_hour: ClassVar[float] = 0.000111
    address_hour: ClassVar[float] = 0.005
    log_gb: ClassVar[float] = 0.50
    arm64_ratio: ClassVar[float] = 0.8
    date: str = "2026-06"

    @property
    def spot_ratio(self) -> float:
        """Return the Spot price as a share of that on on-demand."""
        return round(1 - self.spot_discount, 6)

    def of(self, architecture: str) -> Prices:
        """Return the prices of an architecture."""
        ratio = self.arm64_ratio if architecture == "arm64" else 1.0
        return replace(
            self,
            vcpu_hour=round(self.vcpu_hour * ratio, 9),
            gb_hour=round(self.gb_hour * ratio, 9),
        )

    def second(self, *, vcpu: float, memory_gb: float) -> float:
        """Return the price of one on-demand second of a task of that size."""
        return (vcpu * self.vcpu_hour + memory_gb * self.gb_hour) / 3600


US_EAST_1 = Prices()


def dollars(amount: float) -> str:
    """Return an amount with as many places as it takes to see something."""
    places = 2 if amount >= 10 else 4 if amount >= 0.01 else 6
    return f"${amount:.{places}f}"
