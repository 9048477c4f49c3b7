"""TestState: one state of a definition, run by itself with a mocked answer, variables and context.

Nothing is retried, nothing goes on: what comes out is where the state would lead and with what.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEventException,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError
from moto.stepfunctions.parser.mocking.mock_config import (
    MockedResponse,
    MockedResponseReturn,
    MockedResponseThrow,
    MockTestCase,
    StateMockedResponses,
)

from steadyspot.deploy.local.arguments import UnknownResource, call_of, faults_of_result
from steadyspot.deploy.local.integrations import failed_task
from steadyspot.deploy.local.language import AwsVariables, error_matches
from steadyspot.deploy.local.parsing import RememberingParser
from steadyspot.deploy.local.shapes import compact_json
from steadyspot.deploy.local.validating import MISSING_TARGET, problems, refusal_of

TRIAL_MEMBERS = (
    *("definition", "roleArn", "input", "inspectionLevel", "variables", "stateName", "mock"),
    *("context", "stateConfiguration"),
)
"""The members of a request that count here."""
_DEBUG, _TRACE = "DEBUG", "TRACE"
_FAILED = ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "EvaluationFailed")
_NAME = "State"
"""Of a state that is given without a machine around it."""
_INTERVAL_SECONDS, _MOST_ATTEMPTS, _BACKOFF = 1, 3, 2.0
"""Of a Retrier that does not say."""


class BadTrial(AWSError):
    """A request to TestState that AWS would refuse."""

    TYPE = "ValidationException"
    STATUS = 400


class BadDefinition(AWSError):
    """What is to be tried is no definition."""

    TYPE = "InvalidDefinition"
    STATUS = 400


def answer_mocked(env: Environment, mocked_response: MockedResponse) -> None:
    """Let a Task be answered by its mock; the names of Step Functions' own errors are names too."""
    if isinstance(mocked_response, MockedResponseThrow):
        failed = failed_task(env, mocked_response.error, mocked_response.cause, "", "")
        raise FailureEventException(failed)
    assert isinstance(mocked_response, MockedResponseReturn)
    env.stack.append(json.loads(json.dumps(mocked_response.payload)))


def try_state(request: Mapping[str, Any], account_id: str, region: str) -> dict[str, Any]:
    """What TestState answers.

    Parameters
    ----------
    request
        The request's members by their names; those that were not given are None.
    """
    name, state, language = _wanted(request)
    given = _json(request, "input")
    mock = _mock(request, state)
    retry_count = int((request.get("stateConfiguration") or {}).get("retrierRetryCount") or 0)
    context = _json(request, "context")
    role = str(request.get("roleArn") or "")
    variables = AwsVariables()
    variables._inner_scope.update(_json(request, "variables"))
    env = Environment(
        aws_execution_details=AWSExecutionDetails(account_id, region, role),
        execution_type=StateMachineType.STANDARD,
        context={  # type: ignore[typeddict-item]  # a test gives what it wants of it
            "Execution": {"Input": given, **context.get("Execution", {})},
            "StateMachine": context.get("StateMachine", {}),
        },
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store={},
        variable_store=variables,
        mock_test_case=_mocking(name, mock),
    )
    env.states.reset(input_value=given)
    env.next_state_name = name
    _run(name, state, language, env)
    return _told(request, env, state, retry_count)


def _run(name: str, state: Mapping[str, Any], language: str, env: Environment) -> None:
    """Let the state happen, once: what its Retriers would do comes out of the rules."""
    bare = {key: value for key, value in state.items() if key != "Retry"}
    machine = {"QueryLanguage": language, "StartAt": name, "States": {name: bare}}
    program = RememberingParser.parse(json.dumps(machine))[0]
    try:
        program._get_state(name).eval(env)
    except FailureEventException as failure:
        env.set_error(failure.get_execution_failed_event_details() or {})


def _wanted(request: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    """The state to try, with its name and language."""
    text = request["definition"]
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError):
        definition = None
    whole = not isinstance(definition, dict) or "States" in definition
    if not whole:
        language = definition.get("QueryLanguage", "JSONPath")
        machine = {"QueryLanguage": language, "StartAt": _NAME, "States": {_NAME: definition}}
        text = json.dumps(machine)
    found = [one for one in problems(text) if whole or one.code != MISSING_TARGET]
    if found:
        raise BadDefinition(refusal_of(found))
    if not whole:
        return _NAME, definition, language
    name = str(request.get("stateName") or definition["StartAt"])
    if name not in definition["States"]:
        raise BadTrial(f"State '{name}' is not in the definition.")
    state: dict[str, Any] = definition["States"][name]
    return name, state, state.get("QueryLanguage", definition.get("QueryLanguage", "JSONPath"))


