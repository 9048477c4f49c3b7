"""*After its time* in virtual time: people are told of a time whose run has not finished."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steadyspot.contract import Status
from steadyspot.statemachines.causes.of_runs import REPLACED
from steadyspot.statemachines.composing import FOLDER
from steadyspot.statemachines.render import definition
from tests.virtual.machine import Ended, Machine, TaskFailed, iso, substituted

START = 1_790_000_000.0
TIME = iso(START)[:19] + "Z"
KEY = TIME.replace("-", "").replace(":", "")
AFTER = 75
NAMES = {
    "Job": "night",
    "Region": "us-east-1",
    "Table": "runs",
    "Topic": "arn:topic",
    "ZoneOffsets": "",
}


def looking_definition() -> Any:
    """The definition, with names filled in."""
    return substituted(json.dumps(definition("after-its-time")), tuple(NAMES.items()))


MACHINE = Machine(looking_definition())
SCHEMA = Draft202012Validator(
    json.loads((FOLDER.parent / "schemas" / "notification.schema.json").read_text("utf-8"))
)
Runs = Callable[[float], dict[str, str]]
"""What runs the table has at a moment, in seconds since the time: status by key."""


class Table:
    """The run table and the topic."""

    def __init__(self, runs: Runs, cause: str = "job-failed", failures: int = 0) -> None:
        self.now = START
        self.looked_at: list[float] = []
        self.mails: list[dict[str, Any]] = []
        self._runs, self._cause, self._failures = runs, cause, failures

    def call(self, resource: str, arguments: Any, _timeout_seconds: int, _state: str) -> Any:
        if resource.endswith("sns:publish"):
            self.mails.append(arguments)
            return {}
        assert arguments["ConsistentRead"]
        self.looked_at.append(self.now - START)
        if self._failures:
            self._failures -= 1
            raise TaskFailed("DynamoDb.DynamoDbException", "not now")
        first, last = (
            arguments["ExpressionAttributeValues"][name]["S"] for name in (":first", ":last")
        )
        found = self._runs(self.now - START)
        return {
            "Items": [
                {
                    "run_key": {"S": key},
                    "status": {"S": status},
                    **({"cause": {"S": self._cause}} if status == Status.UNFINISHED else {}),
                }
                for key, status in sorted(found.items())
                if first <= key <= last
            ]
        }


def look(table: Table, **more: Any) -> Ended:
    request = {"scheduledTime": TIME, "lookAfterMinutes": AFTER, **more}
    return MACHINE.run(table, request, name="look", machine="shop-night-AfterItsTime")


def told(table: Table) -> dict[str, Any]:
    (mail,) = table.mails
    message = json.loads(mail["Message"])
    notification: dict[str, Any] = json.loads(message["default"])
    SCHEMA.validate(notification)
    return {**notification, "subject": mail["Subject"], "email": message["email"]}


def test_a_time_without_a_run_is_told_with_the_line_to_type_once_its_start_is_given_up() -> None:
    table = Table(lambda _: {})
    assert look(table).status == "SUCCEEDED"
    assert table.looked_at == pytest.approx([AFTER * 60], abs=1)
    mail = told(table)
    assert (mail["outcome"], mail["severity"], mail["runKey"]) == ("missed", "error", KEY)
    assert mail["subject"] == f"Steadyspot: night {KEY} was missed: no run was started"
    assert "No run was started that was due at 2026-09-21 14:13 UTC." in mail["email"]
    assert f"\n  steadyspot redrive night --from {TIME} --to {TIME}\n" in mail["email"]
    assert "\n  steadyspot check night\n" in mail["email"]


@pytest.mark.parametrize("status", ["complete", "skipped"])
def test_a_time_that_was_worked_off_or_passed_over_costs_four_states_and_no_mail(
    status: str,
) -> None:
    table = Table(lambda _: {KEY: status})
    ended = look(table)
    assert (ended.status, table.mails) == ("SUCCEEDED", [])
    assert len(ended.states_entered) == 4


def test_a_run_that_was_replaced_by_a_newer_one_is_not_missed() -> None:
    table = Table(lambda _: {KEY: "unfinished"}, cause=REPLACED.name)
    look(table)
    assert not table.mails


def test_a_run_that_failed_is_told_with_its_key() -> None:
    table = Table(lambda _: {KEY: "unfinished"})
    look(table)
    mail = told(table)
    assert "ended unfinished, and nobody has taken it up since" in mail["sentence"]
    assert mail["subject"].endswith("was missed: its run has not finished")
    for verb in ("explain", "logs", "redrive"):
        assert f"\n  steadyspot {verb} night {KEY}\n" in mail["email"]


@pytest.mark.parametrize(("end", "mails"), [("complete", 0), ("unfinished", 1)])
def test_a_run_under_way_is_looked_at_ever_more_rarely_until_it_ends(end: str, mails: int) -> None:
    a_week = 7 * 86_400

    table = Table(lambda since: {KEY: "running" if since < a_week else end})
    look(table)
    assert len(table.mails) == mails
    assert len(table.looked_at) == 9
    waits = [b - a for a, b in zip(table.looked_at, table.looked_at[1:], strict=False)]
    assert waits[1:] == pytest.approx([2 * wait for wait in waits[:-1]], rel=0.01)


def test_a_run_that_was_redriven_in_time_is_not_missed() -> None:
    def status(since: float) -> str:
        hours = since / 3600
        return "unfinished" if hours < 1 else "running" if hours < 3 else "complete"

    table = Table(lambda since: {KEY: status(since)})
    look(table)
    assert len(table.looked_at) == 3
    assert not table.mails


@pytest.mark.parametrize(
    "others",
    [
        {"by-hand": "complete"},
        {"20260920T141320Z": "complete", "20260922T141320Z": "complete"},
    ],
)
def test_neither_a_run_by_hand_nor_one_of_another_time_counts(others: dict[str, str]) -> None:
    table = Table(lambda _: others)
    look(table)
    assert told(table)["runKey"] == KEY


@pytest.mark.parametrize(
    ("seconds_before", "missed"), [(0, False), (200, False), (299, False), (301, True), (-1, True)]
)
def test_of_a_rate_one_run_is_looked_for_in_the_period_before(
    seconds_before: int, missed: bool
) -> None:
    key = iso(START - seconds_before)[:19].replace("-", "").replace(":", "") + "Z"
    table = Table(lambda _: {key: "complete"})
    look(table, everyMinutes=5)
    assert bool(table.mails) is missed
    if missed:
        line = f"steadyspot redrive night --from {iso(START - 299)[:19]}Z --to {TIME}"
        assert line in told(table)["email"]


def test_a_part_of_a_run_that_is_complete_does_not_count_for_the_run() -> None:
    table = Table(lambda _: {KEY[:-3] + "19Z.s0001": "complete", KEY[:-3] + "19Z": "unfinished"})
    look(table, everyMinutes=5)
    assert told(table)["runKey"] == KEY[:-3] + "19Z"


def test_a_table_in_trouble_is_asked_again_later() -> None:
    table = Table(lambda _: {KEY: "complete"}, failures=2)
    assert look(table).status == "SUCCEEDED"
    assert len(table.looked_at) == 3
    assert not table.mails


@pytest.mark.parametrize("request_", [{}, {"scheduledTime": "soon"}, {"scheduledTime": 7}])
def test_a_start_by_hand_that_names_no_time_tells_nothing(request_: dict[str, Any]) -> None:
    table = Table(lambda _: {})
    ended = MACHINE.run(table, request_, name="look")
    assert (ended.status, table.mails) == ("SUCCEEDED", [])


def test_a_topic_that_refuses_fails_nothing() -> None:
    class NoTopic(Table):
        def call(self, resource: str, arguments: Any, timeout: int, state: str) -> Any:
            if resource.endswith("sns:publish"):
                raise TaskFailed("SNS.NotFoundException")
            return super().call(resource, arguments, timeout, state)

    assert look(NoTopic(lambda _: {})).status == "SUCCEEDED"
