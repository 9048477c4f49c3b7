"""The shards of a run as rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from steadyspot.contract.shards import shard_key
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.ui.shards_view import Shards, shards_of
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import attempt, night


def spread(of: int) -> RunRecord:
    found = night().run
    assert found
    return replace(found, shards=of, attempts=())


def shard(number: int, minutes: float = 10, status: str = "complete") -> RunRecord:
    one = attempt(1, "spot", 0, minutes, "finished" if status == "complete" else "reclaimed", 1)
    run = spread(1)
    return replace(
        run,
        run_key=shard_key(run.run_key, number),
        status=status,
        attempts=(one,),
        seconds={"spot_seconds": 60 * minutes},
    )


def drawn(run: RunRecord, *shards: RunRecord) -> Shards:
    found = shards_of(run, shards, BEGUN + timedelta(hours=1))
    assert found is not None
    return found


def test_each_shard_is_a_row_with_a_bar_as_long_as_its_attempt() -> None:
    shown = drawn(spread(2), shard(0, 10), shard(1, 20))
    assert [lane.number for lane in shown.lanes] == [0, 1]
    widths = [lane.pieces[0].width for lane in shown.lanes]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)
    assert shown.told == "2 shards: 2 complete"


def test_of_many_those_that_are_not_complete_are_drawn_and_the_others_counted() -> None:
    shards = [shard(number, 1 + number % 7) for number in range(500)]
    shards[333] = shard(333, status="unfinished")
    shown = drawn(spread(510), *shards)
    assert len(shown.lanes) == 40
    assert 333 in [lane.number for lane in shown.lanes]
    assert shown.left_out == 460
    assert shown.told == "510 shards: 499 complete, 1 unfinished, 10 not started"


def test_a_shard_under_way_reaches_until_now() -> None:
    running = shard(0, status="running")
    (lane,) = drawn(spread(1), running).lanes
    assert [piece.ended for piece in lane.pieces] == ["stopped", "under-way"]
    first, last = lane.pieces
    assert last.x == pytest.approx(first.x + first.width)
    assert last.width == pytest.approx(5 * first.width, rel=0.01)


@pytest.mark.parametrize("time", ["", "yesterday"])
def test_times_that_make_no_sense_leave_a_row_without_a_bar(time: str) -> None:
    broken = shard(0)
    broken = replace(broken, attempts=(replace(broken.attempts[0], started_at=time),))
    (lane,) = drawn(spread(1), broken).lanes
    assert lane.pieces == ()


def test_a_run_that_is_not_spread_has_no_rows() -> None:
    assert shards_of(spread(1), (), BEGUN) is None
