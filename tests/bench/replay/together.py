"""Fleets of jobs whose runs meet the same droughts, with the weather that they tell each other of.

Runs go on in the order of their times, so that what one writes down the next one reads. Without
weather nobody reads it, and each finds out for itself, as with one run alone.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.bench.replay.kernel import ON_DEMAND, Met, Replay, Weather
from tests.bench.replay.measures import CELLS, Cell, cost, settings_of
from tests.bench.replay.rivals import CHANGEOVER_SECONDS, EXIT_SECONDS
from tests.bench.replay.series import Region

JOBS = 50
SLOTS, SLOT_SECONDS = 16, 900.0
"""Where a fleet is not due all at once: at one of so many times."""
DROUGHT_WITHIN, LOOK_SECONDS = 7_200.0, 300.0
"""A fleet is taken only where all zones are without Spot at some moment of its first two hours."""


class Nobody(Weather):
    """Weather that nobody tells of."""

    def refused_to_others(self, at: int, who: str) -> bool:
        """Never."""
        return False


@dataclass
class Fleet:
    """What became of fleets: refused launches, late runs, and means of costs and states."""

    refused: int = 0
    late: int = 0
    cost: float = 0.0
    alone: float = 0.0
    states: int = 0
    runs: int = 0

    @property
    def share(self) -> float:
        """The cost as a share of on-demand alone."""
        return self.cost / self.alone


def fleets(region: Region, number: int, *, weather: bool, at_once: bool) -> Fleet:
    """Run so many fleets, each in a drought of its own; the same ones with weather and without."""
    found, rng = Fleet(), random.Random(5)
    for _ in range(number):
        begin = _in_a_drought(region, rng)
        dues = [
            (rng.choice(CELLS), begin + (0 if at_once else SLOT_SECONDS * rng.randrange(SLOTS)))
            for _ in range(JOBS)
        ]
        _run(region, dues, Weather() if weather else Nobody(), found)
    return found


def _in_a_drought(region: Region, rng: random.Random) -> float:
    longest = SLOTS * SLOT_SECONDS + 2 * max(cell.within for cell in CELLS)
    while True:
        begin = float(int(rng.uniform(0, region[0].seconds - longest)))
        moments = [
            begin + step * LOOK_SECONDS for step in range(int(DROUGHT_WITHIN / LOOK_SECONDS))
        ]
        if any(not any(zone.up(at) for zone in region) for at in moments):
            return begin


def _run(
    region: Region, dues: Sequence[tuple[Cell, float]], weather: Weather, found: Fleet
) -> None:
    runs = [_job(number, region, *due, weather) for number, due in enumerate(dues)]
    going = [(run.now, number, run.begin()) for number, run in enumerate(runs)]
    heapq.heapify(going)
    while going:
        _, number, following = heapq.heappop(going)
        then = runs[number].go_on(following)
        if then:
            heapq.heappush(going, (runs[number].now, number, then))
    for run, (cell, due) in zip(runs, dues, strict=True):
        found.refused += run.refused
        found.late += run.out.finished_at > due + cell.within
        found.cost += cost(run.out)
        found.alone += CHANGEOVER_SECONDS + cell.work
        found.states += len(run.out.states_entered)
        found.runs += 1


def _job(number: int, region: Region, cell: Cell, due: float, weather: Weather) -> Replay:
    rng = random.Random(number)

    def market(capacity: str, at: float) -> Met:
        if capacity == ON_DEMAND:
            return Met(start_seconds=CHANGEOVER_SECONDS, exit_seconds=EXIT_SECONDS)
        up = [zone for zone in region if zone.up(at)]
        if not up:
            return Met(refused=True)
        lasts = rng.choice(up).lasts(at) - at
        return Met(start_seconds=CHANGEOVER_SECONDS, taken_after=lasts, exit_seconds=EXIT_SECONDS)

    settings = replace(settings_of(cell), job=f"job-{number}")
    return Replay(settings, cell.work, market, due, weather)
