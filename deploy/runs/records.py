"""Runs as the rest of the command line knows them, and what they cost.

The record keeps what a run cost at the prices of its day; here it is worked out at those of today.
How records are read out of the run table is ``table``'s and ``items``' business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from steadyspot.contract import FENCE_PER_CLAIM, Capacity, Status
from steadyspot.deploy.aws.prices import Prices

UNREADABLE = "unreadable"
"""Status of a run whose record somebody has changed so that nothing else is known of it."""


@dataclass(frozen=True)
class AttemptRecord:
    """One launch of the task; times are ISO in UTC, ``exit_code`` is -1 where there was none.

    ``billed_seconds`` count from the start of the image's pull, 0 where that is not known.
    """

    attempt: int
    capacity: str
    zone: str
    started_at: str
    ended_at: str
    seconds: float
    exit_code: int
    cause: str
    stopped_reason: str
    task: str
    units_done: int
    lost_seconds: float
    billed_seconds: float = 0


@dataclass(frozen=True)
class StopRecord:
    """A stop of an attempt: the seconds of its grace, and what it took after the job had ended."""

    grace_seconds: float
    saving_seconds: float


@dataclass(frozen=True)
class RunRecord:
    """One scheduled time of one job. ``cause`` is what ended it unfinished, else empty.

    ``warnings`` are the worker's sentences about what ended no attempt, ``stop`` is the last stop.
    ``fence`` is the number of the attempt whose worker holds the run, 0 before one did;
    ``transitions`` the states that its last execution entered, those of the watch on its launches
    included, as far as it wrote that down.
    ``seconds`` are the record's totals, by the columns of its money: they count attempts, too, that
    a long series of redrives has pushed out of ``attempts``. ``skipped_for`` is the run that was
    under way when this one was skipped. ``shards``: over how many tasks it is spread, 1 for one of
    them; ``shards_done`` are those that are complete, and ``ended`` is how often their attempts, or
    those of a shard, ended how, by ``cause/capacity``. ``unreadable`` says what is wrong with
    items that somebody else has changed; if the workflow's is one, little else is known.
    """

    job: str
    run_key: str
    status: str
    execution: str
    scheduled_time: str
    claimed_at: str
    cause: str
    attempts: tuple[AttemptRecord, ...]
    units_done: int
    units_total: int
    completion: Mapping[str, Any] | None
    warnings: tuple[str, ...]
    stop: StopRecord | None
    fence: int
    transitions: int
    seconds: Mapping[str, float]
    unreadable: str = ""
    skipped_for: str = ""
    shards: int = 1
    shards_done: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)

    @property
    def attempts_ended(self) -> int:
        """How many attempts have ended, of shards those of all of them."""
        return sum(self.ended.values()) if self.shards > 1 else len(self.attempts)

    @property
    def attempts_begun(self) -> int:
        """How many attempts were asked for, as far as a record tells.

        One whose worker holds the run is not among ``attempts``, nor are refusals before it; its
        fence counts the launches of this claim. Of shards, those that have ended.
        """
        if self.shards > 1:
            return self.attempts_ended
        before = [one.attempt for one in self.attempts if one.ended_at <= self.claimed_at]
        written = max((one.attempt for one in self.attempts), default=0)
        return max(written, max(before, default=0) + self.fence % FENCE_PER_CLAIM)

    @property
    def complete(self) -> bool:
        """Whether the worker finished it."""
        return self.status == Status.COMPLETE


@dataclass(frozen=True)
class Money:
    """Seconds and US dollars of one run, and of the same on on-demand only.

    The workflow's transitions are counted beside that.
    """

    spot_seconds: float
    on_demand_seconds: float
    wasted_seconds: float
    cost: float
    cost_on_demand_only: float
    transitions: int
    transitions_cost: float

    @property
    def saving(self) -> float:
        """Share saved after waste, negative where Spot cost more; 0 for a run that did nothing."""
        return 1 - self.cost / self.cost_on_demand_only if self.cost_on_demand_only else 0.0


@dataclass(frozen=True)
class Totals:
    """The finished runs of one job and month: how many of each day (``01``), and US dollars.

    ``latest_run`` wrote into it last, at ``latest_at``; it may not have finished since.
    """

    finished: Mapping[str, int]
    cost: float
    cost_on_demand_only: float
    latest_run: str
    latest_at: str


def added_up(run: RunRecord, shards: Sequence[RunRecord]) -> RunRecord:
    """Return a run that is spread over shards with the sums of what they have come to; pure."""
    seconds: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for shard in shards:
        seconds.update(shard.seconds)
        ended.update(shard.ended)
    return replace(
        run,
        seconds=dict(seconds),
        ended=dict(ended),
        # What ended by itself has counted those of its shards.
        transitions=max(run.transitions, sum(shard.transitions for shard in shards)),
        shards_done=sum(shard.complete for shard in shards),
    )


def money(run: RunRecord, prices: Prices, *, vcpu: float, memory_gb: float) -> Money:
    """Return what a run cost, and its useful seconds on on-demand only would have."""
    attempts = run.attempts
    spot = sum(a.seconds for a in attempts if a.capacity == Capacity.SPOT)
    on_demand = sum(a.seconds for a in attempts if a.capacity == Capacity.ON_DEMAND)
    wasted = sum(a.lost_seconds for a in attempts)
    spot = max(spot, run.seconds.get("spot_seconds", 0))
    on_demand = max(on_demand, run.seconds.get("on_demand_seconds", 0))
    wasted = max(wasted, run.seconds.get("wasted_seconds", 0))
    second = prices.second(vcpu=vcpu, memory_gb=memory_gb)
    return Money(
        spot_seconds=spot,
        on_demand_seconds=on_demand,
        wasted_seconds=wasted,
        cost=second * (spot * prices.spot_ratio + on_demand),
        cost_on_demand_only=second * max(0.0, spot + on_demand - wasted),
        transitions=run.transitions,
        transitions_cost=prices.transition * run.transitions,
    )
