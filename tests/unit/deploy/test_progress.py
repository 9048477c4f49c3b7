"""How far a run is, as it is told while the run is followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from steadyspot.deploy.runs.progress import Progress, duration
from steadyspot.deploy.runs.records import RunRecord
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.test_money import bad_night


def at(done: int, total: int = 8) -> RunRecord:
    return replace(bad_night(), status="running", units_done=done, units_total=total)


def of_shards(run: RunRecord, _now: object) -> str:
    return f"{run.shards_done} of {run.shards} shards complete"


def told(*runs: RunRecord | None, every: float = 60) -> list[str]:
    """What is said at looks a minute apart; the run was claimed at the first, less a second."""
    records: Iterator[RunRecord | None] = iter(runs)
    progress = Progress(lambda: next(records), 600, of_shards)
    looks = (progress.look(BEGUN + timedelta(seconds=every * n)) for n in range(len(runs)))
    return [moment.text if moment else "" for moment in looks]


def test_units_time_and_what_is_left_are_told_where_they_changed() -> None:
    assert told(None, at(0), at(2), at(2), at(4), at(8)) == [
        "",
        "",
        "2 of 8 units done, 119 s so far, about 6 min left",  # by the time so far
        "",
        "4 of 8 units done, 4 min so far, about 4 min left",  # by the pace seen
        "8 of 8 units done, 5 min so far",
    ]


def test_the_first_look_knows_that_the_rest_takes_no_longer_than_what_is_done_did() -> None:
    assert told(None, at(6)) == ["", "6 of 8 units done, 59 s so far, about 20 s left"]


def test_without_a_total_nothing_is_said_of_what_is_left() -> None:
    assert told(at(1, 0), at(3, 0)) == ["1 unit done, 0 s so far", "3 units done, 59 s so far"]


def test_a_complete_run_is_not_told_as_under_way() -> None:
    assert told(bad_night()) == [""]


def test_of_shards_it_is_told_how_they_stand_where_that_has_changed() -> None:
    run = replace(at(0, 0), shards=4)
    assert told(run, run, replace(run, shards_done=1)) == [
        "0 of 4 shards complete",
        "",
        "1 of 4 shards complete",
    ]


def test_the_record_is_looked_at_four_times_a_minute() -> None:
    progress = Progress(lambda: None, 600, of_shards)
    assert progress.due(BEGUN)
    progress.look(BEGUN)
    assert not progress.due(BEGUN + timedelta(seconds=14))
    assert progress.due(BEGUN + timedelta(seconds=15))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (45, "45 s"), (119.6, "2 min"), (720, "12 min"), (7199, "2 h 00 min"),
     (11_100, "3 h 05 min")],
)  # fmt: skip
def test_a_duration_is_told_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
