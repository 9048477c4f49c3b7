"""What a save will take is told from what the last ones took."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.keeping.pace import (
    ASSUMED_BYTES_PER_SECOND,
    CALLS_SECONDS,
    TELLING_BYTES,
    Pace,
    Work,
)
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from tests.unit.worker.fakes import FakeAws, IdleJob, World
from tests.unit.worker.runs import ENVIRONMENT, new_world

LARGE = Work(1, 1, 100 << 20)


def test_nothing_that_changed_takes_no_time() -> None:
    assert Pace().seconds(Work(entries=50_000)) == 0


def test_before_any_save_a_careful_speed_is_assumed() -> None:
    assert not Pace().is_measured
    assert Pace().seconds(LARGE) > LARGE.size / ASSUMED_BYTES_PER_SECOND


@given(st.floats(1, 500), st.floats(0.1, 10))
def test_a_save_like_the_last_one_takes_as_long(seconds: float, times: float) -> None:
    pace = Pace().after(LARGE, seconds)
    more = Work(1, 1, int(LARGE.size * times))

    assert pace.is_measured
    assert pace.seconds(LARGE) == pytest.approx(seconds, abs=CALLS_SECONDS)
    assert pace.seconds(more) - CALLS_SECONDS == pytest.approx(
        (pace.seconds(LARGE) - CALLS_SECONDS) * more.amount / LARGE.amount
    )


def test_many_small_files_count_though_they_are_few_bytes() -> None:
    pace = Pace().after(LARGE, 10)

    assert pace.seconds(Work(50_000, 50_000, 1 << 20)) > pace.seconds(Work(1, 1, 1 << 20)) * 10


def test_small_saves_tell_nothing_and_old_ones_are_forgotten() -> None:
    pace = Pace().after(Work(1, 1, TELLING_BYTES // 2), 30)
    assert not pace.is_measured
    for _ in range(3):
        pace = pace.after(LARGE, 100)
    for _ in range(3):
        pace = pace.after(LARGE, 1)
    assert pace.seconds(LARGE) < 1.5


# The keeper's.


def _keeper(world: World, tmp_path: Path) -> Keeper:
    state, spool = tmp_path / "state", tmp_path / "spool"
    for folder in (state, spool):
        folder.mkdir()
    options = Options(["--checkpoint-dir", str(state), "true"], ENVIRONMENT)
    assert options.identity
    aws = FakeAws(world)
    keeper = Keeper(
        options,
        options.identity,
        Log(descriptor=-1),
        print,
        IdleJob(),
        str(tmp_path),
        connect=lambda *_: aws,
    )
    keeper.start()
    keeper.opened.result(20)
    return keeper


def test_the_keeper_forecasts_what_changed_and_measures_what_it_saves(tmp_path: Path) -> None:
    keeper = _keeper(new_world(), tmp_path)
    assert keeper.forecast() == (0, False)

    (tmp_path / "state" / "base").write_bytes(bytes(TELLING_BYTES))
    seconds, is_measured = keeper.forecast()
    assert seconds > TELLING_BYTES / ASSUMED_BYTES_PER_SECOND
    assert not is_measured
    assert keeper.save_seconds == seconds  # What a stop would leave to the last save.

    keeper.save_folders().result(20)
    assert keeper.forecast() == (0, True)
    (tmp_path / "state" / "base").touch()
    assert keeper.forecast().seconds > 0


def test_the_keeper_warns_once_and_the_record_keeps_it(tmp_path: Path) -> None:
    world = new_world()
    keeper = _keeper(world, tmp_path)
    keeper.warn_of_stop(200, 89)
    keeper.warn_of_stop(300, 89)
    (tmp_path / "state" / "base").touch()
    keeper.save_folders().result(20)

    (said,) = world.item["warnings"]
    assert "takes some 200 s, and the stop leaves 89 s to it" in said
