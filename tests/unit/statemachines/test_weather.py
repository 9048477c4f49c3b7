"""Runs tell each other of refusals: who comes next does not ask, and nothing waits for the telling.

The rendered definition runs in virtual time. What other runs wrote is put into the item beforehand.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.contract.columns import WEATHER
from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

MACHINE = Machine(job_definition(silent=True))
LOOK, NOTE, WAIT = "Look at the weather", "Note the weather", "Wait for capacity"
NOTE_REFUSAL, ASK_AGAIN = "Note the refusal", "Wait to ask again"
JUDGE = "Why did it stop?"
SPOT, DEMAND = "Run on Fargate Spot", "Run on on-demand Fargate"
QUIET = ["Claim the run", LOOK, SPOT, "Close the run"]
RESERVE_SECONDS = 2 * 60 + 120 + 15
"""Two start-ups, the stopTimeout and the margin of the template's defaults."""
FAULT = ("DynamoDB.ProvisionedThroughputExceededException", "Too many.")


def run(
    *offers: Offer,
    seconds_ago: tuple[int, ...] = (),
    faults: dict[str, Any] | None = None,
    **request: Any,
) -> tuple[Ended, RunWorld]:
    """A run of ten minutes; others were refused so long ago."""
    left = list(offers)

    def market(_launch: Launch, _work: float) -> Offer:
        return left.pop(0) if left else Offer()

    world = RunWorld(now=START, work_seconds=600.0, market=market)
    for number, seconds in enumerate(seconds_ago, 1):
        at = round(1000 * (START - seconds))
        world.weather[f"latest_{number}"] = {"S": f"{at} other-{number}/20260921T000000Z"}
    world.faults = faults or {}
    request = {"scheduledTime": iso(START)[:-5] + "Z", "expectedMinutes": 10, **request}
    return MACHINE.run(world, request, name="x"), world


def spot_launches(world: RunWorld) -> list[float]:
    return [launch.at - START for launch in world.launches if launch.capacity == "spot"]


@pytest.mark.parametrize("seconds_ago", [(), (5,), (130, 140, 150), (5, 901, 902)])
def test_a_quiet_run_still_enters_four_states_and_writes_no_weather(
    seconds_ago: tuple[int, ...],
) -> None:
    ended, world = run(seconds_ago=seconds_ago)
    assert ended.states_entered == QUIET
    assert len(world.weather) == len(seconds_ago)


@pytest.mark.parametrize("seconds_ago", [(5, 8), (5, 60, 800), (119, 120)])
def test_a_run_does_not_ask_while_two_others_were_refused_just_now(
    seconds_ago: tuple[int, ...],
) -> None:
    ended, world = run(seconds_ago=seconds_ago)
    assert ended.states_entered[:4] == ["Claim the run", LOOK, "Choose capacity", WAIT]
    assert ended.status == "SUCCEEDED"
    (first,) = spot_launches(world)
    assert first >= max(40, 120 - min(seconds_ago))


def test_where_nothing_tells_of_better_weather_it_asks_by_itself_after_the_cool_off() -> None:
    ended, world = run(seconds_ago=(1, 2))
    looks = ended.states_entered.count(LOOK)
    assert (looks >= 2, spot_launches(world)[0] >= 119) == (True, True)
    assert not any(name.startswith("refused_") for name in world.weather)


def test_with_a_tight_deadline_it_takes_on_demand_without_asking() -> None:
    ended, world = run(seconds_ago=(1, 2), finishWithinMinutes=16)
    assert [launch.capacity for launch in world.launches] == ["on-demand"]
    assert world.now <= START + 16 * 60
    assert ended.status == "SUCCEEDED"


@pytest.mark.parametrize("is_still_refused", [False, True])
def test_what_is_held_to_the_last_moment_asks_once_where_others_are_refused_no_more(
    is_still_refused: bool,
) -> None:
    within, waits = 40, 0

    def watch(state: str, _variables: object) -> None:
        nonlocal waits
        waits += state == WAIT
        # Others are refused as long as there is time to wait, and are no more at its end.
        last = 60 * within - RESERVE_SECONDS - 600
        if state == LOOK and (world.now - START < last - 1 or is_still_refused):
            for number in (1, 2):
                at = f"{round(1000 * world.now)} a/b{number}"
                world.weather[f"latest_{number}"] = {"S": at}
        elif state == LOOK:
            world.weather.clear()

    world = RunWorld(now=START, work_seconds=600.0, market=lambda *_: Offer())
    given = {"scheduledTime": iso(START)[:-5] + "Z", "expectedMinutes": 10}
    ended = MACHINE.run(world, given | {"finishWithinMinutes": within}, name="x", watch=watch)
    assert ended.status == "SUCCEEDED"
    assert waits > 1
    (launch,) = world.launches
    assert launch.capacity == ("on-demand" if is_still_refused else "spot")
    assert world.now <= START + 60 * within


