"""What `check` looks at in a job's times: schedule, launches, and grace.

Of the configuration alone; AWS is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from steadyspot.contract import CapacityMode, Overlap
from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.stacks.config import Job

_SHORT_GRACE_SECONDS = 30
_INTERVALS = 50
"""Times of a schedule that are looked at for the shortest interval between two."""

_BECOMES = {
    Overlap.ALLOW: "runs of several times will go on at once",
    Overlap.SKIP: "times that come meanwhile are skipped",
    Overlap.QUEUE: "runs wait for those before them, longer and longer where each takes so long",
    Overlap.REPLACE: "runs are stopped before they are done, by the next one",
}
"""What becomes of runs that are due while another one goes on."""
_OR_TAKE_TURNS = "; overlap = skip or queue lets one run at a time"


def schedules(looks: Looks) -> Iterator[Finding]:
    """Yield when each job is due next."""
    for job in looks.jobs:
        if not job.all_schedules:
            told = "none: it runs only when started by hand"
            yield Finding(f"{job.name}: schedule", Level.NOTE, told)
        dues: list[datetime] = []
        for name, one in job.all_schedules.items():
            times = [*_next_times(one.schedule, one.timezone, looks.now)]
            yield _due_next(job, f"{job.name}: schedule {name}".rstrip(), one.schedule, times)
            dues += times
        gaps = [gap.total_seconds() / 60 for gap in _between(sorted(dues)[: _INTERVALS + 1])]
        yield from _overlaps(job, f"{job.name}: schedule", gaps)


def _due_next(job: Job, about: str, expression: str, times: Sequence[datetime]) -> Finding:
    if not times:
        told = f"{expression} is never due again."
        return Finding(about, Level.BAD, told, "Give it a time that is to come.")
    rests = "" if job.enabled else ", but it rests (enabled = false)"
    return Finding(about, Level.GOOD, f"due next at {times[0]:%Y-%m-%d %H:%M} UTC{rests}")


def missed(looks: Looks) -> Iterator[Finding]:
    """Yield where ``missed`` has nothing to look for, or rings between two runs."""
    for job in looks.jobs:
        about = f"{job.name}: missed"
        timings = [(one.schedule, one.timezone) for one in job.all_schedules.values()]
        if job.missed and not timings and not job.after:
            yield Finding(
                about,
                Level.NOTE,
                "the job has no schedule, so that no time of it can be missed",
                "Leave missed out, or give the job a schedule.",
            )
        elif job.missed and job.missed != "auto" and timings:
            yield from _rings_between(job.missed, about, timings, looks.now)


def _rings_between(
    missed: int, about: str, timings: Sequence[tuple[str, str]], now: datetime
) -> Iterator[Finding]:
    """Yield a finding if more than ``missed`` hours lie between two runs; pure."""
    dues = sorted(due for one in timings for due in _next_times(*one, now))
    hours = max((gap.total_seconds() / 3600 for gap in _between(dues)), default=0.0)
    if hours > missed or len(dues) == 1:
        rare = "the job is due only once" if len(dues) == 1 else f"the job rests for {hours:g} h"
        yield Finding(
            about,
            Level.BAD,
            f"missed = {missed}, but {rare}: the alarm would ring although nothing is missed.",
            'Say missed = "auto", which knows when the job is due, or raise it.',
        )


def _named(job: Job) -> str:
    return (job.schedule if not job.schedules else None) or "the job"


def _next_times(expression: str, zone: str, now: datetime) -> Iterator[datetime]:
    timing = Timing(expression, zone, now)
    due = next_due(timing, None)
    for _ in range(_INTERVALS + 1):
        if due is None:
            return
        yield due
        due = next_due(timing, due)


def _between(dues: Sequence[datetime]) -> list[timedelta]:
    return [later - before for before, later in pairwise(dues)]


def _overlaps(job: Job, about: str, gaps: Sequence[float]) -> Iterator[Finding]:
    """Yield a finding if some of the next runs begin before the one before them can be done."""
    if gaps and min(gaps) < job.expected_minutes:
        never = {
            Overlap.QUEUE: sum(gaps) / len(gaps) < job.expected_minutes,
            Overlap.REPLACE: max(gaps) < job.expected_minutes,
        }.get(job.overlap, False)
        yield Finding(
            about,
            Level.BAD if never else Level.WARN if job.overlap == Overlap.ALLOW else Level.NOTE,
            f"{_named(job)} is due {min(gaps):g} min after the time before, but a run takes "
            f"{job.expected_minutes:g} min: {_BECOMES[job.overlap]}",
            "Let it be due less often, or correct expected_minutes in steadyspot.toml"
            f"{_OR_TAKE_TURNS if job.overlap == Overlap.ALLOW else ''}.",
        )
    if job.overlap == Overlap.QUEUE and (within := job.finish_within_minutes):
        room = within - job.expected_minutes
        yield judged(
            f"{job.name}: queue",
            room >= job.expected_minutes,
            f"a run that waits for one before it needs {2 * job.expected_minutes:g} min, and has "
            f"{within:g} by finish_within_minutes",
            "Raise finish_within_minutes, or let runs that meet another one be skipped.",
            Level.BAD if room < 0 else Level.NOTE,
        )


def spread(looks: Looks) -> Iterator[Finding]:
    """Yield whether a run that Scheduler starts last of all can still be done in time, on Spot."""
    for job in looks.jobs:
        about, minutes = f"{job.name}: spread", job.spread_minutes
        if not minutes:
            continue
        reserve = 2 * job.start_up_seconds + job.stop_timeout_seconds + job.margin_seconds
        on_demand = minutes + job.expected_minutes + job.start_up_seconds / 60
        spot = minutes + job.expected_minutes + reserve / 60
        within = job.finish_within_minutes
        shown = f"runs start up to {minutes} min after their time"
        missed = 0 if job.missed == "auto" else 60 * job.missed
        if within and within < on_demand:
            yield Finding(
                about,
                Level.BAD,
                f"{shown}; the last of them are late: a run takes {job.expected_minutes:g} min "
                f"of the {within:g} by finish_within_minutes.",
                "Lower spread_minutes, or raise finish_within_minutes.",
            )
        elif within and within < spot and job.capacity == CapacityMode.SPOT_FIRST:
            yield Finding(
                about,
                Level.NOTE,
                f"{shown}; the last of them have no time left for Spot",
                "Lower spread_minutes, or raise finish_within_minutes.",
            )
        elif 0 < missed < on_demand:
            yield Finding(
                about,
                Level.BAD,
                f"{shown}, and count as missed {job.missed} h after it.",
                "Lower spread_minutes, or raise missed.",
            )
        else:
            yield Finding(about, Level.GOOD, f"{shown}, and their deadline counts from that")


def chains(looks: Looks) -> Iterator[Finding]:
    """Yield whether a run that comes after others is ever started, and has time when it is."""
    jobs = looks.target.config.jobs
    for job in looks.jobs:
        about = f"{job.name}: after"
        if not job.after:
            continue
        others = {name: jobs[name] for name in job.after}
        never = [name for name, one in others.items() if not (one.all_schedules or one.after)]
        minutes = max(minutes_until(name, jobs) for name in job.after)
        within = job.finish_within_minutes
        if never:
            yield Finding(
                about,
                Level.BAD,
                f"{never[0]} has no schedule, so that no run of it is of a time to come after.",
                f"Give {never[0]} a schedule, or {job.name} one of its own.",
            )
        elif within and within < minutes + job.expected_minutes:
            yield Finding(
                about,
                Level.BAD,
                f"the runs before it take {minutes:g} min of the {within:g} by "
                f"finish_within_minutes, and its own {job.expected_minutes:g}.",
                "Raise finish_within_minutes, which counts from the time of the first.",
            )
        else:
            yield Finding(about, Level.GOOD, f"begins once {', '.join(job.after)} have finished")


def minutes_until(name: str, jobs: Mapping[str, Job]) -> float:
    """Return how long after the scheduled time a job's run has finished, as far as is expected."""
    before = [minutes_until(other, jobs) for other in jobs[name].after]
    return max(before, default=0.0) + jobs[name].expected_minutes


