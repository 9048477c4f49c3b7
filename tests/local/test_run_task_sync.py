"""`ecs:runTask.sync` in a state machine: what AWS reports as success, and each way to fail.

The expected shapes are AWS's as recorded (PascalCase, epoch milliseconds, compact, in alphabetical
order); that of a Spot stop is put together from documented values and the recorded shape.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from steadyspot.deploy.local.market import Market
from tests.local.bench import LISTENS, PYTHON, Bench, until

RECORDED_KEYS = [
    "Attachments",
    "Attributes",
    "AvailabilityZone",
    "CapacityProviderName",
    "ClusterArn",
    "Connectivity",
    "ConnectivityAt",
    "Containers",
    "Cpu",
    "CreatedAt",
    "DesiredStatus",
    "EnableExecuteCommand",
    "EphemeralStorage",
    "ExecutionStoppedAt",
    "Group",
    "InferenceAccelerators",
    "LastStatus",
    "LaunchType",
    "Memory",
    "Overrides",
    "PlatformVersion",
    "PullStartedAt",
    "PullStoppedAt",
    "StartedAt",
    "StartedBy",
    "StopCode",
    "StoppedAt",
    "StoppedReason",
    "StoppingAt",
    "Tags",
    "TaskArn",
    "TaskDefinitionArn",
    "Version",
]
RECORDED_CONTAINER_KEYS = [
    "ContainerArn",
    "Cpu",
    "ExitCode",
    "GpuIds",
    "Image",
    "LastStatus",
    "ManagedAgents",
    "Name",
    "NetworkBindings",
    "NetworkInterfaces",
    "RuntimeId",
    "TaskArn",
]
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)


def failure(bench: Bench, state: dict[str, Any]) -> tuple[str, str]:
    """Error and Cause as a Catch sees them."""
    catch = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "End"}]
    states = {"Run": {**state, "Next": "End", "Catch": catch}, "End": {"Type": "Succeed"}}
    caught = bench.output(states)
    assert set(caught) == {"Error", "Cause"}, caught
    return caught["Error"], caught["Cause"]


def listed_task(bench: Bench, **filters: str) -> str:
    """Wait for a task of the bench's cluster, a running one unless the filters say otherwise."""

    def look() -> str:
        arns = bench.ecs.list_tasks(cluster=bench.cluster, **filters)["taskArns"]
        return arns[0] if arns else ""

    return until(look)


def submitted_task(bench: Bench, execution: str) -> str:
    """The task of an execution that has ended, whatever has become of it since."""
    (answer,) = [
        json.loads(event["taskSubmittedEventDetails"]["output"])
        for event in bench.history(execution)
        if event["type"] == "TaskSubmitted"
    ]
    return str(answer["Tasks"][0]["TaskArn"])


def test_exit_code_0_is_a_success_and_gives_the_one_task(bench: Bench) -> None:
    state = bench.run_state(bench.define(bench.container("exit 0")), End=True)
    task = bench.output({"Run": state})
    assert list(task) == RECORDED_KEYS
    assert task["Containers"][0]["ExitCode"] == 0
    assert task["StopCode"] == "EssentialContainerExited"


def test_another_exit_code_fails_with_the_task_in_the_cause(bench: Bench) -> None:
    overrides = {
        "ContainerOverrides": [
            {"Name": "worker", "Environment": [{"Name": "SAYS", "Value": 'a "quoted"\nvalue'}]}
        ]
    }
    state = bench.run_state(
        bench.define(bench.container("exit 3")), arguments={"Overrides": overrides}
    )
    error, cause = failure(bench, state)
    assert error == "States.TaskFailed"
    task = json.loads(cause)
    assert cause == json.dumps(task, separators=(",", ":"))
    assert list(task) == RECORDED_KEYS
    container = task["Containers"][0]
    assert list(container) == RECORDED_CONTAINER_KEYS
    assert container["ExitCode"] == 3
    assert container["Cpu"] == "0"
    assert task["StartedBy"] == "AWS Step Functions"
    assert (task["Cpu"], task["Memory"]) == ("256", "512")
    assert task["EphemeralStorage"] == {"SizeInGiB": 20}
    assert task["Attachments"][0]["Type"] == "eni"
    assert task["Attachments"][0]["Status"] == "DELETED"
    assert task["Group"] == f"family:{bench.name}"
    assert task["Overrides"] == {
        "ContainerOverrides": [
            {
                "Command": [],
                "Environment": [{"Name": "SAYS", "Value": 'a "quoted"\nvalue'}],
                "EnvironmentFiles": [],
                "Name": "worker",
                "ResourceRequirements": [],
            }
        ],
        "InferenceAcceleratorOverrides": [],
    }
    for name in ("ConnectivityAt", "CreatedAt", "StartedAt", "StoppedAt", "StoppingAt"):
        assert re.fullmatch(r"\d{13}", str(task[name])), name


