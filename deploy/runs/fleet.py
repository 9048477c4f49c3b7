"""How all jobs of a platform stand, worst first; pure.

Times of the marks are days of UTC. What only a job's queue knows (a start that the Scheduler could
not deliver) shows by the alarm of that queue. ``fleet_reading`` gives what is judged here, and
``fleet_shown`` writes it for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from steadyspot.contract import Overlap, Status
from steadyspot.contract.keys import scheduled_time_from, scheduled_time_of
from steadyspot.contract.shards import shard_of
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.runs.records import RunRecord, Totals, money
from steadyspot.deploy.runs.shards import ShardsStand
from steadyspot.deploy.schedules.calendar import Timing, last_due, next_due
from steadyspot.deploy.schedules.expressions import Rate
from steadyspot.deploy.schedules.expressions import read as read_expression

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Job

DAYS = 7
START_MINUTES = 15
"""How long after its time a run may be without a record before that counts as missed."""
RUNNING, UNFINISHED = Status.RUNNING.value, Status.UNFINISHED.value
STATES = ("missed", "parked", "late", "waiting", RUNNING, "not deployed", "paused", "finished")
"""How a job stands, worst first; ``no run`` comes last. ``late``: under way after its deadline."""
NO_RUN = "no run"
MARKS = {"finished": "+", UNFINISHED: "x", "missed": "!", "none": "."}


@dataclass(frozen=True)
class Scheduled:
    """A schedule at AWS; ``since``: when it was made or last changed."""

    enabled: bool
    since: datetime


@dataclass(frozen=True)
class Seen:
    """What was read about one job. ``job`` is None where the configuration has none of the name.

    ``schedules`` are those at AWS by name, the first under an empty one. ``open_runs`` are under
    way or ended unfinished, ``due`` is the record of the time ``due_at``, which was due last;
    ``months`` are totals by month, ``tasks`` capacities by run key, of a shard its own; ``stands``
    is how the shards stand of runs under way that are spread over them, by run key.
    """

    name: str
    job: Job | None
    schedules: Mapping[str, Scheduled]
    open_runs: Sequence[RunRecord] = ()
    due_at: datetime | None = None
    due: RunRecord | None = None
    months: Mapping[str, Totals] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    parked_alarm: bool = False
    stands: Mapping[str, ShardsStand] = field(default_factory=dict)


@dataclass(frozen=True)
class UnderWay:
    """A run that is under way; ``capacity`` is empty while it has no task, ``deadline`` if none."""

    run_key: str
    capacity: str
    units_done: int
    units_total: int
    attempts: int
    deadline: str
    shards: ShardsStand | None = None


@dataclass(frozen=True)
class JobStatus:
    """How one job stands. Times are ISO in UTC, empty for none; money is US dollars of the month.

    ``days`` are marks of the last seven days, oldest first: keys of :data:`MARKS`. ``parked`` is at
    least 1 where the queue's alarm rings.
    """

    job: str
    state: str
    missed: str
    parked: int
    running: Sequence[UnderWay]
    last_run: str
    last_status: str
    last_at: str
    next_due: str
    paused: bool
    days: Sequence[str]
    cost: float
    cost_on_demand_only: float
    note: str

    @property
    def saving(self) -> float:
        """Share saved after waste, against on-demand only."""
        return 1 - self.cost / self.cost_on_demand_only if self.cost_on_demand_only else 0.0


def months_of(now: datetime) -> tuple[str, str]:
    """Return this month and the one before it, as 2026-11."""
    return f"{now:%Y-%m}", f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"


def timings_of(seen: Seen) -> list[Timing]:
    """Return when a job is due at AWS, as far as the configuration says it, by each schedule."""
    if seen.job is None:
        return []
    wanted = seen.job.all_schedules
    found = []
    for name, one in wanted.items():
        there = seen.schedules.get(name)
        if there is None or not there.enabled:
            continue
        since = there.since
        # Of several schedules nobody knows which one the latest run is of.
        if len(wanted) == 1 and isinstance(read_expression(one.schedule), Rate):
            runs = (scheduled_time_from(totals.latest_run) for totals in seen.months.values())
            since = max([since, *(datetime.fromisoformat(run) for run in runs if run)])
        found.append(Timing(one.schedule, one.timezone, since))
    return found


def due_before(seen: Seen, now: datetime) -> datetime | None:
    """Return the last time that was due and must have a record by now."""
    until = now - _time_to_start(seen)
    dues = (last_due(timing, until) for timing in timings_of(seen))
    return max((due for due in dues if due), default=None)


def _time_to_start(seen: Seen) -> timedelta:
    """Return how long after its time a run may begin."""
    spread = seen.job.spread_minutes if seen.job else 0
    return timedelta(minutes=spread + START_MINUTES)


def judged(seen: Seen, prices: Prices, now: datetime) -> JobStatus:
    """Return how a job stands."""
    under_way = [run for run in seen.open_runs if run.status != Status.UNFINISHED]
    unfinished = [run for run in seen.open_runs if run.status == Status.UNFINISHED]
    waits = bool(under_way) and seen.job is not None and seen.job.overlap == Overlap.QUEUE
    missed = seen.due_at if seen.due is None and not waits else None
    running = [_under_way(run, seen) for run in under_way]
    last_run, last_status, last_at = max(_ends(seen), key=lambda end: end[2], default=("", "", ""))
    parked = max(len(unfinished), int(seen.parked_alarm))
    timings = timings_of(seen)
    dues = [due for due in (_next(timing, now) for timing in timings) if due]
    cost, full_cost = _money(seen, unfinished, prices, now)
    return JobStatus(
        job=seen.name,
        state=_state(seen, running, parked, last_status, now, missed=missed is not None),
        missed=scheduled_time_of(missed) if missed else "",
        parked=parked,
        running=running,
        last_run=last_run,
        last_status=last_status,
        last_at=last_at,
        next_due=scheduled_time_of(min(dues)) if dues else "",
        paused=_is_paused(seen),
        days=[*marks_of_days(seen, now, DAYS)],
        cost=cost,
        cost_on_demand_only=full_cost,
        note=_note(seen),
    )


def _next(timing: Timing, now: datetime) -> datetime | None:
    form = read_expression(timing.expression)
    if isinstance(form, Rate):
        last = last_due(timing, now)
        return last + form.step if last else next_due(timing, None)
    return next_due(Timing(timing.expression, timing.zone, now), None)


def _state(
    seen: Seen,
    running: Sequence[UnderWay],
    parked: int,
    last_status: str,
    now: datetime,
    *,
    missed: bool,
) -> str:
    at = scheduled_time_of(now)
    states = {
        "missed": missed,
        "parked": parked > 0,
        "late": any(run.deadline and run.deadline < at for run in running),
        "waiting": any(not run.capacity for run in running),
        RUNNING: bool(running),
        "not deployed": _is_unscheduled(seen),
        "paused": _is_paused(seen),
        "finished": bool(last_status),
    }
    return next((state for state in STATES if states[state]), NO_RUN)


def _is_unscheduled(seen: Seen) -> bool:
    return seen.job is not None and bool(seen.job.all_schedules.keys() - seen.schedules.keys())


def _is_paused(seen: Seen) -> bool:
    return bool(seen.schedules) and not any(one.enabled for one in seen.schedules.values())


def _note(seen: Seen) -> str:
    if seen.job is None:
        return "is deployed, but not in the configuration"
    return "its schedule is not there: steadyspot up" if _is_unscheduled(seen) else ""


def _under_way(run: RunRecord, seen: Seen) -> UnderWay:
    deadline = ""
    begun = run.scheduled_time or run.claimed_at
    if seen.job and seen.job.finish_within_minutes and begun:
        within = timedelta(minutes=seen.job.finish_within_minutes)
        deadline = scheduled_time_of(datetime.fromisoformat(begun) + within)
    return UnderWay(
        run_key=run.run_key,
        capacity=_capacity(run, seen.tasks),
        units_done=run.units_done,
        units_total=run.units_total,
        attempts=len(run.attempts),
        deadline=deadline,
        shards=seen.stands.get(run.run_key),
    )


def _capacity(run: RunRecord, tasks: Mapping[str, str]) -> str:
    """Return what the tasks of a run, or of its shards, run on."""
    if run.shards == 1:
        return tasks.get(run.run_key, "")
    its = {on for key, on in tasks.items() if (shard_of(key) or ("",))[0] == run.run_key}
    return " and ".join(sorted(its - {""}, reverse=True))


def _ends(seen: Seen) -> Iterator[tuple[str, str, str]]:
    """Yield key, status and time of the runs that may be the last."""
    known = {run.run_key for run in seen.open_runs}
    for run in (*seen.open_runs, *([seen.due] if seen.due else [])):
        yield run.run_key, run.status, run.claimed_at
    for totals in seen.months.values():
        if totals.latest_run not in known:
            yield totals.latest_run, Status.COMPLETE.value, totals.latest_at


def _money(
    seen: Seen, unfinished: Sequence[RunRecord], prices: Prices, now: datetime
) -> tuple[float, float]:
    """Return the cost of the month's runs that have ended, and what it would have been."""
    this, _ = months_of(now)
    totals = seen.months.get(this)
    costs = [(totals.cost, totals.cost_on_demand_only)] if totals else []
    for run in unfinished:
        if seen.job and _day_of(run).startswith(this):
            own = prices.of(seen.job.architecture)
            spent = money(run, own, vcpu=seen.job.vcpu, memory_gb=seen.job.memory_gb)
            costs.append((spent.cost, spent.cost_on_demand_only))
    return sum(cost for cost, _ in costs), sum(full for _, full in costs)


