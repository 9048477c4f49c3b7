"""The main job on an embedded AWS, with real parts: TPC-H query 1 in eight parts.

First its run is reclaimed in the middle, refused twice and finished on on-demand; then a start
that cannot be delivered ends in the dead-letter queue and is redriven. What is shown comes from
the executions' histories and the run table; the faults are caused beside it, by :class:`Faults`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from steadyspot import examples, statemachines
from steadyspot.contract import Capacity, Exit, output_prefix
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.local import showing
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.showing import (
    START_SECONDS,
    Check,
    Showing,
    from_here,
    key_of,
    room,
    until,
)
from steadyspot.deploy.runs.records import RunRecord, money
from steadyspot.deploy.runs.redrive import redrive_of
from steadyspot.deploy.stacks.config import Backoff, Job
from steadyspot.deploy.stacks.templates import TEMPLATES
from steadyspot.deploy.target import Target
from steadyspot.deploy.ui.files import write
from steadyspot.deploy.ui.reading import read_run, where
from steadyspot.examples.tpch_q1.job import RESULT

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen

PARTS, INTERRUPTED_AFTER = 8, 3
JOB = Job(
    name="tpch-q1",
    image="steadyspot-worker:local",
    command=("python", "-m", "examples.tpch_q1", "--parts", str(PARTS), "--pause", "0.6"),
    schedule=showing.NOT_BY_ITSELF,
    expected_minutes=1,
    maximum_wait_minutes=0.03,
    backoff=Backoff(seconds=1, cap_seconds=2),
)
PAGE = Path(".steadyspot") / "demo.html"


def show(screen: Screen) -> int:
    """Run the demo and return the exit code.

    Raises
    ------
    Trouble
        When Ctrl-C or a signal ended it; everything that was started is ended then, too.
    """
    return showing.show(screen, Demo)


class Demo(Showing):
    """One showing of a run in trouble, and of a start that is impossible."""

    def __init__(self, aws: LocalAws, screen: Screen, folder: Path) -> None:
        super().__init__(aws, screen, folder, JOB, PARTS)
        self._first_run = ""

    def run(self) -> Iterator[Check]:
        """Show everything, in its order; yields what was checked."""
        self.set_up()
        yield from self._interrupted_and_refused()
        yield from self._undeliverable()

    def _write_page(self) -> Path:
        """Write the first run as a page that stays when the demo is over; return where."""
        PAGE.parent.mkdir(exist_ok=True)
        view = read_run(self._target, JOB, self._first_run)
        write("run.html", view, where(self._target), PAGE)
        return PAGE

    def say_where_to_look(self) -> None:
        """Say where a newcomer goes from here."""
        page = self._write_page()
        self._screen.heading("Where to look further")
        command = Path(sys.executable).with_name("steadyspot")
        for path, arguments, what in (
            (page, "", "the first run as a page for your browser"),
            (room(statemachines) / "rendered", "", "the workflow you just saw, for the console"),
            (TEMPLATES, "", "the two stacks that were deployed"),
            (room(examples) / "tpch_q1" / "job.py", "", "the job, and what makes it resume"),
            (command, " local", "keeps such an AWS up, to play with"),
        ):
            self._screen.say(f"  {from_here(path)}{arguments}  {what}")

    # --- first: interrupted, refused, finished ----------------------------------------------------

    def _interrupted_and_refused(self) -> Iterator[Check]:
        self._screen.heading(
            "A schedule fires; its run is reclaimed, refused, and finishes (times in UTC)"
        )
        at = self.schedule("once", target={})
        execution = self.execution_of(at)
        with Faults(self._aws, self._target, at):
            self.follow(execution)
        run = self.run_of(at)
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
            and self.parts_done(last.task) == PARTS - first.units_done,
        )
        yield from self.right_answer(self._result(run))
        self.show_result(self._result(run), "from the bucket")
        mail = self.show_mail(run)
        wanted = ("reclaimed", "no-capacity", Capacity.ON_DEMAND, "Cost $", "saving")
        yield Check(
            "the mail names causes, attempts, cost and saving", all(w in mail.body for w in wanted)
        )

    def _result(self, run: RunRecord) -> str:
        return self.read(output_prefix(run.job, run.run_key) + RESULT)

    # --- second: undeliverable, redriven ----------------------------------------------------------

    def _undeliverable(self) -> Iterator[Check]:
        self._screen.heading(
            "A schedule whose start is impossible; it is parked, told and redriven"
        )
        outputs = self._target.job(JOB)
        at = self.schedule("impossible", target={"Arn": outputs["StateMachine"] + "-gone"})
        redrive = redrive_of(self._target, JOB, outputs)
        waiting = until(
            redrive.waiting, START_SECONDS, "the start never reached the dead-letter queue"
        )
        self._screen.say(f"  in the dead-letter queue: run {waiting[0].run_key}. {waiting[0].why}")
        mail = self.mail(lambda mail: "ALARM" in mail.subject)
        self._screen.say(f"  mail: {mail.subject}")
        yield Check(
            "the start that failed waits in the dead-letter queue, and its alarm told people", True
        )
        for redriven in redrive.run():
            self._screen.say(f"  run {redriven.run_key} {redriven.note}")
            self.follow(redriven.execution)
        run = self.run_of(at)
        self._report(run)
        yield Check("redriven, it finished and its record is complete", run.complete)
        yield from self.right_answer(self._result(run))
        yield Check("the queue is empty again", not redrive.waiting())

    # --- pieces -----------------------------------------------------------------------------------

    def _report(self, run: RunRecord) -> None:
        prices = Prices()
        self._screen.say()
        self._screen.attempts(run.attempts)
        cost = money(run, prices, vcpu=JOB.vcpu, memory_gb=JOB.memory_gb)
        self._screen.money(cost, prices.date, complete=run.complete)


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
            run = self._target.runs.get(JOB.name, key_of(self._at))
            if run and run.units_done >= INTERRUPTED_AFTER:
                tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
                self._aws.market.refuse("*", times=100, how="failures")
                for task in tasks:
                    self._aws.market.reclaim(task)
                return
