"""On-demand that is refused: people are told at the first refusal, and once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steadyspot.statemachines.render import FOLDER
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

START = 1_790_000_000.25
MACHINE = Machine(job_definition())
SCHEMA = FOLDER.parent / "schemas" / "notification.schema.json"
HOUR = 3600.0


def run(refusals: int, **request: Any) -> tuple[Ended, RunWorld, list[float]]:
    """A run to which on-demand is refused so often; and when people were told."""
    left = [Offer(error=REFUSED)] * refusals
    told: list[float] = []

    def market(launch: Launch, _left: float) -> Offer:
        return left.pop() if left and launch.capacity == "on-demand" else Offer()

    world = RunWorld(now=START, work_seconds=600.0, market=market)

    def watch(_state: str, _variables: object) -> None:
        told.extend([world.now] * (len(world.mails) - len(told)))

    given = {"capacity": "on-demand-only", **request}
    return MACHINE.run(world, given, name="x", watch=watch), world, told


def notifications(world: RunWorld) -> list[dict[str, Any]]:
    return [json.loads(json.loads(mail["Message"])["default"]) for mail in world.mails]


def test_the_first_refusal_is_told_at_once_and_the_next_ones_are_not() -> None:
    ended, world, told = run(12)
    assert ended.status == "SUCCEEDED"
    waiting, finished = notifications(world)
    assert world.now - START > 4 * HOUR
    assert told[0] - START < 1
    assert (waiting["outcome"], waiting["severity"]) == ("waiting", "warning")
    assert waiting["cause"] == "no-capacity"
    assert "tried again" in waiting["nextStep"]
    assert "redrive" not in waiting["nextStep"]
    assert finished["outcome"] == "finished"
    for notification in (waiting, finished):
        Draft202012Validator(json.loads(SCHEMA.read_text())).validate(notification)
    subject, mail = world.mails[0]["Subject"], json.loads(world.mails[0]["Message"])["email"]
    assert "waits for on-demand capacity" in subject
    assert "AWS had no capacity" in mail


def test_it_is_told_after_a_fallback_from_spot_too_and_again_only_in_a_redrive() -> None:
    ended, world, _ = run(60)
    assert ended.error == "Steadyspot.Refused"
    assert [n["outcome"] for n in notifications(world)] == ["waiting", "failed"]
    # The redrive has budgets of its own.
    left = [Offer(error=REFUSED)] * 2
    world._market = lambda launch, _left: left.pop() if left else Offer()
    request = {"capacity": "on-demand-only", "redrive": True, "runKey": "x"}
    again = MACHINE.run(world, request, name="again")
    assert again.status == "SUCCEEDED"
    assert [n["outcome"] for n in notifications(world)][2:] == ["waiting", "finished"]


def test_a_topic_that_refuses_does_not_keep_the_run_from_waiting() -> None:
    market = iter([Offer(error=REFUSED)])
    world = RunWorld(now=START, work_seconds=600.0, market=lambda *_: next(market, Offer()))
    world.faults = {"Tell people it waits": [("SNS.NotFoundException", "")]}
    ended = MACHINE.run(world, {"capacity": "on-demand-only"}, name="x")
    assert ended.status == "SUCCEEDED"
    assert len(world.mails) == 1


@pytest.mark.parametrize("within", [0, 60])
def test_spot_that_is_refused_is_not_told_while_it_can_be_waited_for(within: int) -> None:
    refused = [Offer(error=REFUSED)] * 3
    world = RunWorld(
        now=START, work_seconds=600.0, market=lambda *_: refused.pop() if refused else Offer()
    )
    ended = MACHINE.run(world, {"finishWithinMinutes": within, "expectedMinutes": 10}, name="x")
    assert ended.status == "SUCCEEDED"
    assert [n["outcome"] for n in notifications(world)] == ["finished"]
