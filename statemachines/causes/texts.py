"""What AWS, registries and the programs between them say of each kind of trouble.

Each group names its source. Such a text is sought in the error's name and in what AWS says of the
stop; one in small letters stands for capitals, too. Which rows go by it is the business of
``of_attempts``.
"""

from __future__ import annotations

GIVEN_UP = "Steadyspot gave the launch up since nothing had started."
"""The reason that the machine *Before the start* gives ECS, as the task's StoppedReason."""

SPOT_CODES = ("SpotInterruption", "TerminationNotice")
SPOT_TEXT = ("Your Spot Task was interrupted",)
PULL = ("CannotPull",)
"""ECS's guide: CannotPullContainerError; reports: CannotPullECRContainerError and others."""

PASSING = (
    # ECS's guide on ResourceInitializationError: calls that did not get through. "io timeout" is
    # "i/o timeout", as ``expressions/spoken.jsonata`` reads it.
    *("signal: killed", "context deadline exceeded", "context canceled", "dial tcp"),
    *("send request failed", "your network configuration", "your task network configuration"),
    *("no such host", "connection reset"),
    *("tls handshake", "io timeout"),
    # The second of these as AWS cuts it, there and in public reports.
    "context deadli",
    # Public reports of pulls that went well when they were repeated: Go's words of its network.
    *("request canceled", "client.timeout", "connection refused", "unexpected eof"),
    *("timeout exceeded", "timeout awaiting"),
    # Go's words of its network, of HTTP/2, and of a resolver that has no answer for now.
    *("server misbehaving", "no route to host", "network is unreachable", "broken pipe", ": eof"),
    *("stream error", "server sent goaway"),
    # containerd, of a layer that came over the network other than it was sent.
    "unexpected commit digest",
    # AWS re:Post on DockerTimeoutError and public reports of network interfaces: it took too long.
    *("timed out", "timeout waiting"),
    # The registry's error TOOMANYREQUESTS of the OCI distribution specification, as Docker says it.
    "toomanyrequests",
    # RFC 9110 and RFC 6585 call the codes below so; "Time-out" was seen of registries' proxies.
    *("too many requests", "internal server error", "bad gateway", "service unavailable"),
    *("gateway timeout", "gateway time-out"),
    # The ways in which containerd ("status code 503") and Docker ("API error (503)") name them;
    # ECS's guide has 500 to 504 for trouble of the registry.
    *(f"code {code}" for code in (429, 500, 502, 503, 504)),
    *(f"({code})" for code in (429, 500, 502, 503, 504)),
)
"""What passes: it is tried again. Sought in what AWS or a registry says, not in names."""

NO_IMAGE = (
    # ECS's guide on CannotPullContainerError: no such image or repository, or nobody logged in.
    *("not found", "pull access denied", "does not exist", "check whether the image exists"),
    # The registry's errors of the OCI distribution specification: MANIFEST_UNKNOWN, NAME_UNKNOWN,
    # DENIED, UNAUTHORIZED, as codes and as containerd and Docker put them.
    *("manifest unknown", "name unknown", "manifest_unknown", "name_unknown"),
    *("access to the resource is denied", ": denied", "authentication required", "unauthorized"),
    # The distribution specification's token authentication, as containerd says it.
    "authorization failed",
    # Docker, where it has no login for the registry, and where a name is none.
    *("no basic auth credentials", "invalid reference format"),
    # ECR's error of DescribeImages and of a pull.
    "RepositoryNotFoundException",
    # RFC 9110, as containerd and Docker name a registry's answer.
    *("status code 401", "status code 404"),
)
"""What lasts of an image: it stays so until somebody mends it."""

UNTRUSTED = (
    # Go's words of a certificate that it does not take, and of a registry that speaks no TLS.
    *("x509: ", "server gave http response"),
)
UNUSABLE_IMAGE = (
    # containerd and Docker, of a manifest of a kind that they no longer, or not yet, read.
    *("no longer supported", "mediatype in manifest", "unsupported media type"),
    # containerd's archive, of a layer that cannot be laid out: no archive, or owners out of range.
    *("invalid tar header", "lchown"),
)
UNUSABLE_KEY = (
    # KMS's errors of Decrypt: a key that is disabled, to be deleted, or gone; as Systems Manager
    # (InvalidKeyId), ECR (KmsException) and Secrets Manager (DecryptionFailure) hand them on.
    *("DisabledException", "KMSInvalidState", "InvalidKeyId", "KmsException", "decrypt"),
)
OTHER_ARCHITECTURE = (
    # ECS's guide on CannotPullContainerError.
    "descriptor matching platform",
    # Docker ("no matching manifest for linux/arm64") and containerd, of an image with several.
    *("no matching manifest", "no match for platform"),
    # Linux's ENOEXEC, of a program that is made for another machine.
    "exec format error",
)
DENIED = (
    # IAM's guide, on how services say that access is denied.
    *("AccessDenied", "access denied", "not authorized"),
    # EC2's code for it, of the network interface that ECS makes for the task.
    "UnauthorizedOperation",
    # ECS's RunTask, of an execution or task role that does not trust it.
    *("unable to assume the role", "unable to assume role"),
)
NO_LOG_GROUP = (
    # What ResourceNotFoundException of CloudWatch Logs says, which the awslogs driver hands on.
    *("does not exist", "ResourceNotFoundException"),
    # ECS's guide on ResourceInitializationError.
    "check whether the log group exists",
)
NO_SECRET = (
    # Secrets Manager's error of a secret that is not there, and what it says of it.
    *("ResourceNotFoundException", "find the specified secret", "must be a valid name"),
    # ECS's guide on ResourceInitializationError.
    *("check whether the secret exists", "check whether the parameter exists"),
    # GetSecretValue's error of a secret that is marked for deletion.
    "InvalidRequestException",
    # Systems Manager's error of GetParameter; ECS's agent, of GetParameters and of a JSON's key.
    *("ParameterNotFound", "ParameterVersionNotFound", "invalid ssm parameters"),
    *("invalid parameters", "did not contain json key"),
    # ECS's agent, of a secret that is no JSON, and of a name that can be none.
    *("looking for beginning of", "invalid parameter name", "unexpected arn format"),
)
MISTAKEN = (
    *("does not exist", "not found"),
    # RunTask's words for what a request or a task definition has wrong (ECS's API reference and
    # public reports of InvalidParameterException and ClientException).
    *("is not a container in", "is not valid", "is invalid", "invalid identifier", "must be"),
    *("must have", "must not", "cannot be", "can not be", "not supported", "does not support"),
    *("no container instances", "incompatible", "does not satisfy", "from a different vpc"),
    *("no fargate configuration", "cluster is inactive", "cluster was inactive"),
)
"""What RunTask says of a request that is wrong until somebody corrects it."""
