"""Every row of the cause table can be put to the deployed workflow."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from steadyspot.deploy.aws.prices import US_EAST_1
from steadyspot.deploy.cli.verbs.drill import CAUSES
from steadyspot.deploy.drills import DRILLS
from steadyspot.deploy.drills.announcing import announcement
from steadyspot.deploy.drills.rehearsal import (
    CONTEXT,
    every_row,
    no_capacity,
    record,
    sample,
    table_of,
    variables_after,
)
from steadyspot.deploy.local.expressions import evaluate
from steadyspot.deploy.stacks.config import Job
from steadyspot.statemachines.causes import attempts
from tests.unit.deploy.fakes import BEGUN, Calls
from tests.virtual.defaults import job_definition

READ = "How far did it get?"


def answered(**request: Any) -> dict[str, Any]:
    """What TestState answers: what the state assigns, read by JSONata with what is given."""
    state = json.loads(request["definition"])["States"][request["stateName"]]
    given = json.loads(request["variables"])
    states: dict[str, Any] = {"context": json.loads(request["context"])}
    if "result" in request["mock"]:
        states["result"] = json.loads(request["mock"]["result"])
        taken, status = state, "SUCCEEDED"
    else:
        failed = request["mock"]["errorOutput"]
        states["errorOutput"] = {"Error": failed["error"], "Cause": failed["cause"]}
        taken = next(c for c in state["Catch"] if failed["error"] in c["ErrorEquals"])
        status = "CAUGHT_ERROR"
    text = taken["Assign"]["cause"].removeprefix("{%").removesuffix("%}")
    known = {"cause": evaluate(text, {**given, "states": states})}
    return {
        "status": status,
        "nextState": taken["Next"],
        "inspectionData": {"variables": json.dumps(known)},
    }


def test_no_capacity_on_aws_runs_nothing_and_asks_the_deployed_states() -> None:
    sfn = Calls(
        describe_state_machine=lambda **_: {
            "definition": json.dumps(job_definition()),
            "roleArn": "r",
        },
        test_state=answered,
    )
    stage: Any = SimpleNamespace(sfn=sfn, outputs={"StateMachine": "arn"})
    (finding,) = no_capacity(stage)
    assert finding.good
    assert finding.text.endswith("taken for no-capacity; answer: wait-for-spot")
    assert "start_execution" not in sfn.made


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
    for cause in attempts():
        marks = sample(cause)
        asked = {
            "definition": json.dumps(definition),
            "roleArn": role,
            "stateName": READ,
            "input": "{}",
            "inspectionLevel": "DEBUG",
            "variables": json.dumps(variables_after(marks, table_of(definition))),
            "context": json.dumps(CONTEXT),
            "mock": {"result": json.dumps({"Item": record(marks)})},
        }
        stub.add_response("test_state", answered(**asked), asked)
    stub.activate()
    return SimpleNamespace(sfn=client, outputs={"StateMachine": machine})


def test_every_row_of_the_table_is_recognised_by_the_deployed_workflow() -> None:
    found = list(every_row(deployed(job_definition())))
    assert len(found) == len(attempts())
    assert [finding.text for finding in found if not finding.good] == []


@pytest.mark.parametrize(
    "state", ["Run on Fargate Spot", READ, "Look at the weather", "Choose capacity"]
)
def test_all_that_a_state_reads_is_handed_to_it(state: str) -> None:
    text = json.dumps(job_definition()["States"][state])
    read = set(re.findall(r"\$([a-z]\w*)(?![\w(])", text))
    given = " ".join(re.findall(r"function\(([^)]*)\)", text))
    bound = {*re.findall(r"\$(\w+) :=", text), *re.findall(r"\$(\w+)", given)}
    assert read - bound - {"states"} <= set(variables_after({}, []))


def test_a_row_that_the_deployed_workflow_lacks_is_found() -> None:
    old = deepcopy(job_definition())
    rows = old["States"]["Claim the run"]["Assign"]["causes"]
    rows[:] = [row for row in rows if row["name"] != "reclaimed"]
    bad = [finding.text for finding in every_row(deployed(old)) if not finding.good]
    assert len(bad) == 1
    assert bad[0].startswith("what reclaimed looks like is taken for ")


def test_what_runs_nothing_is_announced_as_free() -> None:
    said = announcement(DRILLS["verify"], Job(name="night", image="i"), US_EAST_1, here=False)
    assert said[-1] == "It runs nothing and costs nothing."
    assert list(DRILLS) == list(CAUSES)
    for name in CAUSES:
        assert (
            "costs"
            in announcement(DRILLS[name], Job(name="night", image="i"), US_EAST_1, here=False)[-1]
        )
        here = announcement(DRILLS[name], Job(name="night", image="i"), US_EAST_1, here=True)
        assert not [line for line in here if "costs about" in line]


def test_the_variables_are_json() -> None:
    assert json.loads(json.dumps(variables_after({}, [])))["statesEntered"] == 3
