"""``status``: how all jobs stand, from few calls, worst first; on moto's table with its index."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from steadyspot.contract import Capacity, Overlap, Status
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.as_json import form_of
from steadyspot.deploy.aws.prices import US_EAST_1
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.cli.verbs.status import command
from steadyspot.deploy.runs.fleet import JobStatus, Scheduled, Seen, due_before, judged
from steadyspot.deploy.runs.fleet_reading import read
from steadyspot.deploy.runs.fleet_shown import COLUMNS, cells, next_steps
from steadyspot.deploy.runs.records import Totals
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.stacks.config import Schedule
from tests.unit.deploy.fleets import (
    TABLE,
    Counted,
    days_before,
    items_of,
    nightly,
    run_table,
    target_of,
    totals_item,
)

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=300)
ON, OFF = (Scheduled(enabled=on, since=LONG_AGO) for on in (True, False))
TONIGHT = days_before(NOW, 0)
JOB = nightly(0)
FORM = Draft202012Validator(form_of("status"))


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with run_table() as client:
        yield client


def put(client: Any, *items: Any) -> None:
    for begin in range(0, len(items), 25):
        puts = [{"PutRequest": {"Item": item}} for item in items[begin : begin + 25]]
        client.batch_write_item(RequestItems={TABLE: puts})


def standing(
    client: Any, schedule: Scheduled | None = ON, ringing: tuple[str, ...] = ()
) -> JobStatus:
    """How the one job stands."""
    schedules = {JOB.name: (schedule.enabled, schedule.since)} if schedule else {}
    key = run_key_of(scheduled_time_of(TONIGHT))
    services = Counted(schedules=schedules, tasks=[(JOB.name, key, Capacity.SPOT)], ringing=ringing)
    (found,) = read(target_of(client, [JOB], services), NOW)
    return found


def test_a_time_without_a_record_is_missed_and_the_line_to_type_is_told(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, days_before(NOW, 1)))
    found = standing(dynamodb)
    assert (found.state, found.missed) == ("missed", "2026-11-27T02:00:00Z")
    assert list(next_steps([found])) == [
        "Missed: steadyspot redrive job-000 --from 2026-11-27T02:00:00Z"
    ]


def test_a_finished_run_of_the_last_time_is_fine(dynamodb: Any) -> None:
    put(
        dynamodb,
        *items_of(JOB.name, TONIGHT),
        totals_item(JOB.name, "2026-11", {25: 1, 27: 1}, TONIGHT, cost=2.0),
    )
    found = standing(dynamodb)
    assert (found.state, found.missed, found.parked) == ("finished", "", 0)
    assert (found.last_status, found.next_due) == ("complete", "2026-11-28T02:00:00Z")
    assert found.days == ["missed"] * 4 + ["finished", "missed", "finished"]
    assert (found.cost, round(found.saving, 3)) == (2.0, 0.667)


def test_a_run_under_way_shows_capacity_progress_and_deadline(dynamodb: Any) -> None:
    progress = {"M": {"units_done": {"N": "12"}, "units_total": {"N": "40"}}}
    put(dynamodb, *items_of(JOB.name, TONIGHT, Status.RUNNING, progress=progress))
    found = standing(dynamodb)
    (run,) = found.running
    assert found.state == "running"
    assert (run.capacity, run.units_done, run.units_total) == ("spot", 12, 40)
    assert run.deadline == "2026-11-27T12:00:00Z"


def test_a_run_without_a_task_waits_for_capacity(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, days_before(NOW, 1), Status.RUNNING))
    put(dynamodb, *items_of(JOB.name, TONIGHT))
    assert standing(dynamodb).running[0].capacity == ""


def test_what_is_parked_stays_seen_until_it_is_redriven_or_forgotten(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, days_before(NOW, 3), Status.UNFINISHED))
    put(dynamodb, *items_of(JOB.name, TONIGHT))
    found = standing(dynamodb)
    assert (found.state, found.parked, found.days[3]) == ("parked", 1, "unfinished")
    key = run_key_of(scheduled_time_of(days_before(NOW, 3)))
    RunTable(dynamodb, TABLE).close(JOB.name, key)
    assert standing(dynamodb).parked == 0
    RunTable(dynamodb, TABLE).close(JOB.name, "never-was")


def test_closing_leaves_a_run_that_is_under_way(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, TONIGHT, Status.RUNNING))
    RunTable(dynamodb, TABLE).close(JOB.name, run_key_of(scheduled_time_of(TONIGHT)))
    assert len(standing(dynamodb).running) == 1


def test_a_start_that_only_the_queue_knows_shows_by_its_alarm(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, TONIGHT))
    assert standing(dynamodb, ringing=("shop-job-000-parked",)).state == "parked"
    assert standing(dynamodb, ringing=("shop-job-0000-parked",)).state == "finished"


def test_a_run_that_waits_for_its_turn_is_not_missed(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, days_before(NOW, 1), Status.RUNNING))
    taking_turns = replace(JOB, overlap=Overlap.QUEUE)
    for job, state in ((JOB, "missed"), (taking_turns, "late")):
        services = Counted(schedules={JOB.name: (True, LONG_AGO)})
        (found,) = read(target_of(dynamodb, [job], services), NOW)
        assert found.state == state


def test_a_paused_job_misses_nothing(dynamodb: Any) -> None:
    found = standing(dynamodb, OFF)
    assert (found.state, found.missed, found.paused, found.next_due) == ("paused", "", True, "")
    assert set(found.days) == {"none"}


def test_a_schedule_that_is_gone_is_told(dynamodb: Any) -> None:
    found = standing(dynamodb, None)
    assert found.state == "not deployed"
    assert "steadyspot up" in found.note


def test_nothing_is_missed_before_the_schedule_was_made(dynamodb: Any) -> None:
    since = TONIGHT + timedelta(minutes=1)
    assert standing(dynamodb, Scheduled(enabled=True, since=since)).state == "no run"


@pytest.mark.parametrize(("minutes", "missed"), [(44, False), (46, True)])
def test_a_start_that_is_spread_has_its_window_before_it_counts_as_missed(
    minutes: int, missed: bool
) -> None:
    seen = Seen("job-000", replace(JOB, spread_minutes=30), {"": ON})
    due = due_before(seen, TONIGHT + timedelta(minutes=minutes))
    assert (due == TONIGHT) is missed


MANY = replace(
    JOB,
    schedules={
        "often": Schedule("rate(6 hours)"),
        "month": Schedule("cron(0 9 27 * ? *)", "Europe/Berlin"),
        "once": Schedule("at(2026-11-28T01:00:00)"),
    },
)


def test_all_schedules_of_a_job_say_when_it_is_due_and_was(dynamodb: Any) -> None:
    made = NOW - timedelta(hours=40)
    schedules = {
        JOB.name: (True, LONG_AGO),
        f"{JOB.name}.often": (True, made),
        f"{JOB.name}.month": (True, LONG_AGO),
        f"{JOB.name}.once": (True, LONG_AGO),
    }
    (found,) = read(target_of(dynamodb, [MANY], Counted(schedules=schedules)), NOW)
    assert found.next_due == "2026-11-27T14:00:00Z"
    assert found.missed == "2026-11-27T08:00:00Z"
    schedules[f"{JOB.name}.often"] = (False, made)
    (found,) = read(target_of(dynamodb, [MANY], Counted(schedules=schedules)), NOW)
    assert (found.next_due, found.paused) == ("2026-11-28T01:00:00Z", False)
    del schedules[f"{JOB.name}.once"]
    (found,) = read(target_of(dynamodb, [MANY], Counted(schedules=schedules)), NOW)
    assert found.note == "its schedule is not there: steadyspot up"
    rests = {name: (False, since) for name, (_, since) in schedules.items()}
    (found,) = read(target_of(dynamodb, [MANY], Counted(schedules=rests)), NOW)
    assert (found.paused, found.next_due, found.missed) == (True, "", "")


@pytest.mark.parametrize(("minutes", "missed"), [(14, False), (16, True)])
def test_a_start_has_a_while_before_it_counts_as_missed(minutes: int, missed: bool) -> None:
    seen = Seen("job-000", JOB, {"": ON})
    now = TONIGHT + timedelta(minutes=minutes)
    due = due_before(seen, now)
    assert (due == TONIGHT) is missed


def test_a_rate_is_counted_from_its_latest_run() -> None:
    rate = replace(JOB, schedule="rate(6 hours)")
    totals = Totals({}, 0, 0, "20261127T013000Z", "2026-11-27T01:40:00Z")
    seen = Seen("job-000", rate, {"": ON}, months={"2026-11": totals})
    assert due_before(seen, NOW) == datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
    assert judged(seen, US_EAST_1, NOW).next_due == "2026-11-27T13:30:00Z"


def test_a_job_of_somebody_elses_configuration_is_shown_too(dynamodb: Any) -> None:
    services = Counted(schedules={"other": (True, LONG_AGO)})
    found = read(target_of(dynamodb, [], services), NOW)
    assert [(one.job, one.state) for one in found] == [("other", "no run")]
    assert "not in the configuration" in found[0].note


def test_300_jobs_take_few_calls_and_finished_runs_none(dynamodb: Any) -> None:
    jobs = [nightly(number) for number in range(300)]
    at_work = [items_of(job.name, TONIGHT, Status.RUNNING) for job in jobs[:40]]
    put(dynamodb, *(item for items in at_work for item in items))
    key = run_key_of(scheduled_time_of(TONIGHT))
    tasks = [(job.name, key, Capacity.SPOT) for job in jobs[:40]]
    schedules = {job.name: (True, LONG_AGO) for job in jobs}
    taken = []
    for _ in range(2):
        services = Counted(schedules=schedules, tasks=tasks)
        read(target_of(dynamodb, jobs, services), NOW)
        taken.append(services.calls)
        put(dynamodb, *(next(iter(items_of(job.name, days_before(NOW, 1)))) for job in jobs))
    assert taken[0] == taken[1] <= 18  # and two for the platform's stack


def test_the_index_holds_no_finished_run(dynamodb: Any) -> None:
    put(dynamodb, *items_of(JOB.name, TONIGHT))
    put(dynamodb, *items_of(JOB.name, days_before(NOW, 1), Status.UNFINISHED))
    table = RunTable(dynamodb, TABLE)
    assert [key for _, key in table.open_runs(NOW)] == ["20261126T020000Z"]
    assert table.open_runs(NOW + timedelta(days=40)) == []


def test_the_json_has_its_form(dynamodb: Any) -> None:
    progress = {"M": {"units_done": {"N": "12"}}}
    put(dynamodb, *items_of(JOB.name, TONIGHT, Status.RUNNING, progress=progress))
    put(dynamodb, *items_of(JOB.name, days_before(NOW, 1), Status.UNFINISHED))
    put(dynamodb, totals_item(JOB.name, "2026-11", {25: 1}, days_before(NOW, 2), cost=2.0))
    services = Counted(schedules={JOB.name: (True, LONG_AGO)})
    target = target_of(dynamodb, [JOB, nightly(1)], services)
    out = io.StringIO()
    screen = Screen(Console(file=out))
    getattr(command.callback, "__wrapped__")(target, screen, watch=False, machine=True)  # noqa: B009
    told = json.loads(out.getvalue())
    assert [*FORM.iter_errors(told)] == []
    assert {one["job"] for one in told} == {JOB.name, "job-001"}


def test_worst_first_on_80_columns(dynamodb: Any) -> None:
    jobs = [nightly(number) for number in range(5)]
    put(dynamodb, *items_of(jobs[1].name, TONIGHT, Status.UNFINISHED))
    for job in (jobs[0], jobs[3], jobs[4]):
        put(dynamodb, *items_of(job.name, TONIGHT))
    services = Counted(schedules={job.name: (True, LONG_AGO) for job in jobs})
    found = read(target_of(dynamodb, jobs, services), NOW)
    assert [one.state for one in found] == ["missed", "parked", *["finished"] * 3]
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, force_terminal=True, color_system=None))
    screen.table(COLUMNS, map(cells, found))
    lines = out.getvalue().splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 80
    assert re.match(r"job-002 +missed +due 11-27 02:00, no run", lines[1])
