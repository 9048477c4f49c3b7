"""State machines on the embedded AWS: JSONata, failures, waits, executions and their events."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.exceptions import ExecutionAlreadyExists
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from deploy.local.aws import LocalAws
from tests.local.bench import ROLE, Bench, until

NASTY = 'say "hi", \\ ${x} {% y %} \n\tünïcödé ☃ \u2028 $z /re/'


def passing(output: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Output": output, "End": True, **more}


def catching(state: dict[str, Any], *errors: str) -> dict[str, Any]:
    """The Task, and where a Catch of these errors ends: with Error and Cause as the output."""
    catch = [
        {
            "ErrorEquals": list(errors or ("States.ALL",)),
            "Output": "{% $states.errorOutput %}",
            "Next": "Caught",
        }
    ]
    return {
        "Do": {"Type": "Task", "Next": "Done", "Catch": catch, **state},
        "Done": {"Type": "Succeed", "Output": "not caught"},
        "Caught": {"Type": "Succeed"},
    }


def describe_self(**more: Any) -> dict[str, Any]:
    """A Task that works: an execution that looks at itself."""
    return {
        "Resource": "arn:aws:states:::aws-sdk:sfn:describeExecution",
        "Arguments": {"ExecutionArn": "{% $states.context.Execution.Id %}"},
        **more,
    }


@pytest.fixture
def table(bench: Bench, local_aws: LocalAws) -> str:
    local_aws.session().client("dynamodb").create_table(
        TableName=bench.name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return bench.name


def test_text_of_any_kind_passes_through_variables_unchanged(bench: Bench) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"v": "{% $states.input.v %}"}, "Next": "Tell"},
        "Tell": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $v = $states.context.Execution.Input.v %}", "Next": "Ok"}
            ],
            "Default": "No",
        },
        "Ok": {"Type": "Succeed", "Output": {"v": "{% $v %}", "all": "{% 'a' & $v & 'b' %}"}},
        "No": {"Type": "Fail", "Error": "Different"},
    }
    assert bench.output(states, v=NASTY) == {"v": NASTY, "all": f"a{NASTY}b"}


def test_a_cause_with_quotes_can_be_kept_searched_and_parsed(bench: Bench) -> None:
    cause = json.dumps({"StopCode": "SpotInterruption", "Value": NASTY}, separators=(",", ":"))
    states = {
        "Keep": {"Type": "Pass", "Assign": {"cause": "{% $states.input.cause %}"}, "Next": "Tell"},
        "Tell": passing(
            {
                "found": '{% $contains($cause, \'"StopCode":"SpotInterruption"\') %}',
                "value": "{% $parse($cause).Value %}",
            }
        ),
    }
    assert bench.output(states, cause=cause) == {"found": True, "value": NASTY}


def test_variables_in_the_history_are_json(bench: Bench) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"a": "{% $states.input.v %}", "n": 1}, "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    execution = bench.start(bench.machine(states), v=NASTY)
    bench.ended(execution)
    left = next(event for event in bench.history(execution) if event["type"] == "PassStateExited")
    assigned = left["stateExitedEventDetails"]["assignedVariables"]
    assert {name: json.loads(value) for name, value in assigned.items()} == {"a": NASTY, "n": 1}


def test_whole_numbers_stay_whole_and_null_stays_null(bench: Bench) -> None:
    states = {
        "Keep": {
            "Type": "Pass",
            "Assign": {"n": "{% $states.input.n %}", "nothing": "{% $states.input.nothing %}"},
            "Next": "Tell",
        },
        "Tell": passing(
            {
                "sum": "{% $n + 1 %}",
                "half": "{% $n / 2 %}",
                "twice": "{% $n * 2.0 %}",
                "floor": "{% $max([1, $floor($n / 2)]) %}",
                "nothing": "{% $nothing %}",
                "text": "{% $string($n * 1.0) %}",
                "big": "{% $states.context.Execution.Input.big %}",
            }
        ),
    }
    output = bench.output(states, n=3, nothing=None, big=12345678901234567890)
    assert json.dumps(output) == json.dumps(
        {
            "sum": 4,
            "half": 1.5,
            "twice": 6,
            "floor": 1,
            "nothing": None,
            "text": "3",
            "big": 12345678901234567890,
        }
    )


def test_awss_own_functions_are_there(bench: Bench) -> None:
    output = bench.output(
        {
            "Tell": passing(
                {
                    "range": "{% $range(0, 6, 2) %}",
                    "partition": "{% $partition([1, 2, 3], 2) %}",
                    "hash": "{% $hash('a', 'SHA-1') %}",
                    "seeded": "{% $random(1) = $random(1) %}",
                    "uuid": "{% $length($uuid()) %}",
                    "parse": "{% $parse('[1, null]') %}",
                }
            )
        }
    )
    assert output == {
        "range": [0, 2, 4, 6],
        "partition": [[1, 2], [3]],
        "hash": "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
        "seeded": True,
        "uuid": 36,
        "parse": [1, None],
    }


BAD = {
    "undefined": "$states.input.missing",
    "a type error": "'a' + 1",
    "no JSON": "$parse('{')",
    "division by zero": "1 / 0",
    "a function that is not there": "$eval('1')",
    "a function as the result": "function($x){$x}",
    "raised": "$error('mine')",
    "syntax": "1 +",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_every_bad_expression_is_a_catchable_query_evaluation_error(bench: Bench, bad: str) -> None:
    state = describe_self(Arguments={"ExecutionArn": f"{{% {bad} %}}"})
    caught = bench.output(catching(state, "States.QueryEvaluationError"))
    assert caught["Error"] == "States.QueryEvaluationError"
    assert bad in caught["Cause"]


@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign", "TimeoutSeconds"])
@pytest.mark.parametrize("errors", ["States.ALL", "States.TaskFailed"])
def test_a_catch_sees_it_in_any_field_of_a_task(bench: Bench, field: str, errors: str) -> None:
    bad = "{% $states.input.missing %}"
    value: Any = bad if field in ("Output", "TimeoutSeconds") else {"x": bad}
    caught = bench.output(catching(describe_self(**{field: value}), errors))
    assert caught["Error"] == "States.QueryEvaluationError"


def test_a_catch_sees_it_in_a_task_of_dynamodb(bench: Bench, table: str) -> None:
    state = {
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Arguments": {"TableName": table, "Key": {"id": {"S": "{% $states.input.missing %}"}}},
    }
    caught = bench.output(catching(state, "States.QueryEvaluationError"))
    assert caught["Error"] == "States.QueryEvaluationError"


def test_it_is_in_the_history_once(bench: Bench) -> None:
    for states in (
        catching(describe_self(Output="{% $missing %}")),
        {"Tell": passing("{% $missing %}")},
    ):
        execution = bench.start(bench.machine(states))
        bench.ended(execution)
        failed = [e for e in bench.history(execution) if e["type"] == "EvaluationFailed"]
        assert len(failed) == 1
        details = failed[0]["evaluationFailedEventDetails"]
        assert details["error"] == "States.QueryEvaluationError"
        assert details["state"] in ("Do", "Tell")


@pytest.mark.parametrize("condition", ["$missing", "$missing.x > 1", "'yes'", "$parse('{')"])
def test_a_condition_that_is_no_boolean_ends_the_execution(bench: Bench, condition: str) -> None:
    states = {
        "Which?": {
            "Type": "Choice",
            "Choices": [{"Condition": f"{{% {condition} %}}", "Next": "End"}],
            "Default": "End",
        },
        "End": {"Type": "Succeed"},
    }
    shown = bench.execute(states)
    assert (shown["status"], shown["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "Which?" in shown["cause"]


@pytest.mark.parametrize("seconds", ["1.5", "-1", "'1'", "$missing"])
def test_a_wait_needs_a_whole_number(bench: Bench, seconds: str) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": f"{{% {seconds} %}}", "End": True}}
    shown = bench.execute(states)
    assert (shown["status"], shown["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.parametrize("seconds", ["0", "1.5", "'9'"])
def test_a_time_limit_needs_a_positive_whole_number(bench: Bench, seconds: str) -> None:
    caught = bench.output(catching(describe_self(TimeoutSeconds=f"{{% {seconds} %}}")))
    assert caught["Error"] == "States.QueryEvaluationError"


def test_a_wait_lasts_as_long_as_its_expression_says(bench: Bench) -> None:
    states = {
        "Wait": {"Type": "Wait", "Seconds": "{% $states.input.n %}", "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    execution = bench.start(bench.machine(states), n=1)
    bench.ended(execution)
    at = {event["type"]: event["timestamp"] for event in bench.history(execution)}
    waited = (at["WaitStateExited"] - at["WaitStateEntered"]).total_seconds()
    assert 0.99 <= waited < 1.6


def test_stopping_an_execution_ends_its_wait_at_once(bench: Bench) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}
    execution = bench.start(bench.machine(states))
    until(lambda: bench.entered(execution))
    began = time.monotonic()
    bench.sfn.stop_execution(executionArn=execution)
    assert time.monotonic() - began < 2
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
    assert time.monotonic() - began < 2


def test_a_back_off_grows_up_to_its_limit(bench: Bench) -> None:
    retry = [
        {
            "ErrorEquals": ["States.QueryEvaluationError"],
            "IntervalSeconds": 1,
            "BackoffRate": 30,
            "MaxDelaySeconds": 1,
            "MaxAttempts": 2,
        }
    ]
    state = describe_self(Arguments={"ExecutionArn": "{% $missing %}"}, Retry=retry)
    execution = bench.start(bench.machine(catching(state)))
    bench.ended(execution)
    failed = [e["timestamp"] for e in bench.history(execution) if e["type"] == "EvaluationFailed"]
    assert len(failed) == 3
    for earlier, later in itertools.pairwise(failed):
        assert 0.99 <= (later - earlier).total_seconds() < 1.6


def test_a_fail_state_takes_error_and_cause_from_expressions(bench: Bench) -> None:
    states = {
        "Fail": {
            "Type": "Fail",
            "Error": "{% 'Steadyspot.JobExit' & $states.input.code %}",
            "Cause": "{% $states.input.why %}",
        }
    }
    shown = bench.execute(states, code=3, why=NASTY)
    assert (shown["error"], shown["cause"]) == ("Steadyspot.JobExit3", NASTY)


@pytest.mark.parametrize("errors", ["States.ALL", "States.Runtime", "States.TaskFailed"])
def test_an_error_of_the_runtime_is_never_caught(bench: Bench, errors: str) -> None:
    state = {"Resource": "arn:aws:states:::aws-sdk:sfn:noSuchAction", "Arguments": {}}
    shown = bench.execute(catching(state, errors))
    assert (shown["status"], shown["error"]) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize("errors", ["States.ALL", "States.DataLimitExceeded"])
def test_too_much_data_is_caught_by_its_name_only(
    bench: Bench, local_aws: LocalAws, errors: str
) -> None:
    s3 = local_aws.session().client("s3")
    s3.create_bucket(Bucket=bench.name)
    s3.put_object(Bucket=bench.name, Key="k", Body=b"x" * 300_000)
    state = {
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": bench.name, "Key": "k"},
    }
    shown = bench.execute(catching(state, errors))
    by_name = errors == "States.DataLimitExceeded"
    assert shown["status"] == ("SUCCEEDED" if by_name else "FAILED")
    assert "States.DataLimitExceeded" in (shown["output"] if by_name else shown["error"])


def test_a_retry_knows_how_often_it_tried(bench: Bench) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    count = "{% $states.context.State.RetryCount = 0 ? $missing : $states.context.Execution.Id %}"
    state = describe_self(Arguments={"ExecutionArn": count}, Retry=retry)
    assert bench.output(catching(state)) == "not caught"


def test_the_context_says_who_and_when(bench: Bench) -> None:
    execution = bench.start(bench.machine({"Tell": passing("{% $states.context %}")}), a=1)
    context = json.loads(bench.ended(execution)["output"])
    assert context["Execution"]["Id"] == execution
    assert context["Execution"]["Name"] == execution.rpartition(":")[2]
    assert context["Execution"]["Input"] == {"a": 1}
    assert context["Execution"]["StartTime"].endswith("Z")
    assert context["State"]["Name"] == "Tell"
    assert re.fullmatch(r"\S{10}T\S{8}\.\d{3}Z", context["State"]["EnteredTime"])
    assert context["StateMachine"]["Id"].startswith("arn:aws:states:us-east-1:123456789012:")


def test_a_false_condition_of_dynamodb_has_awss_name_and_cause(bench: Bench, table: str) -> None:
    state = {
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Arguments": {
            "TableName": table,
            "Key": {"id": {"S": "1"}},
            "UpdateExpression": "SET a = :a",
            "ConditionExpression": "attribute_exists(id)",
            "ExpressionAttributeValues": {":a": {"S": "x"}},
        },
    }
    caught = bench.output(catching(state, "DynamoDB.ConditionalCheckFailedException"))
    assert caught["Error"] == "DynamoDB.ConditionalCheckFailedException"
    assert caught["Cause"].startswith(
        "The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; "
        "Error Code: ConditionalCheckFailedException; Request ID: "
    )
    assert caught["Cause"].endswith("; Proxy: null)")


def test_an_update_brings_back_what_it_wrote(bench: Bench, table: str) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Arguments": {
            "TableName": table,
            "Key": {"id": {"S": "1"}},
            "UpdateExpression": "SET a = :a, l = list_append(if_not_exists(l, :none), :one)",
            "ExpressionAttributeValues": {
                ":a": {"S": "{% $states.input.text %}"},
                ":none": {"L": []},
                ":one": {"L": [{"M": {"n": {"N": "{% $string(1 + 1) %}"}}}]},
            },
            "ReturnValues": "ALL_NEW",
        },
        "Output": "{% $states.result.Attributes %}",
        "End": True,
    }
    assert bench.output({"Do": state}, text=NASTY) == {
        "id": {"S": "1"},
        "a": {"S": NASTY},
        "l": {"L": [{"M": {"n": {"N": "2"}}}]},
    }


def test_an_unknown_execution_has_the_name_of_the_java_sdk(bench: Bench) -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:nothing:here"
    state = describe_self(Arguments={"ExecutionArn": arn})
    caught = bench.output(catching(state, "Sfn.ExecutionDoesNotExistException"))
    assert caught["Cause"].startswith(
        f"Execution Does Not Exist: '{arn}' (Service: Sfn, Status Code"
    )


def test_errors_of_s3_begin_with_its_name(bench: Bench) -> None:
    state = {
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "no-such-bucket-here", "Key": "k"},
    }
    assert bench.output(catching(state))["Error"] == "S3.NoSuchBucketException"


def test_an_object_as_body_is_written_as_json(bench: Bench, local_aws: LocalAws) -> None:
    s3 = local_aws.session().client("s3")
    s3.create_bucket(Bucket=bench.name)
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "Arguments": {"Bucket": bench.name, "Key": "k", "Body": {"a": "{% $states.input.n %}"}},
        "End": True,
    }
    bench.output({"Do": state}, n=1)
    assert s3.get_object(Bucket=bench.name, Key="k")["Body"].read() == b'{"a":1}'


def test_a_queue_that_is_not_there(bench: Bench) -> None:
    queue = "http://127.0.0.1/123456789012/no-such-queue"
    state = {
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {"QueueUrl": queue, "MessageBody": "x"},
    }
    caught = bench.output(catching(state))
    assert caught["Error"] == "SQS.QueueDoesNotExistException"
    assert "(Service: AmazonSQS; Status Code: 400; Error Code: " in caught["Cause"]


def test_a_topic_that_is_not_there(bench: Bench) -> None:
    state = {
        "Resource": "arn:aws:states:::sns:publish",
        "Arguments": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:nothing", "Message": "x"},
    }
    caught = bench.output(catching(state))
    assert caught["Error"] == "SNS.NotFoundException"
    assert "(Service: AmazonSNS; Status Code: 404; Error Code: NotFound; " in caught["Cause"]


def test_an_object_as_message_is_sent_as_json(bench: Bench) -> None:
    url = bench.sqs.create_queue(QueueName=bench.name)["QueueUrl"]
    attributes = {"kind": {"DataType": "String", "StringValue": "{% $states.input.kind %}"}}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {
            "QueueUrl": url,
            "MessageBody": {"text": "{% $states.input.text %}"},
            "MessageAttributes": attributes,
        },
        "End": True,
    }
    bench.output({"Do": state}, text=NASTY, kind="k")
    got = bench.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"][0]
    assert json.loads(got["Body"]) == {"text": NASTY}
    assert got["MessageAttributes"]["kind"]["StringValue"] == "k"


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
    assert bench.entered(execution) == [*names, "End"]
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


def test_output_does_not_see_what_the_same_state_assigns(bench: Bench) -> None:
    def step(following: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "Assign": {"n": "{% $n + 1 %}"},
            "Output": {"seen": "{% $append($states.input.seen, $n) %}"},
            **more,
            **following,
        }

    catch = [
        {
            "ErrorEquals": ["States.ALL"],
            "Assign": {"n": "{% $n + 10 %}"},
            "Output": {"seen": "{% $append($states.context.Execution.Input.seen, [$n]) %}"},
            "Next": "End",
        }
    ]
    states = {
        "Begin": {"Type": "Pass", "Assign": {"n": 0}, "Next": "Pass"},
        "Pass": step({"Next": "Task"}, Type="Pass"),
        "Task": step({"Next": "Fails late"}, Type="Task", **describe_self()),
        "Fails late": {
            "Type": "Task",
            **describe_self(),
            "Assign": {"n": 100, "other": 1},
            "Output": "{% $missing %}",
            "Catch": catch,
            "Next": "End",
        },
        "End": {
            "Type": "Succeed",
            "Output": {
                "seen": "{% $states.input.seen %}",
                "n": "{% $n %}",
                "other": "{% $exists($other) %}",
            },
        },
    }
    execution = bench.start(bench.machine(states), seen=[])
    output = json.loads(bench.ended(execution)["output"])
    assert output == {"seen": [2], "n": 12, "other": False}
    entered = [
        json.loads(event["stateEnteredEventDetails"]["input"]).get("seen")
        for event in bench.history(execution)
        if "stateEnteredEventDetails" in event
    ]
    assert entered[2:4] == [[0], [0, 1]]


@pytest.mark.usefixtures("restless")
def test_an_execution_can_be_stopped_right_after_its_start(bench: Bench) -> None:
    machine = bench.machine({"Wait": {"Type": "Wait", "Seconds": 600, "End": True}})
    for _ in range(5):
        execution = bench.start(machine)
        bench.sfn.stop_execution(executionArn=execution)
        shown = bench.sfn.describe_execution(executionArn=execution)
        assert shown["status"] == "ABORTED"


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
