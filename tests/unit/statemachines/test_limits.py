"""Step Functions' limits: what is carried along stays below them, however long a run goes on.

AWS: a state's arguments, its result and one Assign have at most 256 KiB each; more of it is
``States.DataLimitExceeded``, which nothing catches. All variables have at most 10 MiB, a history
25,000 events, an item of DynamoDB 400 KB, a message of SQS or SNS 256 KiB. The bound of one
execution is met with a smaller number in the same definition; the real one is weighed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest

from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.values import KEPT_ATTEMPTS, MOST_ATTEMPTS, VALUES
from tests.unit.statemachines.test_causes import value
from tests.unit.statemachines.test_random_outcomes import START
from tests.unit.statemachines.turns import EARLIER, OTHER, described, turn
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, TaskFailed, iso
from tests.virtual.world import REFUSED, Offer, RunWorld

LIMIT = 262_144
ITEM_BYTES = 400_000
MOST_EVENTS = 20_000
"""Of the 25,000 that a history has room for."""
TIME = iso(START)[:-5] + "Z"
MOST, KEPT = 8, 3
KNOWN = ("finished", "no-capacity", "reclaimed", "unknown")
EVENTS = {"Task": 6, "Wait": 2, "Choice": 2, "Succeed": 2, "Fail": 1}
"""Events of a state in the history; a Task's are entered, scheduled, started, submitted, ended and
exited."""
HANDED_OVER = ["Hand the run over", "Does its run wait for it?", "Go on in a new execution"]
EVENTS_OF_A_RETRY = 3
"""Scheduled, started, failed."""


def with_smaller_bounds(cap_seconds: int, wait_minutes: int, **given: str) -> Any:
    bounds = {"BackoffCapSeconds": str(cap_seconds), "MaximumWaitMinutes": str(wait_minutes)}
    text = json.dumps(job_definition(silent=False, **bounds, **given))
    for name, real, small in (
        ("mostAttempts", MOST_ATTEMPTS, MOST),
        ("keptAttempts", KEPT_ATTEMPTS, KEPT),
    ):
        assert f"${name} := {real};" in text
        text = text.replace(f"${name} := {real};", f"${name} := {small};")
    return with_few_causes(json.loads(text))


def with_few_causes(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition with the rows alone that are met here."""
    # The length of the cause table decides nothing here, and takes most of the time.
    for state in (
        definition["States"]["Claim the run"],
        *definition["States"]["Claim the run"]["Catch"],
    ):
        rows = state["Assign"]["causes"]
        state["Assign"]["causes"] = [row for row in rows if row["name"] in KNOWN]
    return definition


DEFINITION = with_smaller_bounds(cap_seconds=120, wait_minutes=100)
MACHINE = Machine(DEFINITION)
RECLAIMED = Offer(ends_after=600.0)
NO_CAPACITY = Offer(error=REFUSED)
WORDY = {"StopCode": "SpotInterruption", "StoppedReason": "\\" * 999}


def weight(what: Any) -> int:
    return len(json.dumps(what, ensure_ascii=False).encode())


def without_numbers(what: Any) -> str:
    return re.sub(r"\d+", "0", json.dumps(what))


class WeighingWorld(RunWorld):
    """A world that knows the most that any call was given."""

    heaviest = 0

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        self.heaviest = max(self.heaviest, weight(arguments))
        self.arguments.clear()
        return super().call(resource, arguments, timeout_seconds, state)


class SeeminglyWell(WeighingWorld):
    """A world in which every task that was there ended well, whatever its record says."""

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        try:
            return super().call(resource, arguments, timeout_seconds, state)
        except TaskFailed as failed:
            if failed.error != "States.TaskFailed":
                raise
            return json.loads(failed.cause)


@dataclass
class Leg:
    """One execution of a run: how it ended, and the most that it carried along."""

    name: str
    request: dict[str, Any]
    ended: Ended
    launches: int
    item_bytes: int
    variables: int

    @property
    def events(self) -> int:
        """Events of its history, the first and the last included, had each call been retried."""
        return 2 + sum(most_events_of(name) for name in self.ended.states_entered)


