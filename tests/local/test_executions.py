"""Executions on the embedded AWS: their names, ends, histories, events and logs; many at once."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.exceptions import ExecutionAlreadyExists
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from steadyspot.deploy.local.environment import AwsEnvironment
from tests.local.bench import ROLE, Bench, until
from tests.local.states import catching, describe_self


def test_stopping_an_execution_ends_its_wait_at_once(bench: Bench) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}
    execution = bench.start(bench.machine(states))
    until(lambda: bench.states_entered(execution))
    began = time.monotonic()
    bench.sfn.stop_execution(executionArn=execution)
    assert time.monotonic() - began < 60
    shown = bench.sfn.describe_execution(executionArn=execution)
    assert shown["status"] == "ABORTED"
    assert "error" not in shown
    assert bench.history(execution)[-1]["type"] == "ExecutionAborted"


def test_stopping_an_execution_ends_the_back_off_of_a_retry_at_once(bench: Bench) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 600, "MaxAttempts": 3}]
    state = describe_self(Arguments={"ExecutionArn": "{% $missing %}"}, Retry=retry)
    execution = bench.start(bench.machine(catching(state)))
    until(lambda: "EvaluationFailed" in [event["type"] for event in bench.history(execution)])
    began = time.monotonic()
    bench.sfn.stop_execution(executionArn=execution)
    assert bench.ended(execution)["status"] == "ABORTED"
    assert time.monotonic() - began < 60


def test_executions_without_a_name_get_one_each(bench: Bench) -> None:
    machine = bench.machine({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}})
    arns = {bench.sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(3)}
    assert len(arns) == 3
    for arn in arns:
        assert len(arn.rpartition(":")[2]) == 36
        bench.sfn.stop_execution(executionArn=arn)


def test_the_same_name_and_input_is_the_same_execution_while_it_runs(bench: Bench) -> None:
    machine = bench.machine({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}})

    def start(given: str) -> str:
        started = bench.sfn.start_execution(stateMachineArn=machine, name="one", input=given)
        return str(started["executionArn"])

    first = start("{}")
    assert start("{}") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        start('{"other": 1}')
    bench.sfn.stop_execution(executionArn=first)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        start("{}")


@pytest.mark.parametrize("name", ["2026-11-24T02:00:00Z", "a b", "x" * 81, "a/b"])
def test_a_name_that_aws_refuses_is_refused(bench: Bench, name: str) -> None:
    machine = bench.machine({"End": {"Type": "Succeed"}})
    with pytest.raises(ClientError, match="InvalidName"):
        bench.sfn.start_execution(stateMachineArn=machine, name=name)


def test_a_history_comes_in_pages_and_backwards(bench: Bench) -> None:
    names = [f"Step {number}" for number in range(60)]
    states: dict[str, Any] = {
        name: {"Type": "Pass", "Next": following}
        for name, following in zip(names, [*names[1:], "End"], strict=True)
    }
    execution = bench.start(bench.machine({**states, "End": {"Type": "Succeed"}}))
    bench.ended(execution)
    first = bench.sfn.get_execution_history(executionArn=execution)
    assert len(first["events"]) == 100
    assert "nextToken" in first
    assert bench.states_entered(execution) == [*names, "End"]
    assert [event["id"] for event in bench.history(execution)] == list(range(1, 125))
    last = bench.sfn.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=1)
    assert last["events"][0]["type"] == "ExecutionSucceeded"


def test_metadata_only_leaves_out_the_data(bench: Bench) -> None:
    execution = bench.start(bench.machine({"End": {"Type": "Succeed"}}), secret=1)
    bench.ended(execution)
    shown = bench.sfn.describe_execution(executionArn=execution, includedData="METADATA_ONLY")
    assert shown["status"] == "SUCCEEDED"
    assert not {"input", "output"} & set(shown)


def test_a_machine_with_a_time_limit_times_out(bench: Bench) -> None:
    machine = bench.machine(
        {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}, TimeoutSeconds=1
    )
    execution = bench.start(machine)
    shown = bench.ended(execution)
    assert shown["status"] == "TIMED_OUT"
    assert "stopDate" in shown
    until(lambda: bench.history(execution)[-1]["type"] == "ExecutionTimedOut")


def statuses_of(bench: Bench, machine: str) -> str:
    return bench.queue_of_events(
        {
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"stateMachineArn": [machine]},
        }
    )


ENDINGS: dict[str, dict[str, Any]] = {
    "SUCCEEDED": {"End": {"Type": "Succeed", "Output": {"a": 1}}},
    "FAILED": {"End": {"Type": "Fail", "Error": "E", "Cause": "C"}},
    "TIMED_OUT": {"End": {"Type": "Wait", "Seconds": 60, "End": True}},
    "ABORTED": {"End": {"Type": "Wait", "Seconds": 60, "End": True}},
}


@pytest.mark.parametrize("status", ENDINGS)
def test_every_change_of_status_is_an_event(bench: Bench, status: str) -> None:
    limit = {"TimeoutSeconds": 1} if status == "TIMED_OUT" else {}
    machine = bench.machine(ENDINGS[status], **limit)
    queue = statuses_of(bench, machine)
    execution = bench.start(machine, given="x")
    if status == "ABORTED":
        bench.sfn.stop_execution(executionArn=execution, error="E", cause="C")
    events = bench.received(queue, lambda seen: len(seen) >= 2)
    by_status = {event["detail"]["status"]: event["detail"] for event in events}
    assert set(by_status) == {"RUNNING", status}
    ended = by_status[status]
    assert ended["executionArn"] == execution
    assert ended["name"] == execution.rpartition(":")[2]
    assert json.loads(ended["input"]) == {"given": "x"}
    assert isinstance(ended["startDate"], int)
    assert ended["stopDate"] >= ended["startDate"]
    assert by_status["RUNNING"]["stopDate"] is None
    assert ended["output"] == ('{"a":1}' if status == "SUCCEEDED" else None)
    expected = ("E", "C") if status in ("FAILED", "ABORTED") else (None, None)
    assert (ended["error"], ended["cause"]) == expected


def test_a_rule_starts_a_state_machine_with_the_event(bench: Bench) -> None:
    after = bench.machine({"End": {"Type": "Succeed"}})
    failing = bench.machine(ENDINGS["FAILED"])
    pattern = {
        "source": ["aws.states"],
        "detail": {"status": ["FAILED", "ABORTED", "TIMED_OUT"], "stateMachineArn": [failing]},
    }
    bench.events.put_rule(Name=bench.name, EventPattern=json.dumps(pattern))
    bench.events.put_targets(
        Rule=bench.name, Targets=[{"Id": "after", "Arn": after, "RoleArn": ROLE}]
    )
    execution = bench.start(failing)
    given = json.loads(bench.ended(bench.started(after))["input"])
    assert given["detail-type"] == "Step Functions Execution Status Change"
    assert given["detail"]["executionArn"] == execution
    assert given["detail"]["error"] == "E"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("ALL", ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]),
        ("FATAL", ["ExecutionFailed"]),
        ("OFF", []),
    ],
)
def test_the_history_is_logged_where_the_machine_says(
    bench: Bench, level: str, expected: list[str]
) -> None:
    group = f"arn:aws:logs:us-east-1:123456789012:log-group:{bench.log_group}:*"
    created = bench.sfn.create_state_machine(
        name=bench.name,
        definition=json.dumps({"StartAt": "End", "States": ENDINGS["FAILED"]}),
        roleArn=ROLE,
        loggingConfiguration={
            "level": level,
            "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
        },
    )
    execution = bench.start(created["stateMachineArn"], given=1)
    bench.ended(execution)
    streams = bench.logs.describe_log_streams(logGroupName=bench.log_group)["logStreams"]
    logged = [
        json.loads(event["message"])
        for stream in streams
        for event in bench.logs.get_log_events(
            logGroupName=bench.log_group,
            logStreamName=stream["logStreamName"],
            startFromHead=True,
        )["events"]
    ]
    assert [entry["type"] for entry in logged] == expected
    assert {entry["execution_arn"] for entry in logged} <= {execution}
    if level == "ALL":
        assert json.loads(logged[0]["details"]["input"]) == {"given": 1}
        assert logged[0]["event_timestamp"].isdigit()


@pytest.mark.usefixtures("restless")
def test_an_execution_can_be_stopped_right_after_its_start(bench: Bench) -> None:
    machine = bench.machine({"Wait": {"Type": "Wait", "Seconds": 600, "End": True}})
    for _ in range(20):
        execution = bench.start(machine)
        bench.sfn.stop_execution(executionArn=execution)
        shown = bench.sfn.describe_execution(executionArn=execution)
        assert shown["status"] == "ABORTED"
        assert bench.history(execution)[-1]["type"] == "ExecutionAborted"


@pytest.mark.parametrize(
    "ends", ["set_stop", "set_timed_out", "set_error"], ids=["stopped", "timed out", "failed"]
)
def test_what_a_step_says_that_an_end_met_is_no_second_end(ends: str) -> None:
    env = AwsEnvironment(
        aws_execution_details=None,
        execution_type="STANDARD",
        context={"Execution": {"Input": {}}, "StateMachine": {}},
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store={},
    )
    given: dict[str, dict[str, Any]] = {
        "set_stop": {"stop_date": datetime.now(UTC), "cause": None, "error": None},
        "set_timed_out": {},
        "set_error": {"error": ExecutionFailedEventDetails(error="States.Runtime")},
    }
    env.next_state_name = "Wait"
    getattr(env, ends)(**given[ends])
    first = env.program_state()
    env.next_field_name = "Seconds"  # as a step does that is under way while it is stopped
    with pytest.raises(RuntimeError):
        env.next_state_name = "Next"
    env.set_error(ExecutionFailedEventDetails(error="States.Runtime", cause="RuntimeError"))
    assert vars(env.program_state()) == vars(first)
    assert type(env.program_state()) is type(first)


@pytest.mark.usefixtures("restless")
def test_of_two_starts_with_one_name_at_the_same_moment_one_wins(bench: Bench) -> None:
    machine = bench.machine({"Wait": {"Type": "Wait", "Seconds": 600, "End": True}})

    backend = stepfunctions_parser_backends[bench.aws.account_id][bench.aws.region]
    together = threading.Barrier(4)

    def start(number: int, name: str) -> str:
        together.wait()
        try:
            return str(backend.start_execution(machine, name, json.dumps(number)).exec_arn)
        except ExecutionAlreadyExists:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        for name in map(str, range(20)):
            answers = list(pool.map(start, range(4), [name] * 4))
            assert answers.count("refused") == 3
            started = next(answer for answer in answers if answer != "refused")
            bench.sfn.stop_execution(executionArn=started)


def test_many_executions_at_once_do_not_mix(bench: Bench) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"v": "{% $states.input.v %}"}, "Next": "Again"},
        "Again": describe_self(Type="Task", Assign={"w": "{% $v * 2 %}"}, Next="Tell"),
        "Tell": {"Type": "Succeed", "Output": "{% $string($v) & ' ' & $string($w) %}"},
    }
    machine = bench.machine(states)
    with ThreadPoolExecutor(8) as pool:
        executions = list(pool.map(lambda n: bench.start(machine, v=n), range(24)))
    outputs = [json.loads(bench.ended(execution)["output"]) for execution in executions]
    assert outputs == [f"{n} {2 * n}" for n in range(24)]
