"""The grace is shared so that saving always fits, whatever the task's stopTimeout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.worker.supervising.stages import (
    is_due_early,
    most_save_seconds,
    next_look_seconds,
    shares,
)


@given(st.floats(2, 120), st.floats(0, 300), st.floats(0, 60), st.none() | st.floats(0, 120))
def test_stages_follow_each_other_and_end_before_sigkill(
    grace: float, save: float, on_stop: float, drain: float | None
) -> None:
    shared = shares(grace, save, on_stop, drain)

    assert 0 <= shared.drain_end <= shared.on_stop_end <= shared.save_end < grace
    assert drain is None or shared.drain_end <= drain


def test_job_gets_what_saving_does_not_need() -> None:
    assert shares(120, 0.1, 0, None).drain_end == 118
    assert shares(120, 10, 0, None).drain_end == 89
    assert shares(120, 0.1, 20, None).drain_end == 98


def test_draining_can_be_off() -> None:
    assert shares(120, 1, 0, 0).drain_end == 0


def test_of_a_grace_of_two_seconds_half_a_second_is_kept_for_leaving() -> None:
    """A whole one would be too much of it."""
    assert shares(2, 0.1, 0, None).save_end == 1.5
    assert shares(120, 0.1, 0, None).save_end == 119


@given(st.floats(2, 120), st.floats(0, 1000), st.floats(0, 60), st.none() | st.floats(0, 120))
def test_a_last_save_never_has_less_than_it_was_said_to_have(
    grace: float, needed: float, on_stop: float, drain: float | None
) -> None:
    most = most_save_seconds(grace)
    shared = shares(grace, needed, on_stop, drain)

    assert shared.save_end - shared.on_stop_end >= min(needed, most) - 1e-9


@given(st.floats(2, 120), st.floats(0, 1), st.floats(0, 1000))
def test_what_is_not_saved_early_fits_into_a_stop_twice(
    grace: float, since: float, needed: float
) -> None:
    most = most_save_seconds(grace)
    if not is_due_early(needed, most, since, 0):
        assert 2 * needed <= most


def test_a_job_that_changes_more_than_can_be_saved_is_saved_half_of_the_time() -> None:
    assert not is_due_early(1000, 90, since_seconds=29, last_seconds=30)
    assert is_due_early(1000, 90, since_seconds=30, last_seconds=30)


@pytest.mark.parametrize(
    ("look", "every", "next_look"), [(0.001, 60, 1), (0.2, 60, 10), (10, 60, 60), (0.001, 0.1, 0.1)]
)
def test_looking_how_much_has_changed_takes_little_of_the_time(
    look: float, every: float, next_look: float
) -> None:
    assert next_look_seconds(look, every) == next_look
