"""Every row of the cause table can be put to the deployed workflow."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.drills.rehearsal import no_capacity, sample, variables
from statemachines.causes import CAUSES, Cause, Stop, classify
from tests.unit.deploy.fakes import Calls


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_rows_sample_is_recognised_as_that_row(cause: Cause) -> None:
    assert classify(Stop(**sample(cause))).name == cause.name


def test_no_capacity_on_aws_runs_nothing_and_asks_the_deployed_states() -> None:
    asked: list[dict[str, Any]] = []

    def test_state(**request: Any) -> dict[str, Any]:
        asked.append(request)
        if "mock" in request:
            return {"status": "CAUGHT_ERROR", "nextState": "Record the attempt"}
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


def test_the_variables_are_json() -> None:
    assert json.loads(json.dumps(variables({})))["launches"] == 1
