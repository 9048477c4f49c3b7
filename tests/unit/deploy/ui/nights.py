"""Runs to look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from steadyspot.contract import Status
from steadyspot.contract.states import JobState
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.runs.fleet import Scheduled, Seen
from steadyspot.deploy.runs.history import Moment, Tone
from steadyspot.deploy.runs.listing import lines_of
from steadyspot.deploy.runs.records import AttemptRecord, RunRecord, StopRecord, Totals
from steadyspot.deploy.runs.story import Explanation, Stop
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.job_view import Asked
from tests.unit.deploy.fakes import BEGUN

JOB = Job(name="night", image="i", vcpu=1, memory_gb=2)
PRICES = Prices()


def attempt(
    number: int, capacity: str, begin: float, minutes: float, cause: str, units: int
) -> AttemptRecord:
    """An attempt that began so many minutes after the run."""
    start = BEGUN + timedelta(minutes=begin)
    return AttemptRecord(
        attempt=number,
        capacity=capacity,
        zone="eu-central-1a",
        started_at=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        ended_at=f"{start + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}",
        seconds=60 * minutes,
        exit_code=0 if cause == "finished" else 143,
        cause=cause,
        stopped_reason="" if cause == "finished" else "Your Spot Task was interrupted.",
        task="arn:aws:ecs:eu-central-1:1:task/shop/abc",
        units_done=units,
        lost_seconds=0,
    )


ATTEMPTS = (
    attempt(1, "spot", 0, 20, "reclaimed", 4),
    attempt(2, "spot", 20, 0, "no-capacity", 4),
    attempt(3, "on-demand", 40, 24, "finished", 8),
)


_STOPPED = (JobState.HOW_FAR, JobState.RECORD_ATTEMPT, JobState.NOTE_WEATHER)
ENTERED: tuple[str, ...] = (
    *(JobState.CLAIM, JobState.LOOK_AT_WEATHER, JobState.RUN_ON_SPOT),
    *(*_STOPPED, JobState.WHY_DID_IT_STOP, JobState.CHOOSE_CAPACITY, JobState.RUN_ON_SPOT),
    *(JobState.NOTE_WEATHER, JobState.WHY_DID_IT_STOP, JobState.WAIT_FOR_CAPACITY),
    *(JobState.LOOK_AT_WEATHER, JobState.CHOOSE_CAPACITY, JobState.RUN_ON_DEMAND, JobState.CLOSE),
)
"""The states of that night, in order."""


def night(
    attempts: tuple[AttemptRecord, ...] = ATTEMPTS, said: str = "Your Spot Task was interrupted."
) -> Explanation:
    """A run that was due by 03:00: reclaimed, refused, and late by four minutes on on-demand."""
    return Explanation(
        outcome="The run is complete and its outputs are published.",
        next_step="Nothing to do.",
        run=RunRecord(
            job="night",
            run_key="20261124T020000Z",
            status="complete" if attempts else "running",
            execution="arn:aws:states:eu-central-1:1:execution:night:20261124T020000Z",
            scheduled_time="2026-11-24T02:00:00Z",
            claimed_at="2026-11-24T02:00:01Z",
            cause="",
            attempts=attempts,
            units_done=8,
            units_total=8,
            completion={"outputs": 1, "output_bytes": 661, "completed_at": "2026-11-24T03:04:00Z"},
            warnings=(),
            stop=None,
            fence=3,
            transitions=25,
            seconds={},
        ),
        execution="arn:aws:states:eu-central-1:1:execution:night:20261124T020000Z",
        moments=(
            Moment(BEGUN, "run 20261124T020000Z is claimed, due by 03:00:00"),
            Moment(
                BEGUN + timedelta(minutes=20),
                "attempt 1 was interrupted (reclaimed): AWS reclaimed the Spot capacity.",
                Tone.TROUBLE,
            ),
        ),
        stops=(Stop(1, "reclaimed", "interrupted", said),),
        deadline=BEGUN + timedelta(hours=1),
        latest_spot_start=BEGUN + timedelta(minutes=40),
        entered=ENTERED if attempts else ENTERED[:2],
    )


def parked() -> Explanation:
    """The same, which ended unfinished and waits."""
    story = night(ATTEMPTS[:2])
    assert story.run
    return replace(
        story,
        outcome="It ended unfinished: the job itself failed.",
        next_step="Mend the job. To redrive it: steadyspot redrive night 20261124T020000Z.",
        run=replace(story.run, status="unfinished", completion=None),
    )


def weeks(job: Job, nights: int = 40) -> Asked:
    """What is read of a job with so many nights behind it, some of them bad; newest first."""
    runs = []
    for back in range(nights):
        begin = BEGUN - timedelta(days=back)
        shift = -timedelta(days=back)
        bad, stopped = back % 17 == 5, back % 7 == 3
        attempts = ATTEMPTS if stopped else ATTEMPTS[:2] if bad else (quiet(20 + back % 9),)
        story = night(tuple(moved(one, shift) for one in attempts))
        assert story.run
        time = f"{begin:%Y-%m-%dT%H:%M:%SZ}"
        runs.append(
            replace(
                story.run,
                run_key=f"{begin:%Y%m%dT%H%M%SZ}",
                scheduled_time=time,
                claimed_at=time,
                status=Status.UNFINISHED if bad else Status.COMPLETE,
                cause="reclaimed" if bad else "",
                stop=StopRecord(20 + back, 3) if stopped else None,
                seconds={
                    f"{one.capacity.replace('-', '_')}_seconds": one.seconds for one in attempts
                },
            )
        )
    good = [run for run in runs if run.complete]
    months = {
        month: Totals(
            {run.scheduled_time[8:10]: 1 for run in good if run.scheduled_time.startswith(month)},
            1.0,
            3.0,
            good[0].run_key,
            good[0].claimed_at,
        )
        for month in ("2026-10", "2026-11")
    }
    seen = Seen(
        job.name,
        job,
        {"": Scheduled(enabled=True, since=BEGUN - timedelta(days=nights))},
        open_runs=[run for run in runs if not run.complete],
        months=months,
    )
    image = {"Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:" + 64 * "a"}
    return Asked(runs, lines_of(job, runs, (), (), PRICES), seen, image)


def quiet(minutes: float) -> AttemptRecord:
    """The one attempt of a run that nothing befell."""
    return attempt(1, "spot", 0, minutes, "finished", 8)


def moved(one: AttemptRecord, by: timedelta) -> AttemptRecord:
    """The same attempt at another time."""
    begin, end = (datetime.fromisoformat(time) + by for time in (one.started_at, one.ended_at))
    return replace(
        one,
        started_at=f"{begin:%Y-%m-%dT%H:%M:%SZ}",
        ended_at=f"{end:%Y-%m-%dT%H:%M:%SZ}",
    )
