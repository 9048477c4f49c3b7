"""What the demos have in common: TPC-H query 1 in parts on an embedded AWS, and promises checked.

A showing deploys its one job as anybody would, starts it by a schedule, follows its executions, and
holds the published result against TPC-H's own answer. What goes wrong in it, and what it promises,
is its own. A demo ends well only if everything it promises was checked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from steadyspot import examples
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.outbox import Mail
from steadyspot.deploy.runs.executions import Follower
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.parameters import of_job, of_platform
from steadyspot.deploy.stacks.templates import job_template, platform_template
from steadyspot.deploy.target import Target
from steadyspot.deploy.trouble import Trouble, how_stopped
from steadyspot.examples.tpch_q1 import answer, data

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen

T = TypeVar("T")

START_SECONDS = 30.0
NOT_BY_ITSELF = "cron(0 2 1 1 ? 2099)"
"""When a demo's job is due, that no other run comes between, at whatever time it is shown."""
SHOWN_COLUMNS = (0, 1, 2, 5, 9)


@dataclass(frozen=True)
class Check:
    """One promise of the demo, and whether it was kept."""

    promise: str
    kept: bool


class Showing(ABC):
    """One showing of a job that works off so many parts; ``folder`` becomes the job's."""

    def __init__(self, aws: LocalAws, screen: Screen, folder: Path, job: Job, parts: int) -> None:
        self._aws = aws
        self._screen = screen
        self._folder = folder
        self._job = job
        self._parts = parts
        self._config = Config(
            path=Path("steadyspot.toml"),
            platform=Platform(name="steadyspot", mail="oncall@example.com"),
            jobs={job.name: job},
        )
        self._target = Target(self._config, aws.session())

    @abstractmethod
    def run(self) -> Iterator[Check]:
        """Show everything, in its order; yields what was checked."""

    @abstractmethod
    def say_where_to_look(self) -> None:
        """Say at the end where a newcomer goes from here."""

    def set_up(self) -> None:
        """Deploy the job, and put its input into the bucket."""
        self._screen.heading(f"An AWS of your own at {self._aws.endpoint_url}")
        # The job lies in a folder of its own, as anybody's would.
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(room(examples), self._folder / "examples", ignore=ignored)
        self._aws.images.offer([self._job.image], self._folder)
        platform, job = self._target.platform_stack, self._config.job_stack(self._job)
        for stack, template, parameters in (
            (platform, platform_template(), of_platform(self._config.platform)),
            (job, job_template(), of_job(self._config.platform, self._job)),
        ):
            upload(self._target, template)
            self._target.stacks.deploy(stack, template.text, parameters, lambda _event: None)
        self._screen.say(f"  deployed by CloudFormation: {platform} and {job}")
        files = data.make(self._folder / "input", parts=self._parts)
        size = sum(file.stat().st_size for file in files) / 1e6
        data.put(self._target.client("s3"), self._target.platform["Bucket"], files)
        self._screen.say(
            f"  {self._parts} parts of TPC-H's lineitem, {size:.0f} MB, lie in the bucket"
        )

    def right_answer(self, result: str) -> Iterator[Check]:
        """Hold a result against TPC-H's own answer."""
        differences = answer.compare(answer.parse(result), answer.published())
        for difference in differences:
            self._screen.say(f"  {difference}", "red")
        yield Check("the result equals TPC-H's published answer", not differences)

    def read(self, key: str) -> str:
        """The text of an object of the bucket."""
        s3 = self._target.client("s3")
        found = s3.get_object(Bucket=self._target.platform["Bucket"], Key=key)
        return str(found["Body"].read().decode())

    def show_result(self, result: str, whence: str) -> None:
        """Print some columns of the result."""
        rows = [
            [line.split(",")[column] for column in SHOWN_COLUMNS] for line in result.splitlines()
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        self._screen.heading(f"The result, {whence} (some of its columns)")
        for row in rows:
            cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            self._screen.say("  " + "  ".join(cells))

    def show_mail(self, run: RunRecord) -> Mail:
        """Print the mail that told of a run."""
        mail = self.mail(lambda mail: run.run_key in mail.subject)
        self._screen.heading("The mail in the outbox")
        self._screen.say(f"  Subject: {mail.subject}")
        for line in mail.body.splitlines():
            self._screen.say(f"  {line}")
        return mail

    def schedule(self, name: str, target: dict[str, Any]) -> datetime:
        """Make a one-time schedule, like the job's own but for ``target``; return its time."""
        scheduler, group = self._target.client("scheduler"), self._target.platform["ScheduleGroup"]
        own = scheduler.get_schedule(Name=self._target.job(self._job)["Schedule"], GroupName=group)
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={**own["Target"], **target},
        )
        return at

    def execution_of(self, at: datetime) -> str:
        """The execution that works a time off, once it has begun."""

        def started() -> str:
            run = self._target.runs.get(self._job.name, key_of(at))
            return run.execution if run else ""

        return until(started, START_SECONDS, "the schedule started no run")

    def follow(self, execution: str) -> None:
        """Print what happens in an execution to its end."""
        pace = Pace(per_minute=600)  # The embedded AWS may be asked often.
        for moment in Follower(self._target.client("stepfunctions"), execution, pace).moments():
            self._screen.moment(moment)

    def run_of(self, at: datetime) -> RunRecord:
        """The record of a time's run."""
        run = self._target.runs.get(self._job.name, key_of(at))
        if run is None:
            raise Trouble(f"Run {key_of(at)} has no record.", "Run the demo again.")
        return run

    def parts_done(self, task: str) -> int:
        """Count the parts that a task did, from what it printed."""
        logs, group = self._target.client("logs"), self._target.job(self._job)["LogGroup"]
        stream = f"run/worker/{task.rsplit('/', 1)[-1]}"
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        return sum(" rows summed" in event["message"] for event in events["events"])

    def mail(self, wanted: Callable[[Mail], bool]) -> Mail:
        """Wait for a mail."""
        try:
            return self._aws.outbox.wait_for(wanted, START_SECONDS)
        except TimeoutError as error:
            raise Trouble(f"A mail did not come: {error}.", "Run the demo again.") from None