def test_the_history_of_a_failing_attempt_is_as_recorded(bench: Bench) -> None:
    state = bench.run_state(bench.define(bench.container("exit 1")), End=True)
    execution = bench.start(bench.machine({"Run": state}))
    assert bench.ended(execution)["status"] == "FAILED"
    events = bench.history(execution)
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskFailed",
        "ExecutionFailed",
    ]
    scheduled = events[2]["taskScheduledEventDetails"]
    assert (scheduled["resourceType"], scheduled["resource"]) == ("ecs", "runTask.sync")
    assert scheduled["timeoutInSeconds"] == 60
    parameters = json.loads(scheduled["parameters"])
    assert parameters["StartedBy"] == "AWS Step Functions"
    assert parameters["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1}
    ]
    submitted = json.loads(events[4]["taskSubmittedEventDetails"]["output"])
    assert list(submitted) == ["Failures", "SdkHttpMetadata", "SdkResponseMetadata", "Tasks"]
    assert submitted["Tasks"][0]["LastStatus"] == "PROVISIONING"
    assert events[5]["taskFailedEventDetails"]["error"] == "States.TaskFailed"
    assert events[5]["taskFailedEventDetails"]["resource"] == "runTask.sync"


def test_an_image_that_cannot_be_pulled_leaves_no_exit_code_and_no_start(bench: Bench) -> None:
    container = bench.container("", image="no_such_image")
    error, cause = failure(bench, bench.run_state(bench.define(container)))
    task = json.loads(cause)
    assert error == "States.TaskFailed"
    assert task["StopCode"] == "TaskFailedToStart"
    assert task["StoppedReason"].startswith("CannotPullContainerError: pull image manifest")
    assert "ExitCode" not in task["Containers"][0]
    assert not {"StartedAt", "PullStartedAt"} & set(task)


def test_a_reclaim_reads_as_a_spot_interruption(bench: Bench, market: Market) -> None:
    state = bench.run_state(bench.define(bench.container(LISTENS, image=PYTHON)))
    market.reclaim_after(bench.name, 0.3)
    error, cause = failure(bench, state)
    assert error == "States.TaskFailed"
    assert '"StopCode":"SpotInterruption"' in cause
    assert '"StoppedReason":"Your Spot Task was interrupted."' in cause
    assert '"CapacityProviderName":"FARGATE_SPOT"' in cause
    assert re.search(r'"ExitCode":\d+', cause)


def test_a_stop_by_hand_fails_the_state_with_the_code_of_the_worker(bench: Bench) -> None:
    state = bench.run_state(bench.define(bench.container(LISTENS, image=PYTHON)), End=True)
    execution = bench.start(bench.machine({"Run": state}))
    arn = listed_task(bench)
    bench.printed(arn, "ready")
    bench.ecs.stop_task(cluster=bench.cluster, task=arn)
    task = json.loads(bench.ended(execution)["cause"])
    assert (task["StopCode"], task["StoppedReason"]) == ("UserInitiated", "Task stopped by user")
    assert task["Containers"][0]["ExitCode"] == 143


LEAVES_WITH_0 = LISTENS.replace("sys.exit(143)", "sys.exit(0)")


@pytest.mark.parametrize(("succeeds", "expected"), [(True, "SUCCEEDED"), (False, "FAILED")])
def test_exit_0_at_a_reclaim_can_be_either(
    bench: Bench, market: Market, succeeds: bool, expected: str
) -> None:
    market.exit_zero_succeeds = succeeds
    state = bench.run_state(bench.define(bench.container(LEAVES_WITH_0, image=PYTHON)), End=True)
    execution = bench.start(bench.machine({"Run": state}))
    arn = listed_task(bench)
    bench.printed(arn, "ready")
    market.reclaim(arn)
    shown = bench.ended(execution)
    assert shown["status"] == expected
    assert '"StopCode":"SpotInterruption"' in shown.get("output", shown.get("cause", ""))


