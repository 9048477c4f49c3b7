"""The replay's rivals, series and measures, held against what can be worked out another way.

The oracle is compared with a dynamic programme that goes minute by minute, the generator with the
numbers that are published, and the policies of others with bills that are added up by hand.
"""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

import pytest

from tests.bench.replay import rivals
from tests.bench.replay.measures import CELLS, lateness, weather_of
from tests.bench.replay.rivals import Window
from tests.bench.replay.series import FOREVER, WEATHER, Zone, generated, recorded

MINUTE = 60.0
DAY = 86_400.0
TOLERANCE = 0.15
"""Of the generator, against what is published."""
SPOT_STEP, ON_DEMAND_STEP = 0.3, 1.0


def zone_of(minutes: str) -> Zone:
    """A zone from a picture, one sign a minute: ``#`` is capacity."""
    changes = [
        MINUTE * at for at, (before, now) in enumerate(pairwise(minutes), 1) if before != now
    ]
    return Zone("zone", minutes[0] == "#", changes, MINUTE * len(minutes))


def drawn_minutes(rng: random.Random) -> str:
    """A picture of 5 to 45 minutes, in which stretches of the same length are common."""
    up, down = rng.choice([(2, 2), (5, 3), (10, 3), (3, 10), (8, 8)])
    minutes, sign = "", rng.choice("#.")
    length = rng.randint(5, 45)
    while len(minutes) < length:
        minutes += sign * max(1, round(rng.expovariate(1 / (up if sign == "#" else down))))
        sign = "." if sign == "#" else "#"
    return minutes[:length]


def cheapest(minutes: str, work: int) -> float:
    """Cost in minutes of on-demand by dynamic programming over minute, mode and work done.

    A minute in a mode does a minute of work, but for the first one in it.
    """
    steps = (("none", 0.0), ("spot", SPOT_STEP), ("on-demand", ON_DEMAND_STEP))
    costs = {("none", 0): 0.0}
    for sign in minutes:
        following: dict[tuple[str, int], float] = {}
        for (mode, done), cost in costs.items():
            for into, price in steps:
                if into == "spot" and sign != "#":
                    continue
                does = into == mode != "none"
                state = (into, min(work, done + does))
                following[state] = min(cost + price, following.get(state, math.inf))
        costs = following
    return min((cost for (_, done), cost in costs.items() if done == work), default=math.inf)


@pytest.mark.parametrize("seed", range(6))
def test_the_oracle_costs_what_a_dynamic_programme_finds(seed: int) -> None:
    rng = random.Random(seed)
    possible = 0
    for _ in range(150):
        minutes = drawn_minutes(rng)
        work = rng.randint(1, len(minutes) - 1)
        bill = rivals.oracle(zone_of(minutes), 0.0, MINUTE * work, MINUTE * len(minutes))
        assert bill.cost / MINUTE == pytest.approx(cheapest(minutes, work), rel=1e-9), (
            minutes,
            work,
        )
        possible += bill.cost < FOREVER
    assert possible > 100


@pytest.mark.parametrize(
    ("minutes", "work", "cost"),
    [
        ("##########", 5, 6 * 0.3),  # on Spot from the start
        ("..........", 5, 6.0),  # on on-demand
        ("..........", 10, math.inf),  # one changeover too much
        ("#####.....", 8, 5 * 0.3 + 5),  # Spot to the end of its stretch; on-demand for the rest
        (".####.####", 6, 8 * 0.3),  # two stretches, and nothing between
        # Of two plans that use the longest stretches, the one that leaves on-demand whole gaps.
        ("..........####", 9, 4 * 0.3 + 7),
        ("#.#.#.#.#.#.", 6, 7.0),  # no stretch is longer than its changeover
    ],
)
def test_the_oracle_on_series_whose_best_plan_is_plain(
    minutes: str, work: int, cost: float
) -> None:
    bill = rivals.oracle(zone_of(minutes), 0.0, MINUTE * work, MINUTE * len(minutes))
    assert bill.cost / MINUTE == pytest.approx(cost)
    assert cheapest(minutes, work) == pytest.approx(cost)


