"""What AWS says of a stop, as people report it: what it is taken for and where the run goes.

Each text goes through the expression that reads the cause table and through the whole rendered
definition, once from Spot and once from on-demand. What it names, a sentence must name as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steadyspot.deploy.local.expressions import evaluate
from steadyspot.statemachines.causes import attempts
from steadyspot.statemachines.composing import expression
from tests.unit.statemachines.test_causes import CAPACITY_TEXT, judged, refused, stopped, task
from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine, iso
from tests.virtual.world import Launch, Offer, RunWorld

NEVER = "TaskFailedToStart"
PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
REF = "failed to resolve ref registry.example/team/nightly:1: "
SETUP = "ResourceInitializationError: unable to pull secrets or registry auth: "
OCI = (
    "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime"
    " task: OCI runtime create failed: starting container process caused: "
)
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token-AbCdEf"
DIGEST = "503a429b50204f0e" * 4


@dataclass(frozen=True)
class Said:
    """A text with what is right: ``names`` in the sentence, ``advice`` in the next step."""

    reported: tuple[str, str]
    cause_class: str
    answer: str
    names: str
    advice: str


def passing(text: str, names: str, advice: str = "Redrive the run") -> Said:
    return Said(stopped(NEVER, text), "infrastructure", "wait", names, advice)


def lasting(text: str, names: str, advice: str) -> Said:
    return Said(stopped(NEVER, text), "misconfigured", "stop", names, advice)


def of_container(reason: str, names: str, advice: str, **fields: str) -> Said:
    cause = task(StopCode=NEVER, Reason=reason, **fields)
    return Said(("States.TaskFailed", cause), "misconfigured", "stop", names, advice)


def by_ecs(error: str, text: str, kind: str, answer: str, advice: str) -> Said:
    return Said(refused(error, text), kind, answer, text, advice)


TEXTS = {
    "pull-timeout-behind-quotes": passing(
        f'{PULL}{REF}failed to do request: Head "https://registry.example/v2/team": dial tcp'
        " 198.51.100.7:443: i/o timeout",
        "i/o timeout",
        "route",
    ),
    "pull-handshake": passing(
        f'{PULL}{REF}Get "https://registry.example/v2/": net/http: TLS handshake timeout',
        "TLS handshake",
    ),
    "parameters-cut": passing(
        f"{SETUP}unable to retrieve secrets from ssm: RequestCanceled: context deadli...",
        "context deadli",
    ),
    "secret-deadline": passing(
        f"{SETUP}failed to fetch secret {SECRET} from secrets manager: RequestCanceled: context"
        " deadline exceeded. Please check your task network configuration.",
        SECRET,
    ),
    "secret-not-reached": passing(
        f"The task can't retrieve the secret with ARN '{SECRET}' from AWS Secrets Manager. Check"
        " your network configuration.",
        SECRET,
    ),
    "registry-auth-cut": passing(
        f"{SETUP}unable to retrieve ecr registry auth: RequestError: send request failed caused by:"
        " Post https://api.ecr....",
        "send request failed",
    ),
    "pull-killed": passing(f"{SETUP}pull command failed: : signal: killed", "signal: killed"),
    **{
        f"registry-{code}": passing(
            "CannotPullContainerError: ref pull has been retried 1 time(s): unexpected status code"
            f" https://registry.example/v2/blobs/sha256:{DIGEST}: {code} {reason}",
            f"{code} {reason}",
        )
        for code, reason in {
            429: "Too Many Requests",
            502: "Bad Gateway",
            503: "Service Unavailable",
            504: "Gateway Time-out",
        }.items()
    },
    "daemon-500": passing(
        "CannotPullContainerError: API error (500): Get https://registry.example/v2/: net/http:"
        " request canceled while waiting for connection (Client.Timeout exceeded)",
        "API error (500)",
    ),
    "network-of-the-task": passing(
        "CannotPullContainerError: The task can’t pull the image. Check your network configuration",
        "network configuration",
    ),
    "volume": passing(
        "CannotCreateVolumeError: unable to copy contents to volume: containerd: failed to get"
        " image reference: context deadline exceeded",
        "CannotCreateVolumeError",
    ),
    "bare": passing("Task failed to start", "Task failed to start"),
    "interface": passing(
        "Timeout waiting for network interface provisioning to complete.", "network interface"
    ),
    "runtime": passing(
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after 3m0s",
        "ContainerRuntimeTimeoutError",
    ),
    "nobody-knows": passing(f"{SETUP}the moon is full", "the moon is full"),
    "connection-to-the-log-group": passing(
        "ResourceInitializationError: failed to validate logger args: The task cannot find the"
        " Amazon CloudWatch log group defined in the task definition. There is a connection issue"
        " between the task and Amazon CloudWatch. Check your network configuration.",
        "connection issue",
    ),
    "in-capitals": passing(
        'CannotPullContainerError: Get "https://registry.example/v2/": NET/HTTP: TLS Handshake'
        " Timeout",
        "Handshake",
        "route",
    ),
    "pulled-too-often": passing(
        "CannotPullContainerError: Error response from daemon: TOOMANYREQUESTS: You have reached"
        " your pull rate limit",
        "pull rate limit",
        "route",
    ),
    "within-json": passing(
        'CannotPullContainerError: {"message":"Head \\"https://registry.example/v2/\\": EOF,'
        ' caused by: {\\"error\\": \\"dial tcp 198.51.100.7:443: i/o timeout\\"}"}',
        "i/o timeout",
        "route",
    ),
    "registry-not-reached-by-its-api": passing(
        "CannotPullECRContainerError: RequestError: send request failed caused by: Post"
        " https://api.ecr.eu-central-1.amazonaws.com/: net/http: request canceled",
        "send request failed",
        "route",
    ),
    "request-limit": by_ecs(
        "ECS.InvalidParameterException",
        "Error retrieving subnet information for [subnet-a]: Request limit exceeded. (ErrorCode:"
        " RequestLimitExceeded)",
        "throttled",
        "wait",
        "quota",
    ),
    "not-of-the-model": by_ecs(
        "ECS.AmazonECSException",
        "An answer of no kind",
        "infrastructure",
        "wait",
        "Redrive the run",
    ),
    "read-timed-out": by_ecs(
        "ECS.SdkClientException", "Read timed out", "infrastructure", "wait", "Redrive the run"
    ),
    "of-the-model-for-no-reason": by_ecs(
        "ECS.InvalidParameterException",
        "The moon is full.",
        "infrastructure",
        "wait",
        "mend what the text names",
    ),
    "client-for-no-reason": by_ecs(
        "ECS.ClientException", "", "infrastructure", "wait", "mend what the text names"
    ),
    "subnet-unknown": by_ecs(
        "ECS.InvalidParameterException",
        "Error retrieving subnet information for [subnet-0a]: The subnet ID 'subnet-0a' does not"
        " exist (ErrorCode: InvalidSubnetID.NotFound)",
        "misconfigured",
        "stop",
        "Correct what the text names",
    ),
    "container-unknown": by_ecs(
        "ECS.InvalidParameterException",
        "Override for container named worker is not a container in the TaskDefinition.",
        "misconfigured",
        "stop",
        "Correct what the text names",
    ),
    "overrides-too-long": by_ecs(
        "ECS.InvalidParameterException",
        "Container Overrides length must be at most 8192",
        "misconfigured",
        "stop",
        "Correct what the text names",
    ),
    "role-not-assumed": by_ecs(
        "ECS.ClientException",
        "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/execution' that was"
        " provided for this task.",
        "misconfigured",
        "stop",
        "Give the role",
    ),
    "spot-not-associated": by_ecs(
        "ECS.InvalidParameterException",
        "The specified capacity provider 'FARGATE_SPOT' was not found. Specify a valid name or ARN"
        " and try again.",
        "refused",
        "wait",
        "FARGATE_SPOT",
    ),
    "disk": lasting(
        f"CannotPullContainerError: failed to extract layer sha256:{DIGEST}: write /lib/x.so: no"
        " space left on device: unknown",
        "no space left",
        "disk",
    ),
    "platform": lasting(
        f"{PULL}image Manifest does not contain descriptor matching platform 'linux/arm64'.",
        "linux/arm64",
        "architecture",
    ),
    "forbidden": lasting(
        f'{PULL}failed to resolve ref "registry.example/nightly": unexpected status code [manifests'
        " 3]: 403 Forbidden",
        "403 Forbidden",
        "permission",
    ),
    "forbidden-by-ecr": lasting(
        f"{PULL}{REF}pulling from host registry.example failed with status code [manifests 1]: 403"
        " Forbidden",
        "403",
        "permission",
    ),
    "digest-unknown": lasting(
        f"{PULL}failed to resolve ref registry.example/nightly@sha256:{DIGEST}: not found",
        DIGEST,
        "Push the image",
    ),
    "command": lasting(
        f'{OCI}exec: "--all": executable file not found in $PATH: unknown', "--all", "ENTRYPOINT"
    ),
    "entrypoint": of_container(
        f'{OCI}exec: "/srv/run": stat /srv/run: no such file or directory: unknown',
        "stat /srv/run",
        "ENTRYPOINT",
        StoppedReason="Task failed to start",
    ),
    "log-group-of-the-container": of_container(
        "CannotStartContainerError: Error response from daemon: failed to initialize logging"
        " driver: ResourceNotFoundException: The specified log group does not exist.",
        "log group",
        "log group",
    ),
    "log-group": lasting(
        "ResourceInitializationError: failed to validate logger args: The task cannot find the"
        " Amazon CloudWatch log group /nightly: ResourceNotFoundException: The specified log group"
        " does not exist.",
        "/nightly",
        "log group",
    ),
    "secret": lasting(
        f"ResourceNotFoundException: The task can't retrieve the secret with ARN '{SECRET}' from"
        " AWS Secrets Manager.",
        SECRET,
        "secret",
    ),
    "secret-of-the-agent": lasting(
        f"{SETUP}failed to fetch secret {SECRET} from secrets manager: ResourceNotFoundException:"
        " Secrets Manager can't find the specified secret.",
        SECRET,
        "secret",
    ),
    "secret-to-be-deleted": lasting(
        f"{SETUP}failed to fetch secret {SECRET} from secrets manager: InvalidRequestException: You"
        " can't perform this operation on the secret because it was marked for deletion.",
        SECRET,
        "secret",
    ),
    "parameter": lasting(
        f"{SETUP}unable to retrieve secrets from ssm: invalid ssm parameters: TOKEN",
        "TOKEN",
        "secret",
    ),
    "platform-of-the-daemon": lasting(
        "CannotPullContainerError: no matching manifest for linux/arm64/v8 in the manifest list"
        " entries",
        "linux/arm64",
        "architecture",
    ),
    "disk-in-capitals": lasting(
        "CannotPullContainerError: write /var/x: No Space Left On Device", "No Space", "disk"
    ),
    "repository-unknown": lasting(
        "CannotPullContainerError: RepositoryNotFoundException: The repository with name"
        " 'connection-timeout' does not exist in the registry with id '123456789012'",
        "connection-timeout",
        "Push the image",
    ),
    "image-named-timeout": lasting(
        f"{PULL}failed to resolve ref i/o-timeout: not found", "i/o-timeout", "Push the image"
    ),
    "image-named-timeout-alone": lasting(
        "CannotPullContainerError: Error response from daemon: manifest for timeout not found:"
        " manifest unknown: manifest unknown",
        "timeout",
        "Push the image",
    ),
    "image-quoted": lasting(
        f'{PULL}failed to resolve ref "503-connection-timeout": not found',
        "503-connection-timeout",
        "Push the image",
    ),
    "image-unauthorized": lasting(
        f"{PULL}{REF}unexpected status from HEAD request to"
        " https://registry.example/v2/timeout/manifests/1: 401 UNAUTHORIZED",
        "401",
        "Push the image",
    ),
    "secret-named-timeout": lasting(
        f"{SETUP}retrieved secret from Secrets Manager did not contain json key timeout",
        "timeout",
        "secret",
    ),
    "secret-named-connection": lasting(
        "ResourceNotFoundException: The task can't retrieve the secret with ARN"
        " 'arn:aws:secretsmanager:eu-central-1:1:secret:connection-timeout' from AWS Secrets"
        " Manager. Check whether the secret exists in the specified Region.",
        "connection-timeout",
        "secret",
    ),
    "secret-not-decrypted": lasting(
        f"{SETUP}failed to fetch secret {SECRET} from secrets manager: AccessDeniedException:"
        " Access to KMS is not allowed",
        "KMS",
        "Give the role",
    ),
    "parameters-of-the-store": lasting(
        "ResourceInitializationError: Fetching secret data from SSM Parameter Store in"
        " eu-central-1: invalid parameters: timeout, connection",
        "connection",
        "secret",
    ),
    "parameter-named-timeout": lasting(
        f"{SETUP}unable to retrieve secrets from ssm: invalid ssm parameters: timeout",
        "timeout",
        "secret",
    ),
    "log-group-named-timeout": lasting(
        "ResourceInitializationError: failed to validate logger args: create stream has been"
        " retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The"
        " log group 'timeout' does not exist.",
        "'timeout'",
        "log group",
    ),
    "log-denied": lasting(
        "ResourceInitializationError: failed to validate logger args: AccessDeniedException: User:"
        " arn:aws:sts::123456789012:assumed-role/execution/0a is not authorized to perform:"
        " logs:CreateLogStream",
        "logs:CreateLogStream",
        "Give the role",
    ),
    "service-linked-role": by_ecs(
        "ECS.InvalidParameterException",
        "Unable to assume the service linked role. Please verify that it exists.",
        "misconfigured",
        "stop",
        "create-service-linked-role",
    ),
    "account-blocked": by_ecs(
        "ECS.BlockedException", "Your AWS account was blocked.", "misconfigured", "stop", "Support"
    ),
    "retired": Said(
        stopped(
            "ServiceSchedulerInitiated",
            "ECS is performing maintenance on the underlying infrastructure hosting the task.",
            ExitCode=143,
        ),
        "interrupted",
        "decide",
        "maintenance",
        "Redrive",
    ),
}
TEXTS |= {
    f"request-{number}": by_ecs(error, text, "misconfigured", "stop", "Correct what the text names")
    for number, (error, text) in enumerate(
        (
            (
                "ECS.InvalidParameterException",
                "Security Group ids [sg-1] are from a different VPC.",
            ),
            ("ECS.InvalidParameterException", "subnets can not be empty."),
            ("ECS.InvalidParameterException", "No Fargate configuration exists for 300 CPU."),
            (
                "ECS.InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ),
            (
                "ECS.InvalidParameterException",
                "The specified platform does not satisfy the task definition’s capabilities.",
            ),
            ("ECS.InvalidParameterException", "Cluster is inactive"),
            ("ECS.ClientException", "The referenced cluster was inactive."),
        )
    )
}
TEXTS |= {
    "limit-on-tasks": by_ecs(
        "ECS.ClientException",
        "You've reached the limit on the number of tasks you can run concurrently",
        "refused",
        "wait-for-spot",
        "quota",
    ),
    "definition-unknown": by_ecs(
        "ECS.ClientException",
        "Unable to describe task definition",
        "misconfigured",
        "stop",
        "Deploy the job again",
    ),
    **{
        f"account-{number}": by_ecs("ECS.AmazonECSException", text, "misconfigured", "stop", "Supp")
        for number, text in enumerate(
            (
                "Your account is suspended (Error Code: AccountSuspended)",
                "Your account is currently in a pending verification state.",
                "You are not subscribed to this service (Error Code: OptInRequired)",
            )
        )
    },
    "interface-denied": lasting(
        "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1':"
        " UnauthorizedOperation",
        "UnauthorizedOperation",
        "Give the role",
    ),
    "secret-no-json": lasting(
        f"{SETUP}unable to retrieve secret from asm: invalid character 'p' looking for beginning of"
        " value",
        "looking for beginning",
        "secret",
    ),
    "parameter-no-name": lasting(
        f"{SETUP}unable to retrieve secrets from ssm: ValidationException: Invalid parameter name.",
        "Invalid parameter name",
        "secret",
    ),
    "secret-of-a-lost-key": lasting(
        f"{SETUP}failed to fetch secret {SECRET} from secrets manager: DecryptionFailure: Secrets"
        " Manager can't decrypt the protected secret text using the provided KMS key.",
        "DecryptionFailure",
        "secret",
    ),
    "to-be-retired": Said(
        stopped(
            "ServiceSchedulerInitiated",
            "Your task has been scheduled for retirement: AWS_ECS_TASK_PATCHING_RETIREMENT",
            ExitCode=143,
        ),
        "interrupted",
        "decide",
        "retirement",
        "Redrive",
    ),
}
MACHINE = Machine(job_definition(TellEveryRun="true"))


@pytest.mark.parametrize("said", TEXTS.values(), ids=TEXTS)
def test_a_text_is_taken_for_what_it_is(said: Said) -> None:
    cause = judged(said.reported, "")

    assert (cause["class"], cause["answer"]) == (said.cause_class, said.answer)
    assert said.names in cause["sentence"]
    assert said.advice.lower() in cause["nextStep"].lower()


def test_every_text_of_the_table_is_found_where_names_are_left_out() -> None:
    texts = [text for row in attempts() for text in (*row.says, *row.also_says)]
    spoken = expression("spoken").removeprefix("{%").removesuffix("%}")

    kept = evaluate(f"$map($texts, function($text) {{ ({spoken})($text) }})", {"texts": texts})
    assert [text for text, words in zip(texts, kept, strict=True) if text not in words] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ThrottlingException:Rate exceeded", "throttled"),
        ("CannotPullContainerError:not found", "image-missing"),
        ("InternalError:something", "host-failed"),
        ("RESOURCE:MEMORY", "no-capacity"),
        ("read tcp 198.51.100.7:50->198.51.100.8:443: i/o timeout", "never-started"),
        (
            "CannotPullContainerError: read tcp 10.0.0.1:5->10.0.0.2:443: i/o timeout",
            "image-not-reached",
        ),
    ],
)
def test_a_colon_without_a_blank_hides_nothing_of_what_aws_says(text: str, name: str) -> None:
    assert judged(stopped(NEVER, text), "")["name"] == name


def run_through(
    first: tuple[str, str], capacity: str, *, is_for_ever: bool = False
) -> tuple[Ended, RunWorld]:
    """Play a run whose first launch ends so, or all; the others do their work."""

    def market(_launch: Launch, _left: float) -> Offer:
        is_first = len(world.launches) == 1
        return Offer(error=first) if is_first or is_for_ever else Offer()

    world = RunWorld(now=START, work_seconds=3_600.0, market=market)
    request = {"scheduledTime": iso(START)[:-5] + "Z", "capacity": capacity}
    return MACHINE.run(world, request, name="x"), world


@pytest.mark.parametrize("capacity", ["spot-first", "on-demand-only"])
@pytest.mark.parametrize("said", TEXTS.values(), ids=TEXTS)
def test_the_run_goes_where_the_text_sends_it(said: Said, capacity: str) -> None:
    ended, world = run_through(said.reported, capacity)

    if said.answer == "stop":
        assert (ended.status, ended.error) == ("FAILED", "Steadyspot.Misconfigured")
        assert (len(world.launches), len(world.parked)) == (1, 1)
        (mail,) = world.mails
        assert said.advice in json.loads(mail["Message"])["email"].replace("\n", " ")
    else:
        assert ended.status == "SUCCEEDED"
        assert (len(world.launches), len(world.parked)) == (2, 0)


@pytest.mark.parametrize("capacity", ["spot-only", "on-demand-only", "spot-first"])
def test_what_no_row_knows_is_tried_a_few_times_with_growing_waits_and_told(capacity: str) -> None:
    said = TEXTS["nobody-knows"]

    ended, world = run_through(said.reported, capacity, is_for_ever=True)

    assert (ended.status, ended.error) == ("FAILED", "Steadyspot.Infrastructure")
    begun = [launch.at for launch in world.launches]
    waits = [later - earlier for earlier, later in pairwise(begun)]
    assert 2 <= len(waits) <= 6
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    (mail,) = world.mails
    assert said.names in json.loads(mail["Message"])["email"].replace("\n", " ")


NAMES = st.sampled_from(
    (
        *("registry.example/not-found/AccessDenied:404", "AccessDenied/x", "x:AccessDenied"),
        *("arn:aws:iam::123456789012:role/ResourceNotFoundException", "a/manifest@sha256:403"),
        *("https://r.example/ParameterNotFound?code=403", "/var/InvalidParameters/TaskDefinition"),
    )
)
KINDS = st.sampled_from(
    (
        *("CannotPullContainerError", "CannotStartContainerError", "ResourceInitializationError"),
        *("CannotCreateVolumeError", "InternalError", "Task failed to start", "Nobody'sError"),
    )
)
QUOTED_COMMAND = 'exec: "say AccessDenied and not authorized": resource temporarily unavailable'
PHRASES = st.sampled_from(
    (
        *("the moon is full", "failed to resolve ref", "has been retried 5 time(s)", "unknown"),
        *("caused by", '{"error":"strange"}', "\\", '"', "unable to pull secrets or registry auth"),
        QUOTED_COMMAND,
        *("i/o timeout", CAPACITY_TEXT, "Überraschung\n", "…"),
    )
)


@st.composite
def unknown_texts(draw: st.DrawFn) -> str:
    text = ": ".join(draw(st.lists(st.one_of(KINDS, PHRASES, NAMES), min_size=1, max_size=6)))
    for _ in range(draw(st.integers(0, 2))):
        text = draw(
            st.sampled_from((json.dumps(text), json.dumps({"message": text}), f"caused by: {text}"))
        )
    return text[: draw(st.integers(0, len(text)))]


ERRORS = st.sampled_from(
    (
        *("ECS.InvalidParameterException", "ECS.ClientException", "ECS.AmazonECSException"),
        *("ECS.SdkClientException", "ECS.NobodysException"),
    )
)


@settings(max_examples=80, deadline=None, derandomize=True)
@example(text=f"CannotStartContainerError: {QUOTED_COMMAND}", where="Reason", error="")
@example(text=f"CannotStartContainerError: {QUOTED_COMMAND}"[:50], where="StoppedReason", error="")
@example(text="The moon is full", where="Reason", error="ECS.InvalidParameterException")
@given(
    text=unknown_texts(),
    where=st.sampled_from(("StoppedReason", "Reason")),
    error=st.one_of(st.just(""), ERRORS),
)
def test_what_never_started_for_a_reason_no_row_knows_is_tried_again(
    text: str, where: str, error: str
) -> None:
    fields: dict[str, Any] = {"StopCode": NEVER, where: text}

    cause = judged((error, text) if error else ("States.TaskFailed", task(**fields)), "")

    assert cause["class"] != "misconfigured", cause
    assert cause["answer"] in {"wait", "wait-for-spot"}