def show(screen: Screen, made: Callable[[LocalAws, Screen, Path], Showing]) -> int:
    """Run a demo and return the exit code.

    Raises
    ------
    Trouble
        When Ctrl-C or a signal ended it; everything that was started is ended then, too.
    """
    try:
        return _show(screen, made)
    except KeyboardInterrupt as stop:
        how, code = how_stopped(stop)
        raise Trouble(
            f"Stopped by {how}; everything that was started is ended again.",
            "The same command shows it from the beginning.",
            code,
        ) from None


def _show(screen: Screen, made: Callable[[LocalAws, Screen, Path], Showing]) -> int:
    began = time.monotonic()
    with (
        LocalAws() as aws,
        tempfile.TemporaryDirectory(prefix="steadyspot-demo-") as folder,
    ):
        demo = made(aws, screen, Path(folder))
        checks = list(demo.run())
        screen.heading("Checked")
        for check in checks:
            screen.say(
                ("  ok      " if check.kept else "  NOT OK  ") + check.promise,
                "green" if check.kept else "red",
            )
        demo.say_where_to_look()
    screen.say(
        f"Took {time.monotonic() - began:.0f} s. Everything that was started is ended again."
    )
    return 0 if checks and all(check.kept for check in checks) else 1


def room(package: ModuleType) -> Path:
    """The folder of a package."""
    return Path(package.__path__[0])


def from_here(path: Path) -> str:
    """A path as one types it: relative, where it lies below the folder one is in."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def key_of(at: datetime) -> str:
    """The run key of a time."""
    return run_key_of(scheduled_time_of(at))


def until(look: Callable[[], T], seconds: float, complaint: str) -> T:
    """Look again and again until something is there; return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise Trouble(
        f"Within {seconds:.0f} s {complaint}.", "Run the demo again; if it repeats, it is a defect."
    )
