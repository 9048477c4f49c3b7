"""Runs of jobs with a secret: the job gets it, and whatever happens nobody else reads it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from steadyspot.deploy.checks.checks import run
from steadyspot.deploy.checks.findings import Finding, Level, Looks
from tests.local.runs import PART_OUTPUTS, Place, Work, parts

TOKEN = "hush-b7e1c0-hush"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.fixture
def secret(place: Place) -> Callable[[str], str]:
    """Makes a secret of Secrets Manager that holds a text; its ARN."""

    def make(text: str) -> str:
        secrets = place.session.client("secretsmanager")
        name = f"night/{uuid.uuid4().hex[:8]}"
        return str(secrets.create_secret(Name=name, SecretString=text)["ARN"])

    return make


def telling(*command: str) -> tuple[str, ...]:
    """A command before which the job tells that it has the secret, without telling it."""
    return ("sh", "-c", 'printf %s "$TOKEN" | sha256sum; exec "$@"', "job", *command)


def found(work: Work) -> Finding:
    """What `check` finds of the secret of the job."""
    looks = Looks(work.target, [work.job])
    (finding,) = (one for one in run(looks) if one.about == f"{work.name}: secret")
    return finding


def said(work: Work) -> str:
    """Everything that was logged of the job, the workflow's log included."""
    groups = (work.outputs["LogGroup"], work.outputs["StatesLogGroup"])
    pages = [work.logs.filter_log_events(logGroupName=group)["events"] for group in groups]
    return "\n".join(event["message"] for page in pages for event in page)


def described(work: Work, *executions: str) -> str:
    """What stack, task definition, histories and tasks show, as one text."""
    stack = work.target.stacks.describe(work.target.config.job_stack(work.job))
    definition = work.ecs.describe_task_definition(taskDefinition=work.outputs["TaskDefinition"])
    histories = [work.history(execution) for execution in executions]
    tasks = [work.task(task) for task in work.tasks()]
    return json.dumps([stack, definition, histories, tasks], default=str)


def command_lines() -> str:
    """What a process list shows: the command of every process on this machine."""
    shown = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(shown)


def test_a_job_has_its_secret_and_it_is_in_no_log_mail_queue_history_or_process_list(
    place: Place, tmp_path: Path, secret: Callable[[str], str]
) -> None:
    command = telling(*parts(tmp_path / "met", at=3))
    work = place.job(*command, secret=secret(json.dumps({"TOKEN": TOKEN})), rerun="never")
    execution = work.start()
    task = work.held()
    processes = command_lines()
    assert str(tmp_path / "met") in processes
    assert place.aws.market.reclaim(task)
    assert work.failed(execution)["error"]
    work.parked()
    work.mail()
    told = work.texts(work.key(execution))
    (redriven,) = work.redrive()
    record = work.succeeded(redriven.execution, work.key(execution))
    assert set(work.published(record.run_key)) == PART_OUTPUTS | {"merged.txt"}
    logged = said(work)
    # The workflow's own log has it again, in the lines that the mail of the failure shows.
    assert sum(line.startswith(DIGEST) for line in logged.splitlines()) == 2
    shown = described(work, execution, redriven.execution)
    assert str(work.job.secret) in shown
    told += work.texts(work.key(execution))
    for text in (processes, told, logged, shown, str(found(work))):
        assert TOKEN not in text


def test_a_secret_that_is_gone_stops_the_run_as_one_that_cannot_be_initialised(
    place: Place, secret: Callable[[str], str]
) -> None:
    arn = secret(json.dumps({"TOKEN": TOKEN}))
    work = place.job(*telling(*parts()), secret=arn)
    assert found(work).level is Level.GOOD
    secrets = place.session.client("secretsmanager")
    secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    assert (found(work).level, arn in found(work).text) == (Level.BAD, True)
    execution = work.start()
    assert work.failed(execution)["error"] == "Steadyspot.Misconfigured"
    assert work.parked()["cause"] == "secret-missing"
    assert arn in work.mail(lambda mail: "failed" in mail.subject).body
    secrets.restore_secret(SecretId=arn)
    (redriven,) = work.redrive()
    work.succeeded(redriven.execution, work.key(execution))
    assert said(work).count(DIGEST) == 1


@pytest.mark.parametrize("text", [f"TOKEN={TOKEN}", json.dumps({"TOKEN": [TOKEN]})])
def test_a_secret_that_is_no_object_of_texts_stops_the_run_and_is_not_shown(
    place: Place, secret: Callable[[str], str], text: str
) -> None:
    work = place.job(*telling(*parts()), secret=secret(text))
    bad = found(work)
    assert (bad.level, bool(bad.what_to_do)) == (Level.BAD, True)
    execution = work.start()
    assert work.failed(execution)["error"] == "Steadyspot.Misconfigured"
    assert work.parked()["cause"] == "bad-setup"
    assert "STEADYSPOT_SECRETS is not" in said(work)
    for shown in (
        str(bad),
        said(work),
        described(work, execution),
        work.texts(work.key(execution)),
    ):
        assert TOKEN not in shown