def most_events_of(name: str) -> int:
    """Events of a state all of whose retriers were used up before it went on."""
    state = DEFINITION["States"][name]
    retries = sum(retrier["MaxAttempts"] for retrier in state.get("Retry", []))
    return EVENTS[str(state["Type"])] + EVENTS_OF_A_RETRY * int(retries)


def legs(
    world: RunWorld, request: dict[str, Any], machine: Machine = MACHINE, name: str = "by-hand"
) -> Iterator[Leg]:
    """Play a run to its end, execution after execution."""
    while True:
        before, most = len(world.launches), [0]

        def watch(_state: str, variables: Any, most: list[int] = most) -> None:
            most[0] = max(most[0], weight(variables))

        ended = machine.run(world, request, name=name, watch=watch)
        launches = len(world.launches) - before
        yield Leg(name, request, ended, launches, weight(world.item), most[0])
        if not world.started:
            return
        following = world.started.pop()
        name, request = following["Name"], json.loads(following["Input"])


def world_of(offer: Offer, kind: type[WeighingWorld] = WeighingWorld) -> WeighingWorld:
    return kind(now=START, work_seconds=10_000_000.0, market=lambda *_: offer)


def test_what_an_execution_hands_on_is_the_same_each_time_and_stays_below_every_limit() -> None:
    world = world_of(NO_CAPACITY)
    machine = Machine(with_smaller_bounds(cap_seconds=3_600, wait_minutes=400_000))
    found: list[Leg] = []
    left: list[str] = []
    for leg in legs(world, {"scheduledTime": TIME, "capacity": "spot-only"}, machine):
        found.append(leg)
        left.append(without_numbers([leg.request, leg.ended.states_entered, world.item]))
        if len(found) == 50:
            break

    assert {leg.ended.status for leg in found} == {"SUCCEEDED"}
    assert {leg.launches for leg in found} == {MOST}
    # The request as it came has less in it, and the first attempts are the first to be dropped.
    # Then only numbers change, so it goes on like that after any number of launches.
    assert len(set(left[2:])) == 1
    variables = [leg.variables for leg in found[2:]]
    assert max(variables) <= 1.1 * variables[0]
    # With as many launches as there really are in one execution.
    share = MOST_ATTEMPTS / MOST
    assert max(leg.variables for leg in found) * share < LIMIT * 4 < 10 * 1024**2
    assert world.heaviest * share < LIMIT
    assert max(leg.item_bytes for leg in found) * share < ITEM_BYTES
    assert max(leg.events for leg in found) * share < MOST_EVENTS
    assert max(weight(leg.request) for leg in found) < 1_000
    assert max(len(leg.name) for leg in found) <= 80


@pytest.mark.parametrize("seems_well", [False, True])
@pytest.mark.parametrize("capacity", ["spot-only", "on-demand-only"])
@pytest.mark.parametrize("offer", [NO_CAPACITY, RECLAIMED], ids=["refused", "reclaimed"])
def test_no_history_passes_20000_events_however_often_calls_are_retried(
    offer: Offer, capacity: str, seems_well: bool
) -> None:
    world = world_of(offer, SeeminglyWell if seems_well else WeighingWorld)
    asked = {"scheduledTime": TIME, "capacity": capacity, "budgets": {"interruptions": 100}}

    for leg in islice(legs(world, asked), 2):
        assert leg.launches == MOST
        entered = leg.ended.states_entered
        chosen = ("Look at the weather", "Choose capacity")
        begins = next(at for at, name in enumerate(entered) if name in chosen)
        ends = entered.index("Hand the run over")
        for_launches = sum(most_events_of(name) for name in entered[begins:ends])
        others = leg.events - for_launches
        assert others + for_launches / MOST * MOST_ATTEMPTS < MOST_EVENTS


YEAR = 365 * 86_400
"""AWS: the longest that an execution may take."""