@pytest.mark.parametrize(("counts", "expected"), [(True, "FAILED"), (False, "SUCCEEDED")])
def test_a_sidecar_that_ends_badly_fails_the_state_unless_the_switch_says_no(
    bench: Bench, market: Market, counts: bool, expected: str
) -> None:
    market.sidecars_count = counts
    sidecar = bench.container("exit 137", name="sidecar", essential=False)
    waits = bench.container(
        "exit 0", dependsOn=[{"containerName": "sidecar", "condition": "COMPLETE"}]
    )
    state = bench.run_state(bench.define(waits, sidecar), End=True)
    assert bench.execute({"Run": state})["status"] == expected


def test_a_sidecar_that_never_ran_fails_the_state(bench: Bench) -> None:
    agent = bench.container("", name="agent", image="no_such_image", essential=False)
    state = bench.run_state(bench.define(bench.container("exit 0"), agent))
    error, cause = failure(bench, state)
    worker, injected = json.loads(cause)["Containers"]
    assert error == "States.TaskFailed"
    assert worker["ExitCode"] == 0
    assert "ExitCode" not in injected
    assert injected["Reason"].startswith("CannotPullContainerError: ")


def test_refused_by_failures_has_a_name_of_its_own(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=1, how="failures")
    error, cause = failure(bench, bench.run_state(bench.define(bench.container("exit 0"))))
    assert error == "AmazonECS.Unknown"
    assert json.loads(cause) == {"Failures": [{"Reason": NO_CAPACITY}], "Tasks": []}
    assert f'"Reason":"{NO_CAPACITY}"' in cause


def test_refused_by_an_exception(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=1, how="exception")
    error, cause = failure(bench, bench.run_state(bench.define(bench.container("exit 0"))))
    assert error == "ECS.AmazonECSException"
    assert re.fullmatch(
        re.escape(NO_CAPACITY) + r" \(Service: AmazonECS; Status Code: 400; Error Code: "
        r"ClientException; Request ID: \S+; Proxy: null\)",
        cause,
    )


def test_refused_by_a_stop_before_the_start(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=1, how="stopped-before-start")
    error, cause = failure(bench, bench.run_state(bench.define(bench.container("exit 0"))))
    task = json.loads(cause)
    assert error == "States.TaskFailed"
    assert task["StopCode"] == "SpotInterruption"
    assert "StartedAt" not in task
    assert "ExitCode" not in task["Containers"][0]


def test_throttled(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=1, how="throttled")
    error, cause = failure(bench, bench.run_state(bench.define(bench.container("exit 0"))))
    assert error == "ECS.AmazonECSException"
    assert re.fullmatch(
        r"Rate exceeded\. \(Service: AmazonECS; Status Code: 400; Error Code: "
        r"ThrottlingException; Request ID: \S+; Proxy: null\)",
        cause,
    )


def test_a_server_error(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=1, how="server-error")
    error, cause = failure(bench, bench.run_state(bench.define(bench.container("exit 0"))))
    assert error == "ECS.ServerException"
    assert cause.startswith(
        "Service Unavailable. Please try again later. (Service: AmazonECS; Status Code: 500; "
        "Error Code: ServerException; "
    )


def test_a_slow_launch_runs_into_the_time_limit(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=1, how="slow")
    market.stop_on_timeout = True
    state = bench.run_state(bench.define(bench.container("exit 0")), TimeoutSeconds=1)
    assert failure(bench, state) == ("States.Timeout", "")
    task = bench.stopped(listed_task(bench, desiredStatus="STOPPED"))
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]


