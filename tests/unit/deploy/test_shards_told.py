"""How the shards of a run are told by every verb that shows runs; on moto's table and its index."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from steadyspot.contract import Capacity, Status, columns
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.as_json import form_of
from steadyspot.deploy.aws.prices import US_EAST_1
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.money.costs import Terms, of_run
from steadyspot.deploy.runs import shards
from steadyspot.deploy.runs.fleet import Seen, judged
from steadyspot.deploy.runs.fleet_reading import read
from steadyspot.deploy.runs.fleet_shown import as_data, cells
from steadyspot.deploy.runs.following import show_run
from steadyspot.deploy.runs.listing import cells as cells_of_line
from steadyspot.deploy.runs.listing import lines_of
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.table import RunTable
from tests.unit.deploy.fleets import (
    TABLE,
    Counted,
    days_before,
    items_of,
    nightly,
    run_table,
    target_of,
)

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
TONIGHT = days_before(NOW, 0)
TIME = scheduled_time_of(TONIGHT)
KEY = run_key_of(TIME)
JOB = replace(nightly(0), shards=6)
MANY = {columns.SHARDS: {"N": "6"}}


@pytest.fixture
def table() -> Iterator[Any]:
    with run_table() as client:
        yield client


def put(client: Any, *items: Any) -> None:
    for item in items:
        client.put_item(TableName=TABLE, Item=item)


def run_items(status: str, **more: Any) -> Iterable[dict[str, Any]]:
    """The two items of the run, of which the own one has more columns."""
    own, worker = items_of(JOB.name, TONIGHT, status)
    yield {**own, **MANY, columns.MONEY: {"M": {}}, **more}
    yield worker


def shard_items(
    number: int, status: str, minutes: int = 0, ended: str = "finished/spot"
) -> Iterable[dict[str, Any]]:
    """The two items of a shard that came into its state so many minutes after two o'clock."""
    own, worker = items_of(JOB.name, TONIGHT, status)
    key = {columns.RUN_KEY: {"S": shard_key(KEY, number)}}
    since = scheduled_time_of(TONIGHT + timedelta(minutes=minutes))
    own |= {**key, columns.JOB: {"S": columns.shards_partition(JOB.name)}}
    own[columns.MONEY] = {
        "M": {
            "spot_seconds": {"N": "100"},
            "wasted_seconds": {"N": "10"},
            "transitions": {"N": "4"},
            "ended": {"M": {ended: {"N": "2"}}},
        }
    }
    if columns.IS_OPEN in own:
        kind = columns.PARKED_SINCE if status == Status.UNFINISHED else columns.RUNNING_SINCE
        own |= {
            columns.IS_OPEN: {"S": columns.OPEN_SHARD},
            columns.OPEN_AS: {"S": f"{kind}{since}"},
        }
    yield own
    yield {**worker, **key}


def under_way(client: Any) -> None:
    """Two are complete, two run, one of them for longer, one is unfinished, one waits."""
    put(client, *run_items(Status.RUNNING))
    put(client, *shard_items(0, Status.COMPLETE), *shard_items(1, Status.COMPLETE))
    put(client, *shard_items(2, Status.RUNNING, 30), *shard_items(3, Status.RUNNING, 9))
    put(client, *shard_items(4, Status.UNFINISHED, 1, "job-failed/spot"))


def of_the_run(client: Any) -> RunRecord:
    found = RunTable(client, TABLE).get(JOB.name, KEY)
    assert found
    return found


def test_it_is_told_how_many_are_how_and_which_runs_the_longest(table: Any) -> None:
    under_way(table)
    stand = shards.read_stand(RunTable(table, TABLE), of_the_run(table), NOW)
    assert shards.told(stand, NOW) == (
        "2 of 6 shards complete, 2 running, the longest shard 3 for 9 h 51 min, 1 unfinished, "
        "1 waiting"
    )


def test_a_shard_that_a_redrive_has_yet_to_begin_waits(table: Any) -> None:
    under_way(table)
    later = scheduled_time_of(TONIGHT + timedelta(minutes=5))
    stand = shards.stand_of(
        replace(of_the_run(table), claimed_at=later), 5, RunTable(table, TABLE).open_shards(NOW)
    )
    assert (stand.done, stand.unfinished, stand.waiting) == (2, 0, 2)


def test_none_is_done_of_a_run_that_has_begun_none(table: Any) -> None:
    put(table, *run_items(Status.RUNNING))
    stand = shards.read_stand(RunTable(table, TABLE), of_the_run(table), NOW)
    assert shards.told(stand, NOW) == "0 of 6 shards complete, 6 waiting"


