"""Launches that are accepted and never start: on-demand is taken in time, or tried again and told.

The rendered definitions of a job and of *Before the start* run together in virtual time.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from steadyspot.contract import Env
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

START = 1_790_000_000.25
MINUTE = 60.0
NEVER = Offer(start_seconds=float("inf"))
LIMITED = ("ECS.AmazonECSException", "Rate exceeded")


@cache
def machine(launch_minutes: float) -> Machine:
    return Machine(job_definition(LaunchMinutes=f"{launch_minutes:g}"))


def never(launch: Launch, _left: float) -> Offer:
    return NEVER if launch.capacity == "spot" else Offer()


def run(
    expected: float, within: float, launch_minutes: float, **request: Any
) -> tuple[Ended, RunWorld]:
    """A run whose work takes ``expected`` minutes, which are the author's guess as well."""
    world = RunWorld(
        now=START, work_seconds=MINUTE * expected, market=never, is_watched=launch_minutes > 0
    )
    scheduled = iso(START)[:-5] + "Z"
    given = {"scheduledTime": scheduled, "expectedMinutes": expected, **request}
    asked = {**given, "finishWithinMinutes": within}
    return machine(launch_minutes).run(world, asked, name="x"), world


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


@pytest.mark.parametrize("within", [0, 300])
def test_without_the_watch_on_demand_that_hangs_is_a_refusal_too(within: float) -> None:
    offers = [NEVER, Offer()]
    world = RunWorld(now=START, work_seconds=600.0, market=lambda *_: offers.pop(0))
    asked = {"capacity": "on-demand-only", "expectedMinutes": 10, "finishWithinMinutes": within}
    ended = machine(0).run(world, asked, name="x")

    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert causes_of(ended) == ["launch-given-up"]
    assert outcomes_of(world) == ["waiting", "finished"]
    told = json.loads(json.loads(world.mails[1]["Message"])["default"])
    assert (told["onDemandSeconds"], told["wastedSeconds"]) == (600, 0)


@pytest.mark.parametrize("launch_minutes", [0, 15])
def test_a_worker_that_took_the_fence_and_outlives_its_state_met_its_time_limit(
    launch_minutes: float,
) -> None:
    def market(_launch: Launch, _left: float) -> Offer:
        return Offer(exit_seconds=9_000.0)

    watched = launch_minutes > 0
    world = RunWorld(now=START, work_seconds=1e6, market=market, reports=False, is_watched=watched)
    ended = machine(launch_minutes).run(world, {"capacity": "on-demand-only"}, name="x")

    assert ended.error == "Steadyspot.TimedOut"
    assert set(causes_of(ended)) == {"time-limit"}


def test_spot_that_is_all_a_job_may_have_ends_parked_and_told_as_refused() -> None:
    ended, world = run(10, 0, 15, capacity="spot-only")
    assert ended.error == "Steadyspot.Refused"
    assert "had not started it" in ended.cause
    assert "expected_minutes" not in ended.cause
    assert [run["cause"] for run in world.parked] == ["launch-given-up"]
    assert (world.now - START) / MINUTE <= 60 + 15 + 1


def of_offers(*offers: Offer, **request: Any) -> tuple[Ended, RunWorld]:
    """A run of ten minutes' work whose launches meet these offers, the last one ever after."""
    left = list(offers)

    def market(_launch: Launch, _left: float) -> Offer:
        return left.pop(0) if len(left) > 1 else left[0]

    world = RunWorld(now=START, work_seconds=10 * MINUTE, market=market, is_watched=True)
    return machine(15).run(world, request, name="x"), world


def causes_of(ended: Ended) -> list[str]:
    return [attempt["cause"] for attempt in ended.variables["attempts"]]


def outcomes_of(world: RunWorld) -> list[str]:
    return [mail["MessageAttributes"]["outcome"]["StringValue"] for mail in world.mails]


def test_a_launch_that_is_slow_but_starts_in_time_is_left_alone() -> None:
    ended, world = of_offers(Offer(start_seconds=14 * MINUTE))
    assert ended.states_entered == [
        *("Claim the run", "Look at the weather", "Run on Fargate Spot", "Close the run"),
    ]
    assert world.mails == []


def test_on_demand_that_never_starts_is_given_up_told_and_tried_again() -> None:
    ended, world = of_offers(NEVER, Offer(), capacity="on-demand-only")

    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert causes_of(ended) == ["launch-given-up"]
    hung, tried = (launch.at for launch in world.launches)
    assert 15 * MINUTE <= tried - hung < 20 * MINUTE
    assert outcomes_of(world) == ["waiting", "finished"]
    told = json.loads(world.mails[0]["Message"])["email"]
    assert "AWS accepted the task, but had not started it" in told
    assert "Spot" not in told.partition("Attempts")[0]
    assert json.loads(json.loads(world.mails[1]["Message"])["default"])["onDemandSeconds"] == 600


def test_on_demand_that_is_only_slow_starts_in_the_end() -> None:
    ended, world = of_offers(Offer(start_seconds=100 * MINUTE), capacity="on-demand-only")

    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert causes_of(ended) == ["launch-given-up"] * 2
    for launch, minutes in zip(world.launches, (15, 45, 135), strict=True):
        assert launch.environment["STEADYSPOT_START_BY"] == iso(launch.at + MINUTE * minutes)
    assert outcomes_of(world) == ["waiting", "finished"]


def test_a_task_that_starts_while_its_launch_is_given_up_was_not_stopped_by_a_hand() -> None:
    # It starts between the look, which comes when the time is over, and the stop.
    ended, world = of_offers(Offer(start_seconds=15 * MINUTE + 1.5), Offer())

    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert causes_of(ended) == ["given-up-as-it-started"]
    assert [launch.capacity for launch in world.launches] == ["spot", "spot"]


@pytest.mark.parametrize("offers", [(Offer(),), (NEVER, Offer()), (NEVER, NEVER, Offer())])
def test_what_a_run_costs_counts_the_states_of_the_watch(offers: tuple[Offer, ...]) -> None:
    ended, world = of_offers(*offers)

    assert ended.status == "SUCCEEDED"
    watches = sum(len(entered) for entered in world.watched)
    assert watches == 2 * len(offers) + len(offers) - 1
    counted = world.item["money"]["M"]["transitions"]["N"]
    assert int(counted) == len(ended.states_entered) + watches


def test_a_launch_that_nothing_watches_names_no_time_to_give_it_up_at() -> None:
    for capacity in ("spot-only", "on-demand-only"):
        world = RunWorld(now=START, work_seconds=600.0, market=lambda *_: Offer())
        assert machine(0).run(world, {"capacity": capacity}, name="x").status == "SUCCEEDED"
        (launch,) = world.launches
        assert Env.START_BY not in launch.environment
        assert Env.STOP_BY in launch.environment


def test_a_launch_that_fails_as_a_call_has_no_watch_to_pay_for() -> None:
    ended, world = of_offers(Offer(error=REFUSED), Offer(error=LIMITED), Offer())

    assert causes_of(ended) == ["no-capacity", "throttled"]
    counted = world.item["money"]["M"]["transitions"]["N"]
    assert int(counted) == len(ended.states_entered) + 2
