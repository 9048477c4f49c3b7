"""Units in hand: whose an output is, and what becomes of those that the job leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from steadyspot.worker.errors import WorkerError
from steadyspot.worker.keeping.in_hand import InHand


def in_hand(folder: Path, left: list[tuple[str, int]]) -> InHand:
    return InHand(str(folder), lambda _: None, lambda key, outputs: left.append((key, outputs)))


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
    assert units.undone == {"a", "b"}
    units.break_off_all()
    assert not units.unit("a")
    assert sorted(key for key, _ in left) == ["a", "b"]
