"""Every row of the cause table can be put to the deployed workflow."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from steadyspot.deploy.aws.prices import US_EAST_1
from steadyspot.deploy.cli.verbs.drill import NAMES, announcement
from steadyspot.deploy.drills import DRILLS
from steadyspot.deploy.drills.rehearsal import every_row, no_capacity, sample, variables
from steadyspot.deploy.local.expressions import evaluate
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble
from steadyspot.statemachines.causes import CAUSES, Cause, Stop, classify
from tests.unit.deploy.fakes import BEGUN, Calls
from tests.virtual.defaults import job_definition


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_rows_sample_is_recognised_as_that_row(cause: Cause) -> None:
    assert classify(Stop(**sample(cause))).name == cause.name


def test_no_capacity_on_aws_runs_nothing_and_asks_the_deployed_states() -> None:
    asked: list[dict[str, Any]] = []

    def test_state(**request: Any) -> dict[str, Any]:
        asked.append(request)
        if "mock" in request:
            return {"status": "CAUGHT_ERROR", "nextState": "Why did it stop?"}
        found = json.dumps({"cause": {"name": "no-capacity"}})
        return {
            "status": "SUCCEEDED",
            "nextState": "Wait for capacity",
            "inspectionData": {"variables": found},
        }

    sfn = Calls(
        describe_state_machine=lambda **_: {"definition": "{}", "roleArn": "r"},
        test_state=test_state,
    )
    stage: Any = SimpleNamespace(sfn=sfn, outputs={"StateMachine": "arn"})
    assert all(finding.good for finding in no_capacity(stage))
    assert [request["stateName"] for request in asked] == [
        "Run on Fargate Spot",
        "Why did it stop?",
    ]
    assert "start_execution" not in sfn.made


def answered(definition: dict[str, Any], cause: Cause) -> dict[str, Any]:
    """What TestState answers: the state's own rules, read by JSONata with the given variables."""
    given = variables(sample(cause))
    for rule in definition["States"]["Why did it stop?"]["Choices"]:
        if evaluate(rule["Condition"].removeprefix("{%").removesuffix("%}"), given):
            known = {"cause": {"name": rule["Assign"]["cause"]["name"]}}
            return {
                "status": "SUCCEEDED",
                "nextState": rule["Next"],
                "inspectionData": {"variables": json.dumps(known)},
            }
    return {"status": "SUCCEEDED", "nextState": "?"}


def deployed(definition: dict[str, Any]) -> Any:
    """A stage whose Step Functions is AWS's client, with its answers and its checks of calls."""
    client = boto3.client(
        "stepfunctions",
        region_name="eu-central-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    stub = Stubber(client)
    role = "arn:aws:iam::123456789012:role/workflow"
    machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:shop-night"
    shown = {
        "stateMachineArn": machine,
        "name": "shop-night",
        "definition": json.dumps(definition),
        "roleArn": role,
        "type": "STANDARD",
        "creationDate": BEGUN,
    }
    stub.add_response("describe_state_machine", shown, {"stateMachineArn": machine})
    for cause in CAUSES:
        stub.add_response(
            "test_state",
            answered(definition, cause),
            {
                "definition": ANY,
                "roleArn": role,
                "stateName": "Why did it stop?",
                "input": "{}",
                "inspectionLevel": "DEBUG",
                "variables": json.dumps(variables(sample(cause))),
                "context": ANY,
            },
        )
    stub.activate()
    return SimpleNamespace(sfn=client, outputs={"StateMachine": machine}, switches=None)


def test_every_row_of_the_table_is_recognised_by_the_deployed_workflow() -> None:
    found = list(every_row(deployed(job_definition())))
    assert len(found) == len(CAUSES)
    assert [finding.text for finding in found if not finding.good] == []


@pytest.mark.parametrize("state", ["Run on Fargate Spot", "Why did it stop?"])
def test_all_that_a_state_reads_is_handed_to_it(state: str) -> None:
    text = json.dumps(job_definition()["States"][state])
    read = set(re.findall(r"\$([a-z]\w*)(?![\w(]|:=)", text))
    given = " ".join(re.findall(r"function\(([^)]*)\)", text))
    bound = {*re.findall(r"\$(\w+):=", text), *re.findall(r"\$(\w+)", given)}
    assert read - bound - {"states"} <= set(variables({}))


def test_a_row_that_the_deployed_workflow_lacks_is_found() -> None:
    old = job_definition()
    rules = old["States"]["Why did it stop?"]["Choices"]
    rules[:] = [rule for rule in rules if rule["Assign"]["cause"]["name"] != "reclaimed"]
    bad = [finding.text for finding in every_row(deployed(old)) if not finding.good]
    assert len(bad) == 1
    assert bad[0].startswith("what reclaimed looks like is taken for ")


def test_the_embedded_aws_cannot_be_asked() -> None:
    with pytest.raises(Trouble, match="embedded AWS"):
        list(every_row(SimpleNamespace(switches=object())))  # type: ignore[arg-type]


def test_what_runs_nothing_is_announced_as_free() -> None:
    said = announcement(DRILLS["verify"], Job(name="night", image="i"), US_EAST_1)
    assert said[-1] == "It runs nothing and costs nothing."
    for name in NAMES:
        assert "costs" in announcement(DRILLS[name], Job(name="night", image="i"), US_EAST_1)[-1]


def test_the_variables_are_json() -> None:
    assert json.loads(json.dumps(variables({})))["entered"] == 3
