"""A job begins once the runs of others have finished, with real tasks, and reads what they made."""

from __future__ import annotations

import json

import pytest

from steadyspot.contract.states import AfterOthersState
from tests.local.runs import Place, Work, eventually

TIME, KEY = "2026-11-24T02:00:00Z", "20261124T020000Z"
MAKES = ("sh", "-c", 'echo "$STEADYSPOT_JOB" > "$STEADYSPOT_OUTPUT_DIR/made.txt"')
READS = """
import os, boto3
from steadyspot import current_run
run = current_run()
s3 = boto3.client("s3")
with run.output("read.txt") as path, open(path, "wb") as file:
    for job, place in sorted(run.after.items()):
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        file.write(s3.get_object(Bucket=bucket, Key=prefix + "made.txt")["Body"].read())
"""


def maker(place: Place) -> Work:
    return place.job(*MAKES, output_dir="/tmp/out")


def looked(work: Work) -> list[list[str]]:
    """The states of the executions that looked whether the job is due, the first one first."""
    machine = work.outputs["StateMachine"] + "-AfterOthers"
    shown = work.sfn.list_executions(stateMachineArn=machine)["executions"]
    arns = [one["executionArn"] for one in shown if one["status"] != "RUNNING"]
    return [work.states_entered(arn) for arn in reversed(arns)]


@pytest.mark.timeout(180)
def test_a_run_begins_once_all_before_it_have_finished_and_reads_what_they_published(
    place: Place,
) -> None:
    one, other = maker(place), maker(place)
    last = place.job("python", "-c", READS, after=(one.name, other.name))
    one.succeeded(one.start(scheduledTime=TIME), KEY)
    assert eventually(lambda: looked(last))[0][-1] == AfterOthersState.NOT_YET
    assert last.target.runs.get(last.name, KEY) is None
    other.succeeded(other.start(scheduledTime=TIME), KEY)
    eventually(lambda: (run := last.target.runs.get(last.name, KEY)) and run.complete)
    made = last.s3.get_object(Bucket=last.bucket, Key=f"outputs/{last.name}/{KEY}/read.txt")
    assert made["Body"].read().decode().split() == sorted([one.name, other.name])

    # A second delivery ends as a duplicate, which nothing comes after.
    again = one.ended(one.start(scheduledTime=TIME))
    assert json.loads(again["output"])["outcome"] == "duplicate"
    third = "2026-11-24T03:00:00Z"
    other.succeeded(other.start(scheduledTime=third), "20261124T030000Z")
    eventually(lambda: len(looked(last)) == 3)
    assert [states[-1] for states in looked(last)] == [
        AfterOthersState.NOT_YET,
        AfterOthersState.DONE,
        AfterOthersState.NOT_YET,
    ]
    shown = last.sfn.list_executions(stateMachineArn=last.outputs["StateMachine"])["executions"]
    assert len(shown) == 1


def test_a_run_before_it_that_does_not_finish_is_told_by_the_missed_alarm_of_the_job(
    place: Place,
) -> None:
    first = place.job("sh", "-c", "exit 3")
    last = place.job("true", after=(first.name,), missed=1)
    first.failed(first.start(scheduledTime=TIME))
    mail = last.mail(lambda mail: f"{last.name}-missed" in mail.subject)
    assert "has finished" in mail.body
    assert last.target.runs.get(last.name, KEY) is None
    assert not last.executions()
