"""What an error of AWS's means for an attempt: to be mended, to be tried again, or a fault of ours.

What passes by itself is told by botocore's own tables of retries; codes stand here only where it
has none. How long it is tried again is ``patience``'s.
"""

from __future__ import annotations

import functools
from email.utils import parsedate_to_datetime
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

from steadyspot.worker.errors import Denied, SetupError, Unreachable, WorkerError, WorkerFault

AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""What botocore raises where a call came to nothing; the last is of an answer cut short."""

PASSING_CODES = frozenset(
    (
        # A clock that is wrong is set right; botocore signs the next try by S3's own clock.
        *("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"),
        # Credentials of a role that have run out: the next try fetches new ones.
        "TokenRefreshRequired",
        # A body that broke on its way.
        *("IncompleteBody", "XAmzContentSHA256Mismatch"),
        # S3's 409, where two calls met.
        "OperationAborted",
        # The workflow's transaction met the call.
        "TransactionConflictException",
    )
)
UNKNOWN_KEY = frozenset(
    ("InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken")
)
"""AWS does not know the access key, or its session token belongs to another."""
UNTIMELY_KEY = frozenset(
    ("SignatureDoesNotMatch", "InvalidSignatureException", "ExpiredToken", "ExpiredTokenException")
)
"""The secret is another's or the credentials have run out, or else a clock is wrong."""
TOLERATED_SECONDS = 240.0
"""AWS takes requests whose time is off by up to 5 minutes [DOC, Signature Version 4]."""
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


def refusal(error: Exception, place: str, *, proven: bool, now: float) -> WorkerError:
    """What an error of ``AWS_ERRORS`` means for a person.

    ``proven``: AWS has taken the attempt's credentials before; ``now`` is seconds since the epoch.
    """
    code = code_of(error)
    said = code or str(error).strip().rstrip(".")
    if not proven and (code in UNKNOWN_KEY or (code in UNTIMELY_KEY and _is_on_time(error, now))):
        return SetupError(
            f"AWS does not take the task's credentials ({said}).",
            "Give the task definition a task role, and no AWS_ACCESS_KEY_ID in its environment.",
        )
    if code in _DENIED:
        return Denied(
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
        or code_of(error) in PASSING_CODES | UNKNOWN_KEY | UNTIMELY_KEY | codes
        or status >= 500
        or status in statuses
        or any(checker.is_retryable(context) for checker in checkers)
    )


def _is_on_time(error: Exception, now: float) -> bool:
    """Whether this machine's clock agrees with AWS's, as the answer tells it; not told is no."""
    response = error.response if isinstance(error, ClientError) else {}
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return abs(parsedate_to_datetime(date).timestamp() - now) < TOLERATED_SECONDS
    except ValueError:
        return False


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
