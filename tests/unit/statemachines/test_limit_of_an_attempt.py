"""How long an attempt may take without progress before it is ended: the job's key, else a rule."""

from __future__ import annotations

import pytest

from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine
from tests.virtual.world import Offer, RunWorld


@pytest.mark.parametrize(
    ("minutes", "expected", "capacity", "seconds"),
    [
        ("0", "60", "spot-first", 3 * 3600),
        ("0", "5", "on-demand-only", 3600),
        ("90", "60", "spot-first", 90 * 60),
        ("5.5", "5", "on-demand-only", 330),
    ],
)
def test_an_attempt_without_progress_is_ended_after_the_limit(
    minutes: str, expected: str, capacity: str, seconds: float
) -> None:
    machine = Machine(job_definition(LimitMinutes=minutes, ExpectedMinutes=expected))
    world = RunWorld(now=START, work_seconds=60.0, market=lambda *_: Offer())
    machine.run(world, {"capacity": capacity}, name="x")
    (launch,) = world.launches
    assert launch.stop_by - launch.at == pytest.approx(seconds, abs=1)
    assert launch.state_ends > launch.stop_by
