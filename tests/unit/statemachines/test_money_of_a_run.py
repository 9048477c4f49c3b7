"""What a run costs, as its record has it: Spot with its discount, on-demand without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.statemachines.test_causes import names, read, reporting, stopped, value
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


def test_seconds_are_billed_from_the_start_of_the_image_s_pull() -> None:
    ended: dict[str, Any] = {"StartedAt": 1_790_000_030_000, "StoppedAt": 1_790_000_090_000}
    pulled: dict[str, Any] = {"PullStartedAt": 1_790_000_010_000, **ended}
    reclaimed = ("SpotInterruption", "Your Spot Task was interrupted.")
    assert read(*stopped(*reclaimed, **pulled))["billed_seconds"] == 80
    assert read(*stopped(*reclaimed, **pulled))["seconds"] == 60
    assert read(*stopped(*reclaimed, **ended))["billed_seconds"] == 0


@pytest.mark.parametrize(("pulled", "billed"), [({"PullStartedAt": 10_000}, 80), ({}, 0)])
def test_a_task_that_finished_is_billed_alike(pulled: dict[str, int], billed: int) -> None:
    launch = job_definition()["States"]["Run on Fargate Spot"]
    task = {"StartedAt": 30_000, "StoppedAt": 90_000, "Containers": [], **pulled}
    last = value(launch["Assign"]["last"], names(states={**reporting("", ""), "result": task}))
    assert (last["billed_seconds"], last["seconds"]) == (billed, 60)