def test_a_refusal_is_written_down_with_the_hour_and_shifts_the_ones_before_it() -> None:
    _, world = run(Offer(error=REFUSED), seconds_ago=(500, 600, 700))
    mine = f"{round(1000 * START)} nightly/{iso(START)[:-5].replace('-', '').replace(':', '')}Z"
    assert world.weather["latest_1"]["S"] == mine
    assert [world.weather[f"latest_{at}"]["S"].split(" ")[1][:7] for at in (2, 3)] == [
        "other-1",
        "other-2",
    ]
    assert float(world.weather[f"refused_{iso(START)[11:13]}"]["N"]) == 1


def test_a_reclaim_is_counted_by_hour_and_zone_and_refuses_nobody() -> None:
    ended, world = run(Offer(ends_after=300.0, zone="us-east-1b"))
    assert float(world.weather[f"reclaimed_{iso(START)[11:13]}_us-east-1b"]["N"]) == 1
    assert "latest_1" not in world.weather
    assert ended.states_entered.count(SPOT) == 2


@pytest.mark.parametrize(
    "offer",
    [
        Offer(error=("ECS.AmazonECSException", "Rate exceeded")),
        Offer(exit_code=3, reason="failed", ends_after=100.0, stop={"StopCode": "Essential"}),
    ],
)
def test_other_trouble_is_no_weather(offer: Offer) -> None:
    ended, world = run(offer)
    assert {NOTE, NOTE_REFUSAL} & {*ended.states_entered}
    assert world.weather == {}


def test_refusals_of_its_own_hold_no_run_back() -> None:
    ended, _ = run(*[Offer(error=REFUSED)] * 3)
    assert "Choose capacity" not in ended.states_entered


def test_a_run_that_spot_alone_troubles_pays_three_states_a_refusal_and_five_a_reclaim() -> None:
    ended, world = run(*[Offer(error=REFUSED)] * 2, Offer(ends_after=300.0), Offer())
    assert ended.states_entered[1:-1] == [
        *(LOOK, SPOT, NOTE_REFUSAL, ASK_AGAIN),
        *(SPOT, NOTE_REFUSAL, ASK_AGAIN),
        *(SPOT, "How far did it get?", "Record the attempt", NOTE),
        *(SPOT, "Close the run", "What has it done?", "Tell people it finished"),
    ]
    assert float(world.weather[f"refused_{iso(START)[11:13]}"]["N"]) == 2


def test_a_run_that_is_refused_with_others_looks_before_it_asks_again() -> None:
    ended, world = run(Offer(error=REFUSED), seconds_ago=(130, 140, 150))
    at = ended.states_entered.index(NOTE_REFUSAL)
    assert ended.states_entered[at + 1 :][:3] == [ASK_AGAIN, SPOT, "Close the run"]

    world = RunWorld(now=START, work_seconds=600.0, market=lambda *_: offers.pop(0))
    offers = [Offer(error=REFUSED), Offer(), Offer()]

    def watch(state: str, _variables: object) -> None:
        if state == NOTE_REFUSAL:  # Others were refused since it looked.
            for number in (1, 2):
                world.weather[f"latest_{number}"] = {"S": f"{round(1000 * START)} a/b{number}"}

    request = {"scheduledTime": iso(START)[:-5] + "Z", "expectedMinutes": 10}
    ended = MACHINE.run(world, request, name="x", watch=watch)
    at = ended.states_entered.index(NOTE_REFUSAL)
    assert ended.states_entered[at + 1 :][:3] == [JUDGE, WAIT, LOOK]


@pytest.mark.parametrize("state", [LOOK, NOTE, NOTE_REFUSAL])
def test_a_call_about_the_weather_that_fails_loses_and_delays_nothing(state: str) -> None:
    plain, calm = run(Offer(error=REFUSED), Offer(ends_after=300.0))
    failing, world = run(Offer(error=REFUSED), Offer(ends_after=300.0), faults={state: [FAULT] * 9})
    assert failing.status == plain.status == "SUCCEEDED"
    assert [one.at for one in world.launches] == [one.at for one in calm.launches]
    assert "Retry" not in MACHINE._definition["States"][state]
    assert MACHINE._definition["States"][state]["TimeoutSeconds"] == 5


def test_the_weather_is_in_no_transaction_so_that_no_run_meets_another_there() -> None:
    for name, state in MACHINE._definition["States"].items():
        if WEATHER in json.dumps(state.get("Arguments", {})):
            assert name in (LOOK, NOTE, NOTE_REFUSAL)
            assert "transact" not in state["Resource"].lower()


def test_a_run_that_takes_on_demand_only_never_looks_for_long() -> None:
    ended, world = run(seconds_ago=(1, 2), capacity="on-demand-only")
    assert ended.states_entered == [
        *("Claim the run", LOOK, "Choose capacity", DEMAND, "Close the run"),
    ]
    assert world.launches[0].at == START


def test_what_a_drill_makes_is_no_weather_for_others() -> None:
    left = [Offer(error=REFUSED), Offer(ends_after=300.0)]
    world = RunWorld(
        now=START, work_seconds=600.0, market=lambda *_: left.pop(0) if left else Offer()
    )
    ended = MACHINE.run(world, {"runKey": "drill-1", "expectedMinutes": 10}, name="x")
    assert ended.status == "SUCCEEDED"
    assert (ended.states_entered.count(NOTE_REFUSAL), ended.states_entered.count(NOTE)) == (1, 1)
    assert world.weather == {}
