"""From what AWS or its client refused to two sentences for a person; pure.

One table, in order: the first row whose code or text fits decides. What no row knows is told in
AWS's own words, with the name of the call, since those are what a search finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError


@dataclass(frozen=True)
class Row:
    """A refusal: known by an error code or a text of its message; ``{message}`` is the message."""

    codes: tuple[str, ...]
    what: str
    what_to_do: str
    says: tuple[str, ...] = ()


ROWS = (
    Row(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        "The AWS credentials have expired.",
        "Sign in again (aws sso login, or however you got them), then run the same command.",
    ),
    Row(
        (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "AuthFailure",
        ),
        "AWS does not know these credentials: {message}",
        "Check which are used (aws sts get-caller-identity), or name a profile with --profile.",
    ),
    Row(
        ("OptInRequired", "InvalidRegion"),
        "The region is not enabled for this account: {message}",
        "Enable it in the account's settings, or name another with --region.",
    ),
    Row(
        ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"),
        "AWS throttled {call}, and still did after several tries.",
        "Wait a minute, then run the same command; it goes on from here.",
        says=("Rate exceeded",),
    ),
    Row(
        (
            "LimitExceeded",
            "LimitExceededException",
            "ServiceQuotaExceededException",
            "VpcLimitExceeded",
            "MaximumExecutionLimitExceeded",
        ),
        "A quota of the account is reached: {message}",
        "Raise it in Service Quotas, or remove what is not needed; then run the same command.",
    ),
    Row(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"),
        "You may not do this: {message}",
        "Ask for that permission, or use another --profile.",
    ),
    Row(
        ("BucketNotEmpty",),
        "The bucket is not empty: something was written to it while it was emptied.",
        "Stop what writes to it (aws ecs list-tasks), then run the same command again.",
    ),
    Row(
        ("InternalFailure", "InternalError", "ServiceUnavailable", "ServiceException"),
        "AWS could not answer {call}: {message}",
        "Try again in a minute; if it stays, look at the AWS Health Dashboard.",
    ),
)


def of_refusal(error: ClientError) -> Trouble:
    """Return what AWS answered as trouble."""
    answer = error.response.get("Error", {})
    code = answer.get("Code", "")
    message = (answer.get("Message") or code or "no reason given").rstrip(".") + "."
    for row in ROWS:
        if code in row.codes or any(text in message for text in row.says):
            return Trouble(
                row.what.format(message=message, call=error.operation_name), row.what_to_do
            )
    return Trouble(
        f"AWS refused {error.operation_name} ({code}): {message}",
        "Correct what it names, then run the same command again.",
    )


_NO_ANSWER = "Check the network, the VPN, the proxy (HTTPS_PROXY) and the region; then try again."
_UNREACHED = {
    "NoCredentialsError": (
        "There are no AWS credentials.",
        "Sign in (aws sso login, aws configure), or try it with --local.",
    ),
    "PartialCredentialsError": (
        "The AWS credentials are not whole: {message}.",
        "Set them anew (aws configure), or name another profile with --profile.",
    ),
    "ProfileNotFound": (
        "AWS cannot be used: {message}.",
        "Name a profile that exists with --profile; aws configure list-profiles shows them.",
    ),
    "NoRegionError": ("No region is set.", "Name one: --region, or region in steadyspot.toml."),
    "InvalidRegionError": ("{message}.", "Name a region such as eu-central-1 with --region."),
    "UnauthorizedSSOTokenError": (
        "The sign-in to AWS has expired.",
        "Sign in again (aws sso login), then run the same command.",
    ),
    "SSOTokenLoadError": (
        "There is no sign-in to AWS: {message}.",
        "Sign in (aws sso login), then run the same command.",
    ),
    "ConnectTimeoutError": ("AWS did not take a connection: {message}.", _NO_ANSWER),
    "ReadTimeoutError": (
        "AWS did not answer in time, and may still do what it was asked: {message}.",
        _NO_ANSWER,
    ),
    "AnsweredByAPage": (
        "What answered was not AWS: it sent a page, as a proxy or the sign-in of a network does.",
        "Sign in to the network, or correct HTTPS_PROXY and NO_PROXY; then try again.",
    ),
    "ProxyConnectionError": (
        "The proxy cannot be reached: {message}.",
        "Correct HTTPS_PROXY and HTTP_PROXY, or unset them; then try again.",
    ),
    "SSLError": (
        "Who answers does not show a certificate of AWS that is trusted here: {message}.",
        "If a proxy looks into the traffic, name its certificates in AWS_CA_BUNDLE.",
    ),
    "ParamValidationError": (
        "AWS could not be asked like that: {message}.",
        "Correct what it names, then run the same command again.",
    ),
    "EndpointConnectionError": (
        "{message}.",
        "Check the region's name and the network; a local target must run (steadyspot local).",
    ),
}


def of_client(error: BotoCoreError) -> Trouble:
    """Return what kept a call from reaching AWS as trouble."""
    message = str(error).rstrip(".")
    for kind in type(error).__mro__:
        if kind.__name__ in _UNREACHED:
            what, what_to_do = _UNREACHED[kind.__name__]
            return Trouble(what.format(message=message), what_to_do)
    return Trouble(
        f"AWS cannot be reached: {message}.", "Check the network, the credentials and the region."
    )


def trouble_of(error: Exception) -> Trouble | None:
    """Return an exception as trouble, or None where it is none that a person can mend."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, Trouble):
        return error
    if isinstance(error, ClientError):
        return of_refusal(error)
    if isinstance(error, BotoCoreError):
        return of_client(error)
    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, OSError):
        what = ": ".join(filter(None, (error.strerror or str(error), error.filename)))
        return Trouble(f"This machine refused: {what}.", "Correct what it names, then try again.")
    return None


_RESOURCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("limit", "quota", "LimitExceeded", "maximum number"),
        "Raise that quota in Service Quotas or remove what is no longer needed",
    ),
    (
        ("not empty", "NotEmpty", "still contains", "contains objects"),
        "Empty it yourself after looking at what it holds",
    ),
    (
        ("already exists", "AlreadyExists"),
        "Somebody else's has that name: give the platform or the job another, or remove theirs",
    ),
    (
        ("not authorized", "AccessDenied", "is not authorized", "explicit deny"),
        "Deploy with credentials that may do this",
    ),
    (
        ("No default VPC", "default VPC", "does not exist", "NotFound", "InvalidSubnet"),
        "Correct the name in steadyspot.toml; without vpc and subnets a network is made",
    ),
    (
        ("dependent object", "DependencyViolation", "in use", "has dependencies", "is in use by"),
        "Remove what still uses it",
    ),
    (("Rate exceeded", "Throttling"), "Wait a minute"),
)


def of_resource(status: str, resource: str, kind: str, reason: str) -> Trouble:
    """Return a stack's failure as trouble, by the first resource that failed."""
    step = next(
        (step for texts, step in _RESOURCES if any(text in reason for text in texts)),
        "Mend what it names",
    )
    why = reason.rstrip(".") or "no reason given"
    return Trouble(
        f"The stack ended as {status}, because of {resource} ({kind}): {why}.",
        f"{step}; then run the same command again: it goes on from there.",
    )
