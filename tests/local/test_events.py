"""Rules of the local EventBridge: where an event goes, what of it, and what if it cannot."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from tests.local.bench import ROLE, Bench


def pattern(bench: Bench) -> dict[str, Any]:
    """The end of the bench's tasks."""
    detail = {"group": [f"family:{bench.name}"], "lastStatus": ["STOPPED"]}
    return {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": detail}


def queue(bench: Bench, suffix: str = "") -> tuple[str, str]:
    """URL and ARN of a new queue."""
    url = str(bench.sqs.create_queue(QueueName=f"{bench.name}{suffix}")["QueueUrl"])
    arn = bench.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, str(arn["Attributes"]["QueueArn"])


def rule(bench: Bench, **target: Any) -> None:
    bench.events.put_rule(Name=bench.name, EventPattern=json.dumps(pattern(bench)))
    bench.events.put_targets(Rule=bench.name, Targets=[{"Id": "1", **target}])


def test_a_topic_gets_the_event(bench: Bench, local_aws: LocalAws) -> None:
    sns = local_aws.session().client("sns")
    topic = sns.create_topic(Name=bench.name)["TopicArn"]
    url, arn = queue(bench)
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    rule(bench, Arn=topic)
    task = bench.run(bench.define(bench.container("exit 5")))
    events = bench.received(url, lambda seen: len(seen) > 0)
    assert events[0]["detail"]["taskArn"] == task
    assert events[0]["detail"]["containers"][0]["exitCode"] == 5


def test_a_state_machine_gets_what_its_target_makes_of_the_event(bench: Bench) -> None:
    machine = bench.machine({"End": {"Type": "Succeed"}})
    transformer = {
        "InputPathsMap": {"code": "$.detail.stopCode", "task": "$.detail.taskArn"},
        "InputTemplate": '{"why": <code>, "text": "task <task> ended"}',
    }
    rule(bench, Arn=machine, RoleArn=ROLE, InputTransformer=transformer)
    task = bench.run(bench.define(bench.container("exit 0")))
    bench.stopped(task)
    started = bench.started(machine)
    assert json.loads(bench.ended(started)["input"]) == {
        "why": "EssentialContainerExited",
        "text": f"task {task} ended",
    }


def test_an_event_that_cannot_be_delivered_is_dead_lettered(bench: Bench) -> None:
    url, arn = queue(bench)
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:gone"
    rule(bench, Arn=gone, RoleArn=ROLE, DeadLetterConfig={"Arn": arn})
    task = bench.run(bench.define(bench.container("exit 0")))
    message = bench.message(url)
    assert json.loads(message["Body"])["detail"]["taskArn"] == task
    attributes = {
        name: value["StringValue"] for name, value in message["MessageAttributes"].items()
    }
    assert attributes["TARGET_ARN"] == gone
    assert attributes["ERROR_CODE"] == "StateMachineDoesNotExist"
    assert attributes["RULE_ARN"].endswith(f"rule/{bench.name}")


def test_an_event_with_neither_a_target_nor_a_queue_any_more_is_dropped_and_no_other(
    bench: Bench,
) -> None:
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:gone"
    no_queue = "arn:aws:sqs:us-east-1:123456789012:gone"
    rule(bench, Arn=gone, RoleArn=ROLE, DeadLetterConfig={"Arn": no_queue})
    url, arn = queue(bench)
    bench.events.put_targets(Rule=bench.name, Targets=[{"Id": "2", "Arn": arn}])
    task = bench.run(bench.define(bench.container("exit 0")))
    assert json.loads(bench.message(url)["Body"])["detail"]["taskArn"] == task


def test_a_rule_whose_pattern_cannot_be_asked_takes_no_event_from_the_others(bench: Bench) -> None:
    odd = f"{bench.name}-odd"
    bench.events.put_rule(Name=odd, EventPattern='{"detail": {"group": [{"prefix": null}]}}')
    try:
        url, arn = queue(bench)
        rule(bench, Arn=arn)
        task = bench.run(bench.define(bench.container("exit 0")))
        assert json.loads(bench.message(url)["Body"])["detail"]["taskArn"] == task
    finally:
        bench.events.delete_rule(Name=odd)


@pytest.mark.parametrize("change", ["disabled", "of another pattern", "deleted"])
def test_a_rule_that_does_not_apply_gets_nothing(bench: Bench, change: str) -> None:
    url, arn = queue(bench)
    rule(bench, Arn=arn)
    if change == "disabled":
        bench.events.disable_rule(Name=bench.name)
    elif change == "deleted":
        bench.events.remove_targets(Rule=bench.name, Ids=["1"])
        bench.events.delete_rule(Name=bench.name)
    else:
        bench.events.put_rule(Name=bench.name, EventPattern=json.dumps({"source": ["other"]}))
    other, other_arn = queue(bench, "-other")
    bench.events.put_rule(Name=f"{bench.name}-2", EventPattern=json.dumps(pattern(bench)))
    bench.events.put_targets(Rule=f"{bench.name}-2", Targets=[{"Id": "1", "Arn": other_arn}])
    bench.run(bench.define(bench.container("exit 0")))
    assert bench.message(other)  # the event went by, in order: the first rule had its chance
    assert "Messages" not in bench.sqs.receive_message(QueueUrl=url)


@pytest.mark.parametrize(("output", "counts"), [("on-schedule", 1), ("off-schedule", 0)])
def test_a_rule_without_a_target_counts_what_matches_a_text_with_wildcards(
    bench: Bench, local_aws: LocalAws, output: str, counts: int
) -> None:
    machine = bench.machine({"End": {"Type": "Succeed", "Output": {"schedule": output, "more": 1}}})
    detail = {"stateMachineArn": [machine], "output": [{"wildcard": '*"on-schedule"*'}]}
    url, arn = queue(bench)
    for name, wanted in ((bench.name, detail), (f"{bench.name}-2", {"stateMachineArn": [machine]})):
        told = {"source": ["aws.states"], "detail": {**wanted, "status": ["SUCCEEDED"]}}
        bench.events.put_rule(Name=name, EventPattern=json.dumps(told))
    bench.events.put_targets(Rule=f"{bench.name}-2", Targets=[{"Id": "1", "Arn": arn}])
    bench.sfn.start_execution(stateMachineArn=machine)
    assert bench.message(url)  # the event went by, in order: the first rule had its chance
    counted = (
        local_aws.session()
        .client("cloudwatch")
        .get_metric_data(
            MetricDataQueries=[
                {
                    "Id": "m",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/Events",
                            "MetricName": "TriggeredRules",
                            "Dimensions": [{"Name": "RuleName", "Value": bench.name}],
                        },
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
            ],
            StartTime=datetime.now(UTC) - timedelta(hours=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
        )["MetricDataResults"][0]["Values"]
    )
    assert sum(counted) == counts
