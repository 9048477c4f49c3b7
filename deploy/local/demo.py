"""The main job on an embedded AWS, with real parts: TPC-H query 1 in eight parts.

First its run is reclaimed in the middle, refused twice and finished on on-demand; then a start
that cannot be delivered ends in the dead-letter queue and is redriven. What is shown comes from
the executions' histories and the run table; the faults are caused beside it, by :class:`Faults`.
The demo ends well only if everything it promises was checked.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from steadyspot import examples, statemachines
from steadyspot.contract import Capacity, Exit, output_prefix
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.outbox import Mail
from steadyspot.deploy.runs.executions import Follower
from steadyspot.deploy.runs.records import RunRecord, money
from steadyspot.deploy.runs.redrive import redrive_of
from steadyspot.deploy.stacks.config import Backoff, Config, Job, Platform
from steadyspot.deploy.stacks.definitions import upload
from steadyspot.deploy.stacks.parameters import of_job, of_platform
from steadyspot.deploy.stacks.templates import TEMPLATES, job_template, platform_template
from steadyspot.deploy.target import Target
from steadyspot.deploy.trouble import Trouble, how_stopped
from steadyspot.deploy.ui.files import write
from steadyspot.deploy.ui.reading import read_run, where
from steadyspot.examples.tpch_q1 import answer, data

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen

T = TypeVar("T")

PARTS, INTERRUPTED_AFTER = 8, 3
START_SECONDS = 30.0
SHOWN_COLUMNS = (0, 1, 2, 5, 9)
JOB = Job(
    name="tpch-q1",
    image="steadyspot-worker:local",
    command=("python", "-m", "examples.tpch_q1", "--parts", str(PARTS), "--pause", "0.6"),
    schedule="cron(0 2 * * ? *)",
    expected_minutes=1,
    maximum_wait_minutes=0.03,
    backoff=Backoff(seconds=1, cap_seconds=2),
)
CONFIG = Config(
    path=Path("steadyspot.toml"),
    platform=Platform(name="steadyspot", mail="oncall@example.com"),
    jobs={JOB.name: JOB},
)


PAGE = Path(".steadyspot") / "demo.html"


@dataclass(frozen=True)
class Check:
    """One promise of the demo, and whether it was kept."""

    promise: str
    kept: bool


def show(screen: Screen) -> int:
    """Run the demo and return the exit code.

    Raises
    ------
    Trouble
        When Ctrl-C or a signal ended it; everything that was started is ended then, too.
    """
    try:
        return _show(screen)
    except KeyboardInterrupt as stop:
        how, code = how_stopped(stop)
        raise Trouble(
            f"Stopped by {how}; everything that was started is ended again.",
            "The same command shows it from the beginning.",
            code,
        ) from None


def _show(screen: Screen) -> int:
    began = time.monotonic()
    with (
        LocalAws() as aws,
        tempfile.TemporaryDirectory(prefix="steadyspot-demo-") as folder,
    ):
        demo = Demo(aws, screen, Path(folder))
        checks = list(demo.run())
        page = demo.write_page()
        screen.heading("Checked")
        for check in checks:
            screen.say(
                ("  ok      " if check.kept else "  NOT OK  ") + check.promise,
                "green" if check.kept else "red",
            )
        demo.say_where_to_look(page)
    screen.say(
        f"Took {time.monotonic() - began:.0f} s. Everything that was started is ended again."
    )
    return 0 if checks and all(check.kept for check in checks) else 1


class Demo:
    """One showing, on an embedded AWS of its own; ``folder`` becomes the job's."""

    def __init__(self, aws: LocalAws, screen: Screen, folder: Path) -> None:
        self._aws = aws
        self._screen = screen
        self._folder = folder
        self._target = Target(CONFIG, aws.session())
        self._first_run = ""

    def run(self) -> Iterator[Check]:
        """Show everything, in its order; yields what was checked."""
        self._set_up()
        yield from self._interrupted_and_refused()
        yield from self._undeliverable()

    def write_page(self) -> Path:
        """Write the first run as a page that stays when the demo is over; return where."""
        PAGE.parent.mkdir(exist_ok=True)
        view = read_run(self._target, JOB, self._first_run)
        write("run.html", view, where(self._target), PAGE)
        return PAGE

    def say_where_to_look(self, page: Path) -> None:
        """Say where a newcomer goes from here."""
        self._screen.heading("Where to look further")
        command = Path(sys.executable).with_name("steadyspot")
        for path, arguments, what in (
            (page, "", "the first run as a page for your browser"),
            (_room(statemachines) / "rendered", "", "the workflow you just saw, for the console"),
            (TEMPLATES, "", "the two stacks that were deployed"),
            (_room(examples) / "tpch_q1" / "job.py", "", "the job, and what makes it resume"),
            (command, " local", "keeps such an AWS up, to play with"),
        ):
            self._screen.say(f"  {_from_here(path)}{arguments}  {what}")

    # --- set-up -----------------------------------------------------------------------------------

    def _set_up(self) -> None:
        self._screen.heading(f"An AWS of your own at {self._aws.endpoint_url}")
        # The job lies in a folder of its own, as anybody's would.
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_room(examples), self._folder / "examples", ignore=ignored)
        self._aws.images.offer([JOB.image], self._folder)
        platform, job = self._target.platform_stack, CONFIG.job_stack(JOB)
        for stack, template, parameters in (
            (platform, platform_template(), of_platform(CONFIG.platform)),
            (job, job_template(), of_job(CONFIG.platform, JOB)),
        ):
            upload(self._target, template)
            self._target.stacks.deploy(stack, template.text, parameters, lambda _event: None)
        self._screen.say(f"  deployed by CloudFormation: {platform} and {job}")
        files = data.make(self._folder / "input", parts=PARTS)
        size = sum(file.stat().st_size for file in files) / 1e6
        data.put(self._target.client("s3"), self._target.platform["Bucket"], files)
        self._screen.say(f"  {PARTS} parts of TPC-H's lineitem, {size:.0f} MB, lie in the bucket")

    # --- first: interrupted, refused, finished ----------------------------------------------------

    def _interrupted_and_refused(self) -> Iterator[Check]:
        self._screen.heading(
            "A schedule fires; its run is reclaimed, refused, and finishes (times in UTC)"
        )
        at = self._schedule("once", target={})
        execution = self._execution_of(at)
        with Faults(self._aws, self._target, at):
            self._follow(execution)
        run = self._run(at)
        self._first_run = run.run_key
        self._report(run)
        causes = [attempt.cause for attempt in run.attempts]
        first, last = run.attempts[0], run.attempts[-1]
        yield Check("the run finished and its record is complete", run.complete)
        yield Check(
            f"attempt 1 was reclaimed on Spot, exit 143, {first.units_done} of {PARTS} parts done",
            first.cause == "reclaimed"
            and first.exit_code == Exit.INTERRUPTED
            and 0 < first.units_done < PARTS,
        )
        yield Check("then Spot was refused twice", causes[1:-1] == ["no-capacity", "no-capacity"])
        yield Check(
            f"on-demand did the other {PARTS - first.units_done} parts and none twice",
            last.capacity == Capacity.ON_DEMAND
            and self._parts_done(last.task) == PARTS - first.units_done,
        )
        yield from self._right_answer(run)
        self._show_result(run)
        mail = self._mail(lambda mail: run.run_key in mail.subject)
        self._screen.heading("The mail in the outbox")
        self._screen.say(f"  Subject: {mail.subject}")
        for line in mail.body.splitlines():
            self._screen.say(f"  {line}")
        wanted = ("reclaimed", "no-capacity", Capacity.ON_DEMAND, "Cost $", "saving")
        yield Check(
            "the mail names causes, attempts, cost and saving", all(w in mail.body for w in wanted)
        )

    def _right_answer(self, run: RunRecord) -> Iterator[Check]:
        """Fetch the published result and hold it against TPC-H's own answer."""
        differences = answer.compare(answer.parse(self._result(run)), answer.published())
        for difference in differences:
            self._screen.say(f"  {difference}", "red")
        yield Check("the result equals TPC-H's published answer", not differences)

    def _result(self, run: RunRecord) -> str:
        key = f"{output_prefix(run.job, run.run_key)}result.csv"
        s3 = self._target.client("s3")
        found = s3.get_object(Bucket=self._target.platform["Bucket"], Key=key)
        return str(found["Body"].read().decode())

    def _show_result(self, run: RunRecord) -> None:
        lines = self._result(run).splitlines()
        rows = [[line.split(",")[column] for column in SHOWN_COLUMNS] for line in lines]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        self._screen.heading("The result, from the bucket (some of its columns)")
        for row in rows:
            cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            self._screen.say("  " + "  ".join(cells))

    # --- second: undeliverable, redriven ----------------------------------------------------------

    def _undeliverable(self) -> Iterator[Check]:
        self._screen.heading(
            "A schedule whose start is impossible; it is parked, told and redriven"
        )
        outputs = self._target.job(JOB)
        at = self._schedule("impossible", target={"Arn": outputs["StateMachine"] + "-gone"})
        redrive = redrive_of(self._target, JOB, outputs)
        waiting = _until(
            redrive.waiting, START_SECONDS, "the start never reached the dead-letter queue"
        )
        self._screen.say(f"  in the dead-letter queue: run {waiting[0].run_key}. {waiting[0].why}")
        mail = self._mail(lambda mail: "ALARM" in mail.subject)
        self._screen.say(f"  mail: {mail.subject}")
        yield Check(
            "the start that failed waits in the dead-letter queue, and its alarm told people", True
        )
        for redriven in redrive.run():
            self._screen.say(f"  run {redriven.run_key} {redriven.note}")
            self._follow(redriven.execution)
        run = self._run(at)
        self._report(run)
        yield Check("redriven, it finished and its record is complete", run.complete)
        yield from self._right_answer(run)
        yield Check("the queue is empty again", not redrive.waiting())

    # --- pieces -----------------------------------------------------------------------------------

    def _schedule(self, name: str, target: dict[str, Any]) -> datetime:
        """Make a one-time schedule, like the job's own but for ``target``; return its time."""
        scheduler, group = self._target.client("scheduler"), self._target.platform["ScheduleGroup"]
        own = scheduler.get_schedule(Name=self._target.job(JOB)["Schedule"], GroupName=group)
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={**own["Target"], **target},
        )
        return at

    def _execution_of(self, at: datetime) -> str:
        def started() -> str:
            run = self._target.runs.get(JOB.name, _key(at))
            return run.execution if run else ""

        return _until(started, START_SECONDS, "the schedule started no run")

    def _follow(self, execution: str) -> None:
        pace = Pace(per_minute=600)  # The embedded AWS may be asked often.
        for moment in Follower(self._target.client("stepfunctions"), execution, pace).moments():
            self._screen.moment(moment)

    def _run(self, at: datetime) -> RunRecord:
        run = self._target.runs.get(JOB.name, _key(at))
        if run is None:
            raise Trouble(f"Run {_key(at)} has no record.", "Run the demo again.")
        return run

    def _report(self, run: RunRecord) -> None:
        prices = Prices()
        self._screen.say()
        self._screen.attempts(run.attempts)
        cost = money(run, prices, vcpu=JOB.vcpu, memory_gb=JOB.memory_gb)
        self._screen.money(cost, prices.date, complete=run.complete)

    def _parts_done(self, task: str) -> int:
        """Count the parts that a task did, from what it printed."""
        logs, group = self._target.client("logs"), self._target.job(JOB)["LogGroup"]
        stream = f"run/worker/{task.rsplit('/', 1)[-1]}"
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        return sum(" rows summed" in event["message"] for event in events["events"])

    def _mail(self, wanted: Callable[[Mail], bool]) -> Mail:
        try:
            return self._aws.outbox.wait_for(wanted, START_SECONDS)
        except TimeoutError as error:
            raise Trouble(f"A mail did not come: {error}.", "Run the demo again.") from None


class Faults:
    """The market's bad night: takes Spot back once enough parts are done, and refuses it after."""

    def __init__(self, aws: LocalAws, target: Target, at: datetime) -> None:
        self._aws = aws
        self._target = target
        self._at = at
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._aws.market.clear()

    def _watch(self) -> None:
        cluster, ecs = self._target.platform["Cluster"], self._target.client("ecs")
        while not self._over.wait(0.1):
            run = self._target.runs.get(JOB.name, _key(self._at))
            if run and run.units_done >= INTERRUPTED_AFTER:
                tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
                self._aws.market.refuse("*", times=100, how="failures")
                for task in tasks:
                    self._aws.market.reclaim(task)
                return


def _room(package: ModuleType) -> Path:
    return Path(package.__path__[0])


def _from_here(path: Path) -> str:
    """Return a path as one types it: relative, where it lies below the folder one is in."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _key(at: datetime) -> str:
    return run_key_of(scheduled_time_of(at))


def _until(look: Callable[[], T], seconds: float, complaint: str) -> T:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise Trouble(
        f"Within {seconds:.0f} s {complaint}.", "Run the demo again; if it repeats, it is a defect."
    )
