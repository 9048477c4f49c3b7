"""Jobs that are refused together do not try again together, and each does the same in every replay.

A wait is drawn by a hash of the job, the run and its launches: for Spot between the back-off before
it and the one after it, for all else between the one before it and it, since on-demand may be due.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

WAITS = {"Wait for capacity", "Wait to ask again", "Wait a moment"}
THROTTLED = ("ECS.AmazonECSException", "Rate exceeded")


@cache
def machine(**values: str) -> Machine:
    return Machine(job_definition(silent=True, **values))


def waited(
    error: tuple[str, str], *, run: int = 0, job: str = "nightly", **values: str
) -> list[float]:
    """Seconds of each wait of a run that meets the same trouble four times; ``run``: which one."""
    left = [Offer(error=error)] * 4

    def market(_launch: Launch, _work: float) -> Offer:
        return left.pop() if left else Offer()

    world = RunWorld(now=START, work_seconds=600.0, market=market)
    entered: list[Any] = [0.0, ""]
    found = []

    def watch(state: str, _variables: object) -> None:
        if entered[1] in WAITS:
            found.append(world.now - entered[0])
        entered[:] = [world.now, state]

    request = {"scheduledTime": iso(START + 60 * run)[:-5] + "Z", "finishWithinMinutes": 6_000}
    machine(Job=job, **values).run(world, request, name="x", watch=watch)
    return found


def test_jobs_of_one_time_that_are_refused_together_wait_apart_and_alike_again() -> None:
    of_all = [waited(REFUSED, job=job) for job in ("nightly", "hourly", "weekly")]
    for one in zip(*of_all, strict=True):
        assert len(set(one)) == len(one)
    assert waited(REFUSED) == of_all[0]


@pytest.mark.parametrize(
    ("error", "mosts"), [(REFUSED, (360, 1080, 3240, 3600)), (THROTTLED, (120, 360, 1080, 3240))]
)
def test_a_wait_lies_between_two_back_offs_and_fills_what_is_between_them(
    error: tuple[str, str], mosts: tuple[int, ...]
) -> None:
    of_all = [waited(error, run=run) for run in range(20)]
    leasts = (40, 120, 360, 1080)
    for least, most, drawn in zip(leasts, mosts, zip(*of_all, strict=True), strict=True):
        edge = 0.3 * (most - least)
        assert len(set(drawn)) > 12
        assert least <= min(drawn) < least + edge
        assert most - edge < max(drawn) <= most


def test_a_back_off_of_a_second_still_waits_for_one() -> None:
    of_all = [waited(REFUSED, run=run, BackoffSeconds="1") for run in range(8)]
    assert {one[0] for one in of_all} == {1, 2, 3}
