"""State machines on the embedded AWS: JSONata, failures and waits."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from tests.local.bench import Bench
from tests.local.states import NASTY, catching, describe_self, passing


def test_text_of_any_kind_passes_through_variables_unchanged(bench: Bench) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"v": "{% $states.input.v %}"}, "Next": "Tell"},
        "Tell": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $v = $states.context.Execution.Input.v %}", "Next": "Ok"}
            ],
            "Default": "No",
        },
        "Ok": {"Type": "Succeed", "Output": {"v": "{% $v %}", "all": "{% 'a' & $v & 'b' %}"}},
        "No": {"Type": "Fail", "Error": "Different"},
    }
    assert bench.output(states, v=NASTY) == {"v": NASTY, "all": f"a{NASTY}b"}


def test_a_cause_with_quotes_can_be_kept_searched_and_parsed(bench: Bench) -> None:
    cause = json.dumps({"StopCode": "SpotInterruption", "Value": NASTY}, separators=(",", ":"))
    states = {
        "Keep": {"Type": "Pass", "Assign": {"cause": "{% $states.input.cause %}"}, "Next": "Tell"},
        "Tell": passing(
            {
                "found": '{% $contains($cause, \'"StopCode":"SpotInterruption"\') %}',
                "value": "{% $parse($cause).Value %}",
            }
        ),
    }
    assert bench.output(states, cause=cause) == {"found": True, "value": NASTY}


def test_variables_in_the_history_are_json(bench: Bench) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"a": "{% $states.input.v %}", "n": 1}, "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    execution = bench.start(bench.machine(states), v=NASTY)
    bench.ended(execution)
    left = next(event for event in bench.history(execution) if event["type"] == "PassStateExited")
    assigned = left["stateExitedEventDetails"]["assignedVariables"]
    assert {name: json.loads(value) for name, value in assigned.items()} == {"a": NASTY, "n": 1}


def test_data_of_any_kind_is_assigned_as_it_stands(bench: Bench) -> None:
    data = [{"text": NASTY, "more": [1, 2.5, True, False, None, {}, []]}, "{", "% }"]
    with_an_expression = {"sum": "{% 1 + 1 %}", "list": ["{% 'a' %}", "b"]}
    assigned = {"data": data, "same": {"data": data}, "text": NASTY, "made": with_an_expression}
    states = {
        "Keep": {"Type": "Pass", "Assign": assigned, "Next": "Tell"},
        "Tell": passing({"Assign": {"v": "a"}, **{name: f"{{% ${name} %}}" for name in assigned}}),
    }
    made = {"sum": 2, "list": ["a", "b"]}
    for _ in range(2):  # What one execution made of it, no other one sees.
        assert bench.output(states) == {"Assign": {"v": "a"}, **assigned, "made": made}


def test_whole_numbers_stay_whole_and_null_stays_null(bench: Bench) -> None:
    states = {
        "Keep": {
            "Type": "Pass",
            "Assign": {"n": "{% $states.input.n %}", "nothing": "{% $states.input.nothing %}"},
            "Next": "Tell",
        },
        "Tell": passing(
            {
                "sum": "{% $n + 1 %}",
                "half": "{% $n / 2 %}",
                "twice": "{% $n * 2.0 %}",
                "floor": "{% $max([1, $floor($n / 2)]) %}",
                "nothing": "{% $nothing %}",
                "text": "{% $string($n * 1.0) %}",
                "big": "{% $states.context.Execution.Input.big %}",
            }
        ),
    }
    output = bench.output(states, n=3, nothing=None, big=12345678901234567890)
    assert json.dumps(output) == json.dumps(
        {
            "sum": 4,
            "half": 1.5,
            "twice": 6,
            "floor": 1,
            "nothing": None,
            "text": "3",
            "big": 12345678901234567168,  # the number of JavaScript that is next to it
        }
    )


def test_awss_own_functions_are_there(bench: Bench) -> None:
    output = bench.output(
        {
            "Tell": passing(
                {
                    "range": "{% $range(0, 6, 2) %}",
                    "partition": "{% $partition([1, 2, 3], 2) %}",
                    "hash": "{% $hash('a', 'SHA-1') %}",
                    "seeded": "{% $random(1) = $random(1) %}",
                    "uuid": "{% $length($uuid()) %}",
                    "parse": "{% $parse('[1, null]') %}",
                }
            )
        }
    )
    assert output == {
        "range": [0, 2, 4, 6],
        "partition": [[1, 2], [3]],
        "hash": "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
        "seeded": True,
        "uuid": 36,
        "parse": [1, None],
    }


BAD = {
    "undefined": "$states.input.missing",
    "a type error": "'a' + 1",
    "no JSON": "$parse('{')",
    "division by zero": "1 / 0",
    "a function that is not there": "$eval('1')",
    "a function as the result": "function($x){$x}",
    "raised": "$error('mine')",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_every_bad_expression_is_a_catchable_query_evaluation_error(bench: Bench, bad: str) -> None:
    state = describe_self(Arguments={"ExecutionArn": f"{{% {bad} %}}"})
    caught = bench.output(catching(state, "States.QueryEvaluationError"))
    assert caught["Error"] == "States.QueryEvaluationError"
    assert bad in caught["Cause"]


@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign", "TimeoutSeconds"])
@pytest.mark.parametrize("errors", ["States.ALL", "States.TaskFailed"])
def test_a_catch_sees_it_in_any_field_of_a_task(bench: Bench, field: str, errors: str) -> None:
    bad = "{% $states.input.missing %}"
    value: Any = bad if field in ("Output", "TimeoutSeconds") else {"ExecutionArn": bad}
    caught = bench.output(catching(describe_self(**{field: value}), errors))
    assert caught["Error"] == "States.QueryEvaluationError"


def test_it_is_in_the_history_once(bench: Bench) -> None:
    for states in (
        catching(describe_self(Output="{% $missing %}")),
        {"Tell": passing("{% $missing %}")},
    ):
        execution = bench.start(bench.machine(states))
        bench.ended(execution)
        failed = [e for e in bench.history(execution) if e["type"] == "EvaluationFailed"]
        assert len(failed) == 1
        details = failed[0]["evaluationFailedEventDetails"]
        assert details["error"] == "States.QueryEvaluationError"
        assert details["state"] in ("Do", "Tell")


@pytest.mark.parametrize("condition", ["$missing", "$missing.x > 1", "'yes'", "$parse('{')"])
def test_a_condition_that_is_no_boolean_ends_the_execution(bench: Bench, condition: str) -> None:
    states = {
        "Which?": {
            "Type": "Choice",
            "Choices": [{"Condition": f"{{% {condition} %}}", "Next": "End"}],
            "Default": "End",
        },
        "End": {"Type": "Succeed"},
    }
    shown = bench.execute(states)
    assert (shown["status"], shown["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "Which?" in shown["cause"]


@pytest.mark.parametrize("seconds", ["1.5", "-1", "'1'", "$missing"])
def test_a_wait_needs_a_whole_number(bench: Bench, seconds: str) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": f"{{% {seconds} %}}", "End": True}}
    shown = bench.execute(states)
    assert (shown["status"], shown["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.parametrize("seconds", ["0", "1.5", "'9'"])
def test_a_time_limit_needs_a_positive_whole_number(bench: Bench, seconds: str) -> None:
    caught = bench.output(catching(describe_self(TimeoutSeconds=f"{{% {seconds} %}}")))
    assert caught["Error"] == "States.QueryEvaluationError"


def test_a_wait_lasts_as_long_as_its_expression_says(bench: Bench) -> None:
    states = {
        "Wait": {"Type": "Wait", "Seconds": "{% $states.input.n %}", "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    execution = bench.start(bench.machine(states), n=1)
    bench.ended(execution)
    at = {event["type"]: event["timestamp"] for event in bench.history(execution)}
    waited = (at["WaitStateExited"] - at["WaitStateEntered"]).total_seconds()
    assert 0.99 <= waited < 15


def test_a_back_off_grows_up_to_its_limit(bench: Bench) -> None:
    retry = [
        {
            "ErrorEquals": ["States.QueryEvaluationError"],
            "IntervalSeconds": 1,
            "BackoffRate": 30,
            "MaxDelaySeconds": 1,
            "MaxAttempts": 2,
        }
    ]
    state = describe_self(Arguments={"ExecutionArn": "{% $missing %}"}, Retry=retry)
    execution = bench.start(bench.machine(catching(state)))
    bench.ended(execution)
    failed = [e["timestamp"] for e in bench.history(execution) if e["type"] == "EvaluationFailed"]
    assert len(failed) == 3
    for earlier, later in itertools.pairwise(failed):
        assert 0.99 <= (later - earlier).total_seconds() < 15


def test_a_fail_state_takes_error_and_cause_from_expressions(bench: Bench) -> None:
    states = {
        "Fail": {
            "Type": "Fail",
            "Error": "{% 'Steadyspot.JobExit' & $states.input.code %}",
            "Cause": "{% $states.input.why %}",
        }
    }
    shown = bench.execute(states, code=3, why=NASTY)
    assert (shown["error"], shown["cause"]) == ("Steadyspot.JobExit3", NASTY)


@pytest.mark.parametrize("errors", ["States.ALL", "States.Runtime", "States.TaskFailed"])
def test_an_error_of_the_runtime_is_never_caught(bench: Bench, errors: str) -> None:
    state = {
        "Resource": "arn:aws:states:::aws-sdk:sfn:describeExecution",
        "Arguments": "{% {'No': 'such field'} %}",
    }
    shown = bench.execute(catching(state, errors))
    assert (shown["status"], shown["error"]) == ("FAILED", "States.Runtime")


def test_a_retry_knows_how_often_it_tried(bench: Bench) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    count = "{% $states.context.State.RetryCount = 0 ? $missing : $states.context.Execution.Id %}"
    state = describe_self(Arguments={"ExecutionArn": count}, Retry=retry)
    assert bench.output(catching(state)) == "not caught"


def test_the_context_says_who_and_when(bench: Bench) -> None:
    execution = bench.start(bench.machine({"Tell": passing("{% $states.context %}")}), a=1)
    context = json.loads(bench.ended(execution)["output"])
    assert context["Execution"]["Id"] == execution
    assert context["Execution"]["Name"] == execution.rpartition(":")[2]
    assert context["Execution"]["Input"] == {"a": 1}
    assert context["Execution"]["StartTime"].endswith("Z")
    assert context["State"]["Name"] == "Tell"
    assert re.fullmatch(r"\S{10}T\S{8}\.\d{3}Z", context["State"]["EnteredTime"])
    assert context["StateMachine"]["Id"].startswith("arn:aws:states:us-east-1:123456789012:")


def test_output_does_not_see_what_the_same_state_assigns(bench: Bench) -> None:
    def step(following: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "Assign": {"n": "{% $n + 1 %}"},
            "Output": {"seen": "{% $append($states.input.seen, $n) %}"},
            **more,
            **following,
        }

    catch = [
        {
            "ErrorEquals": ["States.ALL"],
            "Assign": {"n": "{% $n + 10 %}"},
            "Output": {"seen": "{% $append($states.context.Execution.Input.seen, [$n]) %}"},
            "Next": "End",
        }
    ]
    states = {
        "Begin": {"Type": "Pass", "Assign": {"n": 0}, "Next": "Pass"},
        "Pass": step({"Next": "Task"}, Type="Pass"),
        "Task": step({"Next": "Fails late"}, Type="Task", **describe_self()),
        "Fails late": {
            "Type": "Task",
            **describe_self(),
            "Assign": {"n": 100, "other": 1},
            "Output": "{% $missing %}",
            "Catch": catch,
            "Next": "End",
        },
        "End": {
            "Type": "Succeed",
            "Output": {
                "seen": "{% $states.input.seen %}",
                "n": "{% $n %}",
                "other": "{% $exists($other) %}",
            },
        },
    }
    execution = bench.start(bench.machine(states), seen=[])
    output = json.loads(bench.ended(execution)["output"])
    assert output == {"seen": [2], "n": 12, "other": False}
    entered = [
        json.loads(event["stateEnteredEventDetails"]["input"]).get("seen")
        for event in bench.history(execution)
        if "stateEnteredEventDetails" in event
    ]
    assert entered[2:4] == [[0], [0, 1]]
