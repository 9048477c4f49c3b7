"""What AWS bills for runs beside the plain seconds of compute; pure.

A task is billed from the start of its image's pull, for a minute at least. What its disk has above
20 GB, its public address, the workflow's transitions and the logs come on top. Not in it: what lies
in the bucket, the table and the registry, and requests to them. Its biggest drawback: of a run over
shards, and of attempts that are no longer carried along, only the plain seconds are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from steadyspot.contract import Capacity
from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.story import Explanation
from steadyspot.deploy.stacks.config import Config, Job

LEAST_SECONDS = 60
FREE_DISK_GB = 20
QUIET_TRANSITIONS = 5
"""Of a run that nothing troubles, on on-demand."""


@dataclass(frozen=True)
class Billed:
    """US dollars; ``seconds`` are those that are billed, ``on_demand_only`` all of it there."""

    seconds: float = 0
    compute: float = 0
    disk: float = 0
    addresses: float = 0
    transitions: float = 0
    logs: float = 0
    on_demand_only: float = 0

    @property
    def total(self) -> float:
        """What AWS bills."""
        return self.compute + self.disk + self.addresses + self.transitions + self.logs

    @property
    def saving(self) -> float:
        """Share saved with everything counted; 0 for runs that did nothing."""
        return 1 - self.total / self.on_demand_only if self.on_demand_only else 0.0

    def as_row(self) -> dict[str, float]:
        """Return it for machines."""
        return {**asdict(self), "total": self.total, "saving": self.saving}

    def __add__(self, other: Billed) -> Billed:
        return Billed(
            self.seconds + other.seconds,
            self.compute + other.compute,
            self.disk + other.disk,
            self.addresses + other.addresses,
            self.transitions + other.transitions,
            self.logs + other.logs,
            self.on_demand_only + other.on_demand_only,
        )


def billed_of(
    run: RunRecord, job: Job, prices: Prices, *, public: bool, log_bytes_a_second: float = 0.0
) -> Billed:
    """Return what AWS bills for a run.

    Parameters
    ----------
    prices
        Those of the job's architecture.
    public
        Whether its tasks have public addresses.
    log_bytes_a_second
        What its job logged for each second of its tasks.
    """
    spot, on_demand = (_seconds(run, capacity) for capacity in Capacity)
    plain, wasted = _plain(run)
    useful = max(0.0, plain - wasted)
    second = prices.second(vcpu=job.vcpu, memory_gb=job.memory_gb)
    beside = _beside(job, prices, public=public)
    seconds = spot + on_demand
    logs = log_bytes_a_second * plain / 1e9 * prices.log_gb
    alone = max(LEAST_SECONDS, useful + _pull(run)) if useful else 0.0
    return Billed(
        seconds=seconds,
        compute=second * (spot * prices.spot_ratio + on_demand),
        disk=seconds * beside.disk,
        addresses=seconds * beside.addresses,
        transitions=run.transitions * prices.transition,
        logs=logs,
        on_demand_only=(
            alone * (second + beside.disk + beside.addresses)
            + QUIET_TRANSITIONS * prices.transition
            + logs
            if useful
            else 0.0
        ),
    )


def with_bill(story: Explanation, job: Job, config: Config) -> Explanation:
    """Return the story of a run with what AWS bills for it, if any attempt has ended."""
    run = story.run
    if run is None or not run.attempts_ended:
        return story
    public = config.has_public_addresses()
    return replace(story, billed=billed_of(run, job, config.prices_of(job), public=public))


def _beside(job: Job, prices: Prices, *, public: bool) -> Billed:
    """Return what a second of a task costs beside its compute."""
    return Billed(
        disk=max(0, job.disk_gb - FREE_DISK_GB) * prices.disk_gb_hour / 3600,
        addresses=prices.address_hour / 3600 if public else 0.0,
    )


def _seconds(run: RunRecord, capacity: Capacity) -> float:
    """Return the seconds that are billed on a capacity."""
    of_it = [one for one in run.attempts if one.capacity == capacity]
    began = [one for one in of_it if one.billed_seconds or one.seconds]
    billed = sum(max(LEAST_SECONDS, one.billed_seconds, one.seconds) for one in began)
    column = "spot_seconds" if capacity is Capacity.SPOT else "on_demand_seconds"
    not_carried = run.seconds.get(column, 0) - sum(one.seconds for one in of_it)
    return billed + max(0.0, not_carried)


def _plain(run: RunRecord) -> tuple[float, float]:
    """Return the seconds of tasks as a record counts them, and those of them that were wasted."""
    known = sum(run.seconds.get(name, 0) for name in ("spot_seconds", "on_demand_seconds"))
    plain = max(known, sum(one.seconds for one in run.attempts))
    wasted = sum(one.lost_seconds for one in run.attempts)
    return plain, max(run.seconds.get("wasted_seconds", 0), wasted)


def _pull(run: RunRecord) -> float:
    """Return how long an image's pull and a start took, on the average of the run's attempts."""
    pulls = [one.billed_seconds - one.seconds for one in run.attempts if one.billed_seconds]
    return max(0.0, sum(pulls) / len(pulls)) if pulls else 0.0


def sentence(billed: Iterable[Billed]) -> str:
    """Return what AWS bills in all, by its parts."""
    whole = sum(billed, Billed())
    return (
        f"AWS bills about {dollars(whole.total)}: {_parts(whole)}. {_instead(whole)} "
        "with everything counted."
    )


def sentence_of_run(billed: Billed, *, complete: bool) -> str:
    """Return what AWS bills for a run, of whose logs nobody knows.

    What it saved can only be said of a run that did its work.
    """
    instead = f" {_instead(billed)} with all of that counted." if complete else ""
    return f"AWS bills about {dollars(billed.total)} and the logs: {_parts(billed)}.{instead}"


def _parts(whole: Billed) -> str:
    parts = (
        (f"compute from the image's pull on {dollars(whole.compute)}", True),
        (f"disk above {FREE_DISK_GB} GB {dollars(whole.disk)}", whole.disk),
        (f"public addresses {dollars(whole.addresses)}", whole.addresses),
        (f"transitions {dollars(whole.transitions)}", whole.transitions),
        (f"logs {dollars(whole.logs)}", whole.logs),
    )
    return ", ".join(text for text, there in parts if there)


def _instead(whole: Billed) -> str:
    share = f"saved {whole.saving:.0%}" if whole.saving >= 0 else f"cost {-whole.saving:.0%} more"
    return f"On on-demand only that would be {dollars(whole.on_demand_only)}: {share}"
