"""The replay's kernel decides as the rendered definition does, decision by decision.

The kernel is fast: of many windows it finds those that bring something new, and the definition is
run in these alone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bench.replay.kernel import (
    ON_DEMAND,
    Decision,
    Met,
    Replay,
    Replayed,
    Settings,
    Weather,
)
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

WINDOWS = 5_000
STATES = 4
"""How many states in a row, together with the settings, make a situation."""
EACH = 3
"""How often a situation is met before another window with it is nothing new."""
START = 1_790_000_000.25
ME = "nightly/20260921T141320Z"


def market(seed: int) -> Iterator[Met]:
    """Draw what successive launches meet: mostly trouble, so that there is something to decide."""
    rng = random.Random(seed)
    bad = rng.random() ** 2
    for _ in range(200):
        yield Met(
            refused=rng.random() < bad,
            start_seconds=rng.uniform(20, 90),
            taken_after=rng.choice([float("inf"), rng.expovariate(1 / 1500), rng.uniform(5, 60)]),
            exit_seconds=rng.choice([0.4, 10.0, rng.uniform(0, 119), 500.0]),
        )


def window(seed: int) -> tuple[Settings, float]:
    rng = random.Random(-seed)
    minutes = rng.choice([10, 60, 240, rng.uniform(1, 300)])
    within = rng.choice([0.0, minutes / 0.8 + 2, 2 * minutes, rng.uniform(1, 3) * minutes])
    settings = Settings(
        expected_minutes=round(minutes, 2),
        finish_within_minutes=round(within, 2),
        maximum_wait_minutes=rng.choice([0.0, 1.0, 60.0]),
    )
    return settings, round(minutes, 2) * 60 * rng.uniform(0.8, 1.2)


def refused_to_others(seed: int) -> list[tuple[int, str]]:
    """Refusals of other runs before the window, and some that lie in it: when, in ms, and who."""
    rng = random.Random(1000 + seed)
    if rng.random() < 0.9:
        return []
    ago = sorted(rng.choice([5, 100, 119, 121, 800, -60, -900]) for _ in range(3))
    return [(round(1000 * (START - seconds)), rng.choice(["a/b", "c/d", ME])) for seconds in ago]


def by_kernel(seed: int) -> Replayed:
    settings, work = window(seed)
    offers = market(seed)

    def meets(capacity: str, _at: float) -> Met:
        met = next(offers)
        return (
            met._replace(refused=False, taken_after=float("inf")) if capacity == ON_DEMAND else met
        )

    weather = Weather(*refused_to_others(seed))
    return Replay(settings, work, meets, START, weather).run()


def by_definition(seed: int) -> tuple[Ended, RunWorld, list[Decision]]:
    settings, work = window(seed)
    offers = market(seed)

    def meets(launch: Launch, _left: float) -> Offer:
        met = next(offers)
        if launch.capacity == ON_DEMAND:
            return Offer(start_seconds=met.start_seconds, exit_seconds=met.exit_seconds)
        return Offer(
            error=REFUSED if met.refused else None,
            start_seconds=met.start_seconds,
            ends_after=met.taken_after,
            exit_seconds=met.exit_seconds,
        )

    world = RunWorld(now=START, work_seconds=work, market=meets)
    for number, (when, who) in enumerate(refused_to_others(seed), 1):
        world.weather[f"latest_{number}"] = {"S": f"{when} {who}"}
    request = {
        "scheduledTime": iso(START)[:-5] + "Z",
        "expectedMinutes": settings.expected_minutes,
        "finishWithinMinutes": settings.finish_within_minutes,
    }
    machine = MACHINES[settings.maximum_wait_minutes]
    waits: list[tuple[float, float]] = []
    at: list[Any] = [0.0, ""]

    def watch(state: str, _variables: object) -> None:
        if at[1] in ("Wait for capacity", "Wait to ask again"):
            waits.append((at[0], world.now))
        at[:] = [world.now, state]

    ended = machine.run(world, request, name="x", watch=watch)
    decisions = [Decision("wait", began, round(end - began), 0) for began, end in waits] + [
        Decision(
            launch.capacity,
            launch.at,
            round(launch.state_ends - launch.at),
            round(launch.stop_by * 1000),
        )
        for launch in world.launches
    ]
    return ended, world, decisions


MACHINES = {
    wait: Machine(job_definition(silent=True, MaximumWaitMinutes=f"{wait:g}"))
    for wait in (0.0, 1.0, 60.0)
}


def order(decision: Decision) -> tuple[float, bool]:
    return decision.at, decision.what == "wait"


def windows_with_news() -> Iterator[tuple[int, Replayed]]:
    met: Counter[tuple[bool, float, tuple[str, ...]]] = Counter()
    for seed in range(1, WINDOWS + 1):
        settings, _ = window(seed)
        of = settings.finish_within_minutes > 0, settings.maximum_wait_minutes
        run = by_kernel(seed)
        found = {
            (*of, tuple(run.states_entered[at : at + STATES]))
            for at in range(len(run.states_entered))
        }
        if any(met[situation] < EACH for situation in found):
            met.update(found)
            yield seed, run


def test_kernel_and_definition_decide_the_same_in_every_window() -> None:
    for seed, mine in windows_with_news():
        ended, world, decisions = by_definition(seed)
        where = f"window {seed}"
        assert mine.states_entered == ended.states_entered, where
        assert (ended.status == "SUCCEEDED") == mine.complete, where
        for left, right in zip(
            sorted(mine.decisions, key=order), sorted(decisions, key=order), strict=True
        ):
            assert left.what == right.what, where
            assert left.at == pytest.approx(right.at, abs=0.002), where
            assert abs(left.seconds - right.seconds) <= 1, where
            assert abs(left.stop_by - right.stop_by) <= 1, where
        assert mine.finished_at == pytest.approx(world.now, abs=0.002), where
