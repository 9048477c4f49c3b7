"""What runs cost, a run or a month each, and what would save most; pure.

Held against on-demand only, after waste. The knobs named are those of steadyspot.toml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from steadyspot.contract import CapacityMode
from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.money.true_bill import Billed, billed_of
from steadyspot.deploy.money.true_bill import sentence as of_all_billed
from steadyspot.deploy.runs.records import Money, RunRecord, money
from steadyspot.deploy.stacks.config import Job


@dataclass(frozen=True)
class Bill:
    """The runs of one job in one month (``2026-11``), or one run; money in US dollars.

    ``cost`` is that of plain compute, ``billed`` what AWS bills with everything counted.
    """

    job: str
    when: str
    runs: int
    complete: int
    attempts: int
    spot_seconds: float
    on_demand_seconds: float
    wasted_seconds: float
    cost: float
    cost_on_demand_only: float
    billed: Billed

    @property
    def saving(self) -> float:
        """Share saved after waste, against on-demand only."""
        return 1 - self.cost / self.cost_on_demand_only if self.cost_on_demand_only else 0.0


@dataclass(frozen=True)
class Advice:
    """A knob that would have saved money, and how much of it at most, in US dollars."""

    job: str
    saves: float
    text: str


@dataclass(frozen=True)
class Terms:
    """By what the runs of a job are paid: prices of its architecture, and what is beside them."""

    prices: Prices
    public: bool = False
    log_bytes_a_second: float = 0.0


def terms_of(
    runs: Sequence[RunRecord], prices: Prices, *, public: bool, log_bytes: float = 0.0
) -> Terms:
    """Return the terms of runs in whose time their job logged so many bytes."""
    seconds = sum(attempt.seconds for run in runs for attempt in run.attempts)
    return Terms(prices, public, log_bytes / seconds if seconds else 0.0)


def of_run(job: Job, run: RunRecord, terms: Terms) -> Bill:
    """Return the bill of one run."""
    return _bill(job, run.run_key, [run], terms)


def by_month(job: Job, runs: Iterable[RunRecord], terms: Terms) -> list[Bill]:
    """Return the bills of a job, a month each, oldest first."""
    months: dict[str, list[RunRecord]] = {}
    for run in runs:
        months.setdefault(run.claimed_at[:7], []).append(run)
    return [_bill(job, month, found, terms) for month, found in sorted(months.items())]


def _bill(job: Job, when: str, runs: Sequence[RunRecord], terms: Terms) -> Bill:
    found: list[tuple[RunRecord, Money]] = [
        (run, money(run, terms.prices, vcpu=job.vcpu, memory_gb=job.memory_gb)) for run in runs
    ]
    billed = (
        billed_of(
            run,
            job,
            terms.prices,
            public=terms.public,
            log_bytes_a_second=terms.log_bytes_a_second,
        )
        for run in runs
    )
    return Bill(
        job=job.name,
        when=when,
        runs=len(found),
        complete=sum(run.complete for run, _ in found),
        attempts=sum(run.attempts_ended for run, _ in found),
        spot_seconds=sum(cost.spot_seconds for _, cost in found),
        on_demand_seconds=sum(cost.on_demand_seconds for _, cost in found),
        wasted_seconds=sum(cost.wasted_seconds for _, cost in found),
        cost=sum(cost.cost for _, cost in found),
        cost_on_demand_only=sum(cost.cost_on_demand_only for _, cost in found),
        billed=sum(billed, Billed()),
    )


def advice(job: Job, bill: Bill, prices: Prices) -> Advice | None:
    """Return the knob that would have saved most of a bill; None below two per cent."""
    found = max(knobs(job, bill, prices), key=lambda one: one.saves, default=None)
    return found if found and found.saves > 0.02 * bill.cost else None


def knobs(job: Job, bill: Bill, prices: Prices) -> Iterator[Advice]:
    """Yield what each knob would have saved of a bill, at most; 0 where nothing."""
    second = prices.second(vcpu=job.vcpu, memory_gb=job.memory_gb)
    on_spot = bill.on_demand_seconds * second * (1 - prices.spot_ratio)
    if job.capacity == CapacityMode.ON_DEMAND_ONLY:
        yield Advice(job.name, on_spot, 'capacity = "spot-first" instead of "on-demand-only"')
    elif job.finish_within_minutes:
        yield Advice(
            job.name,
            on_spot,
            "a greater finish_within_minutes: on-demand was taken to be on time",
        )
    else:
        yield Advice(
            job.name,
            on_spot,
            "a greater maximum_wait_minutes: on-demand was taken because Spot was not there",
        )
    lost = min(bill.wasted_seconds, bill.spot_seconds + bill.on_demand_seconds)
    dear = bill.on_demand_seconds > bill.spot_seconds
    yield Advice(
        job.name,
        lost * second * (1 if dear else prices.spot_ratio),
        "smaller units of work, or checkpoints more often: work was lost that was not yet durable",
    )


def together(job: Job, runs: Sequence[RunRecord], terms: Terms) -> Bill:
    """Return one bill for all these runs."""
    return _bill(job, "all", runs, terms)


# "full cost" is what the same work would have cost on on-demand only.
COLUMNS = (
    "job",
    "when",
    "runs",
    "#",
    "Spot s",
    "on-demand s",
    "lost s",
    "cost",
    "full cost",
    "saved",
)


def cells(bill: Bill) -> tuple[str, ...]:
    """Return the cells of a bill, as :data:`COLUMNS` names them."""
    return (
        bill.job,
        bill.when,
        f"{bill.complete}/{bill.runs}",
        str(bill.attempts),
        f"{bill.spot_seconds:.0f}",
        f"{bill.on_demand_seconds:.0f}",
        f"{bill.wasted_seconds:.0f}",
        dollars(bill.cost),
        dollars(bill.cost_on_demand_only),
        f"{bill.saving:.0%}",
    )


def sentences(
    bills: Sequence[Bill], tips: Sequence[Advice], prices: Prices, days: int
) -> Iterator[str]:
    """Yield what the bills come to, and the knob that would save most."""
    cost = sum(bill.cost for bill in bills)
    without = sum(bill.cost_on_demand_only for bill in bills)
    share = f"{1 - cost / without:.0%}" if without else "0%"
    yield (
        f"The compute of the last {days} days cost {dollars(cost)}; on on-demand only the same "
        f"work would have cost {dollars(without)}: saved {share} after waste (prices of "
        f"{prices.date})."
    )
    yield of_all_billed(bill.billed for bill in bills)
    best = max(tips, key=lambda tip: tip.saves, default=None)
    if best:
        yield f"What would save most, up to {dollars(best.saves)}: for {best.job}, {best.text}."
