"""The platform's machine After the end: how jobs reach it, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from tests.local.runs import eventually
from tests.local.stacks import Stacks


@pytest.fixture(scope="module")
def shared(local_aws: LocalAws) -> tuple[Stacks, dict[str, str], dict[str, str]]:
    """A platform and a job that tests only look at."""
    stacks = Stacks(local_aws)
    return stacks, stacks.create_platform(), stacks.create_job()


def rule_of(clients_of: Any, stacks: Stacks, stack: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pattern and the only target of a job's rule."""
    rule = stacks.cloudformation.describe_stack_resource(
        StackName=stack, LogicalResourceId="BrokenEnd"
    )["StackResourceDetail"]["PhysicalResourceId"]
    pattern = clients_of("events").describe_rule(Name=rule)["EventPattern"]
    (target,) = clients_of("events").list_targets_by_rule(Rule=rule)["Targets"]
    return json.loads(pattern), target


def test_an_end_that_went_wrong_reaches_the_second_machine(shared: Any, clients_of: Any) -> None:
    stacks, platform, job = shared
    pattern, target = rule_of(clients_of, stacks, f"{stacks.platform}-report")
    assert pattern["detail"]["stateMachineArn"] == [job["StateMachine"]]
    assert pattern["detail"]["status"] == ["FAILED", "ABORTED", "TIMED_OUT"]
    assert target["Arn"] == job["AfterTheEnd"]
    assert target["RoleArn"] == platform["RuleRole"]
    template = target["InputTransformer"]["InputTemplate"].replace("<execution>", '"arn"')
    assert json.loads(template) == {
        "detail": {"executionArn": "arn"},
        "job": "report",
        "queue": job["Queue"],
    }


@pytest.mark.parametrize(
    "given",
    [
        "{}",
        "[]",
        '"text"',
        '{"detail":{"executionArn":"arn:aws:states:us-east-1:123456789012:execution:a:b"}}',
        '{"detail":{"executionArn":[1,2]},"job":"report","queue":"q"}',
        '{"detail":"x","job":["a","b"],"queue":null}',
    ],
)
def test_the_second_machine_refuses_what_is_no_end_of_a_job(
    shared: Any, clients_of: Any, given: str
) -> None:
    sfn = clients_of("stepfunctions")
    machine = shared[2]["AfterTheEnd"]
    started = sfn.start_execution(stateMachineArn=machine, input=given)["executionArn"]

    def ended() -> dict[str, Any]:
        shown = dict(sfn.describe_execution(executionArn=started))
        return shown if shown["status"] != "RUNNING" else {}

    shown = eventually(ended)
    assert (shown["status"], shown["error"]) == ("FAILED", "Steadyspot.NotAnEnd")
