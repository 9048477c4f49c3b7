"""What others would do in the same window: cost and lateness of their policies.

``greedy`` and ``uniform_progress`` are the policies of 'Can't Be Late' (NSDI'24), which see
capacity at every moment and pay no transitions; ``three_tries`` is what AWS Batch gives, from zero
each time; ``oracle`` knows the whole future of one zone. All have the same changeover, and a second
of on-demand costs 1.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.replay.series import FOREVER, Region, Zone

SPOT_PRICE = 0.3
CHANGEOVER_SECONDS = 60.0
EXIT_SECONDS = 10.0
STEP_SECONDS = 30.0
TRIES = 3


class Window(NamedTuple):
    """A run to be done: seconds of work, and of time for it from ``begin``."""

    region: Region
    begin: float
    work: float
    within: float


class Bill(NamedTuple):
    """Seconds at on-demand's price, and when it was done, in seconds from the beginning."""

    cost: float
    took: float


def on_demand(window: Window) -> Bill:
    """On-demand from the start to the end."""
    seconds = CHANGEOVER_SECONDS + window.work
    return Bill(seconds, seconds)


def pure_spot(window: Window) -> Bill:
    """Spot alone, in a world without trouble."""
    seconds = CHANGEOVER_SECONDS + window.work
    return Bill(SPOT_PRICE * seconds, seconds)


def three_tries(window: Window, rng: random.Random) -> Bill:
    """Three attempts on Spot, waiting for capacity as long as it takes; then on-demand."""
    at, cost = window.begin, 0.0
    needs = CHANGEOVER_SECONDS + window.work
    for _ in range(TRIES):
        at = _next_capacity(window.region, at)
        if at == FOREVER:
            break
        zone = rng.choice([zone for zone in window.region if zone.up(at)])
        lasts = zone.lasts(at) - at
        if lasts >= needs:
            return Bill(cost + SPOT_PRICE * needs, at + needs - window.begin)
        cost += SPOT_PRICE * (lasts + EXIT_SECONDS)
        at += lasts + EXIT_SECONDS
    return Bill(cost + needs, at + needs - window.begin)


def _next_capacity(region: Region, at: float) -> float:
    while at < FOREVER and not any(zone.up(at) for zone in region):
        at = min(zone.lasts(at) for zone in region)
    return at


def greedy(window: Window, rng: random.Random) -> Bill:
    """Spot while there is any, else wait; on-demand from the last safe moment to the end."""
    return _stepwise(window, rng, behind=lambda _done, _elapsed: False)


def uniform_progress(window: Window, rng: random.Random) -> Bill:
    """Keep pace with the share of time gone, on on-demand where there is no Spot."""

    def behind(done: float, elapsed: float) -> bool:
        return done < window.work * min(1.0, elapsed / window.within)

    return _stepwise(window, rng, behind=behind)


def _stepwise(window: Window, rng: random.Random, behind: object) -> Bill:
    """Both policies, moment by moment: ``behind`` says whether on-demand is taken without Spot."""
    assert callable(behind)
    at, done, cost = window.begin, 0.0, 0.0
    end = window.begin + window.within
    mode, warm, zone = "", 0.0, window.region[0]
    for_good = False
    while done < window.work:
        elapsed, left = at - window.begin, window.work - done
        for_good = for_good or end - at <= left + 2 * CHANGEOVER_SECONDS + STEP_SECONDS
        up = [zone for zone in window.region if zone.up(at)]
        if mode == "spot" and not zone.up(at):
            mode, cost = "", cost + SPOT_PRICE * EXIT_SECONDS
        # On on-demand until the pace is ahead by two changeovers, as the paper has it.
        ahead = not behind(done, elapsed + 2 * CHANGEOVER_SECONDS)
        wants = "on-demand"
        if not for_good:
            if up and (mode != "on-demand" or ahead):
                wants = "spot"
            elif not up and (ahead if mode == "on-demand" else not behind(done, elapsed)):
                wants = ""
        if for_good and mode == "spot":
            wants = "spot"  # It would be on time; a reclaim still leaves a changeover.
        if wants != mode:
            mode, warm = wants, CHANGEOVER_SECONDS
            zone = rng.choice(up) if wants == "spot" else zone
        step = min(STEP_SECONDS, left + warm)
        if mode:
            cost += step * (SPOT_PRICE if mode == "spot" else 1.0)
            works = max(0.0, step - warm)
            warm = max(0.0, warm - step)
            done += works
        at += step if mode else STEP_SECONDS
    return Bill(cost, at - window.begin)


def oracle(zone: Zone, begin: float, work: float, within: float) -> Bill:
    """The cheapest that can be done by who knows one zone's whole future.

    Cost depends on how long Spot is used and how often anything is begun, so the longest stretches
    are the best; on-demand does the rest in the longest gaps. A test holds this against a dynamic
    programme over the series.
    """
    stretches = zone.stretches(begin, begin + within)
    ups = sorted((seconds for up, seconds in stretches if up), reverse=True)
    best = CHANGEOVER_SECONDS + work if CHANGEOVER_SECONDS + work <= within else FOREVER
    for used in range(1, len(ups) + 1):
        useful = sum(ups[:used]) - used * CHANGEOVER_SECONDS
        if ups[used - 1] <= CHANGEOVER_SECONDS:
            break
        if useful >= work:
            best = min(best, SPOT_PRICE * (work + used * CHANGEOVER_SECONDS))
            break
        cost = _with_on_demand(stretches, ups[used - 1], used, work - useful)
        best = min(best, SPOT_PRICE * sum(ups[:used]) + cost)
    return Bill(best, within)


def _with_on_demand(
    stretches: Sequence[tuple[bool, float]], shortest: float, used: int, rest: float
) -> float:
    """On-demand's cost for the rest of the work, in the longest gaps between the used stretches."""
    gaps, gap, left = [], 0.0, used
    for up, seconds in stretches:
        if up and seconds >= shortest and left:
            gaps.append(gap)
            gap, left = 0.0, left - 1
        else:
            gap += seconds
    gaps.append(gap)
    cost = 0.0
    for gap in sorted(gaps, reverse=True):
        if gap <= CHANGEOVER_SECONDS:
            break
        does = min(rest, gap - CHANGEOVER_SECONDS)
        cost, rest = cost + CHANGEOVER_SECONDS + does, rest - does
        if rest <= 0:
            return cost
    return FOREVER
