"""Cause x moment x capacity with real processes: each run ends as the cause table says.

All runs of a cause and a capacity go on side by side, one for each moment. Left out is what cannot
be: on-demand is not reclaimed; a job that is over, as it is while the worker commits, can neither
exit nor run out of memory; and after the end no process is left to be killed. That the kernel
killed the job for memory is said by the container in the worker's place, since nothing here counts
it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from steadyspot.contract import Capacity, Status
from steadyspot.deploy.runs.records import RunRecord
from tests.local.runs import ROOT, Place, Work, by_hand, eventually
from tests.local.worker.door import Door, Request

JOB = """
import os, signal, sys
from pathlib import Path
from steadyspot import current_run
moment, does, met, width = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
run = current_run()
def now(here):
    if here != moment or met.exists():
        return
    met.with_suffix(".new").write_text(str(os.getppid()))
    met.with_suffix(".new").rename(met)
    if does == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif does.isdigit():
        sys.exit(int(does))
    elif does == "waits":
        run.stopping.wait(60)
now("before")
for part in run.remaining([1, 2, 3]):
    for number in range(width):
        with run.output(f"{part}-{number}.txt") as path:
            path.write_text(f"{part} " * 1000)
    if part == 2:
        now("inside")
    run.state[str(part)] = part * part
now("behind")
with run.output("all.txt") as path:
    path.write_text(str(run.state))
now("committing")
"""
OUT_OF_MEMORY = """
import os, subprocess, sys
code = subprocess.call([sys.executable, "-m", "steadyspot.worker", *sys.argv[1:]])
if code == 137:
    import boto3
    boto3.client("dynamodb").update_item(
        TableName=os.environ["STEADYSPOT_TABLE"],
        Key={
            "job": {"S": os.environ["STEADYSPOT_JOB"] + "/worker"},
            "run_key": {"S": os.environ["STEADYSPOT_RUN_KEY"]},
        },
        UpdateExpression="SET stop_report.reason = :reason",
        ExpressionAttributeValues={":reason": {"S": "out-of-memory"}},
    )
