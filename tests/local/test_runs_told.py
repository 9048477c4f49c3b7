"""What is told and kept of a run: executions stopped by hand, notifications, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.drills.topic_listener import Ear, listening
from steadyspot.deploy.stacks.config import Backoff
from tests.local.runs import DEADLINE_SECONDS, PART_OUTPUTS, Place, eventually, faults, parts

SECRET = "hunter2-of-the-warehouse"
SCHEDULED = "2026-11-24T02:00:00Z"
KEY = "20261124T020000Z"


@pytest.fixture
def ear(platform: Place) -> Iterator[Ear]:
    """A queue that is subscribed to the platform's topic."""
    with listening(platform.target()) as heard:
        yield heard


def told(ear: Ear, execution: str) -> dict[str, Any]:
    """Wait for the notification about an execution, which must be as its schema says."""
    found = ear.wait_for(
        lambda one: isinstance(one.body, dict) and one.body.get("execution") == execution,
        DEADLINE_SECONDS,
    )
    assert found is not None
    assert faults("notification", found.body) == []
    return dict(found.body)


def test_an_execution_stopped_by_hand_ends_its_task_and_is_parked_told_and_redriven(
    place: Place, tmp_path: Path, ear: Ear
) -> None:
    work = place.job(*parts(tmp_path / "met", at=3))
    execution = work.start(scheduledTime=SCHEDULED)
    task = work.held()
    work.sfn.stop_execution(executionArn=execution, cause="not today")

    assert work.exit_code(task) == 143
    assert "notice" in work.events(task)
    parked = work.parked()
    assert (parked["runKey"], parked["execution"]) == (KEY, execution)
    assert parked["request"] == {"scheduledTime": SCHEDULED, "redrive": True}
    assert work.record(KEY).status == "unfinished"
    assert work.item(KEY)["cause"] == {"S": "execution-ended"}
    said = told(ear, execution)
    assert (said["outcome"], said["severity"]) == ("stopped", "error")
    mail = work.mail(lambda mail: "was stopped" in mail.subject)
    assert "Redrive the run" in mail.body
    assert len([m for m in work.mails() if execution in m.body]) == 1

    (redriven,) = work.redrive()
    assert redriven.run_key == KEY
    assert work.ended(redriven.execution)["status"] == "SUCCEEDED"
    run = work.record(KEY)
    assert (run.complete, run.execution) == (True, redriven.execution)
    assert work.begun(work.tasks()[-1]) == [4, 5, 6, 7, 8]
    assert work.published(KEY).keys() == {*PART_OUTPUTS, "merged.txt"}
    assert not work.waiting()


def test_work_left_in_the_background_is_told_of_with_how_to_wait_for_it(
    place: Place, ear: Ear
) -> None:
    """The run is complete, and was quiet; without the mail nobody would ever know."""
    work = place.job("sh", "-c", "sleep 60 & sleep 61 & true")
    execution = work.start(scheduledTime=SCHEDULED)

    assert work.succeeded(execution, KEY).complete
    said = told(ear, execution)
    assert (said["outcome"], said["severity"], said["cause"]) == ("finished", "warning", "finished")
    mail = work.mail(lambda mail: execution in mail.body)
    assert "others still worked in the background (2)" in mail.body
    assert "have its first process wait for them" in mail.body


def test_a_file_that_no_checkpoint_holds_is_told_of(place: Place, ear: Ear, tmp_path: Path) -> None:
    """The run is complete, and was quiet; the next one may be interrupted."""
    deep = "d=$(printf 'd%.0s' $(seq 250)); for n in $(seq 17); do mkdir $d; cd -P $d; done"
    save = "touch m; while [ -e m ]; do sleep 0.05; done"
    work = place.job(
        *("sh", "-c", f"cd {tmp_path}; (cd state; {deep}); {save}"),
        checkpoint_dir=f"{tmp_path}/state",
        marker=f"{tmp_path}/m",
    )
    execution = work.start(scheduledTime=SCHEDULED)

    run = work.succeeded(execution, KEY)
    assert "Left out of the checkpoint: 'ddd" in run.warnings[0]
    assert told(ear, execution)["severity"] == "warning"
    mail = work.mail(lambda mail: execution in mail.body)
    assert "The worker warned of something (1)." in mail.body
    assert f"steadyspot explain {work.name} {KEY}" in mail.body


