"""What a state machine's calls of other services come to on the embedded AWS, and how they fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from tests.local.bench import Bench
from tests.local.states import NASTY, catching, describe_self


@pytest.fixture
def table(bench: Bench, local_aws: LocalAws) -> str:
    local_aws.session().client("dynamodb").create_table(
        TableName=bench.name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return bench.name


def test_a_catch_sees_it_in_a_task_of_dynamodb(bench: Bench, table: str) -> None:
    state = {
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Arguments": {"TableName": table, "Key": {"id": {"S": "{% $states.input.missing %}"}}},
    }
    caught = bench.output(catching(state, "States.QueryEvaluationError"))
    assert caught["Error"] == "States.QueryEvaluationError"


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
    assert caught["Error"] == "SQS.QueueDoesNotExistException", caught
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


def test_a_run_that_is_counted_is_a_metric_and_one_that_cannot_be_has_the_java_sdk_s_error(
    bench: Bench, local_aws: LocalAws
) -> None:
    dimensions = [{"Name": "Job", "Value": bench.name}, {"Name": "Outcome", "Value": "parked"}]
    counted = {
        "MetricName": "Runs",
        "Unit": "Count",
        "Value": "{% $states.input.n %}",
        "Dimensions": dimensions,
    }
    state: dict[str, Any] = {
        "Resource": "arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
        "Arguments": {"Namespace": "Steadyspot", "MetricData": [counted]},
    }
    assert bench.output(catching(state), n=2) == "not caught"
    now = datetime.now(UTC)
    points = (
        local_aws.session()
        .client("cloudwatch")
        .get_metric_statistics(
            Namespace="Steadyspot",
            MetricName="Runs",
            Dimensions=dimensions,
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum"],
        )["Datapoints"]
    )
    assert sum(point["Sum"] for point in points) == 2

    state["Arguments"]["MetricData"] = [{**counted, "Values": [1.0]}]
    caught = bench.output(catching(state), n=2)
    assert caught["Error"] == "CloudWatch.InvalidParameterValueException"
