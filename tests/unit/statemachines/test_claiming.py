"""A run is claimed once, and what no claim made is thrown away and told instead of believed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.unit.statemachines.claims import (
    BROKEN_OFF,
    HOLDER,
    KEY,
    MACHINE,
    TIME,
    Met,
    holder,
    own,
    planted,
    worker,
    world,
)
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import Offer, RunWorld

JOB = Machine(job_definition())
ASKED = {"scheduledTime": TIME}
REDRIVE = {**ASKED, "redrive": True}
ME = f"{MACHINE}:me"


def claimed(of: RunWorld, request: dict[str, Any] = ASKED) -> Ended:
    return JOB.run(of, request, name="me")


def assert_parked_as_tampered(ended: Ended, of: RunWorld) -> None:
    assert (ended.status, ended.error) == ("FAILED", "Steadyspot.Misconfigured")
    assert ended.states_entered.count("Claim the run") == 1
    assert of.launches == []
    assert of.item["status"] == {"S": "unfinished"}
    assert of.item["cause"] == {"S": "tampered"}
    (parked,) = of.parked
    (mail,) = of.mails
    assert parked["cause"] == "tampered"
    assert json.loads(json.loads(mail["Message"])["default"])["cause"] == "tampered"
    assert int(of.item["money"]["M"]["transitions"]["N"]) == len(ended.states_entered)


def test_a_new_run_is_claimed_in_one_call_and_enters_four_states_in_all() -> None:
    of = world({}, {})
    ended = claimed(of)
    assert ended.states_entered == [
        "Claim the run",
        "Look at the weather",
        "Run on Fargate Spot",
        "Close the run",
    ]
    assert of.item["status"] == of.worker["status"] == {"S": "complete"}
    assert of.item["execution"] == of.worker["execution"] == {"S": ME}
    assert "fence" not in of.item


def test_a_redrive_looks_before_it_claims() -> None:
    of = world({}, {})
    ended = claimed(of, REDRIVE)
    assert ended.states_entered[:2] == ["Claim the run", "Who holds it?"]
    assert {next(iter(item)) for item in of.arguments[0]["TransactItems"]} == {"Get"}


@pytest.mark.parametrize("met", [*planted()], ids=lambda met: met.name)
def test_what_was_planted_for_a_run_to_come_is_told_and_thrown_away(met: Met) -> None:
    assert_parked_as_tampered(claimed(met.world, met.request), met.world)
    assert not {"fence", "checkpoint"} & met.world.worker.keys()

    again = JOB.run(met.world, REDRIVE, name="again")
    assert again.status == "SUCCEEDED"
    assert len(met.world.launches) == 1


@pytest.mark.parametrize(
    "item",
    [
        own(MACHINE.replace(":job", ":another") + ":holder"),
        own(MACHINE.replace(":job", ":another") + ":holder", "complete"),
        own("arn:aws:states:us-east-1:210987654321:execution:job:holder", "unfinished"),
        own("x"),
    ],
    ids=["running", "complete", "unfinished", "no ARN"],
)
def test_a_claim_that_no_execution_of_this_machine_made_is_no_reason_to_end_quietly(
    item: dict[str, Any],
) -> None:
    of = world(item, worker(item["execution"]["S"]))
    of.executions[item["execution"]["S"]] = holder()
    assert_parked_as_tampered(claimed(of), of)


def test_a_claim_by_the_execution_of_another_run_is_no_reason_to_end_quietly() -> None:
    of = world(own(), worker())
    of.executions[HOLDER] = holder(scheduledTime="2026-01-01T00:00:00Z")
    assert_parked_as_tampered(claimed(of), of)


@pytest.mark.parametrize(
    "columns",
    [
        {"fence": {"N": "20000"}},
        {"fence": {"S": "10001"}},
        {"fence": {"NULL": True}},
        {"fence": {"L": [{"N": "10001"}]}},
        {"execution": {"S": f"{MACHINE}:another"}},
        {"execution": {"L": [{"S": HOLDER}]}},
        {"status": {"S": "complete"}},
        {"status": {"S": "committing"}},
        {"status": {"S": "running"}},
        {"status": {"L": [{"S": "unfinished"}]}},
    ],
    ids=str,
)
def test_what_was_changed_while_a_run_waited_for_its_redrive_is_told(
    columns: dict[str, Any],
) -> None:
    of = world(own(status="unfinished"), {**worker(status="unfinished"), **columns})
    assert_parked_as_tampered(claimed(of, REDRIVE), of)
    assert of.item["claims"] == {"N": "2"}


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_second_delivery_leaves_the_run_to_the_execution_that_works_it_off(status: str) -> None:
    of = world(own(), worker())
    of.executions[HOLDER] = holder(status)
    before = json.dumps([of.item, of.worker])
    ended = claimed(of)
    assert ended.output == {"outcome": "duplicate", "runKey": KEY}
    assert json.dumps([of.item, of.worker]) == before
    assert (of.mails, of.parked, of.launches) == ([], [], [])


@pytest.mark.parametrize("status", ["complete", "unfinished"])
def test_a_second_delivery_leaves_a_run_alone_that_was_worked_off_or_parked(status: str) -> None:
    of = world(own(status=status), worker(status=status))
    ended = claimed(of)
    assert ended.output["outcome"] == "duplicate"
    assert (of.mails, of.parked, of.launches) == ([], [], [])


@pytest.mark.parametrize("status", ["", "FAILED", "ABORTED"])
def test_a_run_whose_execution_is_gone_goes_on_behind_its_work(status: str) -> None:
    progress = {"M": {"units_done": {"N": "3"}, "units_total": {"N": "8"}}}
    of = world(own(), worker(fence={"N": "10001"}, progress=progress))
    if status:
        of.executions[HOLDER] = holder(status)
    ended = claimed(of)
    assert ended.status == "SUCCEEDED"
    assert ended.variables["work"]["done"] == 3
    (launch,) = of.launches
    assert launch.environment["STEADYSPOT_FENCE"] == "20001"
    assert of.item["claims"] == {"N": "2"}
    assert of.item["execution"] == of.worker["execution"] == {"S": ME}


def test_work_that_is_complete_is_not_begun_again_by_who_takes_the_run_over() -> None:
    of = world(own(), worker(status="complete"))
    claimed(of)
    assert of.worker["status"] == of.item["status"] == {"S": "complete"}


def test_work_that_was_completed_since_the_look_is_not_begun_again() -> None:
    """Its execution was stopped once the worker had finished, and before it could close the run."""
    of = world(own(), worker())
    of.executions[HOLDER] = holder("ABORTED")
    seen: list[str] = []

    def watch(state: str, _variables: Any) -> None:
        if state == "Take the run over" and not seen:
            of.worker["status"] = {"S": "complete"}
        if of.worker["status"]["S"] == "complete" or seen:
            seen.append(of.worker["status"]["S"])

    ended = JOB.run(of, ASKED, name="me", watch=watch)
    assert ended.status == "SUCCEEDED"
    assert ended.states_entered.count("Take the run over") == 2
    assert set(seen) == {"complete"}
    assert of.item["status"] == {"S": "complete"}


def test_a_reply_to_the_claim_that_was_lost_changes_nothing() -> None:
    of = world({}, {})
    claimed(of)
    for items in ((own(ME), worker(ME)),):
        again = world(*items)
        assert claimed(again).states_entered[:2] == ["Claim the run", "Look at the weather"]


def test_a_claim_that_aws_could_not_answer_is_made_by_taking_what_is_nobody_s() -> None:
    of = world({}, {})
    of.faults = {"Claim the run": [("DynamoDb.InternalServerErrorException", "for now")]}
    ended = claimed(of)
    assert ended.status == "SUCCEEDED"
    assert of.item["claims"] == {"N": "1"}


def test_an_input_that_makes_no_sense_is_marked_and_told_under_a_key_that_can_be_one() -> None:
    of = world({}, {})
    ended = claimed(of, {"scheduledTime": "tomorrow\n"})
    assert (ended.status, ended.error) == ("FAILED", "Steadyspot.Misconfigured")
    assert of.item["run_key"] == {"S": "me"}
    assert of.item["status"] == of.worker["status"] == {"S": "unfinished"}
    assert len(of.parked) == len(of.mails) == 1


NASTY = "\x1b[31mred\r\nSubject: forged\u202egpj\u2066\u2028\u200b\x9b2J\x00"


@pytest.mark.parametrize(
    "request_",
    [
        {"scheduledTime": f"2026-11-24T02:00:00Z{NASTY}"},
        {"scheduledTime": "2026-11-24T02:00:0\n"},
        {"runKey": f"night{NASTY}"},
        {"runKey": "night\n"},
        {"runKey": 3},
        {"command": NASTY},
        {"budgets": NASTY},
        {"capacity": NASTY},
    ],
    ids=str,
)
def test_subject_of_a_run_that_could_not_be_claimed_is_one_that_is_delivered(
    request_: dict[str, Any],
) -> None:
    """A line break there loses the mail."""
    of = world({}, {})
    ended = claimed(of, request_)
    assert ended.status == "FAILED"
    (mail,) = of.mails
    assert re.fullmatch(r"[A-Za-z0-9 ._:,-]{1,99}", mail["Subject"])
    assert_printable(mail)


def test_what_aws_says_loses_what_steers_a_terminal_before_a_mail_has_it() -> None:
    of = world({}, {})
    stop = {"StopCode": NASTY, "StoppedReason": f"CannotPullContainerError: {NASTY} not found"}
    lost = Offer(ends_after=0.0, stop=stop, exit_code=None, reason=NASTY)
    of._market = lambda _launch, _left: lost
    ended = claimed(of)
    assert ended.error == "Steadyspot.Misconfigured"
    assert_printable(of.mails[0])
    (parked,) = of.parked
    assert all(character.isprintable() for character in parked["sentence"])
    assert "CannotPullContainerError" in parked["sentence"]


def assert_printable(mail: dict[str, Any]) -> None:
    body = json.loads(mail["Message"])
    for text in (mail["Subject"], *body["email"].split("\n")):
        assert all(character.isprintable() for character in text), repr(text)


# --- what ended with an execution goes on with the next -------------------------------------------

FIRST = {
    **BROKEN_OFF,
    "attempt": {"N": "1"},
    "seconds": {"N": "100"},
    "lost_seconds": {"N": "20"},
    "cause": {"S": "reclaimed"},
}


def broken_off(attempts: list[Any]) -> RunWorld:
    """A parked run whose last attempt ended with its execution."""
    rows = [{"M": attempt} for attempt in attempts]
    kept: dict[str, Any] = {"attempts": {"L": rows}} if rows else {}
    money = {"spot_seconds": {"N": "1100"}, "wasted_seconds": {"N": "20"}}
    item = own(status="unfinished", broken_off={"M": BROKEN_OFF}, **kept)
    return world(item | ({"money": {"M": money}} if attempts else {}), worker(status="unfinished"))


@pytest.mark.parametrize("attempts", [[], [FIRST]], ids=["alone", "behind-another"])
def test_an_attempt_that_ended_with_its_execution_is_counted_by_the_next(
    attempts: list[Any],
) -> None:
    of = broken_off(attempts)
    assert claimed(of, REDRIVE).status == "SUCCEEDED"
    numbers = [row["M"]["attempt"]["N"] for row in of.item["attempts"]["L"]]
    assert numbers == ["1", "2", "3"][-len(attempts) - 2 :]
    assert "broken_off" not in of.item
    # A thousand seconds are of attempts that are no longer carried along; 700 are the work.
    assert of.item["money"]["M"]["spot_seconds"] == {"N": "2650" if attempts else "1550"}


def test_an_attempt_that_ended_with_its_execution_is_kept_if_the_next_one_ends_so_too() -> None:
    of = broken_off([FIRST])

    def watch(state: str, _variables: Any) -> None:
        if state == "Run on Fargate Spot":
            raise StoppedHere

    with pytest.raises(StoppedHere):
        JOB.run(of, REDRIVE, name="me", watch=watch)
    assert [row["M"]["attempt"]["N"] for row in of.item["attempts"]["L"]] == ["1", "2"]


class StoppedHere(Exception):
    """The execution is stopped."""


def test_a_take_over_whose_reply_is_lost_goes_on() -> None:
    of = broken_off([FIRST])
    of.unanswered = ["Take the run over"]
    assert claimed(of, REDRIVE).status == "SUCCEEDED"
    assert of.parked == []
