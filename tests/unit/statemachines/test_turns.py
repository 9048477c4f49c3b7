"""Runs of a job take turns where its overlap says so, in whatever order things happen."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from steadyspot.contract import Status
from steadyspot.statemachines.values import LONGEST_PAUSE_SECONDS
from tests.unit.statemachines.claims import KEY, START, worker, world
from tests.unit.statemachines.crowds import IN_TURN, some, together, wrong
from tests.unit.statemachines.turns import (
    ANOTHER,
    ASKED,
    EARLIER,
    LATER,
    OTHER,
    POLICIES,
    REDRIVE,
    described,
    met,
    turn,
)
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import RunWorld

QUIET = ["Claim the run", "Look at the weather", "Run on Fargate Spot", "Close the run"]


@cache
def machine(policy: str) -> Machine:
    return Machine(job_definition(Overlap=policy))


def played(of: RunWorld, policy: str, request: dict[str, Any] = ASKED, *, looks: int = 6) -> Ended:
    """Play a run; what stands in its way gives way after some looks, so that it has an end."""
    seen = [0]

    def watch(state: str, _variables: Any) -> None:
        seen[0] += state == "Wait for its turn"
        if seen[0] >= looks:
            of.turn.pop("taken_by", None)
            of.turn.pop("queued", None)

    return machine(policy).run(of, request, name="me", watch=watch)


def notified(of: RunWorld) -> list[dict[str, Any]]:
    return [json.loads(json.loads(mail["Message"])["default"]) for mail in of.mails]


# --- the claim and the end take and give the turn -------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_a_quiet_run_takes_the_turn_and_gives_it_back_in_four_states(policy: str) -> None:
    of = world({}, {})
    taken = []
    ended = machine(policy).run(
        of, ASKED, name="me", watch=lambda *_: taken.append(of.turn.get("taken_by"))
    )
    assert ended.states_entered == QUIET
    had = None if policy == "allow" else {"SS": [KEY]}
    assert taken == [None, had, had, had]
    assert "taken_by" not in of.turn
    assert bool(of.turn) is (policy != "allow")


def test_jobs_whose_runs_may_overlap_have_no_turn() -> None:
    of = met(turn(EARLIER), described())
    assert played(of, "allow").states_entered == QUIET
    assert of.turn == turn(EARLIER)


@pytest.mark.parametrize("policy", IN_TURN)
def test_a_run_that_fails_or_finishes_with_trouble_gives_the_turn_back(policy: str) -> None:
    from tests.virtual.world import REFUSED, Offer

    for offers, status, is_closed in (
        ([Offer(ends_after=200.0), Offer()], "SUCCEEDED", True),
        ([Offer()], "SUCCEEDED", False),
        ([], "FAILED", True),
    ):
        of = world({}, {})
        of.faults = {} if is_closed else {"Close the run": [("States.Timeout", "")]}
        left = list(offers)
        of._market = lambda *_, left=left: (
            left.pop(0)
            if left
            else Offer(
                ends_after=100.0,
                stop={"StopCode": "EssentialContainerExited"},
                exit_code=3,
                reason="failed",
            )
        )
        ended = played(of, policy)
        assert ended.status == status, (ended.cause, REFUSED)
        assert "taken_by" not in of.turn
        assert ("Give the turn back" in ended.states_entered) == (not is_closed)


def test_a_run_that_goes_on_in_another_execution_keeps_the_turn() -> None:
    of = world({}, {})
    of.turn = turn(KEY)
    given = {**ASKED, "goesOn": {"execution": OTHER}}
    of.item, of.worker = (
        {**worker(OTHER), "job": {"S": "night"}, "claims": {"N": "1"}},
        worker(OTHER),
    )
    ended = played(of, "skip", given)
    assert ended.states_entered[:4] == [
        *("Claim the run", "Who holds it?", "Is it settled?", "Take the run over")
    ]
    assert (ended.status, of.turn["execution"]["S"].rsplit(":", 1)[-1]) == ("SUCCEEDED", "me")


# --- who stands in the way ------------------------------------------------------------------------


def test_a_run_that_is_skipped_is_written_down_and_told_as_such() -> None:
    of = met(turn(EARLIER), described())
    ended = played(of, "skip")
    assert (ended.status, ended.states_entered[-1]) == ("SUCCEEDED", "Skipped")
    assert ended.output == {"outcome": "skipped", "runKey": KEY}
    assert of.item["status"] == {"S": Status.SKIPPED.value}
    assert (of.launches, of.parked, of.worker) == ([], [], {})
    assert of.item["skipped_for"] == {"S": EARLIER}
    (told,) = notified(of)
    assert (told["outcome"], told["cause"], told["severity"]) == ("skipped", "skipped", "info")
    assert EARLIER in told["sentence"]
    assert told["transitions"] == len(ended.states_entered)
    assert of.mails[0]["Subject"] == f"Steadyspot: nightly {KEY} was skipped: skipped"
    assert of.turn == turn(EARLIER)


def test_a_run_is_skipped_and_told_though_the_reply_to_that_is_lost() -> None:
    of = met(turn(EARLIER), described())
    of.unanswered = ["Skip the run"]
    assert played(of, "skip").output["outcome"] == "skipped"
    assert len(of.mails) == 1


def test_a_time_that_was_skipped_is_begun_by_a_redrive_alone() -> None:
    of = met(turn(EARLIER), described())
    played(of, "skip")
    of.turn = turn()
    again = machine("skip").run(of, ASKED, name="again")
    assert again.output["outcome"] == "duplicate"
    redriven = machine("skip").run(of, REDRIVE, name="redriven")
    assert redriven.status == "SUCCEEDED"
    assert of.item["status"] == {"S": "complete"}
    assert of.item["claims"] == {"N": "1"}


@pytest.mark.parametrize("policy", IN_TURN)
def test_what_somebody_redrives_is_never_skipped_and_replaces_nobody(policy: str) -> None:
    of = met(turn(EARLIER), described(), redriven=True)
    ended = played(of, policy, REDRIVE)
    assert ended.status == "SUCCEEDED"
    assert ended.states_entered.count("Wait for its turn") == 6
    assert (of.stopped, "queued" in of.turn) == ([], False)


def test_the_queue_goes_by_when_runs_were_due() -> None:
    before, behind = f"{EARLIER}/{EARLIER}/another", f"{LATER}/{LATER}/another"
    of = met(turn("", before), described())
    ended = played(of, "queue", looks=2)
    assert ended.states_entered.count("Wait for its turn") >= 2
    of = met(turn("", behind), described())
    ended = played(of, "queue")
    assert "Wait for its turn" not in ended.states_entered
    assert of.turn["queued"] == {"SS": [behind]}


def test_a_place_of_an_execution_that_has_ended_is_passed_over() -> None:
    of = met(turn("", f"{EARLIER}/{EARLIER}/another"), described())
    of.executions[ANOTHER] = described("ABORTED")
    ended = played(of, "queue")
    assert ended.status == "SUCCEEDED"
    assert "Wait for its turn" not in ended.states_entered
    assert "queued" not in of.turn


def test_one_run_more_than_may_wait_is_skipped_as_such() -> None:
    places = [f"{EARLIER}/{number:03}/another" for number in range(100)]
    of = met(turn(EARLIER, *places), described())
    ended = played(of, "queue")
    assert ended.output["outcome"] == "skipped"
    assert of.item["cause"] == {"S": "queue-full"}
    assert len(of.turn["queued"]["SS"]) == 100


@pytest.mark.parametrize("policy", IN_TURN)
@pytest.mark.parametrize("status", ["ABORTED", "FAILED", ""])
def test_a_turn_that_nobody_gave_back_is_taken_after_a_while(policy: str, status: str) -> None:
    of = met(turn(EARLIER), described(status) if status else None)
    ended = machine(policy).run(of, ASKED, name="me")
    assert ended.status == "SUCCEEDED"
    assert ended.states_entered.count("Wait for its turn") == 1
    assert ended.states_entered.count("Pass the other over") == 1
    assert of.item["status"] == {"S": "complete"}


def test_a_run_that_goes_on_in_another_execution_still_has_the_turn() -> None:
    of = met(turn(EARLIER), described("SUCCEEDED", outcome="gone-on", execution=ANOTHER))
    ended = played(of, "skip")
    assert ended.output["outcome"] == "skipped"
    assert ended.states_entered.count("Does the other still run?") == 2


def test_a_newer_run_stops_the_older_one_and_never_the_other_way_round() -> None:
    of = met(turn(EARLIER), described())
    ended = played(of, "replace", looks=1)
    assert ended.status == "SUCCEEDED"
    (stopped,) = of.stopped
    assert (stopped["ExecutionArn"], stopped["Error"]) == (OTHER, "Replaced")
    assert stopped["Cause"] == f"Run {KEY} of the job took its place."

    of = met(turn(LATER, due=LATER), described())
    assert played(of, "replace").output["outcome"] == "skipped"
    assert of.stopped == []


@pytest.mark.parametrize("seconds", [30_000, 3_000_000])
def test_a_long_wait_is_cheap_and_a_turn_lies_idle_for_a_tenth_of_it_at_most(seconds: int) -> None:
    of = met(turn(EARLIER), described())
    pauses = []

    def watch(state: str, _variables: Any) -> None:
        pauses.append((state, of.now))
        if of.now - START > seconds:
            of.turn.pop("taken_by", None)

    ended = machine("queue").run(of, ASKED, name="me", watch=watch)
    assert ended.status == "SUCCEEDED"
    idle = min(seconds * 0.11, max(LONGEST_PAUSE_SECONDS, seconds * 0.033))
    assert of.launches[0].at - START < seconds + idle
    looks = ended.states_entered.count("Who holds it?")
    assert looks < 230
    assert ended.variables["statesEntered"] == len(ended.states_entered)


def test_looks_come_closer_where_the_deadline_of_what_waits_draws_near() -> None:
    of = met(turn(EARLIER), described())
    tight = Machine(
        job_definition(Overlap="queue", FinishWithinMinutes="400", ExpectedMinutes="10")
    )
    waits: list[float] = []

    def watch(state: str, _variables: Any) -> None:
        if state == "Wait for its turn":
            waits.append(of.now)
        if of.now - START > 389 * 60:
            of.turn.pop("taken_by", None)

    tight.run(of, ASKED, name="me", watch=watch)
    pauses = [later - earlier for earlier, later in pairwise(waits)]
    assert max(pauses) > 600
    assert pauses[-1] == 10
    assert of.launches[0].capacity == "on-demand"


# --- many at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", IN_TURN)
def test_no_two_runs_are_ever_under_way_and_each_ends_in_one_outcome(policy: str) -> None:
    found = {seed: told for seed in range(6) if (told := [*wrong(some(policy, seed), policy)])}
    assert found == {}


@pytest.mark.parametrize("policy", IN_TURN)
def test_nor_are_they_where_twenty_are_due_at_once_and_delivered_twice(policy: str) -> None:
    """``make bench ARGS="overlap --full"`` plays a thousand of these."""
    assert [*wrong(together(policy, 3), policy)] == []


def test_the_same_crowd_overlaps_where_it_may() -> None:
    """Else the tests above would show nothing."""
    assert sum(some("allow", seed).overlapped for seed in range(4)) > 0