def waited_for_its_turn(seconds: float, **deadline: Any) -> tuple[Ended, RunWorld]:
    """A run that has its turn after so long, and then meets no capacity; with the real bounds."""
    world = RunWorld(now=START, work_seconds=3600.0, market=lambda *_: NO_CAPACITY)
    world.turn = turn(EARLIER)
    world.executions[OTHER] = described()

    def watch(_state: str, _variables: Any) -> None:
        if world.now >= START + seconds:
            world.turn.clear()

    given = {"Overlap": "queue", "MaximumWaitMinutes": "400000"}
    machine = Machine(with_few_causes(job_definition(silent=True, **given)))
    asked = {"scheduledTime": TIME, "capacity": "spot-only", **deadline}
    return machine.run(world, asked, name="late", watch=watch), world


@pytest.mark.parametrize("deadline", [{}, {"finishWithinMinutes": 400_000}])
def test_a_year_in_the_queue_leaves_room_in_the_history_and_the_run_then_goes_on_in_another(
    deadline: dict[str, int],
) -> None:
    ended, world = waited_for_its_turn(YEAR, **deadline)
    assert ended.states_entered[-3:] == HANDED_OVER
    assert len(world.launches) == 1
    assert 2 + sum(map(most_events_of, ended.states_entered)) < MOST_EVENTS


def test_the_longer_a_run_waits_for_its_turn_the_fewer_launches_its_execution_makes() -> None:
    ended, world = waited_for_its_turn(20 * 86_400)
    assert ended.states_entered[-1] == "Go on in a new execution"
    waiting = ended.states_entered.index("Take the run over")
    assert 0 < len(world.launches) < MOST_ATTEMPTS - 0.1 * waiting
    assert 2 + sum(map(most_events_of, ended.states_entered)) < MOST_EVENTS


def test_a_run_goes_on_in_a_new_execution_that_knows_what_was_before() -> None:
    world = world_of(RECLAIMED)
    first, second = islice(legs(world, {"capacity": "spot-only"}), 2)

    assert first.ended.states_entered[-3:] == HANDED_OVER
    assert second.ended.states_entered[:4] == [
        *("Claim the run", "Who holds it?", "Is it settled?", "Take the run over"),
    ]
    assert (world.parked, world.mails) == ([], [])
    assert second.name == "by-hand-2"
    assert second.request["runKey"] == "by-hand"
    run = second.ended.variables["run"]
    assert (run["key"], run["claims"], run["begun"]) == ("by-hand", 2, round(START * 1000))
    numbers = [int(one["M"]["attempt"]["N"]) for one in world.item["attempts"]["L"]]
    assert numbers == list(range(MOST - KEPT + 1, 2 * MOST + 1))
    causes = {one["M"]["cause"]["S"] for one in world.item["attempts"]["L"]}
    assert causes == {"reclaimed"}
    fences = [int(one.environment["STEADYSPOT_FENCE"]) for one in world.launches]
    assert fences == sorted(set(fences))
    money = {name: float(one["N"]) for name, one in world.item["money"]["M"].items()}
    assert money["spot_seconds"] == sum(spell.ended - spell.began - 60 for spell in world.spells)
    both = len(first.ended.states_entered) + len(second.ended.states_entered)
    assert second.ended.output["outcome"] == "gone-on"
    following = json.loads(world.started[-1]["Input"]) if world.started else {}
    assert following.get("goesOn", {}).get("statesEntered", both) == both


def test_spot_is_waited_for_no_longer_because_the_run_goes_on() -> None:
    world = world_of(NO_CAPACITY)
    found = list(legs(world, {"capacity": "spot-only"}))

    assert {leg.ended.status for leg in found[:-1]} == {"SUCCEEDED"}
    assert found[-1].ended.error == "Steadyspot.Refused"
    assert 99 * 60 <= world.now - START <= 101 * 60
    assert (len(world.parked), len(world.mails)) == (1, 1)
    assert world.parked[0]["runKey"] == "by-hand"


