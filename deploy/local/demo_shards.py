"""A run over four tasks on an embedded AWS: TPC-H query 1, of which Spot takes two shards back.

Each shard is an execution of the same workflow, works off parts of its own and publishes what they
add up to. The run is complete once all shards are, and tells people once; then its partial sums are
merged from where its completion record says that they are. What is shown comes from the executions'
histories and the run table; the reclaims are caused beside it, by :class:`Reclaims`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from steadyspot import examples
from steadyspot.contract import COMPLETION, Env, Exit, output_prefix
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.local import showing
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.showing import Check, Showing, from_here, key_of, room
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.config import Backoff, Job
from steadyspot.deploy.target import Target
from steadyspot.examples.tpch_q1 import merge, query

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen

PARTS, SHARDS = 16, 4
RECLAIMED = (0, 2)
"""Shards that Spot is taken back from, once each has done a part."""
JOB = Job(
    name="tpch-q1",
    image="steadyspot-worker:local",
    command=("python", "-m", "examples.tpch_q1", "--parts", str(PARTS), "--pause", "1.5"),
    schedule=showing.NOT_BY_ITSELF,
    shards=SHARDS,
    expected_minutes=1,
    maximum_wait_minutes=0.03,
    backoff=Backoff(seconds=1, cap_seconds=2),
)


def show(screen: Screen) -> int:
    """Run the demo and return the exit code.

    Raises
    ------
    Trouble
        When Ctrl-C or a signal ended it; everything that was started is ended then, too.
    """
    return showing.show(screen, ShardsDemo)


class ShardsDemo(Showing):
    """One showing of a run that is spread over shards."""

    def __init__(self, aws: LocalAws, screen: Screen, folder: Path) -> None:
        super().__init__(aws, screen, folder, JOB, PARTS)

    def run(self) -> Iterator[Check]:
        """Show everything, in its order; yields what was checked."""
        self.set_up()
        self._screen.heading(
            f"A schedule fires; its run goes over {SHARDS} tasks, and Spot takes {len(RECLAIMED)}"
            " of them back (times in UTC)"
        )
        at = self.schedule("once", target={})
        execution = self.execution_of(at)
        with Reclaims(self._aws, self._target, key_of(at)):
            self.follow(execution)
        run = self.run_of(at)
        shards = self._target.runs.of_run(self._job.name, run.run_key)
        for shard in shards:
            self._screen.heading(f"Shard {shard.run_key}")
            self._screen.attempts(shard.attempts)
        yield Check("the run finished and its record is complete", run.complete)
        yield from self._each_finished(shards)
        result = self._merged(run)
        self.show_result(result, f"merged from what {SHARDS} shards have published")
        yield from self.right_answer(result)
        self.show_mail(run)
        told = [mail for mail in self._aws.outbox.mails() if run.run_key in mail.subject]
        yield Check("people are told of the run once, and not of its shards", len(told) == 1)

    def say_where_to_look(self) -> None:
        """Say where a newcomer goes from here."""
        self._screen.heading("Where to look further")
        folder = room(examples) / "tpch_q1"
        for name, what in (
            ("job.py", "the job, whose loop gives each shard its own parts"),
            ("merge.py", "what makes one result of what the shards have published"),
        ):
            self._screen.say(f"  {from_here(folder / name)}  {what}")

    def _each_finished(self, shards: list[RunRecord]) -> Iterator[Check]:
        yield Check(
            f"its {SHARDS} shards are complete, each under a key of its own",
            len(shards) == SHARDS and all(shard.complete for shard in shards),
        )
        stopped = {
            number: [attempt for attempt in shard.attempts if attempt.cause == "reclaimed"]
            for number, shard in enumerate(shards)
        }
        yield Check(
            f"shards {' and '.join(map(str, RECLAIMED))} were reclaimed on Spot, exit 143, behind a"
            " part that was done, and no other was",
            all(bool(found) == (number in RECLAIMED) for number, found in stopped.items())
            and all(
                attempt.exit_code == Exit.INTERRUPTED and attempt.units_done > 0
                for found in stopped.values()
                for attempt in found
            ),
        )
        tasks = [attempt.task for shard in shards for attempt in shard.attempts if attempt.task]
        done = sum(map(self.parts_done, tasks))
        yield Check(f"the {PARTS} parts were done, and none twice", done == PARTS)

    def _merged(self, run: RunRecord) -> str:
        """The rows of the answer, from the outputs that the run's completion record leads to."""
        record = json.loads(self.read(output_prefix(run.job, run.run_key) + COMPLETION))
        keys = [part["key"].removesuffix(COMPLETION) + merge.PARTIAL for part in record["parts"]]
        rows = merge.merged(merge.read(self.read(key)) for key in keys)
        return query.text_of(rows)


class Reclaims:
    """Takes Spot back from some shards, each as soon as it has done a part."""

    def __init__(self, aws: LocalAws, target: Target, run_key: str) -> None:
        self._aws = aws
        self._target = target
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(shard_key(run_key, number),), daemon=True)
            for number in RECLAIMED
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, key: str) -> None:
        while not self._over.wait(0.1):
            run = self._target.runs.get(JOB.name, key)
            if run and run.units_done and (task := self._task_of(key)):
                self._aws.market.reclaim(task)
                return

    def _task_of(self, key: str) -> str:
        """The task that works a shard off."""
        cluster, ecs = self._target.platform["Cluster"], self._target.client("ecs")
        tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
        if not tasks:
            return ""
        for task in ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]:
            for container in task["overrides"].get("containerOverrides", []):
                if {"name": Env.RUN_KEY, "value": key} in container.get("environment", []):
                    return str(task["taskArn"])
        return ""
