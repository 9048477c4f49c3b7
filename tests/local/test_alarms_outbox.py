"""Alarms of real queues and executions ring, and mails reach the outbox."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from steadyspot.deploy.local.alarms import AlarmWatch
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.outbox import Mail
from tests.local.bench import DEADLINE_SECONDS, ROLE, until


@pytest.fixture(scope="module")
def own_clients(local_aws: LocalAws) -> dict[str, Any]:
    session = local_aws.session()
    services = ("stepfunctions", "sqs", "sns", "cloudwatch")
    return {service: session.client(service) for service in services}


@pytest.fixture
def topic(own_clients: dict[str, Any], local_aws: LocalAws) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    arn = own_clients["sns"].create_topic(Name=name)["TopicArn"]
    subscribe(own_clients, arn, "on-call@example.com")
    yield arn
    local_aws.outbox.accept(arn)


@pytest.fixture
def queue(own_clients: dict[str, Any]) -> str:
    name = f"q-{uuid.uuid4().hex[:8]}"
    return str(own_clients["sqs"].create_queue(QueueName=name)["QueueUrl"])


def subscribe(clients: dict[str, Any], topic: str, address: str, **policy: list[str]) -> None:
    clients["sns"].subscribe(
        TopicArn=topic,
        Protocol="email",
        Endpoint=address,
        Attributes={"FilterPolicy": json.dumps(policy)} if policy else {},
    )


def mails_of(aws: LocalAws, topic: str) -> list[Mail]:
    return [mail for mail in aws.outbox.mails() if mail.topic_arn == topic]


def watch_depth(clients: dict[str, Any], queue: str, topic: str, **changes: Any) -> str:
    name = f"{queue.rsplit('/', 1)[-1]}-depth"
    clients["cloudwatch"].put_metric_alarm(
        AlarmName=name,
        AlarmDescription="Runs wait.",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": queue.rsplit("/", 1)[-1]}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        **changes,
    )
    return name


def state(clients: dict[str, Any], name: str) -> str:
    shown = clients["cloudwatch"].describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(shown[0]["StateValue"])


def test_a_message_in_the_queue_rings_once_and_says_so_by_mail(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str, queue: str
) -> None:
    name = watch_depth(own_clients, queue, topic)
    own_clients["sqs"].send_message(QueueUrl=queue, MessageBody="parked")
    mail = local_aws.outbox.wait_for(lambda mail: mail.topic_arn == topic, DEADLINE_SECONDS)
    assert mail.subject == f'ALARM: "{name}" in US East (N. Virginia)'
    told = json.loads(mail.body)
    assert told["NewStateValue"] == "ALARM"
    assert told["AlarmDescription"] == "Runs wait."
    assert told["Trigger"]["Dimensions"] == [
        {"name": "QueueName", "value": queue.rsplit("/", 1)[-1]}
    ]
    # A second message is no change of state, and rings no more.
    own_clients["sqs"].send_message(QueueUrl=queue, MessageBody="another")
    own_clients["sqs"].purge_queue(QueueUrl=queue)
    until(lambda: state(own_clients, name) == "OK")
    assert len(mails_of(local_aws, topic)) == 1


def test_an_alarm_rings_again_after_it_was_quiet(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str, queue: str
) -> None:
    name = watch_depth(own_clients, queue, topic, OKActions=[topic])
    for _ in range(2):
        own_clients["sqs"].send_message(QueueUrl=queue, MessageBody="parked")
        until(lambda: state(own_clients, name) == "ALARM")
        (message,) = own_clients["sqs"].receive_message(QueueUrl=queue)["Messages"]
        own_clients["sqs"].delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        until(lambda: state(own_clients, name) == "OK")

    def states() -> list[str]:
        return [mail.subject.split(":")[0] for mail in mails_of(local_aws, topic)]

    until(lambda: len(states()) >= 4 and states()[-1] == "OK")  # It is told after it is shown.
    assert states()[-4:] == ["ALARM", "OK", "ALARM", "OK"]


def test_looking_again_at_the_same_state_rings_no_more(local_aws: LocalAws) -> None:
    region = "eu-west-1"  # where nobody else looks
    session = local_aws.session()
    clients = {
        service: session.client(service, region_name=region)
        for service in ("sqs", "sns", "cloudwatch")
    }
    topic = clients["sns"].create_topic(Name="quiet")["TopicArn"]
    subscribe(clients, topic, "on-call@example.com")
    queue = clients["sqs"].create_queue(QueueName="quiet")["QueueUrl"]
    watch_depth(clients, queue, topic)
    clients["sqs"].send_message(QueueUrl=queue, MessageBody="parked")
    watch = AlarmWatch(region, local_aws.account_id)
    for _ in range(3):
        watch.look(datetime.now(UTC))
    assert [mail.subject for mail in mails_of(local_aws, topic)] == [
        'ALARM: "quiet-depth" in EU (Ireland)'
    ]


def test_an_alarm_without_actions_changes_its_state_in_silence(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str, queue: str
) -> None:
    name = watch_depth(own_clients, queue, topic, ActionsEnabled=False)
    own_clients["sqs"].send_message(QueueUrl=queue, MessageBody="parked")
    until(lambda: state(own_clients, name) == "ALARM")
    assert mails_of(local_aws, topic) == []


def failing_machine(clients: dict[str, Any], name: str) -> str:
    """A state machine that only fails."""
    definition = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "No"}}}
    made = clients["stepfunctions"].create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    return str(made["stateMachineArn"])


def watch_count(
    clients: dict[str, Any],
    name: str,
    topic: str,
    metric: str,
    dimensions: list[dict[str, str]],
    threshold: int,
) -> None:
    """Ring when a metric, as namespace and name, has counted so often in five minutes."""
    namespace, _, metric_name = metric.rpartition("/")
    clients["cloudwatch"].put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName=metric_name,
        Dimensions=dimensions,
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )


def test_a_failed_execution_rings(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str
) -> None:
    name = f"m-{uuid.uuid4().hex[:8]}"
    machine = failing_machine(own_clients, name)
    watch_count(
        own_clients,
        name,
        topic,
        "AWS/States/ExecutionsFailed",
        [{"Name": "StateMachineArn", "Value": machine}],
        1,
    )
    own_clients["stepfunctions"].start_execution(stateMachineArn=machine)
    mail = local_aws.outbox.wait_for(lambda mail: mail.topic_arn == topic, DEADLINE_SECONDS)
    assert "was greater than or equal to the threshold" in json.loads(mail.body)["NewStateReason"]


def test_a_rule_rings_once_it_has_matched_often_enough(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str
) -> None:
    name = f"r-{uuid.uuid4().hex[:8]}"
    machine = failing_machine(own_clients, name)
    detail = {"stateMachineArn": [machine], "status": ["FAILED"]}
    local_aws.session().client("events").put_rule(
        Name=name, EventPattern=json.dumps({"source": ["aws.states"], "detail": detail})
    )
    watch_count(
        own_clients,
        name,
        topic,
        "AWS/Events/TriggeredRules",
        [{"Name": "RuleName", "Value": name}],
        2,
    )
    for _ in range(2):
        own_clients["stepfunctions"].start_execution(stateMachineArn=machine)
    mail = local_aws.outbox.wait_for(lambda mail: mail.topic_arn == topic, DEADLINE_SECONDS)
    assert "[2.0 " in json.loads(mail.body)["NewStateReason"]


def test_an_alarm_that_is_set_by_hand_rings_too(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str, queue: str
) -> None:
    name = watch_depth(own_clients, queue, topic)
    until(lambda: local_aws.alarms.knows(name))
    own_clients["cloudwatch"].set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="A drill"
    )
    mail = local_aws.outbox.wait_for(lambda mail: mail.topic_arn == topic, DEADLINE_SECONDS)
    assert json.loads(mail.body)["NewStateReason"] == "A drill"


def test_a_publish_reaches_every_mail_subscription_whose_filter_it_meets(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str
) -> None:
    subscribe(own_clients, topic, "boss@example.com", outcome=["failed"])
    own_clients["sns"].publish(
        TopicArn=topic,
        Subject="Done",
        Message=json.dumps({"default": "{}", "email": "All is well."}),
        MessageStructure="json",
        MessageAttributes={"outcome": {"DataType": "String", "StringValue": "finished"}},
    )
    own_clients["sns"].publish(
        TopicArn=topic,
        Message="It failed.",
        MessageAttributes={"outcome": {"DataType": "String", "StringValue": "failed"}},
    )
    shown = [(mail.to, mail.subject, mail.body) for mail in mails_of(local_aws, topic)]
    assert shown == [
        ("on-call@example.com", "Done", "All is well."),
        ("on-call@example.com", "AWS Notification Message", "It failed."),
        ("boss@example.com", "AWS Notification Message", "It failed."),
    ]
    assert mails_of(local_aws, topic)[0].attributes == {"outcome": "finished"}


def test_a_topic_can_refuse(local_aws: LocalAws, own_clients: dict[str, Any], topic: str) -> None:
    local_aws.outbox.refuse(topic)
    with pytest.raises(ClientError, match="AuthorizationError"):
        own_clients["sns"].publish(TopicArn=topic, Message="unheard")
    local_aws.outbox.accept(topic)
    own_clients["sns"].publish(TopicArn=topic, Message="heard")
    assert [mail.body for mail in mails_of(local_aws, topic)] == ["heard"]


def test_an_alarm_whose_topic_refuses_changes_its_state_all_the_same(
    local_aws: LocalAws, own_clients: dict[str, Any], topic: str, queue: str
) -> None:
    local_aws.outbox.refuse(topic)
    name = watch_depth(own_clients, queue, topic)
    own_clients["sqs"].send_message(QueueUrl=queue, MessageBody="parked")
    until(lambda: state(own_clients, name) == "ALARM")
    assert mails_of(local_aws, topic) == []
