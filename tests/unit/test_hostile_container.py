"""What a container that turned hostile may do with the task role, as IAM evaluates its policies.

The statements are those of the templates, their functions resolved for a job ``report``. What is
allowed, and could still mislead a run to come, is told as tampered: see the tests of claims.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from steadyspot.contract import checkpoint_prefix, input_prefix, output_prefix
from steadyspot.contract.columns import worker_partition
from tests.unit.templates import listed, statements

JOB = "report"
BUCKET = "arn:aws:s3:::shop-bucket"
TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/shop-RunTable"
ELSEWHERE = "arn:aws:{}:eu-central-1:123456789012:{}"


def resolved(value: Any) -> Any:
    """A value of the template as IAM reads it for a role that bears the job's tag."""
    text = json.dumps(value)
    for mentioned, put in (
        ("arn:${AWS::Partition}:s3:::${Place}", BUCKET),
        ("${!aws:PrincipalTag/Job}", JOB),
        ("${aws:PrincipalTag/Job}", JOB),
    ):
        text = text.replace(mentioned, put)
    text = re.sub(r'\{"Fn::Sub": \[("[^"]*"), \{"Place": .*?\}\}\]\}', r"\1", text)
    text = re.sub(r'\{"Fn::Sub": ("[^"]*")\}', r"\1", text)
    text = text.replace("${LockDays}", LOCK_DAYS)
    text = text.replace('{"Fn::GetAtt": ["RunTable", "Arn"]}', json.dumps(TABLE))
    assert "Fn::" not in text, text
    return json.loads(text)


HOLDS: dict[str, Callable[[list[str], Any], bool]] = {
    "ForAllValues:StringEquals": lambda given, allowed: set(given) <= set(listed(allowed)),
    "StringEquals": lambda given, allowed: given == [allowed],
    "NumericLessThanEquals": lambda given, allowed: bool(given) and int(given[0]) <= int(allowed),
}
"""How IAM compares what a call is about with what a condition allows, by operator."""
LOCK_DAYS = "30"

STATEMENTS = [resolved(statement) for statement in statements("TaskRole").values()]


def may(action: str, resource: str, **context: list[str]) -> bool:
    """Whether the role allows a call; nothing that no statement allows is."""
    return any(
        any(fnmatch.fnmatchcase(action, one) for one in listed(statement["Action"]))
        and any(fnmatch.fnmatchcase(resource, one) for one in listed(statement["Resource"]))
        and all(
            HOLDS[operator](context.get(key.split(":")[-1], []), allowed)
            for operator, keys in statement.get("Condition", {}).items()
            for key, allowed in keys.items()
        )
        for statement in STATEMENTS
        if statement["Effect"] == "Allow"
    )


def test_there_is_no_statement_that_the_evaluation_does_not_know() -> None:
    assert {operator for one in STATEMENTS for operator in one.get("Condition", {})} == set(HOLDS)


def test_the_worker_of_a_run_may_do_its_work() -> None:
    own = worker_partition(JOB)
    assert may("dynamodb:UpdateItem", TABLE, LeadingKeys=[own])
    assert may("dynamodb:GetItem", TABLE, LeadingKeys=[own])
    for prefix in (checkpoint_prefix(JOB, "k"), output_prefix(JOB, "k")):
        assert may("s3:PutObject", f"{BUCKET}/{prefix}a")
        assert may("s3:GetObject", f"{BUCKET}/{prefix}a")
    assert may("s3:GetObject", f"{BUCKET}/{input_prefix(JOB)}a")


@pytest.mark.parametrize(
    "partition", [JOB, f"{JOB}/turn", "report-2", worker_partition("report-2"), "r", ""]
)
@pytest.mark.parametrize(
    "call",
    ["GetItem", "UpdateItem", "PutItem", "DeleteItem", "ConditionCheckItem", "Query"],
)
def test_what_the_workflow_decides_by_is_neither_written_nor_read(
    partition: str, call: str
) -> None:
    """``complete``, an execution, claims, attempts, money: of its own run, too, and of no job."""
    assert not may(f"dynamodb:{call}", TABLE, LeadingKeys=[partition])
    assert not may(f"dynamodb:{call}", TABLE, LeadingKeys=[worker_partition(JOB), partition])


