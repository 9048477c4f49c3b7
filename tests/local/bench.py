"""Short ways for tests to define and run tasks and state machines on the embedded AWS."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from steadyspot.deploy.local.aws import LocalAws

DEADLINE_SECONDS = 90.0
ROLE = "arn:aws:iam::123456789012:role/test"
SHELL = "test-shell:local"
PYTHON = "test-python:local"
LISTENS = """
import signal, sys, time
def leave(*_):
    print('told to stop', flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, leave)
print('ready', flush=True)
while True: time.sleep(60)
"""

T = TypeVar("T")


def until(look: Callable[[], T], deadline_seconds: float = DEADLINE_SECONDS) -> T:
    """Look again and again until what is seen is true; fail with the last look."""
    deadline = time.monotonic() + deadline_seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"waited in vain, last seen: {seen!r}"
        time.sleep(0.03)
    return seen


def is_alive(process: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Bench:
    """Clients, a cluster with both Fargate providers, subnets in two zones, and a log group."""

    def __init__(self, aws: LocalAws, clients: dict[str, Any]) -> None:
        self.aws = aws
        self.ecs = clients["ecs"]
        self.sfn = clients["stepfunctions"]
        self.logs = clients["logs"]
        self.sqs = clients["sqs"]
        self.events = clients["events"]
        subnets = clients["ec2"].describe_subnets()["Subnets"]
        by_zone = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
        self.zones = sorted(by_zone)[:2]
        self.subnets = [by_zone[zone] for zone in self.zones]
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        self.cluster = self.name
        self.log_group = f"/test/{self.name}"
        self.ecs.create_cluster(
            clusterName=self.cluster, capacityProviders=["FARGATE", "FARGATE_SPOT"]
        )
        self.logs.create_log_group(logGroupName=self.log_group)
        aws.images.register(SHELL, entrypoint=["/bin/sh", "-c"])
        aws.images.register(PYTHON, entrypoint=[sys.executable, "-c"])

    def container(self, script: str, *, image: str = SHELL, **more: Any) -> dict[str, Any]:
        """A container definition that runs the script and logs into the bench's group."""
        options = {
            "awslogs-group": self.log_group,
            "awslogs-region": self.aws.region,
            "awslogs-stream-prefix": "test",
        }
        return {
            "name": "worker",
            "image": image,
            "command": [script],
            "stopTimeout": 20,
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **more,
        }

    def define(self, *containers: dict[str, Any]) -> str:
        """Register a task definition of the bench's family; comes back with its ARN."""
        registered = self.ecs.register_task_definition(
            family=self.name,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=list(containers),
        )
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def network(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": self.subnets, "assignPublicIp": "ENABLED"}}

    def run(self, definition: str, **more: Any) -> str:
        """RunTask on Spot unless `launchType` is given; comes back with the task's ARN."""
        if "launchType" not in more:
            more.setdefault(
                "capacityProviderStrategy", [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
            )
        answer = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=definition,
            networkConfiguration=self.network(),
            **more,
        )
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0])

    def in_status(self, arn: str, status: str) -> dict[str, Any]:
        """Wait until DescribeTasks shows the status; comes back with the task."""
        return until(lambda: task if (task := self.task(arn))["lastStatus"] == status else {})

    def stopped(self, arn: str) -> dict[str, Any]:
        return self.in_status(arn, "STOPPED")

    def lines(self, arn: str, container: str = "worker") -> list[str]:
        """What the container printed so far, from its log stream."""
        stream = f"test/{container}/{arn.rpartition('/')[2]}"
        streams = self.logs.describe_log_streams(
            logGroupName=self.log_group, logStreamNamePrefix=stream
        )
        if not streams["logStreams"]:
            return []
        events = self.logs.get_log_events(
            logGroupName=self.log_group, logStreamName=stream, startFromHead=True
        )
        return [event["message"] for event in events["events"]]

    def printed(self, arn: str, line: str, container: str = "worker") -> list[str]:
        """Wait until the container printed the line; comes back with all lines."""
        return until(lambda: seen if line in (seen := self.lines(arn, container)) else [])

    def run_state(self, definition: str, **more: Any) -> dict[str, Any]:
        """A Task state `ecs:runTask.sync` on Spot; arguments come in by `arguments`."""
        arguments = {
            "Cluster": self.cluster,
            "TaskDefinition": definition,
            "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}],
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": self.subnets}},
            **more.pop("arguments", {}),
        }
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::ecs:runTask.sync",
            "TimeoutSeconds": 60,
            "Arguments": {key: value for key, value in arguments.items() if value is not None},
            **more,
        }

    def machine(self, states: dict[str, Any], **more: Any) -> str:
        """Create a JSONata state machine that starts at the first state; `more` are its fields."""
        definition = {
            "QueryLanguage": "JSONata",
            "StartAt": next(iter(states)),
            "States": states,
            **more,
        }
        created = self.sfn.create_state_machine(
            name=f"{self.name}-{uuid.uuid4().hex[:6]}",
            definition=json.dumps(definition),
            roleArn=ROLE,
        )
        return str(created["stateMachineArn"])

    def start(self, machine: str, **given: Any) -> str:
        """StartExecution with the input's fields; comes back with the execution's ARN."""
        started = self.sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the execution's end; comes back with DescribeExecution."""

        def look() -> dict[str, Any]:
            shown = dict(self.sfn.describe_execution(executionArn=execution))
            return shown if shown["status"] != "RUNNING" else {}

        return until(look)

    def execute(self, states: dict[str, Any], **given: Any) -> dict[str, Any]:
        """Run a machine of these states to its end."""
        return self.ended(self.start(self.machine(states), **given))

    def output(self, states: dict[str, Any], **given: Any) -> Any:
        """The output of a run of these states, which must succeed."""
        shown = self.execute(states, **given)
        assert shown["status"] == "SUCCEEDED", shown
        return json.loads(shown["output"])

    def history(self, execution: str) -> list[dict[str, Any]]:
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [dict(event) for page in pages for event in page["events"]]

    def states_entered(self, execution: str) -> list[str]:
        """Names of the states entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.history(execution)
            if "stateEnteredEventDetails" in event
        ]

    def queue_of_events(self, pattern: dict[str, Any]) -> str:
        """A queue that gets the EventBridge events of the pattern; comes back with its URL."""
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        url = str(self.sqs.create_queue(QueueName=name)["QueueUrl"])
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        self.events.put_targets(
            Rule=name, Targets=[{"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}]
        )
        return url

    def message(self, queue: str) -> dict[str, Any]:
        """Wait for a message of the queue."""

        def look() -> dict[str, Any]:
            got = self.sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])
            return dict(got["Messages"][0]) if got.get("Messages") else {}

        return until(look)

    def started(self, machine: str) -> str:
        """Wait for an execution of the machine that something else started."""

        def look() -> str:
            listed = self.sfn.list_executions(stateMachineArn=machine)["executions"]
            return str(listed[0]["executionArn"]) if listed else ""

        return until(look)

    def received(
        self, queue: str, enough: Callable[[Sequence[dict[str, Any]]], bool]
    ) -> list[dict[str, Any]]:
        """Take messages from the queue until they are enough; bodies are JSON."""
        bodies: list[dict[str, Any]] = []

        def look() -> bool:
            got = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            for message in got.get("Messages", []):
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(json.loads(message["Body"]))
            return enough(bodies)

        until(look)
        return bodies
