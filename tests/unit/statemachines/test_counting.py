"""Runs that no worker ends are counted once, and what cannot be counted harms nothing."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from typing import Any

import pytest

from steadyspot.contract import Env
from steadyspot.contract.metrics import (
    CAPACITY,
    CAUSE,
    FAILED,
    FINISH_DELAY,
    FINISHED,
    JOB,
    LATE,
    OUTCOME,
    PARKED,
    REFUSALS,
    RUNS,
    SKIPPED,
)
from steadyspot.statemachines.render import definition
from tests.unit.statemachines.claims import START
from tests.unit.statemachines.counts import counted_end, metric, outcomes
from tests.unit.statemachines.shards import COMPLETE, NOW, TIME, recorded
from tests.unit.statemachines.test_after_the_end import EndWorld, ends, running
from tests.unit.statemachines.test_causes import SPOT
from tests.unit.statemachines.test_limits import legs
from tests.unit.statemachines.turns import ASKED, EARLIER, described, met, turn
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import REFUSED, Offer, RunWorld

QUIET = ["Claim the run", "Look at the weather", "Run on Fargate Spot", "Close the run"]
EXITED = {"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container exited"}
FAILS = Offer(ends_after=90, stop=EXITED, exit_code=3, reason="failed", exit_seconds=0)
NO_ANSWER = [
    ("CloudWatch.CloudWatchException", "Rate exceeded (Service: CloudWatch, Status Code: 400)"),
    ("States.Timeout", ""),
    ("States.Permissions", "not authorized to perform: cloudwatch:PutMetricData"),
]


@cache
def machine(**given: Any) -> Machine:
    return Machine(job_definition(**given))


def played(
    *offers: Offer, faults: dict[str, list[tuple[str, str]]] | None = None, **asked: Any
) -> tuple[Ended, RunWorld]:
    left = list(offers)
    world = RunWorld(
        now=START, work_seconds=600.0, market=lambda *_: left.pop(0) if left else Offer()
    )
    world.faults = faults or {}
    return machine().run(world, {**ASKED, **asked}, name="me"), world


@pytest.mark.parametrize(
    "offers",
    [(), (Offer(error=REFUSED),), (Offer(ends_after=300.0),), (Offer(completes=True, reason=""),)],
    ids=["quiet", "refused", "reclaimed", "finished all the same"],
)
def test_what_a_worker_finished_is_counted_by_its_own_line_alone(offers: tuple[Offer, ...]) -> None:
    ended, world = played(*offers)
    assert ended.status == "SUCCEEDED"
    assert world.counted == []
    assert not [state for state in ended.states_entered if state.startswith("Count")]
    assert offers or ended.states_entered == QUIET


def test_a_run_that_is_parked_is_counted_by_what_stopped_it_before_people_are_told() -> None:
    ended, world = played(FAILS)
    assert ended.error == "Steadyspot.JobExit3"
    assert world.counted == counted_end(PARKED, "job-failed")
    after = ended.states_entered[ended.states_entered.index("Park the run") + 1 :]
    assert after[:3] == ["Count the run", "Read its log", "Tell people"]


@pytest.mark.parametrize("error", NO_ANSWER)
def test_a_run_that_cannot_be_counted_ends_as_it_would(error: tuple[str, str]) -> None:
    counted, _ = played(FAILS)
    ended, world = played(FAILS, faults={"Count the run": [error]})
    assert (ended.states_entered, ended.error) == (counted.states_entered, counted.error)
    assert (world.counted, len(world.parked), len(world.mails)) == ([], 1, 1)


def test_no_call_to_count_is_waited_for_or_made_twice_where_it_may_have_been_taken() -> None:
    found = []
    for name in ("job", "after-the-end"):
        for state in definition(name)["States"].values():
            if not state.get("Resource", "").endswith(":cloudwatch:putMetricData"):
                continue
            found.append(state)
            assert state["TimeoutSeconds"] <= 5
            assert [one["ErrorEquals"] for one in state["Retry"]] == [
                ["CloudWatch.CloudWatchException"]
            ]
            assert state["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": state["Next"]}]
    assert len(found) == 4


def test_a_run_that_the_queue_does_not_take_is_counted_once_by_the_first_who_knows() -> None:
    ended, world = played(FAILS, faults={"Park the run": [("States.Timeout", "")]})
    assert ended.error == "Steadyspot.NotParked"
    assert world.counted == counted_end(FAILED, "job-failed")

    after = EndWorld(running(), Input=json.dumps(ASKED), Status="FAILED", Error=ended.error)
    ends(after)
    assert (len(after.parked), after.counted) == (1, [])


@pytest.mark.parametrize(
    ("faults", "outcome"), [({}, PARKED), ({"Park the run": [("States.Timeout", "")]}, FAILED)]
)
def test_a_run_that_was_stopped_is_counted_by_who_speaks_for_it(
    faults: dict[str, list[tuple[str, str]]], outcome: str
) -> None:
    world = EndWorld(running(), Input=json.dumps(ASKED))
    world.faults = faults
    ends(world)
    assert world.counted == counted_end(outcome, "execution-ended", job="night")


@pytest.mark.parametrize(("policy", "cause"), [("skip", "skipped"), ("queue", "queue-full")])
def test_a_run_that_is_skipped_is_counted_with_why(policy: str, cause: str) -> None:
    world = met(turn(EARLIER), described())
    ended = machine(Overlap=policy, QueueAtMost="0").run(world, ASKED, name="me")
    assert ended.states_entered[-3:] == [
        *("Tell people it is skipped", "Count it as skipped", "Skipped"),
    ]
    assert world.counted == counted_end(SKIPPED, cause)


def shards_told(world: Any, **request: Any) -> Ended:
    ended: Ended = world.machine.run(world, {"scheduledTime": TIME, **request}, name="first")
    return ended


@pytest.mark.parametrize("tells", ["false", "true"])
def test_a_run_over_shards_is_counted_once_with_its_delay_told_or_not(tells: str) -> None:
    world = recorded(3, lambda _: COMPLETE, TellEveryRun=tells)
    world.now = NOW + 900
    ended = shards_told(world)
    assert ended.states_entered.count("Count the run over shards") == 1
    runs, delay = world.counted
    assert runs == metric(RUNS, 1, **{JOB: "nightly", OUTCOME: FINISHED})
    assert delay == metric(FINISH_DELAY, delay["Value"], "Seconds", **{JOB: "nightly"})
    assert 900 < delay["Value"] < 960
    money = world.table["nightly", "20261124T020000Z"]["money"]["M"]
    entered = len(ended.states_entered) + 3 * (4 + 2)
    assert int(money["transitions"]["N"]) == entered
    told = [json.loads(json.loads(mail["Message"])["default"]) for mail in world.mails]
    assert [one["transitions"] for one in told] == ([entered] if tells == "true" else [])


def test_a_run_over_shards_behind_its_deadline_is_late_and_one_by_hand_has_no_delay() -> None:
    world = recorded(2, lambda _: COMPLETE)
    world.now = NOW + 900
    shards_told(world, finishWithinMinutes=5)
    assert outcomes(world.counted) == [LATE]

    by_hand = recorded(2, lambda _: COMPLETE)
    assert by_hand.machine.run(by_hand, {}, name="by-hand").status == "SUCCEEDED"
    assert [one["MetricName"] for one in by_hand.counted] == [RUNS]


def test_a_run_whose_shards_are_left_is_parked_once_and_no_shard_is_counted() -> None:
    world = recorded(3, lambda n: COMPLETE if n else ("unfinished", "job-failed", {}))
    assert shards_told(world).status == "FAILED"
    assert world.counted == counted_end(PARKED, "shards-unfinished")

    shard = RunWorld(now=START, work_seconds=600.0, market=lambda *_: FAILS)
    asked = {**ASKED, "shard": {"number": 0, "of": 2, "claims": 1}}
    assert machine(Shards="2").run(shard, asked, name="s").status == "FAILED"
    assert shard.counted == []


REFUSED_OFFER = Offer(error=REFUSED)
RECLAIMED = Offer(ends_after=300.0)


def told_refusals(world: RunWorld) -> list[str]:
    return [launch.environment.get(Env.REFUSALS, "") for launch in world.launches]


def test_a_worker_is_told_the_launches_that_came_to_nothing_since_the_last_attempt() -> None:
    never_started = Offer(
        ends_after=30.0,
        stop=dict(zip(("StopCode", "StoppedReason"), SPOT, strict=True)),
        exit_code=None,
    )
    ended, world = played(REFUSED_OFFER, REFUSED_OFFER, RECLAIMED, never_started)
    assert ended.status == "SUCCEEDED"
    cause = world.item["attempts"]["L"][3]["M"]["cause"]["S"]
    assert told_refusals(world) == [
        *("", "spot/no-capacity=1", "spot/no-capacity=2"),
        *("", f"spot/{cause}=1"),
    ]


def test_what_was_refused_before_a_run_is_parked_is_counted_with_it_and_not_again() -> None:
    ended, world = played(*[REFUSED_OFFER] * 99, capacity="spot-only")
    assert ended.error == "Steadyspot.Refused"
    times = len(world.launches)
    assert world.counted == [
        *counted_end(PARKED, "no-capacity"),
        metric(REFUSALS, times, **{JOB: "nightly", CAPACITY: "spot", CAUSE: "no-capacity"}),
    ]
    asked = {**ASKED, "redrive": True, "capacity": "spot-only"}
    assert machine().run(world, asked, name="again").status == "FAILED"
    assert world.counted[3:] == [
        *counted_end(PARKED, "no-capacity"),
        metric(
            REFUSALS,
            len(world.launches) - times,
            **{JOB: "nightly", CAPACITY: "spot", CAUSE: "no-capacity"},
        ),
    ]


def test_an_attempt_that_failed_itself_leaves_no_refusal_to_be_counted() -> None:
    _, world = played(REFUSED_OFFER, FAILS)
    assert world.counted == counted_end(PARKED, "job-failed")
    assert told_refusals(world) == ["", "spot/no-capacity=1"]


def test_refusals_are_handed_over_to_the_execution_in_which_the_run_goes_on() -> None:
    world = RunWorld(now=START, work_seconds=600.0, market=lambda *_: REFUSED_OFFER)
    asked = {**ASKED, "capacity": "spot-only"}
    first, second = islice(legs(world, asked), 2)
    assert first.launches == second.launches
    told = told_refusals(world)[1:]
    assert told == [f"spot/no-capacity={n}" for n in range(1, len(world.launches))]
