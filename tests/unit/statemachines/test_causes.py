"""What stopped an attempt: each shape in which AWS says it, read as the definition reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.local.expressions import evaluate
from steadyspot.statemachines.causes import attempts
from steadyspot.statemachines.causes.row import Budget
from steadyspot.statemachines.causes.texts import GIVEN_UP
from tests.virtual.defaults import job_definition

STATES = job_definition()["States"]
CAUSES = STATES["Claim the run"]["Assign"]["causes"]
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
    ("launch-given-up", stopped("UserInitiated", GIVEN_UP), ""),
    ("given-up-as-it-started", stopped("UserInitiated", GIVEN_UP, ExitCode=143), ""),
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
    (
        "registry-untrusted",
        stopped("TaskFailedToStart", "CannotPullContainerError: x509: certificate has expired"),
        "",
    ),
    (
        "image-unusable",
        stopped("TaskFailedToStart", "CannotPullContainerError: invalid tar header"),
        "",
    ),
    (
        "network-full",
        stopped("TaskFailedToStart", "Create Network Interface: InsufficientFreeAddressesInSubnet"),
        "",
    ),
    (
        "network-missing",
        stopped("TaskFailedToStart", "Create Network Interface: InvalidSubnetID.NotFound"),
        "",
    ),
    (
        "volume-missing",
        stopped("TaskFailedToStart", "EFS utils: mount.nfs4: No such file or directory"),
        "",
    ),
    ("key-unusable", stopped("TaskFailedToStart", "InvalidKeyId: the key is disabled"), ""),
    ("host-failed", stopped("InfrastructureHealth", "The host is gone", ExitCode=137), ""),
    ("host-failed", stopped("TaskFailedToStart", "InternalError: no reason"), ""),
    ("aws-in-trouble", stopped(*ESSENTIAL, ExitCode=69), "aws-in-trouble"),
    ("aws-in-trouble", stopped(*ESSENTIAL, ExitCode=69), ""),
    ("worker-fault", stopped(*ESSENTIAL, ExitCode=70), "worker-fault"),
    ("worker-fault", stopped(*ESSENTIAL, ExitCode=70), ""),
    ("misused", stopped(*ESSENTIAL, ExitCode=125), "misused"),
    ("work-lost", stopped(*ESSENTIAL, ExitCode=75), "work-lost"),
    ("kept-in-memory", stopped(*ESSENTIAL, ExitCode=75), "kept-in-memory"),
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
        "secret-missing",
        stopped(
            "TaskFailedToStart", "ResourceInitializationError: can't find the specified secret"
        ),
        "",
    ),
    (
        "log-group-missing",
        stopped("TaskFailedToStart", "ResourceInitializationError: log group does not exist"),
        "",
    ),
    (
        "retired",
        stopped(
            "UserInitiated",
            "ECS is performing maintenance on the underlying infrastructure hosting the task",
            ExitCode=143,
        ),
        "",
    ),
    ("account-not-ready", refused("ECS.BlockedException", "Your AWS account was blocked."), ""),
    (
        "never-started",
        stopped("TaskFailedToStart", "ResourceInitializationError: nobody knows this"),
        "",
    ),
    *(
        (name, stopped("TaskFailedToStart", text), "")
        for name, text in {
            "disk-full": "CannotPullContainerError: write /var/lib/x.pyc: no space left on device",
            "wrong-architecture": "CannotPullContainerError: image Manifest does not contain"
            " descriptor matching platform 'linux/amd64'.",
            "command-missing": "CannotStartContainerError: ResourceInitializationError: OCI runtime"
            ' create failed: exec: "-url": executable file not found in $PATH: unknown',
            "pull-forbidden": "CannotPullContainerError: failed to resolve ref"
            ' "r.example/job": unexpected status code [manifests 1]: 403 Forbidden',
            "never-started": "Task failed to start",
        }.items()
    ),
    *(
        ("image-not-reached", stopped("TaskFailedToStart", text), "")
        for text in (
            'CannotPullContainerError: Head "https://r.example/v2/m": dial tcp: i/o timeout',
            "CannotPullContainerError: unexpected status code https://r/v2/x: 504 Gateway Time-out",
            "CannotPullContainerError: The task can’t pull the image. Check your network"
            " configuration",
            "CannotPullContainerError: API error (500): Get https://r/v2/: net/http: request"
            " canceled",
            "ResourceInitializationError: unable to retrieve secrets from ssm: RequestCanceled:"
            " request context canceled caused by: context deadli...",
            "ResourceInitializationError: pull command failed: : signal: killed",
        )
    ),
    # Words in names say nothing.
    *(
        ("image-missing", stopped("TaskFailedToStart", f"CannotPullContainerError: {text}"), "")
        for text in (
            "failed to resolve ref r.example/job@sha256:0f35032b1f00112233: not found",
            "failed to resolve ref r.example/timeout/connection-503:latest: not found",
            "failed to resolve ref timeout:503: not found",
        )
    ),
    *(
        ("host-failed", stopped("TaskFailedToStart", text), "")
        for text in (
            "ContainerRuntimeTimeoutError: Could not transition to running; timed out",
            "CannotCreateVolumeError: failed to get image reference: context deadline exceeded",
        )
    ),
    (
        "secret-missing",
        stopped(
            "TaskFailedToStart", "ResourceNotFoundException: can't retrieve the secret 'arn:x'"
        ),
        "",
    ),
    (
        "throttled",
        refused("ECS.InvalidParameterException", "Limit (ErrorCode: RequestLimitExceeded)"),
        "",
    ),
    ("ecs-in-trouble", refused("ECS.AmazonECSException", "Something that nobody knows"), ""),
    (
        "spot-not-offered",
        refused(
            "ECS.InvalidParameterException",
            "The strategy cannot contain a capacity provider that is not associated with it",
        ),
        "",
    ),
    ("aws-in-trouble", stopped(*ESSENTIAL, ExitCode=1), "aws-in-trouble"),
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
    ("aws-in-trouble", stopped(*ESSENTIAL, ExitCode=69), ""),
    ("try-again", stopped(*ESSENTIAL, ExitCode=75), ""),
    ("no-stop-report", stopped(*ESSENTIAL, ExitCode=0), ""),
    ("no-stop-report", stopped(*ESSENTIAL, ExitCode=137), ""),
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


def names(**more: Any) -> dict[str, Any]:
    """The variables of a workflow whose first attempt has ended."""
    return {
        "job": {"memoryGb": 2},
        "causes": CAUSES,
        "run": {"claims": 1, "earlierAttempts": 0},
        "work": {"status": "running", "workerReason": "", "done": 0, "total": 0, "fraction": 0},
        "last": {"attempt": 0},
        **more,
    }


def catcher(error: str) -> dict[str, Any]:
    catches = STATES["Run on Fargate Spot"]["Catch"]
    found: dict[str, Any] = next(
        c for c in catches if {error, "States.ALL"} & set(c["ErrorEquals"])
    )
    return found


def reporting(error: str, cause: str) -> dict[str, Any]:
    return {
        "errorOutput": {"Error": error, "Cause": cause},
        "context": {"State": {"EnteredTime": "2026-11-24T02:00:00.000Z"}},
    }


ME = "arn:aws:states:us-east-1:123456789012:execution:job:me"


def answering(item: dict[str, Any]) -> dict[str, Any]:
    return {"result": {"Item": item}, "context": {"Execution": {"Id": ME}}}


def read(error: str, cause: str) -> dict[str, Any]:
    """`$last` as the catcher of a launch assigns it."""
    last: dict[str, Any] = value(
        catcher(error)["Assign"]["last"], names(states=reporting(error, cause))
    )
    return last


def judged(
    reported: tuple[str, str], reason: str, status: str = "running", **last: Any
) -> dict[str, Any]:
    """`$cause` as it is found for an attempt: in the catcher, or with what the record says.

    ``fence`` is the one in the record, that of the attempt unless given; ``last`` changes it.
    """
    caught = catcher(reported[0])
    if caught["Next"] == "Why did it stop?":
        return dict(value(caught["Assign"]["cause"], names(states=reporting(*reported))))
    fence = last.pop("fence", "10001")
    item: dict[str, Any] = {
        "execution": {"S": ME},
        "status": {"S": status},
        "fence": {"N": fence},
    }
    if reason:
        item["stop_report"] = {
            "M": {
                "fence": {"N": "10001"},
                "reason": {"S": reason},
                "exit_code": {"N": "1"},
                "lost_seconds": {"N": "0"},
            }
        }
    brought = names(last={**read(*reported), **last}, states=answering(item))
    return dict(value(STATES["How far did it get?"]["Assign"]["cause"], brought))


@pytest.mark.parametrize(("name", "reported", "reason"), SHAPES)
def test_each_shape_is_known_by_its_row(name: str, reported: tuple[str, str], reason: str) -> None:
    assert judged(reported, reason)["name"] == name


def test_a_launch_that_timed_out_before_a_worker_took_the_fence_was_refused() -> None:
    timed_out = ("States.Timeout", "")
    assert judged(timed_out, "", fence="9001")["name"] == "launch-given-up"
    assert judged(timed_out, "", fence="9001", capacity="on-demand")["name"] == "launch-given-up"
    assert judged(timed_out, "")["name"] == "time-limit"


def test_a_complete_record_wins_over_whatever_stopped_the_task() -> None:
    reported = stopped(*SPOT, ExitCode=137)

    assert judged(reported, "", status="complete")["name"] == "finished"


def test_every_row_is_reached_by_some_shape() -> None:
    assert {name for name, _, _ in SHAPES} | {"finished"} == {cause.name for cause in attempts()}


def test_a_cause_that_was_cut_keeps_what_came_before_and_never_fails() -> None:
    cut = ("States.TaskFailed", stopped(*SPOT, ExitCode=143, Value="x" * 40_000)[1][:32_768])

    assert read(*cut)["exit_code"] == 143
    assert judged(cut, "interrupted")["name"] == "interrupted"
    assert judged(cut, "")["name"] == "no-stop-report"


def test_a_text_is_read_whole_its_quotes_too_and_only_cut_where_it_is_shown() -> None:
    quoted = f'CannotPullContainerError: Head "https://r/{"x" * 600}": dial tcp: i/o timeout'
    reported = stopped("TaskFailedToStart", quoted)

    cause = judged(reported, "")
    assert cause["name"] == "image-not-reached"
    assert cause["sentence"].endswith(quoted[:500])


def test_what_aws_says_is_not_taken_for_something_that_a_sentence_leaves_open() -> None:
    cause = judged(stopped("TaskFailedToStart", "InternalError {exit_code} {stopped_reason}"), "")

    assert cause["sentence"].endswith(": InternalError {exit_code} {stopped_reason}")


def test_the_exit_code_is_that_of_the_worker_and_not_of_a_sidecar() -> None:
    assert read(*stopped(*ESSENTIAL, ExitCode=3))["exit_code"] == 3


def test_no_environment_value_is_kept_of_a_cause() -> None:
    last = read(*stopped(*ESSENTIAL, ExitCode=3, Value="very-secret"))

    assert "very-secret" not in json.dumps(last)


def test_a_row_that_is_counted_by_itself_says_how_often_it_is_tried_again() -> None:
    counted = {row.name: row.most_tries for row in attempts() if row.counted_by is Budget.FAULTS}
    assert counted
    assert all(tries and tries > 0 for tries in counted.values()), counted
    assert all(not row.most_tries for row in attempts() if row.name not in counted)


def test_a_cluster_that_does_not_offer_spot_is_not_asked_for_it_again() -> None:
    (none_there,) = [reported for name, reported, _ in SHAPES if name == "spot-not-offered"]
    assert judged(none_there, "")["staysOnSpot"] is False
    throttled = refused("ECS.ServerException", "Service Unavailable.")
    assert judged(throttled, "")["staysOnSpot"] is True
