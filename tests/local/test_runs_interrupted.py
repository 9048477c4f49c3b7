"""Runs whose task is taken away in the middle: reclaimed, stopped by hand, killed, frozen."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import output_prefix
from steadyspot.deploy.stacks.config import Budgets
from tests.local.parts import HELD, WAITING
from tests.local.runs import PART_OUTPUTS, Place, Work, by_hand, parts

INTERRUPTED = "Your Spot Task was interrupted."
BARE = "no-worker:local"
EXITS_ZERO = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("without a worker", flush=True)
if os.environ["STEADYSPOT_ATTEMPT"] == "1":
    signal.pause()
"""


@pytest.fixture
def once(tmp_path: Path) -> Path:
    """By this file the job knows that it met its trouble."""
    return tmp_path / "met"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the job publishes when it is run by hand and nothing happens to it."""
    outputs = by_hand(tmp_path_factory.mktemp("hand"), *parts())
    assert set(outputs) == {*PART_OUTPUTS, "merged.txt"}
    return outputs


def resumed(
    work: Work, execution: str, undisturbed: dict[str, bytes], *, cause: str, code: int
) -> tuple[str, str]:
    """The run must end complete, with the right outputs, in two attempts on Spot; the tasks."""
    run = work.succeeded(execution)
    assert run.complete
    assert [attempt.capacity for attempt in run.attempts] == ["spot", "spot"]
    assert [attempt.cause for attempt in run.attempts] == [cause, "finished"]
    assert [attempt.exit_code for attempt in run.attempts] == [code, 0]
    assert work.published(run.run_key) == undisturbed
    # What SIGKILL leaves before its id was written down is the business of the bucket's rule.
    assert len(work.uploads()) <= (code == 137)
    waits = {"Wait for capacity", "Wait to ask again"}
    assert not waits & {*work.states_entered(execution)}
    first, second = (attempt.task for attempt in run.attempts)
    assert [first, second] == work.tasks()
    return first, second


def cause_of(work: Work, execution: str) -> dict[str, Any]:
    """The Cause of the one launch that failed, which must be a task that ended."""
    ((error, text),) = work.causes(execution)
    assert error == "States.TaskFailed"
    cause = json.loads(text)
    assert text == json.dumps(cause, separators=(",", ":"), ensure_ascii=False)
    return dict(cause)


def test_a_reclaim_in_part_3_of_8_costs_nothing_that_was_done(
    place: Place, once: Path, undisturbed: dict[str, bytes]
) -> None:
    work = place.job(*parts(once, at=3))
    execution = work.start()
    task = work.held()
    assert place.aws.market.reclaim(task)

    first, second = resumed(work, execution, undisturbed, cause="reclaimed", code=143)
    assert (first, work.begun(first)) == (task, [1, 2, 3])
    assert work.begun(second) == [4, 5, 6, 7, 8]
    cause = cause_of(work, execution)
    assert (cause["StopCode"], cause["StoppedReason"]) == ("SpotInterruption", INTERRUPTED)
    assert [container["ExitCode"] for container in cause["Containers"]] == [143]
    attempt = work.run(execution).attempts[0]
    assert (attempt.stopped_reason, attempt.units_done) == (INTERRUPTED, 3)
    assert "reclaimed" in work.mail(lambda mail: "finished" in mail.subject).body


@pytest.mark.parametrize("code", ["TerminationNotice", None])
def test_a_reclaim_is_known_by_any_stop_code_that_was_seen_or_none(
    place: Place, once: Path, undisturbed: dict[str, bytes], code: str | None
) -> None:
    place.aws.market.reclaim_stop_code = code
    work = place.job(*parts(once, at=3))
    execution = work.start()
    place.aws.market.reclaim(work.held())
    resumed(work, execution, undisturbed, cause="reclaimed", code=143)
    assert cause_of(work, execution).get("StopCode") == code


def test_a_job_that_ignores_sigterm_is_ended_within_the_grace_and_loses_one_part(
    place: Place, once: Path, undisturbed: dict[str, bytes]
) -> None:
    work = place.job(*parts(once, at=3, do="deaf"), stop_timeout_seconds=4)
    execution = work.start()
    task = work.held()
    place.aws.market.reclaim(task)

    first, second = resumed(work, execution, undisturbed, cause="reclaimed", code=143)
    assert work.begun(first) == [1, 2, 3]
    assert work.begun(second) == [3, 4, 5, 6, 7, 8]
    shown = work.task(task)
    grace = (shown["executionStoppedAt"] - shown["stoppingAt"]).total_seconds()
    assert 2 <= grace < 4
    assert work.run(execution).attempts[0].units_done == 2


def test_a_frozen_worker_is_killed_after_the_stop_timeout_and_the_run_resumes(
    place: Place, once: Path, undisturbed: dict[str, bytes]
) -> None:
    work = place.job(*parts(once, at=3), stop_timeout_seconds=2)
    execution = work.start()
    task, line = work.prints(HELD)
    os.kill(int(line.split()[-1]), signal.SIGSTOP)
    place.aws.market.reclaim(task)

    first, second = resumed(work, execution, undisturbed, cause="reclaimed", code=137)
    assert "notice" not in work.events(first)
    assert work.begun(second) == [3, 4, 5, 6, 7, 8]
    shown = work.task(task)
    assert (shown["executionStoppedAt"] - shown["stoppingAt"]).total_seconds() >= 2
    cause = cause_of(work, execution)
    assert (cause["StopCode"], cause["Containers"][0]["ExitCode"]) == ("SpotInterruption", 137)


def test_a_stop_timeout_shorter_than_the_worker_was_told_ends_in_sigkill_and_the_run_resumes(
    place: Place, once: Path, undisturbed: dict[str, bytes]
) -> None:
    def forgetful(template: str) -> str:
        told = "{Name: STEADYSPOT_STOP_TIMEOUT, Value: !Ref StopTimeout}"
        assert told in template
        return template.replace(told, '{Name: STEADYSPOT_STOP_TIMEOUT, Value: "120"}')

    work = place.job(*parts(once, at=3, do="deaf"), template=forgetful, stop_timeout_seconds=2)
    execution = work.start()
    place.aws.market.reclaim(work.held())

    first, second = resumed(work, execution, undisturbed, cause="reclaimed", code=137)
    assert work.events(first)[-2:] == ["notice", "drain"]
    assert work.begun(second) == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("counts_as_success", [True, False])
def test_a_job_that_exits_0_on_sigterm_without_the_worker_never_succeeds(
    place: Place, counts_as_success: bool
) -> None:
    place.aws.market.exit_zero_succeeds = counts_as_success
    place.aws.images.register(BARE, entrypoint=[sys.executable, "-c", EXITS_ZERO])
    work = place.job(image=BARE, budgets=Budgets(interruptions=1))
    execution = work.start()
    task, _ = work.prints("without a worker")
    place.aws.market.reclaim(task)

    shown = work.failed(execution)
    assert shown["error"] == "Steadyspot.Incomplete"
    assert work.exit_code(task) == 0
    run = work.run(execution)
    assert (run.status, run.completion) == ("unfinished", None)
    assert [attempt.cause for attempt in run.attempts] == ["reclaimed", "no-stop-report"]
    assert [attempt.exit_code for attempt in run.attempts] == [0, 0]
    assert work.parked()["cause"] == "no-stop-report"
    assert "record is not complete" in work.mail(lambda mail: "failed" in mail.subject).body


def test_a_task_stopped_by_hand_leaves_nothing_half_made_and_the_run_resumes(
    place: Place, once: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    gate = tmp_path / "gate"
    work = place.job(*parts(once, at=3, do="deaf", gate=gate), stop_timeout_seconds=4)
    execution = work.start()
    task = work.held()
    prefix = output_prefix(work.name, work.key(execution))
    done = [f"{prefix}part-{part}.txt" for part in (1, 2)]
    assert work.uploads() == [*done, f"{prefix}part-3.txt"]
    # As the console's Stop button does it: no reason of one's own.
    work.ecs.stop_task(cluster=work.cluster, task=task)

    work.prints(WAITING)
    assert work.uploads() == done
    assert work.objects(prefix) == {}
    gate.touch()
    first, second = resumed(work, execution, undisturbed, cause="stopped-by-hand", code=143)
    assert work.begun(second) == [3, 4, 5, 6, 7, 8]
    cause = cause_of(work, execution)
    assert (cause["StopCode"], cause["StoppedReason"]) == ("UserInitiated", "Task stopped by user")
    said = [json.loads(line) for line in work.lines(first) if line.startswith("{")]
    notice = next(line for line in said if line.get("event") == "notice")
    leave = next(line for line in said if line.get("event") == "leave")
    assert notice["message"].startswith("SIGTERM came")
    assert (leave["reason"], leave["exit_code"], leave["attempt"]) == ("interrupted", 143, 1)
    assert (leave["run_key"], leave["execution"]) == (work.key(execution), execution)
