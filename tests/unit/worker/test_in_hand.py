"""Units in hand: whose an output is, and what becomes of those that the job leaves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from steadyspot.worker.errors import WorkerError
from steadyspot.worker.keeping.in_hand import InHand


def in_hand(folder: Path, left: list[tuple[str, int]]) -> InHand:
    return InHand(str(folder), lambda _: None, lambda key, outputs: left.append((key, outputs)))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of the job."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_output_between_two_units_of_a_process_has_to_say_whose_it_is(tmp_path: Path) -> None:
    units = in_hand(tmp_path, [])
    units.begin("a", os.getpid())
    assert units.owner(os.getpid()).key == "a"
    units.begin("b", os.getpid())
    with pytest.raises(WorkerError, match="Say so"):
        units.owner(os.getpid())
    for key in ("a", "b"):
        unit = units.unit(key)
        assert unit
        assert unit.refused


def test_what_the_job_left_in_hand_is_broken_off_and_told(tmp_path: Path) -> None:
    left: list[tuple[str, int]] = []
    units = in_hand(tmp_path, left)
    for key in ("a", "b"):
        units.begin(key, os.getpid())
    assert units.undone == {"a": 1, "b": 2}
    units.break_off_all()
    assert not units.unit("a")
    assert sorted(key for key, _ in left) == ["a", "b"]


def test_a_process_that_leaves_its_units_keeps_no_other_waiting(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    units = in_hand(tmp_path, [])
    for key, pid in (("mine", os.getpid()), ("of a child", child.pid)):
        units.begin(key, pid)
    assert units.any_beside(os.getpid())
    units.leave(os.getpid())
    assert units.any_beside(os.getpid()), "the child's may still end"
    units.leave(child.pid)
    assert not units.any_beside(os.getpid())


def test_units_of_a_process_that_is_gone_are_broken_off_and_no_others(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    left: list[tuple[str, int]] = []
    units = in_hand(tmp_path, left)
    for key, pid in (("mine", os.getpid()), ("of a child", child.pid)):
        units.begin(key, pid)
    child.kill()
    child.wait()
    units.begin("next", os.getpid())
    assert left == [("of a child", 0)]
    assert [key for key in ("mine", "of a child", "next") if units.unit(key)] == ["mine", "next"]
    assert units.begun == 3


def test_an_output_that_a_unit_set_aside_still_writes_is_of_none_and_another_s_stays_its(
    tmp_path: Path,
) -> None:
    units = in_hand(tmp_path, [])
    written = {}
    for key in ("aside", "other"):
        units.begin(key, os.getpid())
        unit = units.unit(key)
        assert unit
        written[key] = units.draft("output", os.getpid(), unit)
    units.set_aside("aside")
    assert units.finish(written["aside"]).unit is units.loose
    assert units.finish(written["other"]).unit is units.unit("other")


def test_an_output_of_a_process_that_is_gone_keeps_no_unit_from_its_end(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    units = in_hand(tmp_path, [])
    units.begin("mine", os.getpid())
    unit = units.unit("mine")
    assert unit
    gone = units.draft("gone", child.pid, unit)
    folder = Path(units.path(gone)).parent
    child.kill()
    child.wait()
    assert units.close("mine") is unit
    assert not folder.exists()
