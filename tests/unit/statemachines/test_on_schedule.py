"""Which runs count against a missed night: those that finished and were due of late."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.contract import messages
from tests.unit.statemachines.claims import START, TIME, own, worker, world
from tests.unit.statemachines.turns import ASKED, EARLIER, LATER, described, met, turn
from tests.unit.templates import of_type
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld

JOB = Machine(job_definition())
HOUR = 3600
FAILED = Offer(
    ends_after=100.0,
    reason="",
    stop={"StopCode": "EssentialContainerExited", "StoppedReason": "Essential container"},
    exit_code=3,
)


def due(hours_ago: float) -> str:
    return iso(START - hours_ago * HOUR)[:19] + "Z"


def output_of(request: dict[str, Any], of: RunWorld | None = None) -> dict[str, Any]:
    ended = JOB.run(of or world({}, {}), request, name="me")
    assert ended.status == "SUCCEEDED"
    return dict(ended.output)


@pytest.mark.parametrize(
    ("request_", "counts"),
    [
        ({"scheduledTime": due(0)}, True),
        ({"scheduledTime": due(25)}, True),  # the night before: it is due within 26 hours
        ({"scheduledTime": due(27)}, False),  # a window of old times is worked off
        ({}, False),
        ({"runKey": "by-hand"}, False),
    ],
)
def test_a_run_that_was_due_of_late_is_on_schedule(request_: dict[str, Any], counts: bool) -> None:
    told = output_of(request_)[messages.SCHEDULE_KEPT]
    assert told == (messages.ON_SCHEDULE if counts else messages.OFF_SCHEDULE)


def test_a_run_with_trouble_behind_it_counts_too() -> None:
    offers = [Offer(ends_after=300.0)]

    def market(_launch: Launch, _left: float) -> Offer:
        return offers.pop() if offers else Offer()

    of = RunWorld(now=START, work_seconds=700.0, market=market)
    assert output_of({"scheduledTime": due(0)}, of)[messages.SCHEDULE_KEPT] == messages.ON_SCHEDULE


def test_a_duplicate_does_not_count() -> None:
    of = world(own(status="complete"), worker(status="complete"))
    assert messages.ON_SCHEDULE not in json.dumps(output_of({"scheduledTime": TIME}, of))


@pytest.mark.parametrize("policy", ["skip", "queue", "replace"])
def test_a_run_that_is_passed_over_does_not_count(policy: str) -> None:
    of = met(turn(EARLIER, f"{EARLIER}/{EARLIER}/another", due=LATER), described())
    jobs = Machine(job_definition(Overlap=policy, QueueAtMost="1"))
    ended = jobs.run(of, ASKED, name="me")
    assert ended.output["outcome"] == messages.SKIPPED
    assert messages.ON_SCHEDULE not in json.dumps(ended.output)


def test_a_run_that_failed_does_not_count() -> None:
    of = RunWorld(now=START, work_seconds=700.0, market=lambda *_: FAILED)
    ended = JOB.run(of, {"scheduledTime": due(0)}, name="me")
    assert ended.status == "FAILED"


def test_the_rule_counts_what_says_so_and_the_alarm_looks_at_the_rule() -> None:
    rule = of_type("job", "AWS::Events::Rule")["OnSchedule"]
    detail = rule["EventPattern"]["detail"]
    assert detail["output"] == [{"wildcard": f'*"{messages.ON_SCHEDULE}"*'}]
    assert messages.ON_SCHEDULE not in messages.OFF_SCHEDULE
    alarm = of_type("job", "AWS::CloudWatch::Alarm")["MissedAlarm"]
    assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": "OnSchedule"}}]
