"""What is not known of AWS, answered both ways: a run comes to the same right end.

Each test is a whole run with the rendered definition and real processes, once for each answer.
Three questions have their runs elsewhere: the stop code of a reclaim and an exit code 0 of a
container without the worker among the interrupted runs, a sidecar that was killed among the
refused.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.local.market import Refusal
from steadyspot.deploy.runs.records import RunRecord
from tests.local.parts import HELD
from tests.local.runs import ROOT, Place, Work, accompanied, by_hand, eventually, parts
from tests.local.stacks import network_of

LATE_WORKER = "late-worker:local"
LONG_IMAGE = "long-name-" + "x" * 33_000
"""It stands in the Cause of every task that has it, which is then too long to be whole."""
UNTIL_STOPPED = "trap 'exit 0' TERM; sleep 60 & wait"
ENDS_ALL_THE_SAME = """
import pathlib, signal, sys, time
from steadyspot import current_run
signal.signal(signal.SIGTERM, signal.SIG_IGN)
run = current_run()
for part in run.remaining(range(2)):
    with run.output(f"{part}.txt") as path:
        path.write_text(f"part {part}")
    if part == 1:
        print("almost done", flush=True)
        while not pathlib.Path(sys.argv[1]).exists():
            time.sleep(0.02)
run.finish()
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the job publishes when it is run by hand and nothing happens to it."""
    return by_hand(tmp_path_factory.mktemp("hand"), *parts())


def right(
    work: Work, execution: str, outputs: dict[str, bytes], attempts: list[tuple[str, str]]
) -> RunRecord:
    """The run must have ended as it should, by these attempts (capacity, cause); its record."""
    run = work.succeeded(execution)
    assert run.complete
    assert [(attempt.capacity, attempt.cause) for attempt in run.attempts] == attempts
    published_once(work, run, outputs)
    # Where the machine is slow, a deadline of seconds passes, which is told on its own.
    told = [mail for mail in work.mails() if execution in mail.body]
    (mail,) = [mail for mail in told if "is late" not in mail.subject]
    assert "finished" in mail.subject
    assert all(cause in mail.body for _, cause in attempts)
    assert work.waiting() == []
    return run


def published_once(work: Work, run: RunRecord, outputs: dict[str, bytes]) -> None:
    """The outputs are whole, and the record is of the one attempt that published them."""
    assert work.published(run.run_key) == outputs
    assert run.completion is not None
    assert run.completion["outputs"] == len(outputs)
    assert run.units_done == run.units_total


# --- exit 0 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts_as_success", [True, False])
def test_a_run_that_is_done_as_its_capacity_is_reclaimed_is_finished(
    place: Place, tmp_path: Path, counts_as_success: bool
) -> None:
    place.aws.market.exit_zero_succeeds = counts_as_success
    gate = tmp_path / "gate"
    work = place.job(
        *("python", "-c", ENDS_ALL_THE_SAME, str(gate)),
        tell_every_run=True,
    )
    execution = work.start()
    task, _ = work.prints("almost done")
    place.aws.market.reclaim(task)
    eventually(lambda: "notice" in work.events(task))
    gate.touch()

    outputs = {"0.txt": b"part 0", "1.txt": b"part 1"}
    run = right(work, execution, outputs, [("spot", "finished")])
    assert run.attempts[0].exit_code == 0
    assert work.task(task)["stopCode"] == "SpotInterruption"
    assert len(work.causes(execution)) == (not counts_as_success)


# --- refusals ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet(platform: Place) -> Work:
    """A job without trouble of its own, of which every run is told."""
    return platform.job(*parts(), maximum_wait_minutes=10, tell_every_run=True)


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (Refusal.FAILURES, "no-capacity"),
        (Refusal.EXCEPTION, "no-capacity"),
        (Refusal.STOPPED_BEFORE_START, "reclaimed-before-start"),
        (Refusal.THROTTLED, "throttled"),
        (Refusal.SERVER_ERROR, "throttled"),
        (Refusal.SLOW, ""),
    ],
)
def test_a_launch_that_is_refused_twice_in_whatever_way_is_made_a_third_time(
    place: Place, quiet: Work, undisturbed: dict[str, bytes], how: Refusal, cause: str
) -> None:
    place.aws.market.slow_seconds = 1
    place.aws.market.refuse(quiet.family, times=2, how=how)
    execution = quiet.start()

    refused = [("spot", cause)] * 2 if cause else []
    run = right(quiet, execution, undisturbed, [*refused, ("spot", "finished")])
    assert [attempt.exit_code for attempt in run.attempts[:-1]] == [-1] * len(refused)


# --- time-outs -----------------------------------------------------------------------------------

SOON = {"finishWithinMinutes": 0.2, "expectedMinutes": 0.05}
"""A deadline so near that a launch on Spot is given up after some seconds."""
AT_ONCE: dict[str, Any] = {"stop_timeout_seconds": 2, "start_up_seconds": 0, "margin_seconds": 0}


@pytest.mark.parametrize("stops_the_task", [True, False])
def test_a_launch_that_stays_in_provisioning_is_given_up_and_harmless_if_it_starts_after_all(
    place: Place, undisturbed: dict[str, bytes], stops_the_task: bool
) -> None:
    market = place.aws.market
    market.stop_on_timeout = stops_the_task
    market.slow_seconds = 12
    work = place.job(*parts(), **AT_ONCE, launch_minutes=0)
    market.refuse(work.family, times=1, how=Refusal.SLOW)
    execution = work.start(**SOON)
    (slow,) = eventually(lambda: all_tasks(work))

    causes = [("spot", "launch-given-up"), ("on-demand", "finished")]
    run = right(work, execution, undisturbed, causes)
    assert ("startedAt" in work.stopped(slow)) is not stops_the_task
    published_once(work, work.run(execution), undisturbed)
    assert work.run(execution) == run


@pytest.mark.parametrize("stops_the_task", [True, False])
def test_a_worker_that_hangs_is_given_up_and_publishes_nothing_if_it_goes_on_after_all(
    place: Place, tmp_path: Path, undisturbed: dict[str, bytes], stops_the_task: bool
) -> None:
    place.aws.market.stop_on_timeout = stops_the_task
    work = place.job(*parts(tmp_path / "met", at=3), **AT_ONCE)
    execution = work.start(**SOON)
    hanging, line = work.prints(HELD)
    worker = int(line.split()[-1])
    os.kill(worker, signal.SIGSTOP)

    run = right(work, execution, undisturbed, [("spot", "time-limit"), ("on-demand", "finished")])
    assert work.begun(run.attempts[-1].task) == [3, 4, 5, 6, 7, 8]
    if stops_the_task:
        assert work.exit_code(hanging) == 137
    else:
        assert work.task(hanging)["desiredStatus"] == "RUNNING"
        os.kill(worker, signal.SIGCONT)
        assert work.exit_code(hanging) == 76
    published_once(work, work.run(execution), undisturbed)
    assert work.run(execution) == run


def all_tasks(work: Work) -> list[str]:
    """ARNs of the tasks of a job that are not stopped, those that print nothing yet too."""
    listed = work.ecs.list_tasks(cluster=work.cluster, family=work.family)
    return list(listed["taskArns"])


# --- a launch that is done twice -----------------------------------------------------------------


@pytest.mark.parametrize("twice", [True, False])
def test_a_launch_that_is_done_once_or_twice_is_published_once(
    place: Place, tmp_path: Path, undisturbed: dict[str, bytes], twice: bool
) -> None:
    lock, gate = tmp_path / "lock", tmp_path / "gate"
    # The worker of the first task waits for the gate before it begins; any other does not.
    waits = f"mkdir {lock} && while ! test -e {gate}; do sleep 0.05; done"
    place.aws.images.register(
        LATE_WORKER,
        entrypoint=[
            "/bin/sh",
            "-c",
            f'{waits}; exec {sys.executable} -m steadyspot.worker "$@"',
            "sh",
        ],
        environment={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    work = place.job(*parts(tmp_path / "met", at=3), image=LATE_WORKER)
    execution = work.start()
    (watched,) = eventually(lambda: all_tasks(work))
    eventually(lock.exists)
    if twice:
        # As if the reply to RunTask was lost, and Step Functions had called again.
        shown = work.task(watched)
        work.ecs.run_task(
            cluster=work.cluster,
            taskDefinition=shown["taskDefinitionArn"],
            overrides=shown["overrides"],
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": network_of(work.target.platform)["Subnets"]}
            },
        )
        orphan = work.held()
        assert orphan != watched
    gate.touch()
    if not twice:
        assert work.held() == watched
        place.aws.market.reclaim(watched)

    cause = "fence-lost" if twice else "reclaimed"
    run = right(work, execution, undisturbed, [("spot", cause), ("spot", "finished")])
    assert run.attempts[0].task == watched
    if twice:
        assert work.exit_code(watched) == 76
        place.aws.market.reclaim(orphan)
        assert work.exit_code(orphan) == 76
    published_once(work, work.run(execution), undisturbed)
    assert work.run(execution) == run


# --- a Cause that is too long --------------------------------------------------------------------


def long_of_cause(place: Place, *command: str, is_cut: bool) -> Work:
    """A job beside a sidecar whose image name alone makes what AWS says of a stop too long."""
    place.aws.market.cut_causes = is_cut
    place.aws.images.register(LONG_IMAGE, entrypoint=["/bin/sh", "-c"])
    sidecar = (f"Image: {LONG_IMAGE}", "Essential: false", f'Command: ["{UNTIL_STOPPED}"]')
    return place.job(*command, template=accompanied(*sidecar))


@pytest.mark.parametrize(
    ("is_cut", "cause", "code"), [(True, "interrupted", 143), (False, "reclaimed", 143)]
)
def test_a_reclaim_whose_cause_is_too_long_resumes(
    place: Place,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    is_cut: bool,
    cause: str,
    code: int,
) -> None:
    work = long_of_cause(place, *parts(tmp_path / "met", at=3), is_cut=is_cut)
    execution = work.start()
    place.aws.market.reclaim(work.held())

    run = right(work, execution, undisturbed, [("spot", cause), ("spot", "finished")])
    assert run.attempts[0].exit_code == code
    ((_, text),) = work.causes(execution)
    assert (len(text) == 32_768) is is_cut
    assert ("StopCode" in text) is not is_cut


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_job_that_fails_is_parked_for_that_however_long_its_cause(
    place: Place, tmp_path: Path, is_cut: bool
) -> None:
    work = long_of_cause(place, *parts(tmp_path / "met", at=3, do="exit", code=3), is_cut=is_cut)
    execution = work.start()

    parked(work, execution, error="Steadyspot.JobExit3", cause="job-failed")
    ((_, text),) = work.causes(execution)
    assert (len(text) == 32_768) is is_cut


def parked(work: Work, execution: str, *, error: str, cause: str) -> None:
    """The run must have failed with this error after one attempt, be parked, and be told once."""
    assert work.failed(execution)["error"] == error
    run = work.run(execution)
    assert run.status == "unfinished"
    assert [attempt.cause for attempt in run.attempts] == [cause]
    assert work.parked()["cause"] == cause
    # Where the machine is slow, a deadline of seconds passes, which is told on its own.
    told = [mail for mail in work.mails() if execution in mail.body]
    (mail,) = [mail for mail in told if "is late" not in mail.subject]
    assert mail.attributes["cause"] == cause
    assert work.published(run.run_key) == {}


# --- sidecars ------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [True, False])
def test_a_sidecar_whose_image_cannot_be_pulled_does_not_fail_a_run_that_is_complete(
    place: Place, undisturbed: dict[str, bytes], counts: bool
) -> None:
    place.aws.market.sidecars_count = counts
    beside = accompanied("Image: nowhere/agent:1", "Essential: false")
    work = place.job(*parts(), template=beside, tell_every_run=True)
    execution = work.start()

    run = right(work, execution, undisturbed, [("spot", "finished")])
    containers = work.stopped(run.attempts[0].task)["containers"]
    assert {c["name"]: c.get("exitCode") for c in containers} == {"worker": 0, "beside": None}
    assert len(work.causes(execution)) == counts


@pytest.mark.parametrize("counts", [True, False])
def test_a_job_that_fails_beside_a_sidecar_that_cannot_be_pulled_is_parked_for_its_own_failure(
    place: Place, tmp_path: Path, counts: bool
) -> None:
    place.aws.market.sidecars_count = counts
    work = place.job(
        *parts(tmp_path / "met", at=3, do="exit", code=3),
        template=accompanied("Image: nowhere/agent:1", "Essential: false"),
    )
    execution = work.start()

    parked(work, execution, error="Steadyspot.JobExit3", cause="job-failed")
