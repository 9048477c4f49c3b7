"""The phases of an attempt only go on, and a stop leaves each its time."""

from __future__ import annotations

import time

from steadyspot.contract import Reason
from steadyspot.worker.supervising.grace import NO_END_SECONDS, Grace, Phase


def test_phase_that_is_over_stays_over() -> None:
    grace = Grace(20.0, 0.0, None)
    for phase in (Phase.RUNNING, Phase.SAVING, Phase.DRAINING):
        grace.enter(phase)
    assert grace.phase is Phase.SAVING


def test_phases_are_five_in_the_order_of_time() -> None:
    names = [phase.name for phase in sorted(Phase)]
    assert names == ["STARTING", "RUNNING", "DRAINING", "SAVING", "LEAVING"]


def test_stop_begins_the_draining_and_ends_what_is_left() -> None:
    grace = Grace(20.0, 4.0, None)
    grace.enter(Phase.RUNNING)
    assert grace.left() == NO_END_SECONDS

    drain_seconds = grace.begin("SIGTERM", 0.0, Reason.INTERRUPTED)
    assert (grace.phase, grace.why) == (Phase.DRAINING, Reason.INTERRUPTED)
    assert drain_seconds == grace.drain_end - grace.noticed
    assert grace.noticed < grace.drain_end < grace.on_stop_end < grace.noticed + 20
    assert grace.left() < 20


def test_stop_after_the_jobs_own_end_only_limits_what_is_left_to_do() -> None:
    grace = Grace(20.0, 0.0, None)
    grace.enter(Phase.SAVING)
    grace.begin("SIGTERM", 0.0)
    assert (grace.phase, grace.why) == (Phase.SAVING, None)
    assert grace.left() < 20


def test_a_last_save_ends_before_the_grace_so_that_its_failure_can_be_said() -> None:
    grace = Grace(20.0, 0.0, None)
    grace.begin("SIGTERM", 0.0, Reason.INTERRUPTED)
    assert grace.noticed + 18 < grace.save_end < grace.noticed + 19


def test_the_report_tells_how_much_of_the_grace_went_into_saving() -> None:
    grace = Grace(20.0, 0.0, None)
    assert grace.used() == {}
    grace.begin("SIGTERM", 0.0, Reason.INTERRUPTED)
    time.sleep(0.0205)
    used = grace.used()
    assert used["grace_seconds"] == 20.0
    assert used["grace_used_seconds"] >= 0.02
    assert used["grace_saving_seconds"] == 0.0

    grace.enter(Phase.SAVING)
    time.sleep(0.0205)
    used = grace.used()
    assert 0.02 <= used["grace_saving_seconds"] <= used["grace_used_seconds"] - 0.019
    assert used == {name: round(seconds, 3) for name, seconds in used.items()}