def test_an_execution_stopped_while_it_waits_for_capacity_is_redriven_with_its_history(
    place: Place, ear: Ear, tmp_path: Path
) -> None:
    work = place.job(
        *parts(tmp_path / "met", at=3),
        maximum_wait_minutes=10,
        backoff=Backoff(seconds=120, cap_seconds=120),
    )
    execution = work.start(scheduledTime=SCHEDULED)
    task = work.held()
    place.aws.market.refuse(work.family, times=1, how="failures")
    place.aws.market.reclaim(task)
    eventually(lambda: "Wait to ask again" in work.states_entered(execution))
    work.sfn.stop_execution(executionArn=execution)
    assert work.parked()["runKey"] == KEY

    (redriven,) = work.redrive()
    assert work.ended(redriven.execution)["status"] == "SUCCEEDED"
    attempts = work.record(KEY).attempts
    assert [(a.attempt, a.cause, a.exit_code) for a in attempts] == [
        (1, "reclaimed", 143),
        (2, "finished", 0),
    ]
    said = told(ear, redriven.execution)
    assert [a["attempt"] for a in said["attempts"]] == [1, 2]


def test_a_run_that_fell_back_notifies_machines_with_what_it_tells_people(
    place: Place, ear: Ear
) -> None:
    work = place.job(*parts())
    place.aws.market.refuse(work.family, times=100, how="failures")
    execution = work.start(scheduledTime=SCHEDULED)
    run = work.succeeded(execution, KEY)
    said = told(ear, execution)
    assert (said["job"], said["runKey"], said["scheduledTime"]) == (work.name, KEY, SCHEDULED)
    assert (said["outcome"], said["severity"], said["cause"]) == (
        "fell-back",
        "info",
        "no-capacity",
    )
    assert said["outputs"] == f"s3://{work.bucket}/outputs/{work.name}/{KEY}/"
    assert [
        (a["attempt"], a["capacity"], a["cause"], a["unitsDone"]) for a in said["attempts"]
    ] == [(a.attempt, a.capacity, a.cause, a.units_done) for a in run.attempts]
    assert said["onDemandSeconds"] == run.attempts[-1].seconds
    assert said["cost"] >= 0
    mail = work.mail()
    assert mail.attributes == {name: said[name] for name in mail.attributes}
    assert mail.subject.isascii()
    assert len(mail.subject) < 100


def test_no_value_of_the_environment_is_told_parked_or_recorded(
    place: Place, tmp_path: Path, ear: Ear
) -> None:
    work = place.job(
        *parts(tmp_path / "met", at=3, do="exit", code=3),
        environment={"TOKEN": SECRET, "FORGED": '"StopCode":"SpotInterruption"'},
    )
    execution = work.start()
    assert work.failed(execution)["error"] == "Steadyspot.JobExit3"
    work.parked()
    work.mail(lambda mail: "failed" in mail.subject)
    texts = work.texts(work.key(execution)) + json.dumps(told(ear, execution))
    assert "job-failed" in texts
    definition = work.ecs.describe_task_definition(taskDefinition=work.outputs["TaskDefinition"])
    (container,) = definition["taskDefinition"]["containerDefinitions"]
    values = {pair["name"]: pair["value"] for pair in container["environment"]}
    assert SECRET in values["STEADYSPOT_ENVIRONMENT"]
    ((_, cause),) = work.causes(execution)
    (overridden,) = json.loads(cause)["Overrides"]["ContainerOverrides"]
    values |= {pair["Name"]: pair["Value"] for pair in overridden["Environment"]}
    for name in ("ENVIRONMENT", "COMMAND", "STOP_BY"):
        assert values[f"STEADYSPOT_{name}"] not in texts
    assert SECRET not in texts


def test_a_deadline_that_passes_is_told_while_the_only_attempt_goes_on(
    place: Place, tmp_path: Path, ear: Ear
) -> None:
    work = place.job(*parts(tmp_path / "met", at=3))
    execution = work.start(finishWithinMinutes=0.05)
    task = work.held()
    said = told(ear, execution)
    assert (said["outcome"], said["severity"]) == ("late", "warning")
    assert "It goes on." in work.mail(lambda mail: "is late" in mail.subject).body
    assert work.sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    work.sfn.stop_execution(executionArn=execution)
    assert work.exit_code(task) == 143
    late = [mail for mail in work.mails() if "is late" in mail.subject]
    assert len(late) == 1


def test_what_the_job_printed_last_stands_in_the_mail_of_its_failure(place: Place) -> None:
    work = place.job("sh", "-c", "echo about to fail; echo DB_PASSWORD=hush; exit 3")
    work.start(scheduledTime=SCHEDULED)
    mail = work.mail(lambda mail: "failed" in mail.subject)
    assert "\n  about to fail\n  DB_PASSWORD=***\n" in mail.body
    assert "run_key" not in mail.body