@pytest.mark.parametrize("scheduled", [{"scheduledTime": TIME}, {}])
def test_a_deadline_is_met_however_many_executions_it_takes(scheduled: dict[str, str]) -> None:
    def market(launch: Any, _left: float) -> Offer:
        return NO_CAPACITY if launch.capacity == "spot" else Offer()

    world = WeighingWorld(now=START, work_seconds=600.0, market=market)
    asked = {**scheduled, "finishWithinMinutes": 120, "expectedMinutes": 10}
    found = list(legs(world, asked))

    assert len(found) > 1
    assert found[-1].ended.status == "SUCCEEDED"
    assert world.item["status"] == {"S": "complete"}
    assert len({leg.ended.variables["run"]["finishBy"] for leg in found}) == 1
    told = json.loads(json.loads(world.mails[-1]["Message"])["default"])
    assert (told["outcome"], told["late"]) == ("fell-back", False)
    assert world.now - START <= 120 * 60


@pytest.mark.parametrize("state", ["Hand the run over", "Go on in a new execution"])
def test_a_run_that_cannot_go_on_is_parked_and_told(state: str) -> None:
    world = world_of(RECLAIMED)
    world.faults = {state: [("Sfn.ExecutionLimitExceededException", "too many")]}
    (only,) = legs(world, {"scheduledTime": TIME, "capacity": "spot-only"})

    assert (only.ended.status, only.ended.error) == ("FAILED", "Steadyspot.Incomplete")
    assert "could not go on in another: Sfn.ExecutionLimitExceeded" in only.ended.cause
    assert (len(world.parked), len(world.mails)) == (1, 1)
    assert world.item["cause"] == {"S": "not-continued"}
    numbers = [int(one["M"]["attempt"]["N"]) for one in world.item["attempts"]["L"]]
    assert numbers == list(range(1, MOST + 1))

    again = next(legs(world, {"scheduledTime": TIME, "redrive": True}, name="redriven"))
    assert again.ended.variables["run"]["earlierAttempts"] == MOST


def test_only_who_holds_a_run_can_hand_it_over() -> None:
    world = world_of(RECLAIMED)
    next(legs(world, {"scheduledTime": TIME, "capacity": "spot-only"}))
    world.started.clear()
    holder = world.item["execution"]["S"]
    world.executions[holder] = {
        "Status": "RUNNING",
        "Name": holder.rsplit(":", 1)[-1],
        "Input": json.dumps({"scheduledTime": TIME}),
    }
    for given in ("another", 7, None, {"execution": "another"}, {"execution": 7}, [holder]):
        (stranger,) = legs(world, {"scheduledTime": TIME, "goesOn": given}, name="stranger")

        assert stranger.ended.states_entered[-1] == "Duplicate"
        assert world.item["execution"] == {"S": holder}


def test_a_redrive_takes_nothing_of_what_was_handed_over() -> None:
    world = world_of(RECLAIMED)
    played = legs(world, {"scheduledTime": TIME, "capacity": "spot-only"})
    next(played)
    world.faults = {"Go on in a new execution": [("States.Timeout", "")]}
    given = {**next(played).request, "redrive": True}
    again = next(legs(world, given, name="redriven"))

    assert "goesOn" in given
    assert again.ended.variables["statesEntered"] == len(again.ended.states_entered) - 1


def test_as_many_attempts_as_are_carried_along_stay_below_every_limit() -> None:
    world = world_of(Offer(ends_after=600.0, stop=WORDY))
    variables = next(legs(world, {"scheduledTime": TIME, "capacity": "spot-only"})).ended.variables
    one = {**variables["attempts"][-1], "zone": "ap-northeast-1a", "stopped_reason": "…" * 500}
    number = MOST_ATTEMPTS + KEPT_ATTEMPTS
    shown = [
        {**one, "stopped_reason": "" if n <= number - VALUES["shownAttempts"] else "…" * 500}
        for n in range(1, number + 1)
    ]
    scope = {
        **variables,
        "attempts": [{**row, "attempt": n} for n, row in enumerate(shown, 1)],
        "states": {"context": {"Execution": {"Id": "x" * 200, "Name": "x", "Input": {}}}},
    }
    last = {**scope["last"], "attempt": number, "stopped_reason": '"' * 32_768}

    column = value(expression("attemptsColumn"), scope)
    assert len(column) == number
    assert weight(column) < 0.9 * LIMIT
    assert weight({**variables, "attempts": scope["attempts"], "last": last}) < LIMIT
    assert weight(value(expression("message"), scope)) < 0.9 * LIMIT
