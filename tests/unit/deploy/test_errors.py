"""What AWS refuses becomes one sentence what, and one what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)

from steadyspot.deploy.aws.refusals import of_resource, trouble_of
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import refusal


@pytest.mark.parametrize(
    ("code", "what", "step"),
    [
        ("ExpiredToken", "expired", "Sign in again"),
        ("ExpiredTokenException", "expired", "Sign in again"),
        ("InvalidClientTokenId", "does not know these credentials", "--profile"),
        ("UnrecognizedClientException", "does not know these credentials", "--profile"),
        ("OptInRequired", "not enabled", "--region"),
        ("Throttling", "throttled DescribeStacks", "Wait a minute"),
        ("LimitExceededException", "quota", "Service Quotas"),
        ("AccessDenied", "may not", "permission"),
        ("InternalFailure", "could not answer", "Try again"),
        ("SomethingNew", "refused DescribeStacks (SomethingNew)", "Correct"),
    ],
)
def test_a_refusal_is_two_sentences(code: str, what: str, step: str) -> None:
    trouble = trouble_of(refusal(code, "AWS says this."))
    assert trouble is not None
    assert what in trouble.what
    assert step in trouble.what_to_do
    assert trouble.what.endswith(".")
    assert trouble.what_to_do.endswith(".")


@pytest.mark.parametrize(
    ("error", "what", "step"),
    [
        (NoCredentialsError(), "no AWS credentials", "--local"),
        (ProfileNotFound(profile="x"), "x", "--profile"),
        (UnauthorizedSSOTokenError(), "expired", "aws sso login"),
        (EndpointConnectionError(endpoint_url="https://nowhere"), "nowhere", "region"),
        (OSError(28, "No space left on device"), "No space left", "Correct"),
    ],
)
def test_a_call_that_never_got_there_is_two_sentences(
    error: Exception, what: str, step: str
) -> None:
    trouble = trouble_of(error)
    assert trouble is not None
    assert what in trouble.what
    assert step in trouble.what_to_do


def test_trouble_stays_itself_and_a_defect_stays_a_defect() -> None:
    trouble = Trouble("What.", "Do.")
    assert trouble_of(trouble) is trouble
    assert trouble_of(ZeroDivisionError()) is None


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("The maximum number of VPCs has been reached.", "Service Quotas"),
        ("The bucket you tried to delete is not empty", "Empty it yourself"),
        ("shop-night already exists in stack arn:…", "give the platform or the job another"),
        ("User is not authorized to perform: iam:CreateRole", "credentials that may do this"),
        ("The vpc ID 'vpc-1' does not exist", "steadyspot.toml"),
        ("resource sg-1 has a dependent object", "still uses it"),
        ("Rate exceeded", "Wait a minute"),
        ("Something nobody foresaw", "Mend what it names"),
    ],
)
def test_a_failed_resource_is_named_with_reason_and_next_step(reason: str, step: str) -> None:
    trouble = of_resource("ROLLBACK_COMPLETE", "Vpc", "AWS::EC2::VPC", reason)
    assert "Vpc (AWS::EC2::VPC)" in trouble.what
    assert reason.rstrip(".") in trouble.what
    assert step in trouble.what_to_do
