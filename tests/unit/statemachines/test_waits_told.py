"""What the command line says of a wait is what the workflow does, in virtual time."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract.states import JobState
from steadyspot.deploy.runs.waits import WAITS_FOR_SPOT, Wait, wait_of
from tests.unit.statemachines.test_random_outcomes import CALL_FAILED, START, STOPPED
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld


def test_every_wait_ends_when_the_command_line_says_and_on_demand_comes_then() -> None:
    rng = random.Random(5)
    machine = Machine(job_definition(Failures="2"))
    waits = 0
    for number in range(80):
        offers = rng.choices([*CALL_FAILED, *STOPPED, Offer(ends_after=600.0)], k=6)

        def market(launch: Launch, _left: float, offers: list[Offer] = offers) -> Offer:
            return offers.pop() if offers else Offer()

        world = RunWorld(now=START, work_seconds=3_600.0, market=market)
        told: list[Wait] = []

        def watch(
            state: str,
            variables: dict[str, Any],
            world: RunWorld = world,
            told: list[Wait] = told,
        ) -> None:
            now = datetime.fromtimestamp(world.now, UTC)
            if told:
                wait = told.pop()
                assert abs((wait.until - now).total_seconds()) < 1
                if state == JobState.RUN_ON_DEMAND and wait.on_demand:
                    assert (now - wait.on_demand).total_seconds() > -2
            if state in (*WAITS_FOR_SPOT, JobState.WAIT_A_MOMENT):
                entered = wait_of(state, variables, now)
                assert entered is not None
                told.append(entered)
                nonlocal waits
                waits += 1

        within = rng.choice([0, 70, 80, 200])
        request = {"scheduledTime": iso(START)[:-5] + "Z", "finishWithinMinutes": within}
        machine.run(world, request, name=f"x{number}", watch=watch)
    assert waits > 30
