"""The run time that is learned from the job's records moves the last safe moment, and only then."""

from __future__ import annotations

import pytest

from steadyspot.statemachines.composing import expression
from tests.unit.statemachines.test_causes import value
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

START = 1_790_000_000.0
MACHINE = Machine(job_definition(silent=True))
EXPECTED_MINUTES = 60
WITHIN_MINUTES = 200
WHILE_REFUSED = "Learn how long to wait"
"""The state that learns where a launch is refused at once."""
RESERVE_SECONDS = 2 * 60 + 120 + 15
"""Two start-ups, the stopTimeout and the margin of the template's defaults."""


def fell_back_at(
    history: list[float], *, is_throttled: bool = False, **request: object
) -> tuple[float, RunWorld, list[str]]:
    """When on-demand was taken, in seconds from the start, with Spot refused all the time."""

    def market(launch: Launch, _left: float) -> Offer:
        return Offer(error=REFUSED) if launch.capacity == "spot" else Offer()

    world = RunWorld(now=START, work_seconds=600.0, market=market, history=history)
    if is_throttled:
        world.faults = {WHILE_REFUSED: [("DynamoDB.ThrottlingException", "slow down")]}
    asked = {"scheduledTime": iso(START)[:-5] + "Z", "finishWithinMinutes": WITHIN_MINUTES}
    ended = MACHINE.run(world, {**asked, **request}, name="x")
    assert ended.status == "SUCCEEDED"
    (launch,) = [launch for launch in world.launches if launch.capacity == "on-demand"]
    return launch.at - START, world, ended.states_entered


def last_moment(run_seconds: float) -> float:
    return 60 * WITHIN_MINUTES - RESERVE_SECONDS - run_seconds


def test_nineteen_of_twenty_of_the_latest_runs_decide() -> None:
    history = [float(seconds) for seconds in range(1_000, 3_000, 100)]
    at, _, entered = fell_back_at(history)
    assert at == pytest.approx(last_moment(2_800), abs=2)
    assert entered.count(WHILE_REFUSED) == 1


@pytest.mark.parametrize("history", [[], [1_000.0], [1_000.0] * 4])
def test_too_few_runs_teach_nothing(history: list[float]) -> None:
    at, _, _ = fell_back_at(history)
    assert at == pytest.approx(last_moment(60 * EXPECTED_MINUTES), abs=2)


def test_work_that_was_lost_and_on_demand_are_taken_into_account() -> None:
    spent = {"spot_seconds": "700", "on_demand_seconds": "500", "wasted_seconds": "300"}
    one = {"money": {"M": {name: {"N": seconds} for name, seconds in spent.items()}}}
    scope = {"run": {"expected": 3_600}, "states": {"result": {"Items": [one] * 5}}}
    assert value(expression("runLearned"), scope)["expected"] == 700 + 500 - 300


def test_without_a_deadline_nothing_is_asked() -> None:
    _, _, entered = fell_back_at([1_000.0] * 9, finishWithinMinutes=0)
    assert not {WHILE_REFUSED, "Learn the run time"} & {*entered}


def test_a_reclaim_teaches_too_and_goes_back_to_spot_at_once() -> None:
    offers = [Offer(ends_after=300.0), Offer()]
    world = RunWorld(
        now=START, work_seconds=600.0, market=lambda *_: offers.pop(0), history=[900.0] * 5
    )
    asked = {"scheduledTime": iso(START)[:-5] + "Z", "finishWithinMinutes": WITHIN_MINUTES}
    ended = MACHINE.run(world, asked, name="x")
    assert ended.states_entered[3:8] == [
        "How far did it get?",
        "Record the attempt",
        "Learn the run time",
        "Note the weather",
        "Run on Fargate Spot",
    ]
    first, second = world.launches
    assert second.at - first.at == pytest.approx(310.0, abs=0.01)
    assert (first.expected_seconds, second.expected_seconds) == (3_600.0, 900.0)


def test_a_query_that_fails_leaves_the_guess_and_is_not_asked_again() -> None:
    at, _, entered = fell_back_at([900.0] * 5, is_throttled=True)
    assert entered.count(WHILE_REFUSED) == 1
    assert at == pytest.approx(last_moment(60 * EXPECTED_MINUTES), abs=2)


def test_a_query_that_fails_after_a_reclaim_holds_nothing_up() -> None:
    offers = [Offer(ends_after=300.0), Offer(ends_after=300.0), Offer()]
    world = RunWorld(
        now=START, work_seconds=600.0, market=lambda *_: offers.pop(0), history=[900.0] * 5
    )
    world.faults = {"Learn the run time": [("DynamoDB.ThrottlingException", "slow down")]}
    asked = {"scheduledTime": iso(START)[:-5] + "Z", "finishWithinMinutes": WITHIN_MINUTES}
    ended = MACHINE.run(world, asked, name="x")
    assert ended.status == "SUCCEEDED"
    assert ended.states_entered.count("Learn the run time") == 1
    assert [launch.expected_seconds for launch in world.launches] == [3_600.0] * 3