@pytest.mark.parametrize(
    "call", ["PutItem", "DeleteItem", "Query", "Scan", "BatchWriteItem", "PartiQLUpdate"]
)
def test_of_workers_items_none_is_removed_replaced_or_listed(call: str) -> None:
    assert not may(f"dynamodb:{call}", TABLE, LeadingKeys=[worker_partition(JOB)])


@pytest.mark.parametrize(
    "call",
    [
        *("DeleteObject", "DeleteObjectVersion", "GetObjectVersion", "PutObjectAcl"),
        *("PutObjectRetention", "BypassGovernanceRetention", "RestoreObject"),
    ],
)
def test_past_outputs_are_not_deleted_and_their_versions_not_reached(call: str) -> None:
    assert not may(f"s3:{call}", f"{BUCKET}/{output_prefix(JOB, 'k')}a.parquet")


def test_an_output_is_locked_for_no_longer_than_the_platform_says_and_never_for_good() -> None:
    """What is locked is billed, and one who may lock for a hundred years does harm by it."""
    own, days = f"{BUCKET}/{output_prefix(JOB, 'k')}a", "object-lock-remaining-retention-days"

    def may_lock(key: str, mode: str, left: str) -> bool:
        return may("s3:PutObjectRetention", key, **{"object-lock-mode": [mode], days: [left]})

    assert may_lock(own, "GOVERNANCE", LOCK_DAYS)
    assert not may_lock(own, "GOVERNANCE", "31")
    assert not may_lock(own, "COMPLIANCE", "1")
    assert not may_lock(f"{BUCKET}/{output_prefix('report-2', 'k')}a", "GOVERNANCE", "1")
    assert not may_lock(f"{BUCKET}/{checkpoint_prefix(JOB, 'k')}a", "GOVERNANCE", "1")
    assert not may("s3:PutObjectLegalHold", own)


@pytest.mark.parametrize("job", ["report-2", "repor", "repor*"])
@pytest.mark.parametrize("call", ["GetObject", "PutObject", "DeleteObject"])
def test_objects_of_another_job_are_out_of_reach(job: str, call: str) -> None:
    for prefix in (checkpoint_prefix(job, "k"), output_prefix(job, "k"), input_prefix(job)):
        assert not may(f"s3:{call}", f"{BUCKET}/{prefix}a")
    assert not may(f"s3:{call}", f"{BUCKET}/templates/job.asl.yaml")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:ListBucket", BUCKET),
        ("s3:ListBucketMultipartUploads", BUCKET),
        ("s3:PutBucketVersioning", BUCKET),
        ("s3:PutLifecycleConfiguration", BUCKET),
        ("s3:PutObject", f"{BUCKET}/{input_prefix(JOB)}a"),
        ("ecs:StopTask", ELSEWHERE.format("ecs", "task/shop/a")),
        ("ecs:RunTask", ELSEWHERE.format("ecs", "task-definition/shop-report:1")),
        ("states:StartExecution", ELSEWHERE.format("states", "stateMachine:shop-report")),
        ("states:DescribeExecution", ELSEWHERE.format("states", "execution:shop-report:x")),
        ("sqs:SendMessage", ELSEWHERE.format("sqs", "shop-report-Queue")),
        ("sns:Publish", ELSEWHERE.format("sns", "shop-Topic")),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/shop-report-TaskRole"),
        ("iam:TagRole", "arn:aws:iam::123456789012:role/shop-report-TaskRole"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/shop-report-StateMachineRole"),
        ("dynamodb:DeleteTable", TABLE),
        ("dynamodb:UpdateTable", TABLE),
        ("logs:PutLogEvents", ELSEWHERE.format("logs", "log-group:/steadyspot/shop/report:*")),
    ],
)
def test_nothing_else_is_reached(action: str, resource: str) -> None:
    assert not may(action, resource)
