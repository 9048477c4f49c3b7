"""A window of scheduled times: which there were, which are run, and never too many at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.contract.keys import scheduled_time_of
from steadyspot.deploy.runs.backfill import (
    Backfill,
    anchor_of,
    due_at,
    due_of,
    moment_of,
    times,
    times_of_all,
)
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.config import Schedule
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Clock, recorded

DAY = datetime(2026, 11, 24, tzinfo=UTC)


def run(key: str, status: str, scheduled: str = "") -> RunRecord:
    return recorded(
        {
            "job": {"S": "night"},
            "run_key": {"S": key},
            "status": {"S": status},
            "scheduled_time": {"S": scheduled},
        }
    )


def test_a_cron_window_holds_both_ends_and_knows_the_time_zone() -> None:
    found = times(
        "cron(0 2 * * ? *)",
        "Europe/Berlin",
        first=DAY + timedelta(hours=1),
        last=DAY + timedelta(days=2, hours=1),
        anchor=DAY,
    )
    assert [moment.isoformat() for moment in found] == [
        "2026-11-24T01:00:00+00:00",
        "2026-11-25T01:00:00+00:00",
        "2026-11-26T01:00:00+00:00",
    ]


@pytest.mark.parametrize(
    "anchor", [DAY - timedelta(minutes=45), DAY + timedelta(days=3, minutes=15)]
)
def test_a_rate_keeps_the_step_of_the_runs_there_were(anchor: datetime) -> None:
    found = times("rate(1 hour)", "UTC", first=DAY, last=DAY + timedelta(hours=2), anchor=anchor)
    assert [moment.minute for moment in found] == [15, 15]
    assert found[0] == DAY + timedelta(minutes=15)


def test_a_window_that_is_too_great_is_refused_before_anything_is_started() -> None:
    with pytest.raises(Trouble, match="smaller window"):
        times("rate(1 minute)", "UTC", first=DAY, last=DAY + timedelta(days=30), anchor=DAY)


def test_finished_ones_are_skipped_and_unfinished_ones_are_taken_up_again() -> None:
    moments = [DAY + timedelta(hours=hour) for hour in range(4)]
    due = due_of(
        moments,
        [
            run("20261124T000000Z", "complete"),
            run("20261124T010000Z", "running"),
            run("20261124T020000Z", "unfinished"),
        ],
    )
    assert [(one.note, one.again) for one in due] == [
        ("is complete already", True),
        ("is under way", True),
        ("", True),
        ("", False),
    ]


SCHEDULES = {
    "": Schedule("cron(0 2 * * ? *)", "Europe/Berlin"),
    "month": Schedule("cron(0 5 24 * ? *)", parameters={"full": True}),
    "often": Schedule("rate(12 hours)", parameters={"part": 2}),
    "once": Schedule("at(2026-11-24T07:00:00)"),
}


def test_a_window_has_the_times_of_all_schedules_with_what_each_gives() -> None:
    made = DAY + timedelta(minutes=7)
    found = times_of_all(
        SCHEDULES,
        first=DAY,
        last=DAY + timedelta(days=1),
        anchor=lambda name: {"often": made}[name],
    )
    assert {scheduled_time_of(at)[8:16]: given for at, given in found.items()} == {
        "24T00:07": {"part": 2},
        "24T01:00": {},
        "24T05:00": {"full": True},
        "24T07:00": {},
        "24T12:07": {"part": 2},
    }
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("hour", "name"), [(1, ""), (5, "month"), (7, "once"), (9, "often"), (12, "often")]
)
def test_the_schedule_that_was_due_at_a_time_is_known(hour: int, name: str) -> None:
    assert due_at(SCHEDULES, DAY + timedelta(hours=hour)) == name
    assert due_at({"": SCHEDULES[""]}, DAY + timedelta(hours=hour)) == ""


def test_what_is_typed_takes_the_place_of_what_the_schedule_gives() -> None:
    clock = Clock()
    machine = Machine(clock)
    backfill = Backfill(
        sfn=machine,
        runs=SimpleNamespace(several=lambda *_: []),  # type: ignore[arg-type]
        job="night",
        machine="m",
        at_once=5,
        request={"parameters": {"part": 3}},
        pause=clock.pause,
    )
    given = {DAY: {"part": 2, "full": True}, DAY + timedelta(hours=1): {}}
    list(backfill.run(backfill.due(given)))
    asked = [one["parameters"] for one in machine.inputs]
    assert asked == [{"part": 3, "full": True}, {"part": 3}]


class Machine:
    """Executions that run for 25 seconds of the clock each."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.begun: list[float] = []
        self.inputs: list[dict[str, Any]] = []
        self.most = 0

    def start_execution(self, **request: Any) -> dict[str, str]:
        self.begun.append(self.clock())
        self.inputs.append(json.loads(request["input"]))
        alive = sum(self.clock() - begun < 25 for begun in self.begun)
        self.most = max(self.most, alive)
        return {"executionArn": str(len(self.begun) - 1)}

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        ended = self.clock() - self.begun[int(executionArn)] >= 25
        return {"status": "SUCCEEDED" if ended else "RUNNING"}


