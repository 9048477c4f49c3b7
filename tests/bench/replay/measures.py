"""The measures of the workflow's judgement, over recorded and generated series."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tests.bench.replay import rivals
from tests.bench.replay.kernel import FOREVER, ON_DEMAND, Met, Replay, Replayed, Settings
from tests.bench.replay.rivals import SPOT_PRICE, Window
from tests.bench.replay.series import WEATHER, Region, Zone, generated

WORKS = (600.0, 3_600.0, 14_400.0)
HOUR_PRICE = 0.04048 + 2 * 0.004445
"""US dollars of 1 vCPU and 2 GB on on-demand."""
TRANSITION_SECONDS = 0.025 / 1000 / (HOUR_PRICE / 3600)
"""What a transition costs, in seconds of on-demand."""
STOP_TIMEOUT_SECONDS = 30.0
"""What the job is given to leave; it takes 10 s. All else is as the template has it."""
MONTH_SECONDS = 730 * 3600.0
CALM_INTERRUPTIONS = 5 / 100
"""Interruptions of an instance in a month of the calm regime."""


@dataclass(frozen=True)
class Cell:
    """Work and the time for it, in seconds."""

    work: float
    within: float

    @property
    def name(self) -> str:
        return f"{self.work / 60:.0f} min in {self.within / 60:g} min"


CELLS = tuple(Cell(work, within) for work in WORKS for within in (work / 0.8 + 120, 2 * work))


def settings_of(cell: Cell) -> Settings:
    """The job's settings: what it takes, when it has to be done, and how long it takes to leave."""
    return Settings(
        expected_minutes=cell.work / 60,
        finish_within_minutes=cell.within / 60,
        stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
    )


def played(
    settings: Settings,
    window: Window,
    rng: random.Random,
    *,
    starts: Callable[[], float] = lambda: rivals.CHANGEOVER_SECONDS,
    exits: Callable[[], float] = lambda: rivals.EXIT_SECONDS,
) -> Replayed:
    """Replay a run in a window; a launch lands in any zone that has capacity."""

    def market(capacity: str, at: float) -> Met:
        if capacity == ON_DEMAND:
            return Met(start_seconds=starts(), exit_seconds=exits())
        up = [zone for zone in window.region if zone.up(at)]
        if not up:
            return Met(refused=True)
        lasts = rng.choice(up).lasts(at) - at
        return Met(start_seconds=starts(), taken_after=lasts, exit_seconds=exits())

    return Replay(settings, window.work, market, window.begin).run()


def cost(run: Replayed) -> float:
    """Seconds at on-demand's price, transitions included."""
    return (
        SPOT_PRICE * run.spot_seconds
        + run.on_demand_seconds
        + TRANSITION_SECONDS * len(run.states_entered)
    )


@dataclass(frozen=True)
class Line:
    """Means over the windows of a cell, costs as shares of on-demand alone."""

    cell: Cell
    ours: float
    states: float
    late: int
    greedy: float
    uniform: float
    tries: float
    oracle: float


def table(
    regions: Sequence[Region], windows: int, *, seed: int = 1, all_rivals: bool = True
) -> list[Line]:
    """One line for each cell, ``windows`` windows in each of the regions."""
    return [_line(regions, cell, windows, random.Random(seed), all_rivals) for cell in CELLS]


def _line(
    regions: Sequence[Region], cell: Cell, windows: int, rng: random.Random, all_rivals: bool
) -> Line:
    sums: dict[str, list[float]] = {
        name: [] for name in ("ours", "states", "late", "greedy", "uniform", "tries", "oracle")
    }
    alone = rivals.CHANGEOVER_SECONDS + cell.work
    for region in regions:
        for _ in range(windows):
            begin = float(int(rng.uniform(0, region[0].seconds - cell.within - cell.work)))
            window = Window(region, begin, cell.work, cell.within)
            run = played(settings_of(cell), window, rng)
            sums["ours"].append(cost(run) / alone)
            sums["states"].append(len(run.states_entered))
            sums["late"].append(run.finished_at > begin + cell.within)
            if all_rivals:
                sums["greedy"].append(rivals.greedy(window, rng).cost / alone)
                sums["uniform"].append(rivals.uniform_progress(window, rng).cost / alone)
                sums["tries"].append(rivals.three_tries(window, rng).cost / alone)
                sums["oracle"].append(
                    fmean(
                        rivals.oracle(zone, begin, cell.work, cell.within).cost / alone
                        for zone in region
                    )
                )
    mean = {name: fmean(values) if values else 0.0 for name, values in sums.items()}
    return Line(
        cell=cell,
        ours=mean["ours"],
        states=mean["states"],
        late=int(sum(sums["late"])),
        greedy=mean["greedy"],
        uniform=mean["uniform"],
        tries=mean["tries"],
        oracle=mean["oracle"],
    )