def _day_of(run: RunRecord) -> str:
    return (run.scheduled_time or run.claimed_at)[:10]


def marks_of_days(seen: Seen, now: datetime, days: int) -> Iterator[str]:
    """Yield a key of :data:`MARKS` for each of the last so many days, oldest first."""
    timings = timings_of(seen)
    bad = {_day_of(run) for run in seen.open_runs if run.status == Status.UNFINISHED}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    known = {_day_of(run) for run in seen.open_runs}
    for back in reversed(range(days)):
        begin = midnight - timedelta(days=back)
        totals = seen.months.get(f"{begin:%Y-%m}")
        day = f"{begin:%Y-%m-%d}"
        if day in bad:
            yield UNFINISHED
        elif totals and totals.finished.get(f"{begin:%d}"):
            yield "finished"
        elif day not in known and any(
            _was_due(timing, begin, now - _time_to_start(seen)) for timing in timings
        ):
            yield "missed"
        else:
            yield "none"


def _was_due(timing: Timing, begin: datetime, until: datetime) -> bool:
    """Return whether a run was due on the day that begins there, before ``until``."""
    end = min(begin + timedelta(days=1), until)
    if isinstance(read_expression(timing.expression), Rate):
        due = last_due(timing, end - timedelta(microseconds=1))
    else:
        due = next_due(replace(timing, begun_at=max(begin, timing.begun_at)), None)
    return due is not None and begin <= due < end


def worst_first(jobs: Sequence[JobStatus]) -> list[JobStatus]:
    """Return jobs sorted by how they stand, then by name."""
    order = [*STATES, NO_RUN]
    return sorted(jobs, key=lambda one: (order.index(one.state), one.job))
