"""*At the deadline* in virtual time: people are told once, at the moment, while the run goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steadyspot.deploy.schedules.zones import offsets_of
from steadyspot.statemachines.composing import FOLDER
from steadyspot.statemachines.render import definition
from tests.virtual.machine import Ended, Machine, iso, substituted
from tests.virtual.world import Offer, RunWorld

START = 1_790_000_000.0
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:shop-night:hand-1"


def machine(within: float = 30.0, zone: str = "") -> Machine:
    names = {
        "Job": "night",
        "Region": "us-east-1",
        "ZoneOffsets": zone,
        "Table": "runs",
        "Topic": "arn:topic",
        "FinishWithinMinutes": f"{within:g}",
    }
    return Machine(substituted(json.dumps(definition("at-the-deadline")), tuple(names.items())))


SCHEMA = Draft202012Validator(
    json.loads((FOLDER.parent / "schemas" / "notification.schema.json").read_text("utf-8"))
)


class LateWorld:
    """The run table with the workflow's item of one run, and the topic."""

    def __init__(self, execution: str = EXECUTION, status: str = "running") -> None:
        self.now = START
        self.table = RunWorld(now=START, work_seconds=1.0, market=lambda *_: Offer())
        self.item = self.table.item
        self.item |= {"status": {"S": status}, "execution": {"S": execution}}
        self.keys: list[Any] = []
        self.mails: list[dict[str, Any]] = []
        self.told_at = 0.0

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        if resource.endswith("transactGetItems"):
            ((_, get),) = arguments["TransactItems"][0].items()
            self.keys.append(get["Key"])
            return {"Responses": [{"Item": self.item}]}
        if resource.endswith("updateItem"):
            return self.table.call(resource, arguments, timeout_seconds, state)
        self.mails.append(arguments)
        self.told_at = self.now
        return {}


def begins(
    world: LateWorld, request: Any = None, *, within: float = 30.0, name: str = "x"
) -> Ended:
    detail = {
        "executionArn": EXECUTION,
        "name": "hand-1",
        "status": "RUNNING",
        "startDate": round(START * 1000),
        "input": json.dumps(request or {}),
    }
    return machine(within).run(world, detail, name=name)


def test_people_are_told_at_the_deadline_while_the_run_goes_on() -> None:
    world = LateWorld()
    assert begins(world).status == "SUCCEEDED"
    (mail,) = world.mails
    assert world.told_at == pytest.approx(START + 30 * 60, abs=1)
    assert mail["Subject"] == "Steadyspot: night hand-1 is late: its deadline has passed"
    told = json.loads(mail["Message"])
    assert "not finished by its deadline, 2026-09-21 14:43 UTC. It goes on." in told["email"]
    for verb in ("explain", "logs", "watch"):
        assert f"\n  steadyspot {verb} night hand-1\n" in told["email"]
    notification = json.loads(told["default"])
    SCHEMA.validate(notification)
    assert (notification["outcome"], notification["severity"]) == ("late", "warning")


@pytest.mark.parametrize("status", ["complete", "unfinished"])
def test_a_run_that_is_over_costs_two_states_and_no_mail(status: str) -> None:
    world = LateWorld(status=status)
    seen: list[str] = []
    event = {
        "executionArn": EXECUTION,
        "name": "hand-1",
        "startDate": round(START * 1000),
        "input": "{}",
    }
    ended = machine().run(world, event, name="x", watch=lambda state, _: seen.append(state))
    assert (ended.status, world.mails) == ("SUCCEEDED", [])
    assert len(seen) == 2


def test_the_deadline_is_told_by_the_clock_of_the_job_s_zone_too() -> None:
    world = LateWorld()
    event = {"executionArn": EXECUTION, "name": "x", "startDate": START * 1000, "input": "{}"}
    zone = offsets_of("Asia/Kolkata")
    assert machine(zone=zone).run(world, event, name="x").status == "SUCCEEDED"
    assert "2026-09-21 14:43 UTC (20:13 Asia/Kolkata). It goes on." in world.mails[0]["Message"]


def test_it_is_told_once_whatever_is_delivered_twice() -> None:
    world = LateWorld()
    begins(world)
    world.now = START
    assert begins(world, name="y").status == "SUCCEEDED"
    assert len(world.mails) == 1


def test_it_is_told_though_the_reply_to_what_was_written_down_is_lost() -> None:
    world = LateWorld()
    world.table.unanswered = ["Write down that it is late"]
    assert begins(world).status == "SUCCEEDED"
    assert len(world.mails) == 1


@pytest.mark.parametrize(
    ("request_", "within", "seconds"),
    [
        ({"finishWithinMinutes": 5}, 0.0, 300.0),
        ({"scheduledTime": iso(START - 600)[:-5] + "Z"}, 30.0, 1200.0),
        ({"goesOn": {"begun": round((START - 900) * 1000)}}, 30.0, 900.0),
        ({"finishWithinMinutes": 0}, 30.0, None),
        ({"scheduledTime": iso(START - 86_400)[:-5] + "Z", "redrive": True}, 30.0, None),
        ({}, 0.0, None),
    ],
)
def test_the_deadline_is_that_of_the_run(
    request_: dict[str, Any], within: float, seconds: float | None
) -> None:
    world = LateWorld()
    assert begins(world, request_, within=within).status == "SUCCEEDED"
    if seconds is None:
        assert (world.mails, world.now) == ([], START)
    else:
        assert world.told_at - START == pytest.approx(seconds, abs=1)


def test_who_handed_the_run_over_leaves_the_telling_to_the_next_execution() -> None:
    world = LateWorld(execution=EXECUTION + "-2")
    assert begins(world).status == "SUCCEEDED"
    assert world.mails == []


@pytest.mark.parametrize("given", [{}, {"input": None}, {"input": "[1]"}])
def test_an_event_that_is_none_harms_nobody(given: dict[str, Any]) -> None:
    world = LateWorld()
    machine().run(world, given, name="x")
    assert world.mails == []
