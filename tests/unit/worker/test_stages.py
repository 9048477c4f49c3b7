"""The grace is shared so that saving always fits, whatever the task's stopTimeout."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steadyspot.worker.supervising.stages import shares


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