def worst_zone(zones: Sequence[Zone], windows: int) -> tuple[str, float, float]:
    """Name, mean of states and of cost over the cells, where only one zone can be used."""
    found = []
    for zone in zones:
        lines = table([[zone]], windows, all_rivals=False)
        found.append((zone.name, fmean(x.states for x in lines), fmean(x.ours for x in lines)))
    return max(found, key=lambda each: each[1])


@dataclass(frozen=True)
class Lateness:
    """Runs that ended late though on-demand could have met the deadline."""

    windows: int
    late: int
    impossible: int
    nearest_seconds: float


def lateness(windows: int, *, seed: int = 7) -> Lateness:
    """Count late runs over generated weather of all kinds.

    Run time and start-up are drawn within ± 20 %; the job declares the upper bounds. A container
    takes anything up to its stopTimeout to leave.
    """
    rng = random.Random(seed)
    late = impossible = 0
    nearest = FOREVER
    for _ in range(windows):
        cell = rng.choice(CELLS)
        settings = replace(
            settings_of(cell), expected_minutes=1.2 * cell.work / 60, start_up_seconds=72
        )
        region = generated(
            rng.choice(tuple(WEATHER.values())), rng.randint(1, 3), 2 * cell.within, rng
        )
        work = cell.work * rng.uniform(0.8, 1.2)
        start = rng.uniform(48, 72)
        window = Window(region, 0.0, work, cell.within)
        run = played(
            settings,
            window,
            rng,
            starts=lambda: rng.uniform(48, 72),
            exits=lambda: STOP_TIMEOUT_SECONDS * rng.choice([rng.random(), 0.3, 1.0]),
        )
        if start + work > cell.within:
            impossible += 1
            continue
        nearest = min(nearest, cell.within - run.finished_at)
        late += run.finished_at > cell.within
    return Lateness(windows, late, impossible, nearest)


def calm(work: float, *, seed: int = 3, windows: int = 2_000) -> float:
    """Cost against pure Spot with its own start charged, in the calm regime."""
    rng = random.Random(seed)
    total = 0.0
    for _ in range(windows):
        begin = 1e6
        vanishes = begin + rng.expovariate(CALM_INTERRUPTIONS / MONTH_SECONDS)
        zones = [Zone("zone", True, [vanishes, vanishes + 600], FOREVER)]
        cell = Cell(work, 2 * work)
        run = played(settings_of(cell), Window(zones, begin, work, 2 * work), rng)
        total += cost(run)
    return total / windows / rivals.pure_spot(Window([], 0, work, 0)).cost


def means(lines: Sequence[Line]) -> Mapping[str, float]:
    """Means over the cells."""
    names = ("ours", "states", "greedy", "uniform", "tries", "oracle")
    return {name: fmean(getattr(line, name) for line in lines) for name in names}


def quiet_states() -> int:
    """States entered by a run that nothing disturbs."""
    window = Window([Zone("zone", True, [], FOREVER)], 0.0, 600, 1200)
    return len(played(settings_of(CELLS[1]), window, random.Random(1)).states_entered)


def weather_of(zones: Sequence[Zone]) -> Iterator[tuple[bool, float]]:
    """Whole stretches of zones: whether capacity was there, and its minutes."""
    for zone in zones:
        for up, seconds in zone.stretches(0, zone.seconds)[1:-1]:
            yield up, seconds / 60
