"""State machines that AWS would not make, and what it ends at its limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.bench import ROLE, Bench
from tests.local.states import catching, passing

KIB_256 = 256 * 1024
GOOD = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
BAD = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}
PUT = "arn:aws:states:::aws-sdk:dynamodb:putItem"


def test_a_bad_definition_makes_no_machine_and_changes_none(bench: Bench) -> None:
    def refused(call: Any, **arguments: Any) -> str:
        with pytest.raises(ClientError) as raised:
            call(definition=json.dumps(BAD), **arguments)
        assert raised.value.response["Error"]["Code"] == "InvalidDefinition"
        return str(raised.value.response["Error"]["Message"])

    message = refused(bench.sfn.create_state_machine, name=bench.name, roleArn=ROLE)
    assert message == (
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: "
        "Nowhere at /States/A/Next'"
    )
    made = bench.sfn.create_state_machine(
        name=bench.name, roleArn=ROLE, definition=json.dumps(GOOD)
    )["stateMachineArn"]
    assert refused(bench.sfn.update_state_machine, stateMachineArn=made) == message
    shown = bench.sfn.describe_state_machine(stateMachineArn=made)
    assert json.loads(shown["definition"]) == GOOD


def test_a_definition_can_be_validated_before_anything_is_made(bench: Bench) -> None:
    validate = bench.sfn.validate_state_machine_definition
    assert validate(definition=json.dumps(GOOD))["result"] == "OK"
    answer = validate(definition=json.dumps(BAD))
    assert answer["result"] == "FAIL"
    assert answer["diagnostics"] == [
        {
            "severity": "ERROR",
            "code": "MISSING_TRANSITION_TARGET",
            "message": "Missing 'Next' target: Nowhere",
            "location": "/States/A/Next",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"TableName": "t", "Item": {}, "Items": {}}, "The field 'Items' is not supported"),
        ({"TableName": "t"}, "The field 'Item' is required but was missing"),
        ({"TableName": 1, "Item": {}}, "The value for the field 'TableName' must be a STRING"),
    ],
)
def test_wrong_arguments_that_an_expression_comes_to_end_the_execution(
    bench: Bench, arguments: dict[str, Any], says: str
) -> None:
    """Not even States.ALL catches it, since AWS calls it States.Runtime."""
    states = catching({"Resource": PUT, "Arguments": "{% $states.input %}"})
    ended = bench.ended(bench.start(bench.machine(states), **arguments))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "could not be used to start the Task: [" in ended["cause"]
    assert says in ended["cause"]


def long(characters: int) -> str:
    return f"{{% $pad('', {characters}, 'x') %}}"


def assigning(variables: dict[str, Any], following: str) -> dict[str, Any]:
    return {"Type": "Pass", "Assign": variables, "Next": following}


END = {"End": {"Type": "Succeed"}}


@pytest.mark.parametrize(
    "states",
    [
        {"Do": passing({"a": long(KIB_256)})},
        {"Do": assigning({"a": long(KIB_256)}, "End"), **END},
        {
            "Do": assigning({"a": long(150_000)}, "More"),
            "More": assigning({"b": ["{% $a %}", "{% $a %}"]}, "End"),
            **END,
        },
        catching(
            {
                "Resource": PUT,
                "Arguments": {"TableName": "t", "Item": {"a": {"S": long(KIB_256)}}},
            }
        ),
    ],
    ids=["output", "assign", "assign of two", "arguments"],
)
def test_what_is_longer_than_256_kib_ends_the_execution_uncaught(
    bench: Bench, states: dict[str, Any]
) -> None:
    ended = bench.ended(bench.start(bench.machine(states)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_an_input_longer_than_256_kib_starts_nothing(bench: Bench) -> None:
    machine = bench.machine({"A": {"Type": "Succeed"}})
    with pytest.raises(ClientError, match="less than or equal to 262144") as refused:
        bench.start(machine, a="x" * KIB_256)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert bench.sfn.list_executions(stateMachineArn=machine)["executions"] == []


def test_a_timeout_above_the_limit_fails_its_state(bench: Bench) -> None:
    states = catching(
        {
            "Resource": "arn:aws:states:::aws-sdk:sfn:listStateMachines",
            "Arguments": {},
            "TimeoutSeconds": "{% 100000000 %}",
        }
    )
    output = bench.output(states)
    assert output["Error"] == "States.QueryEvaluationError"
    assert "TimeoutSeconds" in output["Cause"]


def test_an_execution_ends_when_its_history_is_full(bench: Bench) -> None:
    states = {
        "Again": {"Type": "Pass", "Next": "And again"},
        "And again": {"Type": "Pass", "Next": "Again"},
    }
    ended = bench.ended(bench.start(bench.machine(states)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "maximum number of history events (25000)" in ended["cause"]
    newest = bench.sfn.get_execution_history(
        executionArn=ended["executionArn"], reverseOrder=True, maxResults=1
    )["events"]
    assert [(event["id"], event["type"]) for event in newest] == [(25_000, "ExecutionFailed")]
