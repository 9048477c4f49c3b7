"""What an error of AWS's means for an attempt: to be mended, to be tried again, or a fault of ours.

What passes by itself is told by botocore's own tables of retries; codes stand here only where it
has none. How long it is tried again is ``patience``'s.
"""

from __future__ import annotations

import functools
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    DataNotFoundError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.retries.standard import (
    RetryContext,
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)

from steadyspot.worker.errors import SetupError, Unreachable, WorkerError, WorkerFault

AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""What botocore raises where a call came to nothing; the last is of an answer cut short."""

PASSING_CODES = frozenset(
    (
        # A clock that is wrong is set right; botocore signs the next try by S3's own clock.
        *("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"),
        *("InvalidSignatureException", "SignatureDoesNotMatch"),
        # Credentials of a role that have run out: the next try fetches new ones.
        *("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"),
        # A body that broke on its way.
        *("IncompleteBody", "XAmzContentSHA256Mismatch"),
        # S3's 409, where two calls met.
        "OperationAborted",
        # The workflow's transaction met the call.
        "TransactionConflictException",
    )
)
_DENIED = ("AccessDenied", "AccessDeniedException", "AllAccessDisabled")
_NO_SUCH_PLACE = ("NoSuchBucket", "ResourceNotFoundException")
_LASTING = (
    *(NoCredentialsError, PartialCredentialsError, ProfileNotFound),
    *(NoRegionError, ConfigNotFound, ConfigParseError),
)
_OURS = (ParamValidationError, DataNotFoundError)


def code_of(error: Exception) -> str:
    """AWS's own name for an error, empty where no service answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def refusal(error: Exception, place: str) -> WorkerError:
    """What an error of ``AWS_ERRORS`` means for a person."""
    code = code_of(error)
    said = code or str(error).strip().rstrip(".")
    if code in _DENIED:
        return SetupError(
            f"The task role may not use {place} ({said}).",
            "Give it the permissions of the template.",
        )
    if code in _NO_SUCH_PLACE:
        return SetupError(
            f"There is no such place as {place}.", "Deploy the platform, or mend its name."
        )
    if isinstance(error, NoCredentialsError):
        return SetupError("There are no AWS credentials.", "Give the task definition a task role.")
    if isinstance(error, _OURS):
        return WorkerFault(error)
    if passes(error):
        return Unreachable(
            f"AWS did not answer for {place} ({said}).", "Try again; if it lasts, see the network."
        )
    return SetupError(f"AWS refused a call on {place} ({said}: {error}).", "Mend what it names.")


def passes(error: Exception) -> bool:
    """Whether the same call may well succeed a little later."""
    if not isinstance(error, ClientError):
        return not isinstance(error, (*_LASTING, *_OURS))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    context = RetryContext(attempt_number=1, parsed_response=error.response)
    checkers = (TransientRetryableChecker(), ThrottledRetryableChecker())
    codes, statuses = _tables()
    return (
        code_of(error).isdigit()  # A status alone: the body of the refusal broke off.
        or code_of(error) in PASSING_CODES | codes
        or status >= 500
        or status in statuses
        or any(checker.is_retryable(context) for checker in checkers)
    )


@functools.cache
def _tables() -> tuple[frozenset[str], frozenset[int]]:
    """Codes that botocore's data of retries names for S3 and DynamoDB, and statuses for all."""
    data: dict[str, Any] = create_loader().load_data("_retry")
    policies = [*data["definitions"].values()]
    for service in ("s3", "dynamodb"):
        policies += data["retry"][service]["__default__"]["policies"].values()
    answers = [policy["applies_when"].get("response", {}) for policy in policies]
    codes = [one["service_error_code"] for one in answers if "service_error_code" in one]
    statuses = [one["http_status_code"] for one in answers if set(one) == {"http_status_code"}]
    return frozenset(codes), frozenset(statuses)