def test_the_oracle_looks_at_its_window_alone() -> None:
    zone = zone_of("####################......####################")
    bill = rivals.oracle(zone, 20 * MINUTE, 3 * MINUTE, 6 * MINUTE)
    assert bill.cost == 4 * MINUTE


# --- series --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WEATHER)
def test_the_generator_has_the_published_medians_means_and_availability(name: str) -> None:
    weather = WEATHER[name]
    zones = generated(weather, 10, 400 * DAY, random.Random(name))
    stretches = list(weather_of(zones))
    for wanted_up, middle, mean in (
        (True, weather.up_median, weather.up_mean),
        (False, weather.refused_median, weather.refused_mean),
    ):
        minutes = [length for up, length in stretches if up == wanted_up]
        assert median(minutes) == pytest.approx(middle, rel=TOLERANCE)
        assert fmean(minutes) == pytest.approx(mean, rel=TOLERANCE)
    available = sum(length for up, length in stretches if up)
    share = weather.up_mean / (weather.up_mean + weather.refused_mean)
    assert available / sum(length for _, length in stretches) == pytest.approx(share, rel=TOLERANCE)


@pytest.mark.parametrize("name", WEATHER)
def test_a_short_generated_window_is_no_better_and_no_worse_than_a_long_one(name: str) -> None:
    weather, rng = WEATHER[name], random.Random(name)
    seconds = 40 * MINUTE
    zones = generated(weather, 6_000, seconds, rng)
    up = sum(s for zone in zones for is_up, s in zone.stretches(0.0, seconds) if is_up)
    share = weather.up_mean / (weather.up_mean + weather.refused_mean)
    assert up / (seconds * len(zones)) == pytest.approx(share, rel=TOLERANCE)


def test_generated_zones_change_inside_their_time_and_in_order() -> None:
    for zone in generated(WEATHER["cpu"], 20, DAY, random.Random(1)):
        assert list(zone.changes) == sorted(set(zone.changes))
        assert zone.changes[0] > 0
        assert zone.changes[-1] >= DAY
        assert sum(seconds for _, seconds in zone.stretches(0.0, DAY)) == pytest.approx(DAY)