def launches(looks: Looks) -> Iterator[Finding]:
    """Yield whether ``launch_minutes`` lets a launch start, and leaves time for another."""
    for job in looks.jobs:
        about, minutes = f"{job.name}: launches", job.launch_minutes
        shown = f"launch_minutes = {minutes:g}"
        if not minutes:
            yield Finding(
                about,
                Level.NOTE,
                f"{shown}: a launch that hangs is given up only when its time is over",
                "Leave it out (15) unless the two state transitions a launch are too much.",
            )
        elif minutes * 60 <= job.start_up_seconds:
            yield Finding(
                about,
                Level.BAD,
                f"{shown} is no longer than start_up_seconds = {job.start_up_seconds}: launches "
                "would be given up that only take as long as they may.",
                "Raise launch_minutes, or correct start_up_seconds in steadyspot.toml.",
            )
        elif _is_longer_than_the_wait(job):
            yield Finding(
                about,
                Level.NOTE,
                f"{shown} is more than maximum_wait_minutes = {job.maximum_wait_minutes:g}: "
                "on-demand comes later than that where a launch hangs",
                "Lower launch_minutes.",
            )
        else:
            yield Finding(about, Level.GOOD, f"given up after {minutes:g} min")


def _is_longer_than_the_wait(job: Job) -> bool:
    """Return whether one launch that hangs takes longer than Spot is waited for; pure."""
    return (
        job.capacity != CapacityMode.ON_DEMAND_ONLY
        and not job.finish_within_minutes
        and job.launch_minutes > job.maximum_wait_minutes
    )


def grace(looks: Looks) -> Iterator[Finding]:
    """Yield whether the time between SIGTERM and SIGKILL is long enough to save."""
    for job in looks.jobs:
        yield judged(
            f"{job.name}: grace",
            job.stop_timeout_seconds >= _SHORT_GRACE_SECONDS,
            f"{job.stop_timeout_seconds} s from SIGTERM to SIGKILL; a reclaim leaves 120",
            "Raise stop_timeout unless a unit of work is that short.",
            Level.NOTE,
        )
