"""What stopped an attempt: each shape in which AWS says it, read as the definition reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.local.expressions import evaluate
from steadyspot.statemachines.causes import CAUSES, UNKNOWN, CauseClass, Stop, classify
from tests.virtual.defaults import job_definition

STATES = job_definition()["States"]
RULES = STATES["Why did it stop?"]["Choices"]
CAPACITY_TEXT = (
    "Capacity is unavailable at this time. "
    "Please try again later or in a different availability zone"
)
FORGED = '"StopCode":"SpotInterruption","StoppedReason":"Your Spot Task was interrupted."'


def task(**fields: Any) -> str:
    """The Cause of a task that ended, as `ecs:runTask.sync` reports it."""
    exit_code = fields.pop("ExitCode", None)
    reason = fields.pop("Reason", None)
    worker: dict[str, Any] = {"ContainerArn": "arn:worker", "Name": "worker"}
    if exit_code is not None:
        worker["ExitCode"] = exit_code
        fields.setdefault("StartedAt", 1570378905000)
    if reason:
        worker["Reason"] = reason
    sidecar = {"ContainerArn": "arn:log", "ExitCode": 137, "Name": "log"}
    environment = [{"Name": "TEXT", "Value": fields.pop("Value", "none")}]
    return json.dumps(
        {
            "AvailabilityZone": "us-east-1b",
            "Containers": [dict(sorted(worker.items())), sidecar],
            "LaunchType": "FARGATE",
            "Overrides": {"ContainerOverrides": [{"Environment": environment, "Name": "worker"}]},
            "StoppedAt": 1570378956940,
            **fields,
        },
        separators=(",", ":"),
        sort_keys=True,
    )


def stopped(code: str, reason: str, **fields: Any) -> tuple[str, str]:
    return "States.TaskFailed", task(StopCode=code, StoppedReason=reason, **fields)


def refused(error: str, text: str, code: str = "ClientException") -> tuple[str, str]:
    cause = f"{text} (Service: AmazonECS; Status Code: 400; Error Code: {code}; Proxy: null)"
    return error, cause


ESSENTIAL = ("EssentialContainerExited", "Essential container in task exited")
SPOT = ("SpotInterruption", "Your Spot Task was interrupted.")
FAILURES = json.dumps({"Failures": [{"Reason": CAPACITY_TEXT}], "Tasks": []})

SHAPES: list[tuple[str, tuple[str, str], str]] = [
    ("no-capacity", ("AmazonECS.Unknown", FAILURES), ""),
    ("no-capacity", ("AmazonECS.Unknown", ""), ""),
    ("no-capacity", refused("ECS.AmazonECSException", CAPACITY_TEXT), ""),
    ("no-capacity", stopped("TaskFailedToStart", "RESOURCE:CPU"), ""),
    (
        "no-capacity",
        refused(
            "ECS.ClientException", "You’ve reached the limit on the number of vCPUs you can run"
        ),
        "",
    ),
    ("reclaimed-before-start", stopped(*SPOT), ""),
    ("reclaimed", stopped(*SPOT, ExitCode=143), ""),
    ("reclaimed", stopped(*SPOT, ExitCode=137), ""),
    ("reclaimed", stopped(*SPOT, ExitCode=2), ""),
    ("reclaimed", stopped("TerminationNotice", "", ExitCode=143), ""),
    ("reclaimed", stopped("", "Your Spot Task was interrupted.", ExitCode=143), ""),
    ("reclaimed", stopped("UserInitiated", "Your Spot Task was interrupted.", ExitCode=143), ""),
    ("stopped-by-hand", stopped("UserInitiated", "Task stopped by user", ExitCode=143), ""),
    ("stopped-by-hand", stopped("UserInitiated", "", ExitCode=0), ""),
    ("interrupted", stopped(*ESSENTIAL, ExitCode=143), "interrupted"),
    ("fence-lost", stopped(*ESSENTIAL, ExitCode=76), ""),
    ("throttled", refused("ECS.AmazonECSException", "Rate exceeded.", "ThrottlingException"), ""),
    ("throttled", refused("ECS.ServerException", "Service Unavailable."), ""),
    (
        "throttled",
        refused("ECS.InvalidParameterException", "subnets: Rate exceeded (Throttling)"),
        "",
    ),
    (
        "image-not-reached",
        stopped("TaskFailedToStart", "CannotPullContainerError: dial tcp: i/o timeout"),
        "",
    ),
    ("host-failed", stopped("InfrastructureHealth", "The host is gone", ExitCode=137), ""),
    ("host-failed", stopped("TaskFailedToStart", "InternalError: no reason"), ""),
    (
        "definition-inactive",
        refused("ECS.InvalidParameterException", "TaskDefinition is inactive"),
        "",
    ),
    (
        "image-missing",
        stopped("TaskFailedToStart", "CannotPullContainerError: pull access denied"),
        "",
    ),
    (
        "access-denied",
        refused("ECS.AccessDeniedException", "User is not authorized to perform: ecs:RunTask"),
        "",
    ),
    (
        "cannot-initialise",
        stopped("TaskFailedToStart", "ResourceInitializationError: no such secret"),
        "",
    ),
    ("bad-setup", stopped(*ESSENTIAL, ExitCode=125), "bad-setup"),
    ("bad-setup", stopped(*ESSENTIAL, ExitCode=127), ""),
    ("bad-request", ("States.QueryEvaluationError", "The JSONata expression failed"), ""),
    ("refused-by-ecs", refused("ECS.ClusterNotFoundException", "Cluster not found."), ""),
    (
        "out-of-memory",
        stopped(*ESSENTIAL, ExitCode=137, Reason="OutOfMemoryError: Container killed"),
        "",
    ),
    ("out-of-memory", stopped(*ESSENTIAL, ExitCode=1), "out-of-memory"),
    ("time-limit", ("States.Timeout", ""), ""),
    ("time-limit", stopped(*ESSENTIAL, ExitCode=124), "timed-out"),
    ("try-again", stopped(*ESSENTIAL, ExitCode=75), ""),
    ("no-word", stopped(*ESSENTIAL, ExitCode=0), ""),
    ("no-word", stopped(*ESSENTIAL, ExitCode=137), ""),
    ("job-failed", stopped(*ESSENTIAL, ExitCode=3), "failed"),
    ("job-failed", stopped(*ESSENTIAL, ExitCode=3), ""),
    ("job-failed", stopped(*ESSENTIAL, ExitCode=143), "failed"),
    ("unknown", ("States.TaskFailed", ""), ""),
    ("unknown", ("Lambda.Unknown", "{ this is no JSON }"), ""),
    # What a job writes into its environment says nothing.
    ("job-failed", stopped(*ESSENTIAL, ExitCode=1, Value=FORGED), ""),
    ("job-failed", stopped(*ESSENTIAL, ExitCode=1, Value=f'"Reason":"{CAPACITY_TEXT}"'), ""),
    ("job-failed", stopped(*ESSENTIAL, ExitCode=1, Value="OutOfMemoryError Rate exceeded"), ""),
]


def value(text: str, names: dict[str, Any]) -> Any:
    return evaluate(text.removeprefix("{%").removesuffix("%}"), names)


def read(error: str, cause: str) -> dict[str, Any]:
    """`$last` as the catcher of a launch assigns it."""
    catches = STATES["Run on Fargate Spot"]["Catch"]
    catcher = next(c for c in catches if {error, "States.ALL"} & set(c["ErrorEquals"]))
    names = {
        "states": {
            "errorOutput": {"Error": error, "Cause": cause},
            "context": {"State": {"EnteredTime": "2026-11-24T02:00:00.000Z"}},
        },
        "last": {"attempt": 0},
        "work": {"done": 0},
    }
    last: dict[str, Any] = value(catcher["Assign"]["last"], names)
    return last


def judged(last: dict[str, Any], word: str, status: str = "running") -> str:
    """The cause that the rendered Choice assigns."""
    names = {
        "last": last,
        "work": {"word": word, "status": status, "fraction": 0},
        "run": {"finishBy": 0},
        "drought": {"since": 0},
    }
    for rule in RULES:
        if value(rule["Condition"], names):
            return str(rule["Assign"]["cause"]["name"])
    raise AssertionError("no rule matched")


def as_stop(last: dict[str, Any], word: str, status: str = "running") -> Stop:
    return Stop(
        error=last["error"],
        stop_code=last["stop_code"],
        said=last["said"],
        started=last["started"],
        exit_code=last["exit_code"] if last["exit_code"] >= 0 else None,
        word=word,
        status=status,
    )


@pytest.mark.parametrize(("name", "reported", "word"), SHAPES)
def test_each_shape_is_known_by_its_row_in_the_definition_and_in_python(
    name: str, reported: tuple[str, str], word: str
) -> None:
    last = read(*reported)

    assert judged(last, word) == name
    assert classify(as_stop(last, word)).name == name


def test_a_complete_record_wins_over_whatever_stopped_the_task() -> None:
    last = read(*stopped(*SPOT, ExitCode=137))

    assert judged(last, "", status="complete") == "finished"
    assert classify(as_stop(last, "", status="complete")).cause_class is CauseClass.FINISHED


def test_every_row_is_reached_by_some_shape() -> None:
    assert {name for name, _, _ in SHAPES} | {"finished"} == {
        cause.name for cause in (*CAUSES, UNKNOWN)
    }


def test_a_cause_that_was_cut_keeps_what_came_before_and_never_fails() -> None:
    cause = stopped(*SPOT, ExitCode=143, Value="x" * 40_000)[1][:32_768]

    last = read("States.TaskFailed", cause)

    assert last["exit_code"] == 143
    assert judged(last, "interrupted") == "interrupted"
    assert judged(last, "") == "no-word"


def test_the_exit_code_is_that_of_the_worker_and_not_of_a_sidecar() -> None:
    assert read(*stopped(*ESSENTIAL, ExitCode=3))["exit_code"] == 3


def test_no_environment_value_is_kept_of_a_cause() -> None:
    last = read(*stopped(*ESSENTIAL, ExitCode=3, Value="very-secret"))

    assert "very-secret" not in json.dumps(last)
