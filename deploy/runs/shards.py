"""How the shards of a run stand: complete, running, waiting, unfinished; counted in few calls.

Shards are begun in their order, so the last one that has a record tells how many were; those that
are open come from the index, which follows a change within a second or so. So no look takes more
calls for more shards, but for the pages of those that are open. A shard that an earlier execution
of its run left unfinished waits until this one begins it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from steadyspot.contract import Capacity
from steadyspot.contract.shards import shard_of
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.records import RunRecord, added_up
from steadyspot.deploy.runs.table import OpenShard, RunTable

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen

_SHOWN, _SLOWEST = 20, 5
"""Of the shards that are not complete, and of those that took the longest."""


@dataclass(frozen=True)
class ShardsStand:
    """How the shards of a run stand; ``running`` are their numbers, and ISO times since when."""

    of: int
    done: int
    running: Mapping[int, str]
    unfinished: int

    @property
    def waiting(self) -> int:
        """Those that are not begun, or wait to be begun anew."""
        return max(0, self.of - self.done - len(self.running) - self.unfinished)


def stand_of(run: RunRecord, begun: int, opened: Iterable[OpenShard]) -> ShardsStand:
    """Return how the shards of a run stand, of which so many were begun; pure.

    ``opened`` are those of all runs.
    """
    running: dict[int, str] = {}
    unfinished = again = 0
    for one in opened:
        run_key, number = shard_of(one.run_key) or ("", 0)
        if (one.job, run_key) != (run.job, run.run_key):
            continue
        if one.runs:
            running[number] = one.since
        elif one.since < run.claimed_at:
            again += 1
        else:
            unfinished += 1
    done = max(0, begun - len(running) - unfinished - again)
    return ShardsStand(run.shards, done, running, unfinished)


def read_stand(table: RunTable, run: RunRecord, now: datetime) -> ShardsStand:
    """Read how the shards of a run stand; two calls."""
    return stand_of(run, table.shards_begun(run.job, run.run_key), table.open_shards(now))


def whole(table: RunTable, run: RunRecord) -> RunRecord:
    """Return a run with what its shards have come to so far, which its end writes down."""
    if run.shards == 1 or run.complete:
        return run
    return added_up(run, table.of_run(run.job, run.run_key))


def told(stand: ShardsStand, now: datetime) -> str:
    """Return how shards stand in words."""
    parts = [f"{stand.done} of {stand.of} shards complete"]
    if stand.running:
        slowest = min(stand.running, key=lambda number: (stand.running[number], number))
        since = datetime.fromisoformat(stand.running[slowest]).astimezone(UTC)
        longest = f"shard {slowest} for {duration((now - since).total_seconds())}"
        parts.append(f"{len(stand.running)} running, the longest {longest}")
    if stand.unfinished:
        parts.append(f"{stand.unfinished} unfinished")
    if stand.waiting:
        parts.append(f"{stand.waiting} waiting")
    return ", ".join(parts)


def ends_told(run: RunRecord) -> str:
    """Return how the attempts of a run's shards ended, in words: ``3 finished on Spot``."""
    ends = (
        f"{times} {cause or 'ended'} on {'Spot' if capacity == Capacity.SPOT else capacity}"
        for (cause, _, capacity), times in (
            (how.partition("/"), times) for how, times in sorted(run.ended.items())
        )
    )
    return (
        f"{run.shards_done} of {run.shards} shards complete; attempts: {', '.join(ends) or 'none'}"
    )


def number_of(shard: RunRecord) -> int:
    """Return the number of a shard."""
    _, number = shard_of(shard.run_key) or ("", 0)
    return number


def seconds_of(shard: RunRecord) -> float:
    """Return for how long the tasks of a shard ran."""
    return shard.seconds.get("spot_seconds", 0) + shard.seconds.get("on_demand_seconds", 0)


def counted(run: RunRecord, shards: Sequence[RunRecord]) -> Iterator[tuple[str, int]]:
    """Yield how many shards of a run are how; ``shards`` are those that were begun."""
    count = Counter(shard.status for shard in shards)
    count["not started"] = run.shards - len(shards)
    yield from ((status, number) for status, number in count.items() if number)


def tasks_of_shards(run: RunRecord) -> str:
    """Return why a run that is spread over shards has printed nothing itself."""
    return f"The tasks are those of its {run.shards} shards. Name a shard: --shard 0."


def show(screen: Screen, run: RunRecord, shards: Sequence[RunRecord]) -> None:
    """Print how many shards are how, and of those that are not complete, or took longest, each."""
    screen.heading(f"Its {run.shards} shards")
    screen.say(", ".join(f"{number} {status}" for status, number in counted(run, shards)))
    left = [shard for shard in shards if not shard.complete]
    longest = sorted(shards, key=seconds_of, reverse=True)
    chosen = list(dict.fromkeys(shard.run_key for shard in [*left[:_SHOWN], *longest[:_SLOWEST]]))
    by_key = {shard.run_key: shard for shard in shards}
    screen.table(
        ("shard", "status", "attempts", "s", "stopped by"),
        [
            (
                str(number_of(shard)),
                shard.status,
                str(len(shard.attempts)),
                f"{seconds_of(shard):.0f}",
                shard.cause or "-",
            )
            for shard in (by_key[key] for key in chosen)
        ],
    )
    name = f"{run.job} {run.run_key}"
    screen.say(f"One of them: steadyspot explain {name} --shard 0")
