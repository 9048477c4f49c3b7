"""What AWS answers, told as a person can use it: to be mended, or to be tried again."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    DataNotFoundError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from steadyspot.contract import Exit
from steadyspot.worker.errors import Denied, SetupError, Unreachable, WorkerError, WorkerFault
from steadyspot.worker.keeping.refusals import code_of, refusal

NOW = 1_764_000_000.0


def refused(code: str, status: int, said_at: float | None = None) -> ClientError:
    """AWS's answer, with AWS's time (epoch seconds) in its header, if with any."""
    headers = {"date": formatdate(said_at, usegmt=True)} if said_at is not None else {}
    about = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError(
        {"Error": {"Code": code, "Message": "…"}, "ResponseMetadata": about},  # type: ignore[typeddict-item]
        "PutObject",
    )


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refused("AccessDenied", 403), Denied, "task role may not use the bucket"),
        (refused("AccessDeniedException", 400), Denied, "Give it the permissions"),
        (refused("NoSuchBucket", 404), SetupError, "There is no such place as the bucket"),
        (refused("ResourceNotFoundException", 400), SetupError, "Deploy the platform"),
        (refused("ValidationException", 400), SetupError, "AWS refused a call"),
        (refused("SlowDown", 503), Unreachable, "did not answer"),
        (refused("ThrottlingException", 400), Unreachable, "Try again"),
        (refused("InternalError", 500), Unreachable, "did not answer"),
        (refused("RequestTimeout", 400), Unreachable, "did not answer"),
        (refused("RequestTimeTooSkewed", 403), Unreachable, "did not answer"),
        (refused("InvalidSignatureException", 400), Unreachable, "did not answer"),
        (refused("ExpiredToken", 400), Unreachable, "did not answer"),
        (refused("ExpiredTokenException", 400), Unreachable, "did not answer"),
        (refused("TokenRefreshRequired", 400), Unreachable, "did not answer"),
        (refused("BadDigest", 400), Unreachable, "did not answer"),
        (refused("IncompleteBody", 400), Unreachable, "did not answer"),
        (refused("RequestLimitExceeded", 400), Unreachable, "did not answer"),
        (refused("ProvisionedThroughputExceededException", 400), Unreachable, "did not answer"),
        (refused("TransactionConflictException", 400), Unreachable, "did not answer"),
        (refused("TransactionInProgressException", 400), Unreachable, "did not answer"),
        (refused("ReplicatedWriteConflictException", 409), Unreachable, "did not answer"),
        (refused("OperationAborted", 409), Unreachable, "did not answer"),
        (refused("Unheard", 429), Unreachable, "did not answer"),
        (refused("404", 404), Unreachable, "did not answer"),
        (ResponseParserError("no XML"), Unreachable, "did not answer"),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), Unreachable, "did not answer"),
        (CredentialRetrievalError(provider="ecs", error_msg="late"), Unreachable, "Try again"),
        (EndpointConnectionError(endpoint_url="https://s3"), Unreachable, "Try again"),
        (ParamValidationError(report="bad"), WorkerFault, "error of its own"),
        (DataNotFoundError(data_path="s3"), WorkerFault, "error of its own"),
        (ProfileNotFound(profile="mine"), SetupError, "refused a call"),
        (ReadTimeoutError(endpoint_url="https://s3"), Unreachable, "see the network"),
        (NoCredentialsError(), SetupError, "Give the task definition a task role"),
    ],
)
def test_each_error_of_aws_has_a_sentence_and_a_way_on(
    error: Exception, kind: type[WorkerError], words: str
) -> None:
    told = refusal(error, "the bucket", proven=True, now=0.0)

    assert type(told) is kind
    assert words in str(told)
    codes = {Unreachable: Exit.AWS_IN_TROUBLE, WorkerFault: Exit.WORKER_FAULT}
    assert told.exit_code == codes.get(kind, Exit.BAD_SETUP)


UNKNOWN_KEYS = [
    refused("InvalidAccessKeyId", 403),
    refused("InvalidClientTokenId", 403, NOW + 3600),
    refused("UnrecognizedClientException", 400, NOW),
    refused("InvalidToken", 400, NOW),
    refused("SignatureDoesNotMatch", 403, NOW + 60),
    refused("InvalidSignatureException", 400, NOW - 60),
    refused("ExpiredToken", 400, NOW),
    refused("ExpiredTokenException", 400, NOW),
]


@pytest.mark.parametrize("error", UNKNOWN_KEYS, ids=code_of)
def test_credentials_that_aws_has_never_taken_are_to_be_mended(error: ClientError) -> None:
    told = refusal(error, "the run table", proven=False, now=NOW)

    assert type(told) is SetupError
    assert f"AWS does not take the task's credentials ({code_of(error)})." in str(told)
    assert "Give the task definition a task role" in str(told)


@pytest.mark.parametrize("error", UNKNOWN_KEYS, ids=code_of)
def test_credentials_that_were_good_are_tried_again(error: ClientError) -> None:
    assert type(refusal(error, "the run table", proven=True, now=NOW)) is Unreachable


@pytest.mark.parametrize(
    "error",
    [
        refused("SignatureDoesNotMatch", 403, NOW + 3600),
        refused("InvalidSignatureException", 400, NOW - 3600),
        refused("InvalidSignatureException", 400),
        refused("ExpiredToken", 400, NOW + 3600),
        refused("RequestTimeTooSkewed", 403, NOW),
        refused("RequestExpired", 400, NOW),
    ],
)
def test_clock_that_may_be_wrong_is_waited_for(error: ClientError) -> None:
    assert type(refusal(error, "the run table", proven=False, now=NOW)) is Unreachable