def test_no_more_run_at_once_than_wanted() -> None:
    clock = Clock()
    machine = Machine(clock)
    backfill = Backfill(
        sfn=machine,
        runs=None,  # type: ignore[arg-type]
        job="night",
        machine="m",
        at_once=2,
        request={"capacity": "spot-only", "parameters": {"day": "2026-11-24"}},
        pause=clock.pause,
    )
    moments = [DAY + timedelta(hours=hour) for hour in range(6)]
    started = list(backfill.run(due_of(moments, [run("20261124T010000Z", "unfinished")])))
    assert [one.note for one in started] == ["is started"] * 6
    assert machine.most == 2
    given = {"capacity": "spot-only", "parameters": {"day": "2026-11-24"}}
    late_does_not_count = {"finishWithinMinutes": 0, **given}
    first, second, *_ = machine.inputs
    assert first == {"scheduledTime": "2026-11-24T00:00:00Z", **late_does_not_count}
    assert second == {**first, "scheduledTime": "2026-11-24T01:00:00Z", "redrive": True}


def test_what_takes_turns_is_asked_for_so_that_it_waits_and_is_not_skipped() -> None:
    clock = Clock()
    machine = Machine(clock)
    backfill = Backfill(
        sfn=machine,
        runs=None,  # type: ignore[arg-type]
        job="night",
        machine="m",
        at_once=1,
        request={},
        takes_turns=True,
        pause=clock.pause,
    )
    moments = [DAY + timedelta(hours=hour) for hour in range(3)]
    started = list(backfill.run(due_of(moments, [run("20261124T010000Z", "skipped")])))
    assert [one.note for one in started] == ["is started"] * 3
    assert machine.most == 1
    assert [one["redrive"] for one in machine.inputs] == [True] * 3


def test_moments_and_anchors() -> None:
    assert moment_of("2026-11-24", "--from") == DAY
    assert moment_of("2026-11-24T02:00:00+02:00", "--from") == DAY
    assert anchor_of([], DAY) == DAY
    assert anchor_of([run("k", "complete", "2026-11-24T00:15:00Z")], DAY).minute == 15


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "20261124T020000Z",
        "2026-W48",
        "2026-11-24T02",
        "2026-11-24T02:00:00",
        "2026-13-01",
        "2026-02-30",
        "2026-11-24T25:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "2026-11-24\n",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Trouble, match="is no time"):
        moment_of(text, "--to")


def test_a_rate_of_ages_has_one_time_in_a_window() -> None:
    window = {"first": DAY - timedelta(days=1), "last": DAY + timedelta(days=1)}
    for rate in ("rate(999999999 days)", "rate(900000 days)"):
        assert times(rate, "UTC", **window, anchor=DAY) == [DAY]