def test_a_definition_that_is_inactive(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    bench.ecs.deregister_task_definition(taskDefinition=definition)
    error, cause = failure(bench, bench.run_state(definition))
    assert error == "ECS.InvalidParameterException"
    assert cause.startswith(
        "TaskDefinition is inactive (Service: AmazonECS; Status Code: 400; "
        "Error Code: InvalidParameterException; Request ID: "
    )


def test_a_cluster_that_is_not_there(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    error, _ = failure(bench, bench.run_state(definition, arguments={"Cluster": "nowhere"}))
    assert error == "ECS.ClusterNotFoundException"


def test_launch_type_beside_a_strategy_is_refused(bench: Bench) -> None:
    definition = bench.define(bench.container("exit 0"))
    state = bench.run_state(definition, arguments={"LaunchType": "FARGATE"})
    error, cause = failure(bench, state)
    assert error == "ECS.InvalidParameterException"
    assert "but not both" in cause


def test_on_demand_by_launch_type(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=9, how="failures")
    definition = bench.define(bench.container("exit 0"))
    arguments = {"LaunchType": "FARGATE", "CapacityProviderStrategy": None}
    task = bench.output({"Run": bench.run_state(definition, arguments=arguments, End=True)})
    assert task["LaunchType"] == "FARGATE"
    assert "CapacityProviderName" not in task


@pytest.mark.parametrize("stops", [True, False])
def test_a_time_limit_has_no_cause_and_may_or_may_not_stop_the_task(
    bench: Bench, market: Market, stops: bool
) -> None:
    market.stop_on_timeout = stops
    definition = bench.define(bench.container(LISTENS, image=PYTHON))
    state = bench.run_state(definition, TimeoutSeconds=1, End=True)
    execution = bench.start(bench.machine({"Run": state}))
    shown = bench.ended(execution)
    arn = submitted_task(bench, execution)
    assert (shown["status"], shown["error"]) == ("FAILED", "States.Timeout")
    assert "cause" not in shown
    timed_out = next(e for e in bench.history(execution) if e["type"] == "TaskTimedOut")
    assert timed_out["taskTimedOutEventDetails"] == {
        "resourceType": "ecs",
        "resource": "runTask.sync",
        "error": "States.Timeout",
    }
    if stops:
        assert bench.stopped(arn)["stopCode"] == "UserInitiated"
    else:
        assert bench.task(arn)["desiredStatus"] == "RUNNING"
        bench.ecs.stop_task(cluster=bench.cluster, task=arn)
        bench.stopped(arn)
    assert "TaskSucceeded" not in [event["type"] for event in bench.history(execution)]


def test_a_catch_sees_a_time_limit_with_an_empty_cause(bench: Bench) -> None:
    definition = bench.define(bench.container(LISTENS, image=PYTHON, stopTimeout=2))
    state = bench.run_state(definition, TimeoutSeconds=1)
    assert failure(bench, state) == ("States.Timeout", "")
    bench.ecs.stop_task(cluster=bench.cluster, task=listed_task(bench))


def test_stopping_the_execution_stops_the_task(bench: Bench) -> None:
    state = bench.run_state(bench.define(bench.container(LISTENS, image=PYTHON)), End=True)
    execution = bench.start(bench.machine({"Run": state}))
    arn = listed_task(bench)
    bench.printed(arn, "ready")
    stopped = bench.sfn.stop_execution(executionArn=execution, error="Mine", cause='I "did" it')
    shown = bench.sfn.describe_execution(executionArn=execution)
    assert (shown["status"], shown["error"], shown["cause"]) == ("ABORTED", "Mine", 'I "did" it')
    assert abs((shown["stopDate"] - stopped["stopDate"]).total_seconds()) < 30
    task = bench.stopped(arn)
    assert task["stopCode"] == "UserInitiated"
    assert task["containers"][0]["exitCode"] == 143
    assert [event["type"] for event in bench.history(execution)][-2:] == [
        "TaskSubmitted",
        "ExecutionAborted",
    ]


@pytest.mark.parametrize("cut", [True, False])
def test_a_cause_above_the_limit_may_be_cut(bench: Bench, market: Market, cut: bool) -> None:
    market.cut_causes = cut
    endless = bench.container("", image="x" * 20_000)  # in the cause twice
    error, cause = failure(bench, bench.run_state(bench.define(endless)))
    assert error == "States.TaskFailed"
    assert (len(cause) == 32_768) is cut


def test_a_retry_starts_another_task(bench: Bench, market: Market) -> None:
    market.refuse(bench.name, times=2, how="server-error")
    retry = [
        {
            "ErrorEquals": ["ECS.ServerException"],
            "IntervalSeconds": 1,
            "MaxAttempts": 3,
            "BackoffRate": 1,
        }
    ]
    definition = bench.define(bench.container("exit 0"))
    state = bench.run_state(definition, Retry=retry, End=True)
    assert bench.output({"Run": state})["Containers"][0]["ExitCode"] == 0
    assert [entry.how for entry in market.log() if entry.family == bench.name] == [
        "server-error",
        "server-error",
        "",
    ]


def test_without_sync_the_state_goes_on_at_once(bench: Bench, market: Market) -> None:
    definition = bench.define(bench.container("exit 7"))
    state = bench.run_state(definition, End=True)
    state["Resource"] = "arn:aws:states:::ecs:runTask"
    answer = bench.output({"Run": state})
    assert answer["Tasks"][0]["LastStatus"] == "PROVISIONING"
    assert "StartedBy" not in answer["Tasks"][0]
    market.refuse(bench.name, times=1, how="failures")
    assert bench.output({"Run": state})["Failures"] == [{"Reason": NO_CAPACITY}]
