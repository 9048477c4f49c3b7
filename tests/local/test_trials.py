"""TestState on the embedded AWS: one state with a mocked answer, as AWS tries it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from steadyspot.deploy.drills.rehearsal import every_row, weather
from steadyspot.statemachines.causes import attempts
from tests.local.bench import ROLE, Bench
from tests.local.runs import Place

RUN_TASK = "arn:aws:states:::ecs:runTask.sync"
CATCH = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "C"}]
RETRY = [{"ErrorEquals": ["Mine"], "MaxAttempts": 2, "IntervalSeconds": 3, "BackoffRate": 2}]
LAUNCH = {
    "Type": "Task",
    "QueryLanguage": "JSONata",
    "Resource": RUN_TASK,
    "Arguments": {"TaskDefinition": "{% $definition %}"},
    "Assign": {"exit": "{% $states.result.Containers[0].ExitCode %}"},
    "Output": "{% $states.result.TaskArn %}",
    "Next": "After",
}


def trial(bench: Bench, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = bench.sfn.test_state(
        definition=json.dumps(state), roleArn=ROLE, inspectionLevel="DEBUG", **more
    )
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def mocked(result: Any) -> dict[str, Any]:
    return {"mock": {"result": json.dumps(result)}}


def failing(error: str, cause: str = "why") -> dict[str, Any]:
    return {"mock": {"errorOutput": {"error": error, "cause": cause}}}


def test_a_mocked_task_says_where_it_leads_with_which_output_and_variables(bench: Bench) -> None:
    task = {"TaskArn": "arn", "Containers": [{"ExitCode": 3}]}
    answer = trial(bench, LAUNCH, variables='{"definition": "d:1", "kept": 1}', **mocked(task))
    assert (answer["status"], answer["nextState"], answer["output"]) == (
        "SUCCEEDED", "After", '"arn"',
    )  # fmt: skip
    inspected = answer["inspectionData"]
    assert json.loads(inspected["variables"]) == {"definition": "d:1", "kept": 1, "exit": 3}
    assert json.loads(inspected["afterArguments"])["TaskDefinition"] == "d:1"
    assert json.loads(inspected["result"]) == task


@pytest.mark.parametrize("error", ["AmazonECS.Unknown", "States.TaskFailed", "States.Timeout"])
def test_a_mocked_error_is_caught_as_in_a_run(bench: Bench, error: str) -> None:
    state = {**LAUNCH, "Catch": CATCH}
    answer = trial(bench, state, variables='{"definition": "d"}', **failing(error))
    assert answer["status"] == "CAUGHT_ERROR"
    assert (answer["nextState"], answer["output"]) == ("C", json.dumps(error))
    assert (answer["error"], answer["cause"]) == (error, "why")
    assert answer["inspectionData"]["errorDetails"] == {"catchIndex": 0}


def test_what_would_be_retried_is_retriable_until_attempts_are_used_up(bench: Bench) -> None:
    state = {**LAUNCH, "Retry": RETRY, "Catch": CATCH}
    given = {"variables": '{"definition": "d"}', **failing("Mine")}
    seen = [
        trial(bench, state, stateConfiguration={"retrierRetryCount": count}, **given)
        for count in (0, 1, 2)
    ]
    assert [one["status"] for one in seen] == ["RETRIABLE", "RETRIABLE", "CAUGHT_ERROR"]
    assert [one["inspectionData"]["errorDetails"] for one in seen[:2]] == [
        {"retryIndex": 0, "retryBackoffIntervalSeconds": 3},
        {"retryIndex": 0, "retryBackoffIntervalSeconds": 6},
    ]


def test_an_error_that_nothing_catches_fails(bench: Bench) -> None:
    answer = trial(bench, LAUNCH, variables='{"definition": "d"}', **failing("Mine"))
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "Mine", "why")
    assert "nextState" not in answer
    runtime = trial(bench, {**LAUNCH, "Catch": CATCH, "Arguments": "{% {'No': 1} %}"}, **mocked({}))
    assert (runtime["status"], runtime["error"]) == ("FAILED", "States.Runtime")


def test_a_state_of_a_definition_sees_input_and_context(bench: Bench) -> None:
    machine = {
        "QueryLanguage": "JSONata",
        "StartAt": "Other",
        "States": {
            "Other": {"Type": "Pass", "Next": "Which"},
            "Which": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Condition": "{% $states.context.Execution.Name = $states.input.name %}",
                        "Next": "Which",
                    }
                ],
                "Default": "No",
            },
            "No": {"Type": "Fail", "Error": "{% 'E' & $n %}", "Cause": "c"},
        },
    }
    context = json.dumps({"Execution": {"Name": "x"}})
    given = {"stateName": "Which", "context": context}
    assert trial(bench, machine, input='{"name": "x"}', **given)["nextState"] == "Which"
    assert trial(bench, machine, input='{"name": "y"}', **given)["nextState"] == "No"
    failed = trial(bench, machine, stateName="No", variables='{"n": 1}')
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "E1", "c")


def test_a_state_without_a_mock_makes_its_call(bench: Bench) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:listStateMachines",
        "Parameters": {},
        "End": True,
    }
    answer = trial(bench, state)
    assert answer["status"] == "SUCCEEDED"
    assert "StateMachines" in json.loads(answer["output"])


@pytest.mark.parametrize(
    ("state", "more", "says"),
    [
        (LAUNCH, {}, "A mock is required"),
        (LAUNCH, mocked({"TaskArn": "a", "ExitCode": 1}), "'ExitCode' is not supported"),
        (LAUNCH, mocked({"TaskArn": 1}), "'TaskArn' must be a STRING"),
        (LAUNCH, {"mock": {"result": "{"}}, "is not valid JSON"),
        (LAUNCH, {"mock": {}, "stateName": "x"}, "A mock"),
        ({**LAUNCH, "Foo": 1}, mocked({}), "'Foo' is not supported"),
        ({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}, {"stateName": "B"}, "'B' is not"),
        ({**LAUNCH, "Output": "{% ( %}"}, mocked({}), "not valid"),
    ],
)
def test_what_aws_would_not_try_is_refused(
    bench: Bench, state: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError) as refused:
        trial(bench, state, **more)
    assert says in str(refused.value)
    assert refused.value.response["Error"]["Code"] in ("ValidationException", "InvalidDefinition")


def test_the_deployed_workflow_recognises_every_row_and_goes_by_the_weather(place: Place) -> None:
    work = place.job("true")
    stage: Any = SimpleNamespace(sfn=work.sfn, outputs=work.outputs)
    found = list(every_row(stage))
    assert len(found) == len(attempts())
    assert [finding.text for finding in found if not finding.good] == []
    assert [(finding.text, finding.good) for finding in weather(stage)] == [
        ("where others were refused just now, and there is time: Wait for capacity", True),
        (
            "where others were refused just now, and the deadline is near:"
            " Run on on-demand Fargate",
            True,
        ),
        ("where the cool-off is over, and nobody has asked since: Run on Fargate Spot", True),
    ]
