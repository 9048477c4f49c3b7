"""How runs come to start: quietly, twice, by hand, after another that died, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract.columns import worker_partition
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.stacks.config import Retry
from tests.local.runs import (
    DEADLINE_SECONDS,
    NEVER_MEANWHILE,
    PART_OUTPUTS,
    Place,
    Work,
    by_hand,
    eventually,
    faults,
    parts,
)

START_EXECUTION = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
QUIET = ["Claim the run", "Look at the weather", "Run on Fargate Spot", "Close the run"]


def soon() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)


def text(at: datetime) -> str:
    return scheduled_time_of(at)


@contextmanager
def scheduled(work: Work, at: datetime, **target: Any) -> Iterator[str]:
    """A one-time schedule like the job's own but for ``target``; its ARN."""
    scheduler, group = work.target.client("scheduler"), work.target.platform["ScheduleGroup"]
    own = scheduler.get_schedule(Name=work.outputs["Schedule"], GroupName=group)
    name = f"once-{work.name}"
    made = scheduler.create_schedule(
        Name=name,
        GroupName=group,
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**own["Target"], **target},
    )
    try:
        yield str(made["ScheduleArn"])
    finally:
        scheduler.delete_schedule(Name=name, GroupName=group)


def test_a_quiet_run_enters_4_states_and_publishes_what_the_job_does_by_hand(
    place: Place, tmp_path: Path
) -> None:
    work = place.job(*parts())
    execution = work.start(scheduledTime="2026-11-24T02:00:00Z")
    assert work.ended(execution)["status"] == "SUCCEEDED"

    assert work.states_entered(execution) == QUIET
    run = work.record("20261124T020000Z")
    assert (run.complete, run.execution) == (True, execution)
    assert run.scheduled_time == "2026-11-24T02:00:00Z"
    assert (run.units_done, run.units_total) == (8, 8)
    (attempt,) = run.attempts
    assert (attempt.capacity, attempt.cause, attempt.exit_code) == ("spot", "finished", 0)
    assert (attempt.units_done, attempt.lost_seconds) == (8, 0)
    shown = work.task(attempt.task)
    assert attempt.zone == shown["availabilityZone"]
    assert shown["capacityProviderName"] == "FARGATE_SPOT"
    assert shown["startedBy"] == "AWS Step Functions"
    assert work.published(run.run_key) == by_hand(tmp_path, *parts())
    assert (work.mails(), work.waiting(), work.uploads()) == ([], [], [])


def test_the_completion_record_is_the_same_in_the_bucket_and_in_the_table(place: Place) -> None:
    work = place.job(*parts())
    run = work.succeeded(work.start())
    body = work.completion(run.run_key)
    said, column = json.loads(body), run.completion
    assert column is not None
    assert faults("completion", said) == []
    assert column["sha256"] == hashlib.sha256(body).hexdigest()
    assert column["key"] == f"outputs/{work.name}/{run.run_key}/completion.json"
    same = ("request_sha256", "units", "worker_version", "completed_at")
    assert [column[name] for name in same] == [said[name] for name in same]
    assert float(column["seconds"]) == said["seconds"]
    assert float(column["lost_seconds"]) == said["lost_seconds"] == 0
    assert (said["job"], said["run_key"]) == (work.name, run.run_key)
    assert (said["execution"], said["fence"]) == (run.execution, 10_001)
    assert said["attempts"] == len(run.attempts)
    published = work.published(run.run_key)
    assert column["outputs"] == len(published) == 9
    assert column["output_bytes"] == sum(map(len, published.values()))
    assert {o["name"]: (o["size"], o["sha256"]) for o in said["outputs"]} == {
        name: (len(body), hashlib.sha256(body).hexdigest()) for name, body in published.items()
    }


def test_start_execution_with_an_empty_input_is_a_run_with_defaults(place: Place) -> None:
    work = place.job(*parts())
    # As the console does it.
    started = work.sfn.start_execution(stateMachineArn=work.outputs["StateMachine"], input="{}")
    run = work.succeeded(started["executionArn"])
    assert run.complete
    assert run.run_key == work.key(started["executionArn"])
    assert run.scheduled_time == ""
    assert work.published(run.run_key).keys() == {*PART_OUTPUTS, "merged.txt"}


def test_a_time_that_is_delivered_twice_at_the_same_moment_and_later_is_one_run(
    place: Place,
) -> None:
    work = place.job(*parts(), schedule=NEVER_MEANWHILE)
    at, clock = soon(), place.aws.scheduler
    clock.deliver_twice(f"once-{work.name}")
    with scheduled(work, at) as schedule:
        eventually(lambda: len(work.executions()) == 2)
        for execution in work.executions():
            work.ended(execution)
        clock.deliver_again(schedule)
        eventually(lambda: len(work.executions()) == 3)
        ends = [work.ended(execution) for execution in work.executions()]

    assert {end["input"] for end in ends} == {
        json.dumps({"scheduledTime": text(at)}, separators=(",", ":"))
    }
    assert {end["status"] for end in ends} == {"SUCCEEDED"}
    last = [work.states_entered(execution)[-1] for execution in work.executions()]
    assert sorted(last) == ["Close the run", "Duplicate", "Duplicate"]
    assert len(work.tasks()) == 1
    run = work.record(run_key_of(text(at)))
    assert run.complete
    assert len(run.attempts) == 1
    assert work.item(run.run_key)["claims"] == {"N": "1"}