sys.exit(code)
"""
BEHIND_A_DOOR, SAYS_OUT_OF_MEMORY = "behind-a-door:local", "out-of-memory:local"
NARROW, WIDE = 1, 2
"""Outputs of a part; only a run that is met in its commit has more than one."""
MET_AT = "/1-1.txt"
"""Such an output, behind whose publishing nothing passes until the fault is inflicted."""

DONE = {"before": 0, "inside": 1, "behind": 3}
"""Units that are durable at a moment."""


@dataclass(frozen=True)
class Fault:
    """What a job does at the moment, what is done to it, and the cause by which that is known.

    ``error``: that of a run which ends with it; empty where the run goes on.
    """

    cause: str
    does: str
    inflict: Callable[[Work, str, int], object]
    error: str = ""
    moments: tuple[str, ...] = ("before", "inside", "behind")
    only: Capacity | None = None


def nothing(_work: Work, _task: str, _worker: int) -> None:
    """Leave it to the job."""


def reclaim(work: Work, task: str, _worker: int) -> bool:
    return work.place.aws.market.reclaim(task)


def kill(_work: Work, _task: str, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def stop(work: Work, task: str, _worker: int) -> None:
    work.ecs.stop_task(cluster=work.cluster, task=task)


ALL = ("before", "inside", "behind", "committing", "after")
FAULTS = (
    Fault("reclaimed", "waits", reclaim, moments=ALL, only=Capacity.SPOT),
    Fault("no-stop-report", "waits", kill, moments=ALL[:-1]),
    Fault("stopped-by-hand", "waits", stop, moments=ALL),
    Fault("job-failed", "3", nothing, error="Steadyspot.JobExit3"),
    Fault("try-again", "75", nothing),
    Fault("out-of-memory", "dies", nothing, error="Steadyspot.OutOfMemory"),
)
MATRIX = [
    pytest.param(fault, capacity, id=f"{fault.cause}-{capacity}")
    for fault in FAULTS
    for capacity in (Capacity.SPOT, Capacity.ON_DEMAND)
    if fault.only in (None, capacity)
]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("job") / "job.py"
    path.write_text(JOB)
    return path


@pytest.fixture(scope="module")
def undisturbed(
    script: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, dict[str, bytes]]:
    """What the job publishes when nothing happens to it, by the outputs of a part."""
    return {
        width: by_hand(
            tmp_path_factory.mktemp("hand"), "python", *options(script, "never", "", width)
        )
        for width in (NARROW, WIDE)
    }


def options(script: Path, moment: str, does: str, width: int) -> tuple[str, ...]:
    met = script.with_name(f"{moment}-{does}-{os.urandom(4).hex()}")
    return (str(script), moment, does, str(met), str(width))


@pytest.fixture(scope="module")
def door(platform: Place) -> Iterator[Door]:
    """Shuts in the midst of a commit, once for each run, so that it cannot end unmet."""
    met = set()

    def shut(request: Request) -> None:
        output = request.path.partition("?")[0]
        if request.completes and output.endswith(MET_AT) and output not in met:
            met.add(output)
            between.hold()

    with contextlib.closing(Door(platform.aws.endpoint_url)) as between:
        between.meddle = shut
        yield between


@pytest.fixture(scope="module")
def jobs(platform: Place, door: Door) -> dict[str, Work]:
    """The job, and the same in a container that says what the kernel would."""
    platform.aws.images.register(BEHIND_A_DOOR, environment={"AWS_ENDPOINT_URL": door.address})
    platform.aws.images.register(
        SAYS_OUT_OF_MEMORY,
        entrypoint=[sys.executable, "-c", OUT_OF_MEMORY],
        environment={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    usual, forgetful = platform.job(image=BEHIND_A_DOOR), platform.job(image=SAYS_OUT_OF_MEMORY)
    return {fault.cause: forgetful if fault.does == "dies" else usual for fault in FAULTS}


class Disturbed:
    """A run that meets a fault at a moment."""

    def __init__(
        self, work: Work, script: Path, fault: Fault, capacity: Capacity, moment: str
    ) -> None:
        self.work, self.fault, self.capacity, self.moment = work, fault, capacity, moment
        self.width = WIDE if moment == "committing" else NARROW
        does = fault.does if moment in DONE else ""
        job = options(script, moment, does, self.width)
        self.met = Path(job[3])
        self.execution = work.start(
            capacity="spot-first" if capacity == Capacity.SPOT else "on-demand-only",
            command=["python", *job],
        )

    def disturb(self, door: Door) -> None:
        """Wait for the moment; then do what is to be done."""
        if self.moment == "after":
            self.work.ended(self.execution)
            worker = 0
        else:
            worker = int(eventually(lambda: self.met.exists() and self.met.read_text()))
        task = self.task()
        if self.moment == "committing":
            eventually(lambda: door.waiting)
            assert self.work.run(self.execution).status == Status.COMMITTING
        self.fault.inflict(self.work, task, worker)
        if self.moment == "committing":
            door.let_go()

    def task(self) -> str:
        """ARN of the task that was launched last."""
        submitted = [
            json.loads(event["taskSubmittedEventDetails"]["output"])
            for event in self.work.history(self.execution)
            if event.get("taskSubmittedEventDetails", {}).get("resourceType") == "ecs"
        ]
        return str(submitted[-1]["Tasks"][0]["TaskArn"])

    def causes(self) -> list[str]:
        """Causes of the attempts, as they have to be."""
        if self.fault.error:
            return [self.fault.cause]
        # A stop lets a commit that has begun come to its end; a kill does not.
        unharmed = self.moment == "after" or (
            self.moment == "committing" and self.fault.inflict is not kill
        )
        return ["finished"] if unharmed else [self.fault.cause, "finished"]


@pytest.mark.parametrize(("fault", "capacity"), MATRIX)
def test_a_fault_at_any_moment_ends_the_run_as_the_cause_table_says(
    place: Place,
    jobs: dict[str, Work],
    door: Door,
    script: Path,
    undisturbed: dict[int, dict[str, bytes]],
    fault: Fault,
    capacity: Capacity,
) -> None:
    work = jobs[fault.cause]
    runs = [Disturbed(work, script, fault, capacity, moment) for moment in fault.moments]
    # Behind the door that the one in its commit shuts, all others wait.
    for run in sorted(runs, key=lambda one: one.moment != "committing"):
        run.disturb(door)
    for run in runs:
        ends_as_it_must(run, undisturbed[run.width])
    work.empty()


def ends_as_it_must(disturbed: Disturbed, undisturbed: dict[str, bytes]) -> None:
    work, fault, where = disturbed.work, disturbed.fault, disturbed.moment
    shown = work.ended(disturbed.execution)
    run = work.run(disturbed.execution)
    assert [attempt.cause for attempt in run.attempts] == disturbed.causes(), where
    assert {attempt.capacity for attempt in run.attempts} == {disturbed.capacity}, where
    mails = [mail for mail in work.mails() if disturbed.execution in mail.body]
    parked = [json.loads(message["Body"]) for message in work.waiting()]
    parked = [body for body in parked if body["runKey"] == run.run_key]
    if fault.error:
        assert (shown["status"], shown["error"]) == ("FAILED", fault.error), where
        assert (run.status, run.units_done) == (Status.UNFINISHED, DONE[where]), where
        assert work.published(run.run_key) == {}, where
        assert [body["cause"] for body in parked] == [fault.cause], where
        assert [mail.attributes["outcome"] for mail in mails] == ["failed"], where
    else:
        assert shown["status"] == "SUCCEEDED", (where, shown)
        assert run.complete, where
        assert work.published(run.run_key) == undisturbed, where
        assert parked == [], where
        told = [] if len(run.attempts) == 1 else ["finished"]
        assert [mail.attributes["outcome"] for mail in mails] == told, where
    if where == "after":
        stays_as_it_is(disturbed, run)


def stays_as_it_is(disturbed: Disturbed, run: RunRecord) -> None:
    """A run that has ended is neither changed by what happens to its task nor run again."""
    work = disturbed.work
    again = work.start(runKey=run.run_key)
    assert work.ended(again)["status"] == "SUCCEEDED"
    assert work.states_entered(again)[-1] == "Duplicate"
    assert work.run(disturbed.execution) == run
