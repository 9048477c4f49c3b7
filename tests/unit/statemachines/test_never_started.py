"""A Spot that accepts every launch and starts none: on-demand is taken, and in time.

The rendered definitions of a job and of *Before the start* run together in virtual time.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld

START = 1_790_000_000.25
MINUTE = 60.0
NEVER = Offer(start_seconds=float("inf"))
MACHINE = Machine(job_definition())


def never(launch: Launch, _left: float) -> Offer:
    return NEVER if launch.capacity == "spot" else Offer()


def run(
    expected: float, within: float, launch_minutes: float, **request: Any
) -> tuple[Ended, RunWorld]:
    """A run whose work takes ``expected`` minutes, which are the author's guess as well."""
    world = RunWorld(
        now=START, work_seconds=MINUTE * expected, market=never, launch_minutes=launch_minutes
    )
    scheduled = iso(START)[:-5] + "Z"
    given = {"scheduledTime": scheduled, "expectedMinutes": expected, **request}
    return MACHINE.run(world, {**given, "finishWithinMinutes": within}, name="x"), world


def attempts(ended: Ended) -> list[tuple[str, str]]:
    shown = [*ended.variables["attempts"], {"capacity": "on-demand", "cause": "finished"}]
    return [(attempt["capacity"], attempt["cause"]) for attempt in shown]


@pytest.mark.parametrize("launch_minutes", [15, 3])
@pytest.mark.parametrize("within", [0, 90, 120, 180, 300, 600])
@pytest.mark.parametrize("expected", [10, 60])
def test_on_demand_finishes_the_run_and_a_deadline_is_met(
    expected: float, within: float, launch_minutes: float
) -> None:
    ended, world = run(expected, within, launch_minutes)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    last = world.launches[-1]
    assert {launch.capacity for launch in world.launches[:-1]} == {"spot"}
    assert last.capacity == "on-demand"
    took = (world.now - START) / MINUTE
    waited = (last.at - START) / MINUTE
    if within:
        assert took <= within
        # Spot was tried as long as it could be: on-demand begins less than two minutes before the
        # last moment, which leaves it its start, its work, and what is kept free.
        assert waited >= within - expected - 4.25 - 1
    else:
        assert waited <= 60 + launch_minutes + 1
    (mail,) = world.mails
    told = json.loads(json.loads(mail["Message"])["default"])
    assert (told["outcome"], told["late"]) == ("fell-back", False)
    assert {a["cause"] for a in told["attempts"][:-1]} == {"launch-given-up"}
    assert told["spotSeconds"] == told["wastedSeconds"] == 0
    assert "expected_minutes" not in json.loads(mail["Message"])["email"]


@pytest.mark.parametrize("within", [0, 90, 120, 180, 300, 600])
@pytest.mark.parametrize("expected", [10, 60])
def test_without_the_watch_a_time_out_that_no_worker_lived_through_is_a_refusal(
    expected: float, within: float
) -> None:
    ended, world = run(expected, within, 0)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert world.launches[-1].capacity == "on-demand"
    assert {cause for _, cause in attempts(ended)[:-1]} == {"launch-given-up"}


def test_spot_that_is_all_a_job_may_have_ends_parked_and_told_as_refused() -> None:
    ended, world = run(10, 0, 15, capacity="spot-only")
    assert ended.error == "Steadyspot.Refused"
    assert "had not started it" in ended.cause
    assert "expected_minutes" not in ended.cause
    assert [run["cause"] for run in world.parked] == ["launch-given-up"]
    assert (world.now - START) / MINUTE <= 60 + 15 + 1


def test_a_launch_that_is_slow_but_starts_in_time_is_left_alone() -> None:
    slow = Offer(start_seconds=14 * MINUTE)
    world = RunWorld(
        now=START, work_seconds=600.0, market=lambda *_: slow, launch_minutes=15, reports=False
    )
    ended = MACHINE.run(world, {}, name="x")
    assert ended.states_entered == [
        *("Claim the run", "Choose capacity", "Run on Fargate Spot", "Close the run"),
    ]
