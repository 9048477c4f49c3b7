"""What Scheduler and EventBridge do with what failed: they try again, give up, dead-letter.

Pure decisions; the shapes are those of AWS's user guide on dead-letter queues. A permanent error is
not tried again, and carries no ``EXHAUSTED_RETRY_CONDITION``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from steadyspot.contract.keys import scheduled_time_of

_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 60.0
_LARGEST_BODY_BYTES = 256 * 1024
_PASSING = (
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServerException",
    "InternalServerError",
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "EndpointConnectionError",
    "KmsThrottling",
    *("HTTP401", "HTTP407", "HTTP409", "HTTP429"),
)
"""What may be otherwise in a while; the last are answers of an API destination."""

START_EXECUTION = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
SEND_MESSAGE = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"


class BadTarget(Exception):
    """A target that this Scheduler cannot call."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and for how long a start is tried again. The defaults are AWS's."""

    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: float = 86400

    @classmethod
    def of(cls, target: Mapping[str, Any]) -> RetryPolicy:
        """The policy of a schedule's target."""
        given = target.get("RetryPolicy") or {}
        return cls(
            int(given.get("MaximumRetryAttempts", 185)),
            float(given.get("MaximumEventAgeInSeconds", 86400)),
        )


@dataclass(frozen=True)
class Failure:
    """Why a call failed: the service's error code, its words, the HTTP status (0 where none)."""

    code: str
    message: str
    status: int = 0

    @property
    def passes(self) -> bool:
        """Whether trying again can help: throttles, server errors and timeouts."""
        return self.status >= 500 or any(part in self.code for part in _PASSING)


@dataclass(frozen=True)
class TryAgain:
    """Call once more, after so many seconds."""

    after_seconds: float


@dataclass(frozen=True)
class GiveUp:
    """Call no more. ``exhausted`` names what ran out, None for a permanent error."""

    exhausted: str | None


def after_failure(
    failure: Failure, retries: int, age_seconds: float, policy: RetryPolicy
) -> TryAgain | GiveUp:
    """What comes after a failed call, of which ``retries`` were repetitions.

    ``age_seconds`` counts from the first call. The back-off doubles from 1 s up to 60 s; AWS says
    no more than that it is exponential.
    """
    if not failure.passes:
        return GiveUp(None)
    if retries >= policy.maximum_retry_attempts:
        return GiveUp("MaximumRetryAttempts")
    wait = min(_FIRST_BACKOFF_SECONDS * 2.0 ** min(retries, 10), _LONGEST_BACKOFF_SECONDS)
    if age_seconds + wait > policy.maximum_event_age_seconds:
        return GiveUp("MaximumEventAgeInSeconds")
    return TryAgain(wait)


@dataclass(frozen=True)
class Invocation:
    """One scheduled time on its way to the target, at a certain attempt."""

    schedule_arn: str
    target: Mapping[str, Any]
    scheduled_time: datetime
    execution_id: str
    retries: int = 0
    age_seconds: float = 0.0

    def input(self) -> str:
        """The target's input with Scheduler's context attributes filled in, as plain text."""
        text = str(self.target.get("Input") or "")
        for name, value in (
            ("schedule-arn", self.schedule_arn),
            ("scheduled-time", scheduled_time_of(self.scheduled_time)),
            ("execution-id", self.execution_id),
            ("attempt-number", str(self.retries + 1)),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text


def request(invocation: Invocation) -> tuple[str, dict[str, Any]]:
    """The call that an invocation makes: the universal target's name of it, and its parameters.

    Raises
    ------
    BadTarget
        Neither Step Functions nor SQS, or an input that is no JSON where JSON is needed.
    """
    arn = str(invocation.target["Arn"])
    text = invocation.input()
    service = arn.split(":")[2]
    if arn in (START_EXECUTION, SEND_MESSAGE):
        try:
            return arn, dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise BadTarget(f"The input of the schedule is no JSON object: {error}") from error
    if service == "states":
        return START_EXECUTION, {"StateMachineArn": arn, "Input": text or "{}"}
    if service == "sqs":
        return SEND_MESSAGE, {"QueueUrl": arn, "MessageBody": text}
    raise BadTarget(f"The local Scheduler cannot call {arn}.")


def dead_letter(
    invocation: Invocation,
    call: tuple[str, Mapping[str, Any]],
    failure: Failure,
    exhausted: str | None,
) -> tuple[str, dict[str, str]]:
    """Body and attributes of the message in the dead-letter queue; every attribute is a String."""
    target_arn, parameters = call
    body = json.dumps(parameters, separators=(",", ":"))
    truncated = len(body.encode()) > _LARGEST_BODY_BYTES
    if truncated:
        body = body.encode()[:_LARGEST_BODY_BYTES].decode(errors="ignore")
    attributes = {
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message,
        "EXECUTION_ID": invocation.execution_id,
        "IS_PAYLOAD_TRUNCATED": str(truncated).lower(),
        "RETRY_ATTEMPTS": str(invocation.retries),
        "SCHEDULED_TIME": scheduled_time_of(invocation.scheduled_time),
        "SCHEDULE_ARN": invocation.schedule_arn,
        "TARGET_ARN": target_arn,
    }
    if exhausted is not None:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    return body, attributes
