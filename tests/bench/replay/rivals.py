"""What others would do in the same window: cost and lateness of their policies.

``greedy`` and ``uniform_progress`` are the policies of 'Can't Be Late' (NSDI'24), which see
capacity at every moment and pay no transitions; ``three_tries`` is what AWS Batch gives, from zero
each time; ``oracle`` knows the whole future of one zone. All have the same changeover, and a second
of on-demand costs 1.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
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


class _Plan(NamedTuple):
    """What an oracle may do up to a moment, in seconds of work and of on-demand's price.

    ``entries``: paid for changeovers; ``spot``: done on Spot; ``most``: done if on-demand is used
    to the full where it runs. ``idle``: what the gap since the last Spot holds, which is on-demand
    from its begin to its end or nothing; None right after Spot.
    """

    entries: float
    spot: float
    most: float
    idle: bool | None


def oracle(zone: Zone, begin: float, work: float, within: float) -> Bill:
    """The cheapest that can be done by who knows one zone's whole future.

    A stretch of Spot is used whole or not at all, unless the work ends in it, and on-demand has
    whole gaps between those that are used. Plans that cost no less and do no more than another are
    dropped, as are those that cannot get below the best known. A test holds this against a dynamic
    programme, minute by minute.
    """
    stretches = zone.stretches(begin, begin + within)
    best = CHANGEOVER_SECONDS + work if CHANGEOVER_SECONDS + work <= within else FOREVER
    useful = [max(0.0, seconds - CHANGEOVER_SECONDS) if up else 0.0 for up, seconds in stretches]
    to_come = sum(useful)
    plans = [_Plan(0.0, 0.0, 0.0, None)]
    for (_, seconds), gains in zip(stretches, useful, strict=True):
        to_come -= gains
        grown = [after for plan in plans for after in _grown(plan, seconds, gains)]
        done = (_costs(plan, plan.spot, work) for plan in grown if plan.most >= work)
        best = min(best, *done, FOREVER)
        plans = _worth_it(
            [plan for plan in grown if _costs(plan, plan.spot + to_come, work) < best]
        )
    return Bill(best, within)


def _grown(plan: _Plan, seconds: float, gains: float) -> Iterator[_Plan]:
    """What may follow in a stretch: Spot if that gains anything, nothing, or on-demand."""
    entries, spot, most, idle = plan
    if gains:
        yield _Plan(entries + SPOT_PRICE * CHANGEOVER_SECONDS, spot + gains, most + gains, None)
    if idle is not False:
        yield _Plan(entries, spot, most, True)
    if idle is not True:
        entry = CHANGEOVER_SECONDS if idle is None else 0.0
        yield _Plan(entries + entry, spot, most + seconds - entry, False)


def _costs(plan: _Plan, spot: float, work: float) -> float:
    """Cost if so much is done on Spot in the end, and the rest of the work on on-demand."""
    return plan.entries + work - (1 - SPOT_PRICE) * min(spot, work)


def _worth_it(plans: Sequence[_Plan]) -> list[_Plan]:
    kept: list[_Plan] = []
    for plan in sorted(plans, key=lambda plan: (plan.entries, -plan.spot, -plan.most)):
        if not any(
            other.idle == plan.idle and other.spot >= plan.spot and other.most >= plan.most
            for other in kept
        ):
            kept.append(plan)
    return kept
