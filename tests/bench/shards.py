"""Measures of a run that is spread over shards: transitions, time, money, and AWS's limits.

A hundred shards, or with ``--full`` a thousand, run the rendered definition in virtual time, each
in the droughts of one region that all of them share; ten thousand go through the kernel. What the
run itself carries along is measured with records that are as long as a hostile night makes them.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator

from tests.bench.replay.kernel import ON_DEMAND, Met, Replay, Replayed, Settings
from tests.bench.replay.measures import cost
from tests.bench.replay.rivals import CHANGEOVER_SECONDS, EXIT_SECONDS
from tests.bench.replay.series import WEATHER, Region, generated
from tests.bench.replay.together import Nobody
from tests.bench.report import Row, report
from tests.unit.statemachines.shards import COMPLETE, NOW, TIME, recorded
from tests.virtual.defaults import job_definition
from tests.virtual.fan_out import Market, SpreadWorld, size
from tests.virtual.machine import Machine
from tests.virtual.world import REFUSED, Launch, Offer

CALM, HOSTILE = 6, 12
"""Transitions a shard, those around it included."""
WORK_SECONDS, WITHIN_MINUTES = 1_800.0, 360
AT_ONCE = {"100": 50, "1000": 200, "10000": 1_000}
IN_KERNEL = 10_000
STARTS_A_SECOND = 10
LIMITS = {"history": 25_000, "data": 262_144, "item": 409_600}


def main(arguments: list[str]) -> int:
    """Print the measures; 1 when something was not reached."""
    return report("Runs over many shards", rows(full="--full" in arguments))


def rows(*, full: bool) -> Iterator[Row]:
    """Yield each measure."""
    region = generated(WEATHER["cpu"], 3, 40 * 3600.0, random.Random(4))
    number = 1_000 if full else 100
    for name, most, market_of in (("calm", CALM, calm), ("hostile", HOSTILE, hostile(region))):
        yield from _rendered(name, most, number, market_of)
    yield from _in_kernel(region)
    yield from _limits(10_000 if full else 2_000)


def calm(_shard: int) -> Market:
    """Nothing happens to any launch."""
    return lambda _launch, _left: Offer()


def hostile(region: Region) -> Callable[[int], Market]:
    """Capacity comes and goes, in one region for all shards."""

    def market_of(shard: int) -> Market:
        rng = random.Random(shard)

        def market(launch: Launch, _left: float) -> Offer:
            if launch.capacity == ON_DEMAND:
                return Offer()
            at = launch.at - NOW
            up = [zone for zone in region if zone.up(at)]
            return Offer(ends_after=rng.choice(up).lasts(at) - at) if up else Offer(error=REFUSED)

        return market

    return market_of


def _rendered(
    name: str, most: int, number: int, market_of: Callable[[int], Market]
) -> Iterator[Row]:
    at_once = AT_ONCE[str(number)]
    definition = job_definition(
        silent=False,
        Shards=str(number),
        ShardsAtOnce=str(at_once),
        FinishWithinMinutes=str(WITHIN_MINUTES),
        ExpectedMinutes=str(WORK_SECONDS / 60),
    )
    world = SpreadWorld(
        Machine(definition), now=NOW, work_seconds=WORK_SECONDS, market_of=market_of
    )
    ended = world.machine.run(world, {"scheduledTime": TIME}, name="first")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    of_shards = sum(len(shard.states_entered) for _, shard in world.shards) + len(ended.inside)
    late = sum(shard.now > NOW + 60 * WITHIN_MINUTES for shard, _ in world.shards)
    money = world.table["nightly", "20261124T020000Z"]["money"]["M"]
    alone = (number * WORK_SECONDS + CHANGEOVER_SECONDS) / 3600
    price = float(money["cost"]["N"]) / (alone * (0.04048 + 2 * 0.004445))
    yield Row(
        f"{name}, {number:,} shards by the rendered definition: transitions a shard",
        f"{of_shards / number:.1f}",
        f"<= {most}",
        of_shards / number <= most,
    )
    yield Row(f"{name}: late", f"{late}", "0", late == 0)
    yield Row(
        f"{name}: time and cost against one on-demand task",
        f"{(world.now - NOW) / 3600:.1f} h, {at_once} at once, for {alone:.0f} h; {price:.2f}",
    )
    yield Row(f"{name}: states of the run itself", f"{len(ended.states_entered)}")


def _in_kernel(region: Region) -> Iterator[Row]:
    at_once = AT_ONCE[str(IN_KERNEL)]
    settings = Settings(
        expected_minutes=WORK_SECONDS / 60, finish_within_minutes=2 * WITHIN_MINUTES
    )
    free = [float(int(NOW))] * at_once
    found: list[Replayed] = []
    starts: list[int] = []
    for shard in range(IN_KERNEL):
        begin = heapq.heappop(free) + (shard // STARTS_A_SECOND if shard < at_once else 0)
        starts.append(int(begin))
        replay = Replay(settings, WORK_SECONDS, _met(region, shard), begin, Nobody())
        # Its deadline is the run's.
        replay.finish_by -= 1000 * (int(begin) - int(NOW))
        ended = replay.run()
        found.append(ended)
        heapq.heappush(free, ended.finished_at)
    states = sum(len(one.states_entered) for one in found) / IN_KERNEL + 2
    within = NOW + 2 * 60 * WITHIN_MINUTES
    late = sum(one.finished_at > within or not one.complete for one in found)
    share = sum(map(cost, found)) / (IN_KERNEL * WORK_SECONDS + CHANGEOVER_SECONDS)
    took = (max(one.finished_at for one in found) - NOW) / 3600
    first = starts[:at_once]
    most = max(first.count(second) for second in set(first))
    what = f"hostile, {IN_KERNEL:,} shards through the kernel"
    yield Row(f"{what}: transitions a shard", f"{states:.1f}", f"<= {HOSTILE}", states <= HOSTILE)
    yield Row(f"{what}: late", f"{late}", "0", late == 0)
    yield Row(f"{what}: starts in a second", f"{most}", f"<= {STARTS_A_SECOND}", most <= 10)
    yield Row(
        f"{what}: time and cost against one on-demand task",
        f"{took:.1f} h, {at_once:,} at once; {share:.2f}",
    )


def _met(region: Region, shard: int) -> Callable[[str, float], Met]:
    rng = random.Random(shard)

    def market(capacity: str, at: float) -> Met:
        if capacity == ON_DEMAND:
            return Met(start_seconds=CHANGEOVER_SECONDS, exit_seconds=EXIT_SECONDS)
        up = [zone for zone in region if zone.up(at - NOW)]
        if not up:
            return Met(refused=True)
        lasts = rng.choice(up).lasts(at - NOW) - (at - NOW)
        return Met(start_seconds=CHANGEOVER_SECONDS, taken_after=lasts, exit_seconds=EXIT_SECONDS)

    return market


def _limits(number: int) -> Iterator[Row]:
    """Yield what a run of so many shards comes to whose records are long, a third unfinished."""
    world = recorded(
        number,
        lambda shard: COMPLETE if shard % 3 else ("unfinished", "out-of-memory", {}),
        ShardsAtOnce=str(number),
    )
    world.bytes_of_item = 12_000
    largest = 0

    def watch(_state: str, variables: dict[str, object]) -> None:
        nonlocal largest
        largest = max(largest, size(variables.get("shards")))

    ended = world.machine.run(world, {"scheduledTime": TIME}, name="first", watch=watch)
    events = 8 * len(ended.states_entered)
    for what, is_so, limit in (
        (f"{number:,} shards: events of its history, eight a state", events, LIMITS["history"]),
        (f"{number:,} shards: bytes of the Map's items", size(ended.items["Run the shards"]), 0),
        (f"{number:,} shards: bytes of the largest arguments or result", world.largest, 0),
        (f"{number:,} shards: bytes of what it assigns", largest, 0),
    ):
        most = limit or LIMITS["data"]
        yield Row(what, f"{is_so:,}", f"<= {most:,}", is_so <= most)