def _json(request: Mapping[str, Any], member: str) -> Any:
    try:
        return json.loads(request.get(member) or "{}")
    except (ValueError, RecursionError):
        raise BadTrial(f"The {member} is not valid JSON.") from None


def _mock(request: Mapping[str, Any], state: Mapping[str, Any]) -> MockedResponse | None:
    """The mock as the interpreter knows it, held against the API that it stands in for."""
    mock = request.get("mock")
    resource = str(state.get("Resource", ""))
    if not mock:
        if ".sync" in resource:
            raise BadTrial("A mock is required for a Task whose integration pattern is .sync.")
        return None
    if ("result" in mock) == ("errorOutput" in mock):
        raise BadTrial("A mock has either a result or an errorOutput.")
    if "errorOutput" in mock:
        error = mock["errorOutput"]
        return MockedResponseThrow(0, 0, error.get("error", ""), error.get("cause", ""))
    result = _json(mock, "result")
    mode = mock.get("fieldValidationMode", "STRICT")
    try:
        call = call_of(resource) if mode != "NONE" else None
    except UnknownResource:
        call = None
    if call is not None and (found := faults_of_result(call, resource, result, mode)):
        raise BadTrial(f"The mock's result does not fit the API: [{', '.join(found)}]")
    return MockedResponseReturn(0, 0, result)


def _mocking(name: str, mock: MockedResponse | None) -> MockTestCase | None:
    if mock is None:
        return None
    return MockTestCase("", "", [StateMockedResponses(name, "", [mock])])


def _told(
    request: Mapping[str, Any], env: Environment, state: Mapping[str, Any], retry_count: int
) -> dict[str, Any]:
    history: list[Any] = env.event_manager.get_event_history()
    failures = [event for event in history if event["type"].startswith(_FAILED)]
    program = env.program_state()
    inspected: dict[str, Any] = {"input": request.get("input") or "{}"}
    answer: dict[str, Any] = {}
    if env.is_running():
        answer["nextState"] = env.next_state_name
    if failures:
        inspected["errorDetails"] = _failure(answer, failures[-1], state, retry_count)
    elif isinstance(program, ProgramError):
        answer.update(status="FAILED", **(program.error or {}))
    else:
        answer["status"] = "SUCCEEDED"
    if answer["status"] in ("SUCCEEDED", "CAUGHT_ERROR"):
        answer["output"] = compact_json(env.states.get_input())
    else:
        answer.pop("nextState", None)
    if request.get("inspectionLevel") in (_DEBUG, _TRACE):
        for event in history:
            if parameters := event.get("taskScheduledEventDetails", {}).get("parameters"):
                inspected["afterArguments"] = parameters
            if output := event.get("taskSucceededEventDetails", {}).get("output"):
                inspected["result"] = output
        inspected["variables"] = compact_json(env.variable_store._inner_scope)
        answer["inspectionData"] = inspected
    return answer


def _failure(
    answer: dict[str, Any], event: Mapping[str, Any], state: Mapping[str, Any], retry_count: int
) -> dict[str, Any]:
    """Say who answers the failure: a Retrier that has attempts left, a Catcher, or nobody."""
    details: Mapping[str, Any] = next(
        value for key, value in event.items() if key.endswith("EventDetails")
    )
    error = str(details.get("error", ""))
    answer.update(error=error, cause=str(details.get("cause", "")))
    for number, rule in enumerate(state.get("Retry") or ()):
        if error_matches(error, rule["ErrorEquals"]):
            if retry_count >= rule.get("MaxAttempts", _MOST_ATTEMPTS):
                break
            answer["status"] = "RETRIABLE"
            first = rule.get("IntervalSeconds", _INTERVAL_SECONDS)
            wait = first * rule.get("BackoffRate", _BACKOFF) ** retry_count
            wait = min(wait, rule.get("MaxDelaySeconds", wait))
            return {"retryIndex": number, "retryBackoffIntervalSeconds": int(wait)}
    answer["status"] = "FAILED"
    for number, rule in enumerate(state.get("Catch") or ()):
        if error_matches(error, rule["ErrorEquals"]) and "nextState" in answer:
            answer["status"] = "CAUGHT_ERROR"
            return {"catchIndex": number}
    return {}
