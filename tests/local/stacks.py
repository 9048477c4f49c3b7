"""The two templates on the embedded AWS: deployed, changed and removed by plain CloudFormation."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.templates import job_template, platform_template

PLATFORM = platform_template().text
JOB = job_template().text
DEFINITION = job_template()


class Stacks:
    """Stacks of one test, whose names nobody else has."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.cloudformation = aws.session().client("cloudformation")
        self.s3 = aws.session().client("s3")
        self.platform = f"p{uuid.uuid4().hex[:8]}"

    def create(self, name: str, template: str, **parameters: Any) -> dict[str, str]:
        """Create a stack; comes back with its outputs."""
        self.cloudformation.create_stack(
            StackName=name,
            TemplateBody=template,
            Parameters=given(parameters),
            Capabilities=["CAPABILITY_IAM"],
        )
        stack = self.describe(name)
        assert stack["StackStatus"] == "CREATE_COMPLETE", self.failures(name)
        return self.outputs(name)

    def create_platform(self, **parameters: Any) -> dict[str, str]:
        """Create the platform of this test, with the definition of jobs in its bucket."""
        outputs = self.create(self.platform, PLATFORM, **parameters)
        for machine, key in DEFINITION.keys.items():
            self.put_definition(outputs["Bucket"], key, DEFINITION.definitions[machine])
        return outputs

    def put_definition(self, bucket: str, key: str, text: str) -> None:
        """Put a definition where a template names it."""
        self.s3.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def create_job(self, job: str = "report", **parameters: Any) -> dict[str, str]:
        """Create a job on the platform of this test."""
        return self.create(
            f"{self.platform}-{job}",
            JOB,
            **{
                "Platform": self.platform,
                "Job": job,
                "Image": "steadyspot-worker:local",
                **parameters,
            },
        )

    def describe(self, name: str) -> dict[str, Any]:
        """The stack as DescribeStacks shows it."""
        stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return stack

    def outputs(self, name: str) -> dict[str, str]:
        """The outputs of a stack by key."""
        shown = self.describe(name).get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in shown}

    def events(self, name: str) -> list[tuple[str, str]]:
        """Logical id and status of every event, oldest first."""
        shown = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(shown)]

    def failures(self, name: str) -> list[str]:
        """What went wrong, by event."""
        shown = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
            for event in reversed(shown)
            if "FAILED" in event["ResourceStatus"] or "ROLLBACK" in event["ResourceStatus"]
        ]

    def change_set(
        self, name: str, template: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Make a change set with some parameters new and the rest as they were; described."""
        old = [item["ParameterKey"] for item in self.describe(name).get("Parameters", [])]
        arguments: dict[str, Any] = (
            {"UsePreviousTemplate": True} if template is None else {"TemplateBody": template}
        )
        made = self.cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"c{uuid.uuid4().hex[:8]}",
            ChangeSetType="UPDATE",
            Parameters=given(parameters)
            + [
                {"ParameterKey": key, "UsePreviousValue": True}
                for key in old
                if key not in parameters
            ],
            Capabilities=["CAPABILITY_IAM"],
            **arguments,
        )
        described: dict[str, Any] = self.cloudformation.describe_change_set(
            ChangeSetName=made["Id"], StackName=name
        )
        return described

    def change(self, name: str, template: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Make a change set and carry it out; comes back with the stack."""
        described = self.change_set(name, template, **parameters)
        self.cloudformation.execute_change_set(
            ChangeSetName=described["ChangeSetId"], StackName=name
        )
        return self.describe(name)


def given(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameters in the API's shape."""
    return [
        {"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()
    ]


def network_of(platform: dict[str, str]) -> dict[str, Any]:
    """Where tasks run, of a platform's outputs, where it stands as the workflow reads it."""
    return dict(json.loads(platform["Network"].replace("'", '"')))


def everything(clients_of: Callable[[str], Any], name: str) -> set[str]:
    """All that bears a name, by service."""
    found = {
        *[m["name"] for m in clients_of("stepfunctions").list_state_machines()["stateMachines"]],
        *[g["Name"] for g in clients_of("scheduler").list_schedule_groups()["ScheduleGroups"]],
        *clients_of("ecs").list_clusters()["clusterArns"],
        *clients_of("ecs").list_task_definitions()["taskDefinitionArns"],
        *[a["AlarmName"] for a in clients_of("cloudwatch").describe_alarms()["MetricAlarms"]],
        *[
            d["DashboardName"]
            for d in clients_of("cloudwatch").list_dashboards()["DashboardEntries"]
        ],
        *clients_of("sqs").list_queues().get("QueueUrls", []),
        *[t["TopicArn"] for t in clients_of("sns").list_topics()["Topics"]],
        *[r["Name"] for r in clients_of("events").list_rules()["Rules"]],
        *[r["RoleName"] for r in clients_of("iam").list_roles()["Roles"]],
        *[p["Arn"] for p in clients_of("iam").list_policies(Scope="Local")["Policies"]],
        *[g["logGroupName"] for g in clients_of("logs").describe_log_groups()["logGroups"]],
        *[r["repositoryName"] for r in clients_of("ecr").describe_repositories()["repositories"]],
        *[
            tag["Value"]
            for vpc in clients_of("ec2").describe_vpcs()["Vpcs"]
            for tag in vpc.get("Tags", [])
        ],
        *[b["Name"] for b in clients_of("s3").list_buckets()["Buckets"]],
        *clients_of("dynamodb").list_tables()["TableNames"],
    }
    return {item for item in found if name in item}
