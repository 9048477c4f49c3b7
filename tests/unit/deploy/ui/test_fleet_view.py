"""The page of all jobs: strips of last runs, how they are read, and Spot's weather."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from steadyspot.deploy.runs.fleet import JobStatus, UnderWay
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.strips import Strips
from steadyspot.deploy.runs.weather import Hour, Weather
from steadyspot.deploy.ui.fleet_view import fleet_view
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.strip import WIDTH_OF_MARK, strip_of
from steadyspot.deploy.ui.weather_view import weather_views
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import ATTEMPTS, night
from tests.unit.deploy.ui.shown import STATUS, WEATHER


def run(status: str = "complete", spot: float = 3600, on_demand: float = 0) -> RunRecord:
    found = night(ATTEMPTS if spot else ATTEMPTS[2:]).run
    assert found
    seconds = {"spot_seconds": spot, "on_demand_seconds": on_demand}
    return replace(found, status=status, seconds=seconds)


# --- a strip ------------------------------------------------------------------------------------


def test_each_kind_of_end_has_a_mark_of_its_own_in_its_place() -> None:
    strip = strip_of(
        [
            run(),
            run(on_demand=60),
            run("unfinished"),
            run("running"),
            run("committing"),
            run("skipped"),
            run(spot=0, on_demand=60),
        ]
    )
    assert strip is not None
    places = {
        mark.kind: [(int(x) - 1) // WIDTH_OF_MARK for x in re.findall(r"M(\d+),", mark.path)]
        for mark in strip.marks
    }
    assert places == {
        "complete": [0, 6],
        "fell-back": [1],
        "unfinished": [2],
        "under-way": [3, 4],
        "skipped": [5],
    }
    shapes = {re.sub(r"M\d+,2", "", mark.path) for mark in strip.marks}
    assert len(shapes) == len(strip.marks), "told apart without a colour"
    assert strip.told == (
        "last 7 runs: 2 complete, 1 fell back, 1 unfinished, 2 under way, 1 skipped"
    )
    assert strip.width == 7 * WIDTH_OF_MARK


def test_the_share_of_spot_is_that_of_the_seconds() -> None:
    strip = strip_of([run(spot=900, on_demand=100), run(spot=0, on_demand=0)])
    assert strip is not None
    assert strip.spot_share == "90%"


def test_without_runs_there_is_no_strip_and_without_seconds_no_share() -> None:
    assert strip_of([]) is None
    strip = strip_of([run("unfinished", spot=0)])
    assert strip is not None
    assert strip.spot_share == ""


# --- reading strips -----------------------------------------------------------------------------


class Table:
    """A run table that notes of which jobs the last runs were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def latest_scheduled(self, job: str, most: int) -> list[RunRecord]:
        assert most == 30
        self.asked.append(job)
        return [run("running"), run()]


JOBS = [replace(STATUS, job=name) for name in "abcde"]


def read(strips: Strips, table: Any, jobs: list[JobStatus], most: int) -> set[str]:
    strips.read(table, strips.wanting(jobs)[:most])
    return {*strips.known}


def test_strips_are_filled_in_over_several_looks_the_first_jobs_first() -> None:
    strips, table = Strips(), Table()
    assert read(strips, table, JOBS, 2) == {"a", "b"}
    assert read(strips, table, JOBS, 2) == {*"abcd"}
    assert read(strips, table, JOBS, 2) == {*"abcde"}
    assert table.asked == [*"abcde"]
    assert read(strips, table, JOBS, 2) == {*"abcde"}
    assert table.asked == [*"abcde"], "nothing is new, and nothing is asked"


def test_a_strip_comes_oldest_run_first() -> None:
    strips, table = Strips(), Table()
    read(strips, table, JOBS, 1)
    assert [one.status for one in strips.known["a"]] == ["complete", "running"]


@pytest.mark.parametrize(
    "news",
    [
        {"last_run": "20261125T020000Z"},
        {"last_status": "unfinished"},
        {"parked": 1},
        {"running": [UnderWay("20261125T020000Z", "spot", 0, 8, 1, "")]},
    ],
    ids=str,
)
def test_a_strip_is_read_again_when_something_is_new_of_its_job(news: dict[str, Any]) -> None:
    strips, table = Strips(), Table()
    read(strips, table, JOBS, 9)
    read(strips, table, [replace(JOBS[0], **news), *JOBS[1:]], 9)
    assert table.asked == [*"abcde", "a"]


def test_a_job_without_a_run_is_not_asked_for() -> None:
    table = Table()
    read(Strips(), table, [replace(STATUS, last_run="")], 9)
    assert table.asked == []


# --- the weather --------------------------------------------------------------------------------


def test_the_weather_has_a_row_for_refusals_and_one_for_each_zone_over_all_hours() -> None:
    (view,) = weather_views([WEATHER])
    rows = {name: [cell.count for cell in cells] for name, cells in view.rows}
    assert [*rows] == ["refused", "taken back in eu-central-1a", "taken back in eu-central-1b"]
    assert all(len(counts) == 24 for counts in rows.values())
    assert (rows["refused"][2], rows["refused"][14], sum(rows["refused"])) == (4, 1, 5)
    assert rows["taken back in eu-central-1a"][2] == 12
    shades = {cell.count: cell.shade for _, cells in view.rows for cell in cells}
    assert shades == {0: 0, 1: 1, 3: 2, 4: 2, 12: 3}


def test_without_trouble_nothing_is_drawn() -> None:
    (view,) = weather_views([Weather("arm64", None, ())])
    assert view.rows == ()
    page = rendered("fleet.html", now=BEGUN, where="x", view=fleet_view([], {}, [WEATHER]))
    assert "taken back in eu-central-1a" in page


# --- rows ---------------------------------------------------------------------------------------


def test_what_runs_says_how_far_it_is_and_by_when_it_is_due() -> None:
    under_way = UnderWay("20261125T020000Z", "spot", 3, 8, 1, "2026-11-25T03:00:00Z")
    one = replace(STATUS, state="running", running=[under_way])
    (row,) = fleet_view([one], {}, []).jobs
    assert row.units is not None
    assert (row.units.done, row.units.total) == (3, 8)
    assert row.now_or_last == "spot 3/8 by 11-25 03:00"
    assert row.strip is None


def test_zones_and_jobs_are_text_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    view = fleet_view(
        [replace(STATUS, job=evil)], {}, [Weather("x", None, (Hour(1, 1, {evil: 1}),))]
    )
    assert evil not in rendered("fleet.html", now=BEGUN, where="x", view=view)
