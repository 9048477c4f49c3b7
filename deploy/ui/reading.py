"""Asks a target for what pages show; the verbs read the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import local
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Status
from steadyspot.deploy.forms import shown
from steadyspot.deploy.money.true_bill import with_bill
from steadyspot.deploy.runs import fleet, fleet_reading, outputs, weather
from steadyspot.deploy.runs.evidence import explanation_of
from steadyspot.deploy.runs.executions import definition_of
from steadyspot.deploy.runs.listing import glanced
from steadyspot.deploy.runs.logs import LogLine, RunLog
from steadyspot.deploy.runs.strips import Strips
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.doing import Action, Hands
from steadyspot.deploy.ui.drilling import Drilling
from steadyspot.deploy.ui.drills_view import DrillsView, drills_view
from steadyspot.deploy.ui.fleet_view import FleetView, fleet_view
from steadyspot.deploy.ui.job_view import Asked, JobView, job_view
from steadyspot.deploy.ui.run_view import Beside, RunView, run_view

if TYPE_CHECKING:
    from steadyspot.deploy.runs.fleet import JobStatus
    from steadyspot.deploy.runs.story import Explanation
    from steadyspot.deploy.target import Target

_RUNS = 100
"""Of a job, the last ones that its page reads."""
_LINES = 100
"""Of an attempt, the last ones that a page shows."""
MOST_CALLS = 20
"""To AWS, by a look and the strips that it has read."""
_FILL_SECONDS = 0.3
_OUTPUTS = 200
_TASKS = 5
"""Of so many attempts, the last ones: a call each."""


class Reading:
    """What a server shows of a target, read anew at each look.

    Parameters
    ----------
    whole
        Whether a look at all jobs waits for the last runs of all of them, in as many calls as that
        takes; else these are read beside the looks, a few calls each.
    """

    def __init__(self, target: Target, *, whole: bool = False) -> None:
        self._target = target
        self._whole = whole
        self._calls = local()
        self._strips = Strips()
        self._behind = ThreadPoolExecutor(1, "strips")
        self._filling: Future[None] | None = None
        self.drilling = Drilling(target)
        self.where = where(target)
        target.session.events.register("before-call.*", self._count)

    def _count(self, **_: Any) -> None:
        self._calls.made = getattr(self._calls, "made", 0) + 1

    def configured(self, name: str) -> Job:
        """Return a job of the configuration.

        Raises
        ------
        Trouble
            When it has none of that name.
        """
        return self._target.config.job(name)

    def fleet(self) -> FleetView:
        """Return how all jobs stand."""
        target, now = self._target, datetime.now(UTC)
        self._calls.made = 0
        jobs, found = fleet_reading.read(target, now), weather.read(target, now)
        wanting = self._strips.wanting(jobs)
        if self._whole:
            self._strips.read(target.runs, wanting)
        else:
            self._fill(wanting[: max(0, MOST_CALLS - self._calls.made)])
        return fleet_view(jobs, self._strips.known, found)

    def _fill(self, wanting: Sequence[JobStatus]) -> None:
        """Have strips read, if none are being read, and wait a moment for them."""
        if self._filling is None or self._filling.done():
            self._filling = self._behind.submit(self._strips.read, self._target.runs, wanting)
            wait([self._filling], _FILL_SECONDS)

    def job(self, name: str) -> JobView:
        """Return a job and its last runs.

        Raises
        ------
        Trouble
            When the configuration has none of that name, or it is not deployed.
        """
        target, now = self._target, datetime.now(UTC)
        job = target.config.job(name)
        runs, lines = glanced(target, job, _RUNS)
        _, totals = target.runs.of_jobs([], [(name, month) for month in fleet.months_of(now)])
        scheduled = fleet_reading.schedules_of(target, name) if job.all_schedules else {}
        seen = fleet.Seen(
            name=name,
            job=job,
            schedules={one: there for (of, one), there in scheduled.items() if of == name},
            open_runs=[run for run in runs if run.status not in (Status.COMPLETE, Status.SKIPPED)],
            months={month: found for (_, month), found in totals.items()},
        )
        parameters = target.stacks.parameters(target.config.job_stack(job))
        asked = Asked(runs, lines, seen, parameters)
        return job_view(job, asked, target.config.prices_of(job), now)

    def run(self, job: str, key: str) -> RunView:
        """Return a run.

        Raises
        ------
        Trouble
            When nothing knows it.
        """
        return read_run(self._target, self._target.config.job(job), key)

    def output(self, job: str, key: str, name: str) -> Iterator[bytes]:
        """Return an output of a run, piece by piece.

        Raises
        ------
        Trouble
            When there is no such run, or it has none of that name.
        """
        run = self._target.runs.get(job, key)
        if run is None:
            raise Trouble(
                f"There is no run {shown(key)} of {job}.", f"Look: steadyspot runs {job}."
            )
        return outputs.opened(self._target, run, name)

    def drills(self, name: str) -> DrillsView:
        """Return the drills of a job, and the one that is under way."""
        return drills_view(self.configured(name), self.drilling.last)

    def told(self, action: Action, job: str, run: str) -> list[str]:
        """Return what an action will do, and what it takes."""
        target, wanted = self._target, self.configured(job)
        here = target.switches is not None
        return action.told(wanted, run, target.config.prices_of(wanted), here=here)

    def do(self, action: Action, job: str, run: str) -> str:
        """Do something; return what is to be said when it is done.

        Raises
        ------
        Trouble
            When it cannot be done.
        """
        return action.do(Hands(self._target, self.drilling), self.configured(job), run)


def read_run(target: Target, job: Job, run: str | None, shard: int | None = None) -> RunView:
    """Return what the page of a run or of its shard shows, with what the last attempts printed.

    Raises
    ------
    Trouble
        When nothing knows that run.
    """
    story = with_bill(explanation_of(target, job, run, shard=shard), job, target.config)
    record = story.run
    beside = Beside(
        log=_printed(target, job, story),
        outputs=outputs.first_of(target, record, _OUTPUTS) if record and record.complete else (),
        definition=(
            definition_of(target.client("stepfunctions"), story.execution) if story.entered else ""
        ),
    )
    return run_view(story, job, target.config.prices_of(job), datetime.now(UTC), beside)


def where(target: Target) -> str:
    """Return whose runs a page shows."""
    here = target.switches is not None
    return f"{target.platform_stack}, {'this machine' if here else target.session.region_name}"


def _printed(target: Target, job: Job, story: Explanation) -> dict[int, list[LogLine]]:
    """Return the last lines of the last attempts, by their numbers."""
    log = RunLog(target.client("logs"), target.job(job)["LogGroup"])
    tasks = {one.attempt: one.task for one in (story.run.attempts if story.run else ()) if one.task}
    if story.under_way and story.under_way.task:
        tasks[story.under_way.number] = story.under_way.task
    latest = list(tasks.items())[-_TASKS:]
    return {attempt: log.last(task, attempt, _LINES) for attempt, task in latest}
