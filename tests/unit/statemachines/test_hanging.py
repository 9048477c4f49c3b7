"""An attempt that comes to no end is told of once, while the run goes on, and only if it does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steadyspot.statemachines.render import FOLDER
from tests.unit.statemachines.test_causes import ESSENTIAL
from tests.unit.statemachines.test_random_outcomes import START, stop
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine
from tests.virtual.world import Offer, RunWorld

MACHINE = Machine(job_definition(ExpectedMinutes="20"))
SCHEMA = json.loads((FOLDER.parent / "schemas" / "notification.schema.json").read_text())
HOUR = 3600.0
HANGS = Offer(ends_after=HOUR - 150, stop=stop(*ESSENTIAL), exit_code=124, reason="timed-out")


def mails(
    *offers: Offer, work_seconds: float = HOUR - 120, **request: Any
) -> tuple[list[dict[str, Any]], list[str], list[float]]:
    """What was told of a run that meets these, the subjects, and when."""
    left = list(offers)
    world = RunWorld(
        now=START,
        work_seconds=work_seconds,
        market=lambda *_: left.pop(0) if left else Offer(),
        reports=False,
    )
    told: list[float] = []

    def watch(_state: str, _variables: object) -> None:
        told.extend([world.now] * (len(world.mails) - len(told)))

    MACHINE.run(world, request, name="x", watch=watch)
    found = [json.loads(json.loads(mail["Message"])["default"]) for mail in world.mails]
    for one in found:
        Draft202012Validator(SCHEMA).validate(one)
    return found, [mail["Subject"] for mail in world.mails], told


def test_an_attempt_that_hangs_is_told_before_the_next_one_begins() -> None:
    found, subjects, told = mails(HANGS)
    assert [one["outcome"] for one in found] == ["hanging", "finished"]
    assert subjects[0].endswith(" x hangs: attempt 1 came to no end")
    assert found[0]["severity"] == "warning"
    assert told[0] - START == pytest.approx(HOUR - 150, abs=60)
    assert "limit_minutes" in found[0]["nextStep"]


def test_a_run_that_hangs_again_ends_and_is_told_as_failed() -> None:
    found, _, _ = mails(HANGS, HANGS)
    assert [(one["outcome"], one["cause"]) for one in found] == [
        ("hanging", "time-limit"),
        ("failed", "time-limit"),
    ]


def test_one_failure_is_one_mail_where_nothing_more_is_tried() -> None:
    found, _, _ = mails(HANGS, budgets={"interruptions": 0})
    assert [one["outcome"] for one in found] == ["failed"]


def test_an_attempt_that_makes_way_for_on_demand_does_not_hang() -> None:
    gives_way = Offer(ends_after=700.0, stop=stop(*ESSENTIAL), exit_code=124, reason="timed-out")
    found, _, _ = mails(
        gives_way, work_seconds=2 * HOUR, finishWithinMinutes=145, expectedMinutes=130
    )
    assert [one["outcome"] for one in found] == ["fell-back"]
