"""Runs of a job take turns where its overlap says so, in whatever order things happen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from steadyspot.contract import Status, columns
from steadyspot.contract.keys import run_key_of
from steadyspot.statemachines.render import definition
from steadyspot.statemachines.values import LONGEST_PAUSE_SECONDS
from tests.unit.statemachines.claims import KEY, START, worker, world
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
from tests.virtual.crowd import Crowd, scheduled
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, substituted
from tests.virtual.world import RunWorld

QUIET = ["Claim the run", "Look at the weather", "Run on Fargate Spot", "Close the run"]
IN_TURN = ("skip", "queue", "replace")
AFTER_THE_END = Machine(
    substituted(
        json.dumps(definition("after-the-end")),
        (("Region", "us-east-1"), ("Table", "runs"), ("Topic", "arn:topic"), ("KeepRunsDays", "0")),
    )
)


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

    for offers, status in (([Offer(ends_after=200.0), Offer()], "SUCCEEDED"), ([], "FAILED")):
        of = world({}, {})
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
        assert ended.states_entered.count("Give the turn back") == (status == "SUCCEEDED")


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
    idle = min(LONGEST_PAUSE_SECONDS, seconds * 0.11)
    assert of.launches[0].at - START < seconds + idle
    looks = ended.states_entered.count("Who holds it?")
    assert looks < 100 + seconds / LONGEST_PAUSE_SECONDS
    assert ended.variables["statesEntered"] == len(ended.states_entered) - 1


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


@cache
def silent(policy: str) -> Machine:
    graph = job_definition(silent=True, Overlap=policy)
    # The length of the cause table decides nothing here, and takes most of the time.
    for state in (graph["States"]["Claim the run"], *graph["States"]["Claim the run"]["Catch"]):
        rows = state["Assign"]["causes"]
        state["Assign"]["causes"] = [
            row for row in rows if row["name"] in ("finished", "reclaimed", "fence-lost", "unknown")
        ]
    return Machine(graph)


def crowd(policy: str, seed: int) -> Crowd:
    """Runs of up to seven times, some delivered twice, of which some are stopped; then redrives."""
    made = Crowd({"job": silent(policy), "after-the-end": AFTER_THE_END}, seed, now=START)
    rng = made.random
    made.lost_ends = rng.choice([0.0, 0.0, 0.3])
    crashes = rng.choice([0.0, 0.003, 0.02])
    gap, runs = rng.choice([0, 1, 60, 400]), rng.choice([2, 3, 5, 7])
    for number in range(runs):
        request = scheduled(START + 60 * number)
        at = START + gap * number
        made.start(f"run{number}", request, at=at + rng.uniform(0, 2))
        if rng.random() < 0.2:
            made.start(f"again{number}", request, at=at + rng.uniform(0, 30))

    def crash() -> bool:
        if rng.random() < crashes:
            alive = [one for one in made.executions.values() if one.is_under_way(made.now)]
            if alive:
                made.stop(rng.choice(alive))
        return False

    made.play(crash)
    for number in range(runs):
        if not rng.randrange(3):
            request = {**scheduled(START + 60 * number), "redrive": True}
            made.start(f"redriven{number}", request, at=made.now + rng.uniform(0, 5))
    made.play()
    return made


def wrong(policy: str, seed: int) -> Iterator[str]:
    """Yield what went wrong in one order of events."""
    made = crowd(policy, seed)
    if made.overlapped:
        yield "two at once"
    if columns.TAKEN_BY in made.of_turn() and not made.lost_ends:
        yield "a turn that nobody gave back"
    asked = {run_key_of(one.request["scheduledTime"]) for one in made.jobs()}
    for key in asked:
        status = made.table.get(("nightly", key), {}).get("status", {}).get("S", "none")
        stopped = any(one.status == "ABORTED" for one in made.jobs(key))
        if status not in ("complete", "unfinished", "skipped") and not (stopped and made.lost_ends):
            yield f"{key} is {status}"
        if status == "skipped" and policy == "queue":
            yield f"{key} was skipped though there was room"
        if status == "unfinished" and not any(one["runKey"] == key for one in made.parked):
            yield f"{key} is not parked"
        if status == "complete" and made.finished[key] != 1:
            yield f"{key} was finished {made.finished[key]} times"
    for one in made.jobs():
        if one.status == "SUCCEEDED" and not one.ended.output.get("outcome"):
            yield f"{one.name} has no outcome"


@pytest.mark.parametrize("policy", IN_TURN)
def test_no_two_runs_are_ever_under_way_and_each_ends_in_one_outcome(policy: str) -> None:
    found = {seed: told for seed in range(6) if (told := [*wrong(policy, seed)])}
    assert found == {}


def test_the_same_crowd_overlaps_where_it_may() -> None:
    """Else the tests above would show nothing."""
    assert sum(crowd("allow", seed).overlapped for seed in range(4)) > 0