def test_a_second_delivery_while_the_run_is_under_way_leaves_it_alone(
    place: Place, tmp_path: Path
) -> None:
    work = place.job(*parts(tmp_path / "met", at=3))
    first = work.start(scheduledTime="2026-11-24T02:00:00Z")
    task = work.held()
    second = work.start(scheduledTime="2026-11-24T02:00:00Z")
    assert work.ended(second)["status"] == "SUCCEEDED"
    assert work.states_entered(second)[-1] == "Duplicate"
    assert "Is it still running?" in work.states_entered(second)
    place.aws.market.reclaim(task)
    assert work.ended(first)["status"] == "SUCCEEDED"
    assert work.record("20261124T020000Z").execution == first


@pytest.mark.parametrize("how", ["stopped", "forgotten"])
def test_a_run_whose_execution_died_without_a_word_is_taken_over_by_the_next_delivery(
    place: Place, tmp_path: Path, how: str
) -> None:
    work = place.job(*parts(tmp_path / "met", at=3))
    stack = work.target.config.job_stack(work.job)
    rule = next(
        resource["PhysicalResourceId"]
        for resource in work.target.stacks.resources(stack)
        if resource["LogicalResourceId"] == "BrokenEnd"
    )
    # Nobody speaks for it: the rule that starts After the end rests.
    work.target.client("events").disable_rule(Name=rule.rsplit("/", 1)[-1])
    first = work.start(scheduledTime="2026-11-24T02:00:00Z")
    task = work.held()
    work.sfn.stop_execution(executionArn=first)
    work.stopped(task)
    key = "20261124T020000Z"
    assert work.record(key).status == "running"
    if how == "forgotten":  # Step Functions keeps an execution for 90 days.
        for partition in (work.name, worker_partition(work.name)):
            work.dynamodb.update_item(
                TableName=work.target.platform["Table"],
                Key={"job": {"S": partition}, "run_key": {"S": key}},
                UpdateExpression="SET execution = :gone",
                ExpressionAttributeValues={":gone": {"S": first + "-gone"}},
            )

    second = work.start(scheduledTime="2026-11-24T02:00:00Z")
    assert work.ended(second)["status"] == "SUCCEEDED"
    assert "Take the run over" in work.states_entered(second)
    run = work.record(key)
    assert (run.complete, run.execution) == (True, second)
    assert work.begun(work.tasks()[-1]) == [4, 5, 6, 7, 8]
    assert work.published(key).keys() == {*PART_OUTPUTS, "merged.txt"}


@pytest.mark.parametrize(
    ("why", "code"),
    [("gone", "StateMachineDoesNotExist"), ("denied", "AccessDeniedException")],
)
def test_a_start_that_fails_for_good_is_at_once_in_the_queue_and_rings(
    place: Place, why: str, code: str
) -> None:
    work = place.job(*parts(), schedule=NEVER_MEANWHILE)
    machine, at = work.outputs["StateMachine"], soon()
    roles = work.ecs.describe_task_definition(taskDefinition=work.outputs["TaskDefinition"])
    target = {"RoleArn": roles["taskDefinition"]["taskRoleArn"]}
    if why == "gone":
        target = {"Arn": machine + "-gone"}
    with scheduled(work, at, **target) as schedule:
        (message,) = eventually(work.waiting)

    wanted = {"StateMachineArn": target.get("Arn", machine)}
    wanted["Input"] = f'{{"scheduledTime":"{text(at)}"}}'
    assert json.loads(message["Body"]) == wanted
    attributes = message["MessageAttributes"]
    assert {attribute["DataType"] for attribute in attributes.values()} == {"String"}
    said = {name: attribute["StringValue"] for name, attribute in attributes.items()}
    assert said.pop("ERROR_MESSAGE")
    assert len(said.pop("EXECUTION_ID")) == 16
    assert said == {
        "ERROR_CODE": code,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": text(at),
        "SCHEDULE_ARN": schedule,
        "TARGET_ARN": START_EXECUTION,
    }
    mail = work.mail(lambda mail: mail.subject.startswith("ALARM"))
    assert f"steadyspot redrive {work.name}" in mail.body
    (redriven,) = work.redrive()
    assert work.ended(redriven.execution)["status"] == "SUCCEEDED"
    assert work.record(run_key_of(text(at))).complete
    assert not work.waiting()


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailable"])
def test_a_start_that_fails_for_now_is_retried_by_the_policy_and_then_in_the_queue(
    place: Place, code: str
) -> None:
    work = place.job(*parts(), schedule=NEVER_MEANWHILE, retry=Retry(attempts=2))
    at = soon()
    place.aws.scheduler.deny(f"once-{work.name}", code, times=3)
    with scheduled(work, at) as schedule:
        outcome = place.aws.scheduler.wait_for(
            lambda o: o.schedule_arn == schedule, DEADLINE_SECONDS
        )
        (message,) = eventually(work.waiting)
    assert (outcome.attempts, outcome.error_code) == (3, code)
    said = {name: a["StringValue"] for name, a in message["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == code
    assert (said["RETRY_ATTEMPTS"], said["EXHAUSTED_RETRY_CONDITION"]) == (
        "2",
        "MaximumRetryAttempts",
    )
    assert work.executions() == []


def test_a_start_that_is_throttled_once_is_a_run_of_its_scheduled_time(place: Place) -> None:
    work = place.job(*parts(), schedule=NEVER_MEANWHILE, retry=Retry(attempts=2))
    at = soon()
    place.aws.scheduler.deny(f"once-{work.name}", "ThrottlingException", times=1)
    with scheduled(work, at) as schedule:
        outcome = place.aws.scheduler.wait_for(
            lambda o: o.schedule_arn == schedule, DEADLINE_SECONDS
        )
    assert outcome.attempts == 2
    assert outcome.execution_arn is not None
    assert work.ended(outcome.execution_arn)["status"] == "SUCCEEDED"
    assert work.record(run_key_of(text(at))).complete
    assert not work.waiting()
