"""What AWS answers, told as a person can use it: to be mended, or to be tried again."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from steadyspot.contract import Exit
from steadyspot.worker.errors import SetupError, Unreachable, WorkerError
from steadyspot.worker.keeping.store import trouble


def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "…"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutObject",
    )


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refused("AccessDenied", 403), SetupError, "task role may not use the bucket"),
        (refused("AccessDeniedException", 400), SetupError, "Give it the permissions"),
        (refused("NoSuchBucket", 404), SetupError, "There is no such place as the bucket"),
        (refused("ResourceNotFoundException", 400), SetupError, "Deploy the platform"),
        (refused("ValidationException", 400), SetupError, "AWS refused a call"),
        (refused("SlowDown", 503), Unreachable, "did not answer"),
        (refused("ThrottlingException", 400), Unreachable, "Try again"),
        (refused("InternalError", 500), Unreachable, "did not answer"),
        (ReadTimeoutError(endpoint_url="https://s3"), Unreachable, "see the network"),
        (NoCredentialsError(), SetupError, "Give the task definition a task role"),
    ],
)
def test_each_error_of_aws_has_a_sentence_and_a_way_on(
    error: Exception, kind: type[WorkerError], words: str
) -> None:
    told = trouble(error, "the bucket")

    assert type(told) is kind
    assert words in str(told)
    assert told.exit_code == (Exit.AWS_IN_TROUBLE if kind is Unreachable else Exit.BAD_SETUP)
