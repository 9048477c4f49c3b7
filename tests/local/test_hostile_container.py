"""A container that writes into the items of runs to come, with all that the task role allows it."""

from __future__ import annotations

import json

import pytest

from tests.local.runs import Place, Work, parts

TOMORROW, KEY = "2027-01-01T02:00:00Z", "20270101T020000Z"
PLANTING = """
import os, boto3
table, bucket, job = (os.environ["STEADYSPOT_" + name] for name in ("TABLE", "BUCKET", "JOB"))
key = f"checkpoints/{job}/20270101T020000Z/manifests/x.json"
boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b'{"format": 99}')
boto3.resource("dynamodb").Table(table).update_item(
    Key={"job": f"{job}/worker", "run_key": "20270101T020000Z"},
    UpdateExpression="SET #s = :complete, execution = :e, fence = :f, #c = :c",
    ExpressionAttributeNames={"#s": "status", "#c": "checkpoint"},
    ExpressionAttributeValues={
        ":complete": "complete", ":e": os.environ["STEADYSPOT_EXECUTION"], ":f": 10**15,
        ":c": {"key": key, "sha256": "0" * 64},
    },
)
"""


@pytest.fixture(scope="module")
def attacked(platform: Place) -> Work:
    """A job of which one run has written into the items of a run to come."""
    work = platform.job(*parts())
    work.succeeded(work.start(command=["python", "-c", PLANTING]))
    assert work.worker_item(KEY)["status"] == {"S": "complete"}
    assert work.item(KEY) == {}
    return work


def test_what_was_planted_for_a_run_to_come_is_told_and_nothing_is_run(attacked: Work) -> None:
    tasks = attacked.tasks()
    execution = attacked.start(scheduledTime=TOMORROW)
    assert attacked.failed(execution)["error"] == "Steadyspot.Misconfigured"
    assert "Duplicate" not in attacked.states_entered(execution)
    assert attacked.tasks() == tasks
    run = attacked.record(KEY)
    assert (run.status, run.cause, run.execution) == ("unfinished", "tampered", execution)
    assert (run.fence, run.completion, run.attempts) == (0, None, ())
    assert attacked.parked()["cause"] == "tampered"
    mail = attacked.mail(lambda mail: "tampered" in mail.subject)
    assert "Find out who wrote it" in mail.body
    transitions = attacked.item(KEY)["money"]["M"]["transitions"]["N"]
    assert int(transitions) == len(attacked.states_entered(execution))

    (redriven,) = attacked.redrive()
    run = attacked.succeeded(redriven.execution, KEY)
    assert (run.complete, len(run.attempts)) == (True, 1)
    assert json.loads(attacked.completion(KEY))["execution"] == redriven.execution
