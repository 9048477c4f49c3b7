"""What Scheduler does with a start that failed, and what it leaves in the queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from steadyspot.deploy.local.delivery import (
    START_EXECUTION,
    BadTarget,
    Failure,
    GiveUp,
    Invocation,
    RetryPolicy,
    TryAgain,
    after_failure,
    dead_letter,
    request,
)

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:night-report"
SCHEDULE = "arn:aws:scheduler:us-east-1:123456789012:schedule/night/report"
THROTTLED = Failure("ThrottlingException", "Rate exceeded", 400)
GONE = Failure("StateMachineDoesNotExist", "State Machine Does Not Exist", 400)
POLICY = RetryPolicy(maximum_retry_attempts=3, maximum_event_age_seconds=60)


def invocation(**target: Any) -> Invocation:
    return Invocation(
        SCHEDULE,
        {"Arn": MACHINE, **target},
        datetime(2026, 11, 24, 2, tzinfo=UTC),
        "ad06616e51cdf74a",
    )


def test_a_retry_policy_defaults_to_a_day_and_185_attempts() -> None:
    assert RetryPolicy.of({}) == RetryPolicy(185, 86400)


@pytest.mark.parametrize(
    ("failure", "passes"),
    [
        (THROTTLED, True),
        (Failure("ServiceUnavailable", "", 503), True),
        (Failure("AWS.Scheduler.InternalServerError", ""), True),
        (Failure("Anything", "", 500), True),
        (GONE, False),
        (Failure("AccessDeniedException", "", 400), False),
        (Failure("ValidationException", "", 400), False),
    ],
)
def test_only_throttles_and_server_errors_pass(failure: Failure, passes: bool) -> None:
    assert failure.passes is passes


def test_a_permanent_error_is_not_tried_again_and_nothing_is_exhausted() -> None:
    assert after_failure(GONE, 0, 0, POLICY) == GiveUp(None)


def test_the_back_off_doubles_and_is_capped() -> None:
    patient = RetryPolicy()
    waits = [after_failure(THROTTLED, retries, 0, patient) for retries in range(9)]
    assert waits == [TryAgain(seconds) for seconds in (1, 2, 4, 8, 16, 32, 60, 60, 60)]


def test_retries_end_with_the_attempts() -> None:
    assert after_failure(THROTTLED, 3, 7, POLICY) == GiveUp("MaximumRetryAttempts")


def test_retries_end_with_the_age_of_the_event() -> None:
    old = RetryPolicy(185, 60)
    assert after_failure(THROTTLED, 5, 31, old) == GiveUp("MaximumEventAgeInSeconds")


def test_no_retries_are_allowed_by_a_policy_of_zero() -> None:
    assert after_failure(THROTTLED, 0, 0, RetryPolicy(0, 60)) == GiveUp("MaximumRetryAttempts")


def test_context_attributes_are_filled_in_as_plain_text() -> None:
    text = invocation(
        Input='{"t":"<aws.scheduler.scheduled-time>","n":<aws.scheduler.attempt-number>,'
        '"s":"<aws.scheduler.schedule-arn>","x":"<aws.scheduler.execution-id>","y":"<other>"}'
    ).input()
    assert json.loads(text) == {
        "t": "2026-11-24T02:00:00Z",
        "n": 1,
        "s": SCHEDULE,
        "x": "ad06616e51cdf74a",
        "y": "<other>",
    }


def test_a_templated_target_becomes_a_start_of_the_state_machine() -> None:
    given = invocation(Input='{"scheduledTime":"<aws.scheduler.scheduled-time>"}')
    assert request(given) == (
        START_EXECUTION,
        {"StateMachineArn": MACHINE, "Input": '{"scheduledTime":"2026-11-24T02:00:00Z"}'},
    )


def test_a_universal_target_calls_what_its_input_says() -> None:
    given = Invocation(
        SCHEDULE,
        {"Arn": START_EXECUTION, "Input": json.dumps({"StateMachineArn": MACHINE, "Name": "n"})},
        datetime(2026, 11, 24, tzinfo=UTC),
        "0",
    )
    assert request(given) == (START_EXECUTION, {"StateMachineArn": MACHINE, "Name": "n"})


@pytest.mark.parametrize("target", ["arn:aws:lambda:us-east-1:1:function:f", START_EXECUTION])
def test_a_target_that_cannot_be_called_says_so(target: str) -> None:
    with pytest.raises(BadTarget):
        request(Invocation(SCHEDULE, {"Arn": target}, datetime(2026, 1, 1, tzinfo=UTC), "0"))


def test_a_dead_letter_carries_the_request_and_the_documented_attributes() -> None:
    given = invocation(Input="{}")
    body, attributes = dead_letter(given, request(given), THROTTLED, "MaximumRetryAttempts")
    assert json.loads(body) == {"StateMachineArn": MACHINE, "Input": "{}"}
    assert attributes == {
        "ERROR_CODE": "ThrottlingException",
        "ERROR_MESSAGE": "Rate exceeded",
        "EXECUTION_ID": "ad06616e51cdf74a",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": "2026-11-24T02:00:00Z",
        "SCHEDULE_ARN": SCHEDULE,
        "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
    }


def test_a_permanent_error_exhausts_nothing() -> None:
    given = invocation(Input="{}")
    _, attributes = dead_letter(given, request(given), GONE, None)
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes


def test_a_body_that_is_too_long_is_cut_and_says_so() -> None:
    given = invocation(Input="ä" * 200_000)
    body, attributes = dead_letter(given, request(given), GONE, None)
    assert len(body.encode()) <= 256 * 1024
    assert attributes["IS_PAYLOAD_TRUNCATED"] == "true"
