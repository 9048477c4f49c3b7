"""Definitions that AWS would refuse, and those that it takes."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from steadyspot.deploy.local.validating import LARGEST_DEFINITION, Problem, problems, refusal_of
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.parts import with_parts
from steadyspot.deploy.stacks.templates import job_template, platform_template

SCHEMA, TARGET = "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET"
RUN_TASK = "arn:aws:states:::ecs:runTask.sync"
PUT_ITEM = "arn:aws:states:::dynamodb:putItem"
SDK = "arn:aws:states:::aws-sdk"


def machine(state: dict[str, Any], language: str = "JSONata", **more: Any) -> str:
    whole = {"End": True, **state} if "Next" not in state else state
    states = {"A": whole, **more.pop("states", {})}
    return json.dumps({"QueryLanguage": language, "StartAt": "A", "States": states, **more})


def task(resource: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    given = {} if arguments is None else {"Arguments": arguments}
    return {"Type": "Task", "Resource": resource, **given, **more}


def run_task(**more: Any) -> dict[str, Any]:
    return task(RUN_TASK, {"Cluster": "c", "TaskDefinition": "t", **more})


WAIT: dict[str, Any] = {"Type": "Wait", "Seconds": 1}
CHOICE = {
    "Type": "Choice",
    "Choices": [{"Condition": "{% true %}", "Next": "B"}],
    "Default": "B",
}
ENDS = {"B": {"Type": "Succeed"}}


def without_end(state: dict[str, Any], **more: Any) -> str:
    return json.dumps(
        {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state, **ENDS, **more}}
    )


@pytest.mark.parametrize(
    ("definition", "code", "says", "at"),
    [
        ("{", "INVALID_JSON_DESCRIPTION", "", ""),
        ("[]", "INVALID_JSON_DESCRIPTION", "", ""),
        ('{"StartAt": "A"}', SCHEMA, "required: [States]", ""),
        (machine(WAIT, Timeout=3), SCHEMA, "'Timeout' is not supported", "/Timeout"),
        (machine(WAIT, StartAt="X"), TARGET, "'StartAt' target: X", "/StartAt"),
        (machine({**WAIT, "Next": "B"}), TARGET, "'Next' target: B", "/States/A/Next"),
        (without_end(WAIT), SCHEMA, "[Next, End]", "/States/A"),
        (without_end({**WAIT, "End": True, "Next": "B"}), SCHEMA, "[Next, End]", "/States/A"),
        (machine(WAIT, states=ENDS), TARGET, "not reachable", "/States/B"),
        (without_end({**CHOICE, "Default": "X"}), TARGET, "X", "/States/A/Default"),
        (without_end({**CHOICE, "Choices": []}), SCHEMA, "not empty", "/States/A/Choices"),
        (
            without_end({**CHOICE, "Choices": [{"Next": "B"}]}),
            SCHEMA, "[Condition]", "/States/A/Choices[0]",
        ),
        (
            without_end({**CHOICE, "Choices": [{"Condition": "{% ( %}", "Next": "B"}]}),
            SCHEMA, "not valid", "/States/A/Choices[0]/Condition",
        ),
        (machine({**WAIT, "Second": 1}), SCHEMA, "'Second' is not supported", "/States/A/Second"),
        (machine({**WAIT, "Seconds": -1}), SCHEMA, "from 0 to 99999999", "/States/A/Seconds"),
        (machine({**WAIT, "Seconds": 10**8}), SCHEMA, "99999999", "/States/A/Seconds"),
        (machine({"Type": "Waits"}), SCHEMA, "no type of a state", "/States/A/Type"),
        (machine({**WAIT, "InputPath": "$"}), SCHEMA, "not supported", "/States/A/InputPath"),
        (
            machine({**WAIT, "Output": "{% $x %}"}, "JSONPath"),
            SCHEMA, "not supported", "/States/A/Output",
        ),
        (machine({**WAIT, "Output": "{% 1 + %}"}), SCHEMA, "not valid", "/States/A/Output"),
        (machine({**WAIT, "Output": {"a": ["{% ) %}"]}}), SCHEMA, "not valid", "/Output/a[0]"),
        (machine({**WAIT, "Output": "{% 1"}), SCHEMA, "must end with", "/States/A/Output"),
        (machine({"Type": "Task"}), SCHEMA, "[Resource]", "/States/A"),
        (machine(task(f"{SDK}:s4:getObject")), SCHEMA, "not recognized", "/States/A/Resource"),
        (machine(task(f"{SDK}:s3:getObjects")), SCHEMA, "not recognized", "/States/A/Resource"),
        (machine(task(f"{SDK}:s3:GetObject")), SCHEMA, "not recognized", "/States/A/Resource"),
        (machine(task("arn:aws:states:::ecs:runTusk")), SCHEMA, "not recognized", "/Resource"),
        (
            machine({**run_task(), "TimeoutSeconds": 100_000_000}),
            SCHEMA, "from 1 to 99999999", "/States/A/TimeoutSeconds",
        ),
        (machine({**run_task(), "TimeoutSeconds": 0}), SCHEMA, "from 1", "/TimeoutSeconds"),
        (machine(WAIT, TimeoutSeconds=10**8), SCHEMA, "99999999", "/TimeoutSeconds"),
        (machine(run_task(cluster="c")), SCHEMA, "field 'cluster' is not", "/States/A/Arguments"),
        (machine(run_task(CapacityProvider=[])), SCHEMA, "'CapacityProvider' is not", "/Arguments"),
        (
            machine(run_task(Overrides={"ContainerOverride": []})),
            SCHEMA, "'ContainerOverride' is not", "/States/A/Arguments",
        ),
        (
            machine(run_task(Overrides={"ContainerOverrides": [{"Name": "w", "Env": []}]})),
            SCHEMA, "'Env' is not", "/States/A/Arguments",
        ),
        (machine(run_task(Count="1")), SCHEMA, "'Count' must be an INTEGER", "/Arguments"),
        (machine(run_task(EnableExecuteCommand="no")), SCHEMA, "must be a BOOLEAN", "/Arguments"),
        (machine(task(RUN_TASK, {"Cluster": "c"})), SCHEMA, "'TaskDefinition' is required", ""),
        (
            machine(task(PUT_ITEM, {"TableName": "t", "Item": {"a": {"Str": "x"}}})),
            SCHEMA, "'Str' is not", "/States/A/Arguments",
        ),
        (
            machine(task(PUT_ITEM, {"TableName": "t", "Item": {"a": {"N": 1}}})),
            SCHEMA, "'N' must be a STRING", "/States/A/Arguments",
        ),
        (
            machine(task(f"{SDK}:s3:putObject", {"Bucket": "b", "Keys": "k"})),
            SCHEMA, "'Keys' is not", "/States/A/Arguments",
        ),
        (
            machine({
                "Type": "Task", "Resource": RUN_TASK,
                "Parameters": {"TaskDefinition.$": "$.t", "Clusters.$": "$.c"},
            }, "JSONPath"),
            SCHEMA, "'Clusters.$' is not", "/States/A/Parameters",
        ),
        (machine({**run_task(), "Retry": [{}]}), SCHEMA, "[ErrorEquals]", "/States/A/Retry[0]"),
        (
            machine({**run_task(), "Retry": [{"ErrorEquals": ["a"], "MaxAttempt": 1}]}),
            SCHEMA, "'MaxAttempt' is not", "/States/A/Retry[0]/MaxAttempt",
        ),
        (
            machine({**run_task(), "Retry": [{"ErrorEquals": ["a"], "BackoffRate": 0.5}]}),
            SCHEMA, "BackoffRate", "/States/A/Retry[0]/BackoffRate",
        ),
        (
            machine({**run_task(), "Catch": [
                {"ErrorEquals": ["States.ALL"], "Next": "B"}, {"ErrorEquals": ["a"], "Next": "B"},
            ]}, states=ENDS),
            SCHEMA, "must appear alone", "/States/A/Catch[0]/ErrorEquals",
        ),
        (
            machine({**run_task(), "Catch": [{"ErrorEquals": ["a"]}]}),
            SCHEMA, "[Next]", "/States/A/Catch[0]",
        ),
        (
            machine({**run_task(), "Catch": [{"ErrorEquals": ["a"], "Next": "X"}]}),
            TARGET, "X", "/States/A/Catch[0]/Next",
        ),
        (
            machine({"Type": "Parallel", "Branches": [
                {"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "A"}}},
            ]}),
            TARGET, "'Next' target: A", "/States/A/Branches[0]/States/I/Next",
        ),
        (
            machine({"Type": "Map", "ItemProcessor": {
                "StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}},
            }}),
            SCHEMA, "'A' is used more than once", "",
        ),
        (
            json.dumps({"StartAt": "n" * 81, "States": {"n" * 81: {"Type": "Succeed"}}}),
            SCHEMA, "at most 80", "/States/n",
        ),
        (
            machine({**WAIT, "Comment": "x" * LARGEST_DEFINITION}),
            SCHEMA, "longer than 1048576 bytes", "",
        ),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_a_problem_with_its_code_and_place(
    definition: str, code: str, says: str, at: str
) -> None:
    found = problems(definition)
    assert found
    assert [one for one in found if one.code == code and says in one.message], found
    assert any(at in one.location for one in found), found


@pytest.mark.parametrize(
    "definition",
    [
        machine(WAIT),
        machine({**WAIT, "Seconds": "{% $n %}"}),
        machine(run_task(Count=1, Overrides="{% $overrides %}", PropagateTags="{% $tags %}")),
        machine({**run_task(), "TimeoutSeconds": 99_999_999}),
        machine(task(RUN_TASK, "{% $request %}")),
        machine(task(f"{SDK}:s3:putObject", {"Bucket": "b", "Key": "k", "Body": {"a": 1}})),
        machine(task(f"{SDK}:s3:putObject", {"Bucket": "b", "Key": "k", "Acl": "private"})),
        machine(task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": "q", "MessageBody": {}})),
        machine(task("arn:aws:states:::states:startExecution", {"StateMachineArn": "m"})),
        machine(task("arn:aws:lambda:us-east-1:123456789012:function:f", {"any": 1})),
        machine(task("arn:aws:states:::lambda:invoke", {"FunctionName": "f"})),
        machine({"Type": "Pass", "Result": {"a": 1}, "ResultPath": "$.b"}, "JSONPath"),
        without_end(CHOICE),
    ],
)
def test_what_aws_takes_has_no_problem(definition: str) -> None:
    assert problems(definition) == ()


LOOKED_AFTER = Job(name="night", image="i", schedule="rate(1 hour)", missed="auto")


def test_our_own_definitions_have_no_problem() -> None:
    for template, name in (
        (job_template(), "StateMachine"),
        (platform_template(), "BeforeTheStart"),
        (job_template(), "AtTheDeadline"),
        (job_template(partial(with_parts, LOOKED_AFTER)), "AfterItsTime"),
        (job_template(), "AfterTheEnd"),
    ):
        assert problems(json.dumps(template.graph(name))) == ()


def test_a_refusal_says_all_that_is_wrong_as_aws_says_it() -> None:
    found = [
        Problem(TARGET, "Missing 'Next' target: X", "/States/A/Next"),
        Problem(SCHEMA, "b", ""),
    ]
    assert refusal_of(found) == (
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: X at "
        "/States/A/Next, SCHEMA_VALIDATION_FAILED: b'"
    )