def test_a_change_belongs_to_what_follows_it() -> None:
    zone = Zone("zone", True, [60.0, 120.0], 180.0)
    assert [zone.up(at) for at in (0.0, 59.9, 60.0, 119.9, 120.0, 500.0)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    assert [zone.lasts(at) for at in (0.0, 59.9, 60.0, 119.9, 120.0)] == [
        60.0,
        60.0,
        120.0,
        120.0,
        FOREVER,
    ]


@pytest.mark.parametrize(
    ("begin", "end", "stretches"),
    [
        (0.0, 180.0, [(True, 60.0), (False, 60.0), (True, 60.0)]),
        (60.0, 120.0, [(False, 60.0)]),
        (30.0, 61.0, [(True, 30.0), (False, 1.0)]),
        (120.0, 900.0, [(True, 780.0)]),
        (60.0, 60.0, []),
    ],
)
def test_stretches_fill_a_window_from_edge_to_edge(
    begin: float, end: float, stretches: list[tuple[bool, float]]
) -> None:
    assert Zone("zone", True, [60.0, 120.0], 180.0).stretches(begin, end) == stretches


def test_a_zone_that_never_changes_is_one_stretch() -> None:
    zone = Zone("zone", False, [], 10.0)
    assert (zone.up(3.0), zone.lasts(3.0)) == (False, FOREVER)
    assert zone.stretches(0.0, 10.0) == [(False, 10.0)]


def test_recorded_series_are_read_by_region(tmp_path: Path) -> None:
    for name, data in (("us-west-2a", [1, 1, 0, 2]), ("us-west-2b", [0, 0]), ("eu-1a", [1])):
        series = {"metadata": {"gap_seconds": 600}, "data": data}
        (tmp_path / f"{name}.json").write_text(json.dumps(series))
    assert recorded(tmp_path) == {
        "eu-1": [Zone("eu-1a", True, [], 600)],
        "us-west-2": [
            Zone("us-west-2a", True, [1200, 1800], 2400),
            Zone("us-west-2b", False, [], 1200),
        ],
    }


# --- policies of others --------------------------------------------------------------------------


def test_three_tries_wait_for_capacity_and_begin_from_nothing_each_time() -> None:
    # Up for 5, 4 and 3 minutes, and 10 s from each notice to the exit; then on-demand.
    zone = zone_of("..#####...####..###........")
    bill = rivals.three_tries(Window([zone], 0.0, 6 * MINUTE, 60 * MINUTE), random.Random(1))
    assert bill.cost == pytest.approx(0.3 * (12 * MINUTE + 30) + 7 * MINUTE)
    assert bill.took == pytest.approx(19 * MINUTE + 10 + 7 * MINUTE)


def test_three_tries_are_done_in_the_first_stretch_that_is_long_enough() -> None:
    zone = zone_of("#####..#######...")
    bill = rivals.three_tries(Window([zone], 0.0, 6 * MINUTE, 60 * MINUTE), random.Random(1))
    assert bill.cost == pytest.approx(0.3 * (5 * MINUTE + 10 + 7 * MINUTE))
    assert bill.took == 14 * MINUTE


def test_three_tries_take_on_demand_where_capacity_never_comes() -> None:
    window = Window([zone_of("....")], 0.0, 6 * MINUTE, 60 * MINUTE)
    bill = rivals.three_tries(window, random.Random(1))
    assert bill.cost == 7 * MINUTE


@pytest.mark.parametrize("policy", [rivals.greedy, rivals.uniform_progress])
def test_with_spot_throughout_both_policies_cost_what_spot_costs(policy: object) -> None:
    assert callable(policy)
    window = Window([zone_of("#" * 60)], 0.0, 40 * MINUTE, 60 * MINUTE)
    assert policy(window, random.Random(1)) == pytest.approx(rivals.pure_spot(window))


def test_without_spot_greedy_waits_for_the_last_safe_moment_and_uniform_keeps_pace() -> None:
    window = Window([zone_of("." * 60)], 0.0, 30 * MINUTE, 60 * MINUTE)
    greedy = rivals.greedy(window, random.Random(1))
    assert greedy.cost == rivals.on_demand(window).cost
    assert 56 * MINUTE <= greedy.took <= 60 * MINUTE
    uniform = rivals.uniform_progress(window, random.Random(1))
    # On and off: every return to on-demand costs a changeover more.
    assert uniform.cost > greedy.cost
    assert uniform.took <= 60 * MINUTE


@pytest.mark.parametrize("name", WEATHER)
@pytest.mark.parametrize("policy", [rivals.greedy, rivals.uniform_progress])
def test_both_policies_do_all_the_work_and_are_never_late(policy: object, name: str) -> None:
    assert callable(policy)
    rng = random.Random(name)
    for number in range(150):
        cell = CELLS[number % 4]
        # Down to the narrowest time that on-demand can still meet.
        within = rng.choice([cell.within, cell.work + 60.0, cell.work + rng.uniform(60, 400)])
        region = generated(WEATHER[name], rng.randint(1, 3), 2 * within, rng)
        window = Window(region, rng.uniform(0, within), cell.work, within)
        bill = policy(window, rng)
        assert cell.work + 60 - 1e-6 <= bill.took <= within + 1e-6
        assert rivals.pure_spot(window).cost <= bill.cost + 1e-6


@pytest.mark.parametrize("name", WEATHER)
def test_nobody_who_pays_for_one_zone_alone_is_cheaper_than_its_oracle(name: str) -> None:
    rng = random.Random(name)
    for number in range(100):
        cell = CELLS[number % 4]
        region = generated(WEATHER[name], 1, 3 * cell.within, rng)
        window = Window(region, 0.0, cell.work, cell.within)
        best = rivals.oracle(region[0], 0.0, cell.work, cell.within).cost
        # A policy sees capacity every 30 s: it may run so long after it has gone.
        unseen = len(region[0].stretches(0.0, cell.within)) * rivals.STEP_SECONDS
        assert best <= rivals.greedy(window, rng).cost + unseen
        assert best <= rivals.uniform_progress(window, rng).cost + unseen


# --- ours ----------------------------------------------------------------------------------------


def test_no_run_is_late_that_on_demand_could_have_done_in_time() -> None:
    found = lateness(2_000)
    assert found.late == 0
    assert (found.windows, found.impossible) == (2_000, 0)
    assert found.nearest_seconds > 0