def test_status_shows_how_many_are_done_and_what_their_tasks_run_on(table: Any) -> None:
    under_way(table)
    services = Counted(
        schedules={JOB.name: (True, NOW - timedelta(days=300))},
        tasks=[
            (JOB.name, shard_key(KEY, 2), Capacity.ON_DEMAND),
            (JOB.name, shard_key(KEY, 3), Capacity.SPOT),
        ],
    )
    (found,) = read(target_of(table, [JOB], services), NOW)
    assert found.state == "running"
    assert cells(found)[2] == "spot and on-demand 2/6 shards by 11-27 12:00"
    assert not [*Draft202012Validator(form_of("status")).iter_errors([as_data(found)])]


def test_calls_of_status_do_not_grow_with_the_shards_of_a_run(table: Any) -> None:
    def calls() -> int:
        services = Counted(schedules={JOB.name: (True, NOW - timedelta(days=300))})
        read(target_of(table, [JOB], services), NOW)
        return services.calls

    under_way(table)
    few = calls()
    for number in range(5, 40):
        put(table, *shard_items(number, Status.RUNNING, 1))
    assert calls() == few


def test_a_run_whose_shards_have_no_task_yet_waits_for_capacity() -> None:
    run = replace(SPREAD, status="running")
    found = judged(Seen(JOB.name, JOB, {}, open_runs=[run]), US_EAST_1, NOW)
    assert found.state == "waiting"


SPREAD = RunRecord(
    job=JOB.name,
    run_key=KEY,
    status="complete",
    execution="arn:1",
    scheduled_time=TIME,
    claimed_at=TIME,
    cause="",
    attempts=(),
    units_done=0,
    units_total=0,
    completion=None,
    warnings=(),
    stop=None,
    fence=0,
    transitions=30,
    seconds={"spot_seconds": 600.0},
    shards=6,
    shards_done=6,
    ended={"finished/spot": 6, "reclaimed/spot": 2},
)


def test_what_has_not_ended_costs_what_its_shards_have_cost_so_far(table: Any) -> None:
    under_way(table)
    run = shards.whole(RunTable(table, TABLE), of_the_run(table))
    bill = of_run(JOB, run, Terms(US_EAST_1))
    assert (bill.attempts, bill.spot_seconds, bill.wasted_seconds) == (10, 500, 50)
    assert (run.shards_done, run.transitions) == (2, 20)


def test_a_complete_run_says_itself_what_its_shards_came_to(table: Any) -> None:
    ended = {"M": {"finished/spot": {"N": "6"}, "reclaimed/spot": {"N": "2"}}}
    money = {"M": {"spot_seconds": {"N": "600"}, "ended": ended}}
    put(table, *run_items(Status.COMPLETE, **{columns.MONEY: money}))
    calls: list[Any] = []
    client = boto3.client("dynamodb", region_name="eu-central-1")
    run = of_the_run(client)
    client.meta.events.register("before-call.dynamodb", lambda **_: calls.append(1))
    assert shards.whole(RunTable(client, TABLE), run) == run
    assert not calls
    assert of_run(JOB, run, Terms(US_EAST_1)).attempts == 8
    (line,) = lines_of(JOB, [run], [], [], US_EAST_1)
    assert [*cells_of_line(line)][3:5] == ["8", "6/6 shards"]
    assert line.cause == "reclaimed"


def printed(show: Any, *given: Any) -> str:
    out = io.StringIO()
    show(Screen(Console(file=out, width=100)), *given)
    return out.getvalue()


def test_the_end_of_following_tells_how_the_attempts_of_shards_ended() -> None:
    said = printed(show_run, SPREAD, JOB, US_EAST_1)
    assert "6 of 6 shards complete; attempts: 6 finished on Spot, 2 reclaimed on Spot" in said


def test_explain_shows_each_shard_that_is_left_and_the_slowest(table: Any) -> None:
    under_way(table)
    run = of_the_run(table)
    said = printed(shards.show, run, RunTable(table, TABLE).of_run(JOB.name, KEY))
    assert "2 complete, 2 running, 1 unfinished, 1 not started" in said
    rows = [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in said.splitlines()
    ]
    assert [row[:3] for row in rows if len(row) == 5][1:] == [
        ["2", "running", "0"],
        ["3", "running", "0"],
        ["4", "unfinished", "0"],
        ["0", "complete", "0"],
        ["1", "complete", "0"],
    ]
