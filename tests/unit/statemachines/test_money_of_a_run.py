"""What a run costs, as its record has it: Spot with its discount, on-demand without."""

from __future__ import annotations

import pytest

from tests.virtual.defaults import DEFAULTS, job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld

START = 1_790_000_000.0
MACHINE = Machine(job_definition())
HOUR_OF_A_TASK = int(DEFAULTS["Cpu"]) / 1024 * float(DEFAULTS["VcpuHourPrice"]) + float(
    DEFAULTS["MemoryGb"]
) * float(DEFAULTS["GbHourPrice"])


def money_of(**request: object) -> dict[str, float]:
    """What the record says of a run that is taken away after half an hour, then left alone."""

    def market(_launch: Launch, _left: float) -> Offer:
        return Offer(ends_after=1_800.0) if len(world.launches) == 1 else Offer()

    world = RunWorld(now=START, work_seconds=3_600.0, market=market)
    asked = {"scheduledTime": iso(START)[:-5] + "Z", **request}
    assert MACHINE.run(world, asked, name="x").status == "SUCCEEDED"
    money = world.item["money"]["M"]
    return {name: float(number["N"]) for name, number in money.items()}


@pytest.mark.parametrize(
    ("capacity", "share"),
    [("spot-only", 1 - float(DEFAULTS["SpotDiscount"])), ("on-demand-only", 1)],
)
def test_a_run_costs_its_seconds_on_its_capacity(capacity: str, share: float) -> None:
    money = money_of(capacity=capacity)
    seconds = money["spot_seconds"] + money["on_demand_seconds"]

    assert seconds > 3_600
    assert money["spot_seconds" if capacity == "spot-only" else "on_demand_seconds"] == seconds
    assert money["cost"] == pytest.approx(seconds / 3_600 * HOUR_OF_A_TASK * share, abs=1e-8)
    useful = seconds - money["wasted_seconds"]
    assert money["cost_on_demand_only"] == pytest.approx(useful / 3_600 * HOUR_OF_A_TASK, abs=1e-8)
