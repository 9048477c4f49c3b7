"""The cause table: what can stop a run, how it is recognised, and what is done about it.

A row says everything; adding one is one edit here, and then ``make render``. From this table come
what the workflow recognises and answers, the sentences in the mails, the rows that ``drill verify``
puts to a deployed workflow, ``explain``, and the table in the README: all read it through
:func:`rows`.
The order is the order of the tests: what AWS says of Spot comes before exit codes, since a
reclaimed container may end with any code (143, 137, 2 were seen), and text comes before codes,
since 137 is the code of a memory kill as well. ``expressions/causeOf.jsonata`` goes through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from steadyspot.contract import Exit, Reason, Status, messages


class CauseClass(StrEnum):
    """What kind of trouble it is: what is counted together, and the name that a run fails under."""

    FINISHED = "finished"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    THROTTLED = "throttled"
    INFRASTRUCTURE = "infrastructure"
    MISCONFIGURED = "misconfigured"
    OUT_OF_MEMORY = "out-of-memory"
    TIMED_OUT = "timed-out"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"
    SKIPPED = Status.SKIPPED.value
    SHARDS_UNFINISHED = "shards-unfinished"


class Answer(StrEnum):
    """What the workflow does next; *Why did it stop?* has a rule or two for each."""

    FINISH = "finish"
    """Nothing more, if the record says complete: people are told. Else as STOP."""
    WAIT_FOR_SPOT = "wait-for-spot"
    """Back off, then Spot again; without time for Spot, as WAIT."""
    SPOT_AGAIN = "spot-again"
    """Spot again at once if the attempt made progress and there is time; else as DECIDE."""
    WAIT = "wait"
    """Back off, then decide anew which capacity is right."""
    DECIDE = "decide"
    """Decide anew at once."""
    STOP = "stop"
    """Mark the run unfinished, park it, tell people."""


class Budget(StrEnum):
    """What bounds how often a run is tried again after such a stop."""

    STALLS = "stalls"
    """Attempts stopped since the run last made progress, at most the job's ``interruptions``."""
    TIME = "time"
    """The time that there is for Spot; on on-demand, ``refusalsOfOnDemand`` of ``values``."""
    FAULTS = "faults"
    """Stops by this very row since the run last made progress, at most its ``most_tries``."""
    THROTTLES = "throttles"
    INFRASTRUCTURE = "infrastructure"
    FAILURES = "failures"


_BUDGETS = {
    CauseClass.REFUSED: Budget.TIME,
    CauseClass.INTERRUPTED: Budget.STALLS,
    CauseClass.INCOMPLETE: Budget.STALLS,
    CauseClass.TIMED_OUT: Budget.STALLS,
    CauseClass.THROTTLED: Budget.THROTTLES,
    CauseClass.INFRASTRUCTURE: Budget.INFRASTRUCTURE,
}
"""Of a class, where its row says nothing else; for all other classes it is the job's failures."""


@dataclass(frozen=True)
class Cause:
    """A row: it is recognised by one of ``facts`` or by what AWS ``says``.

    ``sentence`` and ``next_step`` may hold ``{exit_code}``, ``{memory_gb}`` and
    ``{stopped_reason}`` (what AWS says of the stop). ``next_step`` is told where the run ends with
    it. ``says``: one of these texts stands in the error's name or in what AWS says, and one of
    ``also_says`` where there are any; names of images, secrets and hosts are no part of it, and a
    text in small letters stands for capitals, too. ``never_started``: only if no container had
    started. ``least_tries``: the run is tried again after at least so many stops of
    this class, even where its budget is smaller. ``most_stalls``: it is tried again only while at
    most so many attempts have stalled, or ``interruptions`` where that is smaller.
    ``most_tries``: only after at most so many stops by this very row without progress.
    ``stays_on_spot``: the next attempt may run on Spot. ``hangs``: people are told once that it is
    tried again.
    """

    name: str
    cause_class: CauseClass
    answer: Answer
    sentence: str
    next_step: str
    facts: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    also_says: tuple[str, ...] = ()
    never_started: bool = False
    budget: Budget | None = None
    least_tries: int | None = None
    most_stalls: int | None = None
    most_tries: int | None = None
    stays_on_spot: bool = True
    hangs: bool = False

    @property
    def counted_by(self) -> Budget:
        """The budget that bounds how often it is tried again."""
        return self.budget or _BUDGETS.get(self.cause_class, Budget.FAILURES)

    def as_data(self) -> dict[str, Any]:
        """Return the row as the workflow carries it."""
        marks = {
            "facts": list(self.facts),
            "says": list(self.says),
            "alsoSays": list(self.also_says),
            "neverStarted": self.never_started,
        }
        recognised = {mark: value for mark, value in marks.items() if value}
        limits = {
            "leastTries": self.least_tries,
            "mostStalls": self.most_stalls,
            "mostTries": self.most_tries,
        }
        return {
            "name": self.name,
            "class": self.cause_class.value,
            "answer": self.answer.value,
            "budget": self.counted_by.value,
            **{name: limit for name, limit in limits.items() if limit},
            "staysOnSpot": self.stays_on_spot,
            **({"hangs": True} if self.hangs else {}),
            messages.SENTENCE: self.sentence,
            messages.NEXT_STEP: self.next_step,
            **({"recognised": recognised} if recognised else {}),
        }


def record_says(status: Status) -> tuple[str, ...]:
    """Return the fact that the run's record has this status."""
    return (f"record: {status.value}",)


def error(*names: str) -> tuple[str, ...]:
    """Return the facts that the call failed so; ``ECS.*`` is any error of ECS."""
    return tuple(f"error: {name}" for name in names)


def stop_code(*codes: str) -> tuple[str, ...]:
    """Return the facts that ECS stopped the task under one of these codes."""
    return tuple(f"stop code: {code}" for code in codes)


def worker_reason(*reasons: Reason) -> tuple[str, ...]:
    """Return the facts that the worker itself wrote one of these reasons into the record."""
    return tuple(f"worker reason: {reason.value}" for reason in reasons)


def exit_code(*codes: int | str) -> tuple[str, ...]:
    """Return the facts that an unreported exit code is one of these; ``*``: any but 0."""
    return tuple(f"exit code: {code if isinstance(code, str) else int(code)}" for code in codes)


GIVEN_UP = "Steadyspot gave the launch up since nothing had started."
"""The reason that the machine *Before the start* gives ECS, as the task's StoppedReason."""

_SPOT_CODES = ("SpotInterruption", "TerminationNotice")
_SPOT_TEXT = ("Your Spot Task was interrupted",)
_PULL = ("CannotPull",)
"""ECS's guide: CannotPullContainerError; reports: CannotPullECRContainerError and others."""

_PASSING = (
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

_NO_IMAGE = (
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

_UNTRUSTED = (
    # Go's words of a certificate that it does not take, and of a registry that speaks no TLS.
    *("x509: ", "server gave http response"),
)
_UNUSABLE_IMAGE = (
    # containerd and Docker, of a manifest of a kind that they no longer, or not yet, read.
    *("no longer supported", "mediatype in manifest", "unsupported media type"),
    # containerd's archive, of a layer that cannot be laid out: no archive, or owners out of range.
    *("invalid tar header", "lchown"),
)
_UNUSABLE_KEY = (
    # KMS's errors of Decrypt: a key that is disabled, to be deleted, or gone; as Systems Manager
    # (InvalidKeyId), ECR (KmsException) and Secrets Manager (DecryptionFailure) hand them on.
    *("DisabledException", "KMSInvalidState", "InvalidKeyId", "KmsException", "decrypt"),
)
_OTHER_ARCHITECTURE = (
    # ECS's guide on CannotPullContainerError.
    "descriptor matching platform",
    # Docker ("no matching manifest for linux/arm64") and containerd, of an image with several.
    *("no matching manifest", "no match for platform"),
    # Linux's ENOEXEC, of a program that is made for another machine.
    "exec format error",
)
_DENIED = (
    # IAM's guide, on how services say that access is denied.
    *("AccessDenied", "access denied", "not authorized"),
    # EC2's code for it, of the network interface that ECS makes for the task.
    "UnauthorizedOperation",
    # ECS's RunTask, of an execution or task role that does not trust it.
    *("unable to assume the role", "unable to assume role"),
)
_NO_LOG_GROUP = (
    # What ResourceNotFoundException of CloudWatch Logs says, which the awslogs driver hands on.
    *("does not exist", "ResourceNotFoundException"),
    # ECS's guide on ResourceInitializationError.
    "check whether the log group exists",
)
_NO_SECRET = (
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
_MISTAKEN = (
    *("does not exist", "not found"),
    # RunTask's words for what a request or a task definition has wrong (ECS's API reference and
    # public reports of InvalidParameterException and ClientException).
    *("is not a container in", "is not valid", "is invalid", "invalid identifier", "must be"),
    *("must have", "must not", "cannot be", "can not be", "not supported", "does not support"),
    *("no container instances", "incompatible", "does not satisfy", "from a different vpc"),
    *("no fargate configuration", "cluster is inactive", "cluster was inactive"),
)
"""What RunTask says of a request that is wrong until somebody corrects it."""

_ATTEMPTS: tuple[Cause, ...] = (
    Cause(
        name="finished",
        cause_class=CauseClass.FINISHED,
        answer=Answer.FINISH,
        facts=record_says(Status.COMPLETE),
        sentence="The worker finished the run and its record is complete.",
        next_step="Nothing to do.",
    ),
    Cause(
        name="no-capacity",
        cause_class=CauseClass.REFUSED,
        answer=Answer.WAIT_FOR_SPOT,
        facts=error("AmazonECS.Unknown"),
        says=("capacity is unavailable", "RESOURCE:", "limit on the number of"),
        sentence="AWS had no capacity for the task: {stopped_reason}",
        next_step="If this lasts, allow more zones or raise the vCPU quota, then redrive the run.",
    ),
    Cause(
        name="reclaimed-before-start",
        cause_class=CauseClass.REFUSED,
        answer=Answer.WAIT_FOR_SPOT,
        facts=stop_code(*_SPOT_CODES),
        never_started=True,
        says=_SPOT_TEXT,
        sentence="AWS took the Spot task back before its container had started.",
        next_step="If this lasts, allow more zones or on-demand capacity, then redrive the run.",
    ),
    Cause(
        name="launch-given-up",
        cause_class=CauseClass.REFUSED,
        answer=Answer.WAIT_FOR_SPOT,
        # Given up by the machine Before the start, or by the time-out of the launch's own state.
        facts=error("States.Timeout"),
        never_started=True,
        says=(GIVEN_UP,),
        sentence="AWS accepted the task, but had not started it when the launch was given up.",
        next_step=(
            "If this lasts, allow more zones or on-demand capacity, or raise launch_minutes if the"
            " image takes so long to pull; then redrive the run."
        ),
    ),
    Cause(
        name="given-up-as-it-started",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.DECIDE,
        says=(GIVEN_UP,),
        sentence="The task started in the moment in which its launch was given up.",
        next_step="Redrive the run; if this repeats, raise launch_minutes.",
    ),
    Cause(
        name="reclaimed",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.SPOT_AGAIN,
        facts=stop_code(*_SPOT_CODES),
        says=_SPOT_TEXT,
        sentence="AWS reclaimed the Spot capacity.",
        next_step="Redrive the run; it resumes behind the work that is already durable.",
    ),
    Cause(
        name="retired",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.DECIDE,
        # ECS's guide, "Task retirement and maintenance for AWS Fargate".
        says=(
            *("performing maintenance on the underlying infrastructure",),
            *("scheduled for retirement", "PATCHING_RETIREMENT"),
        ),
        sentence="AWS retired the host that the task ran on: {stopped_reason}",
        next_step="Redrive the run; it resumes behind the work that is already durable.",
    ),
    Cause(
        name="stopped-by-hand",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.DECIDE,
        facts=stop_code("UserInitiated"),
        sentence="Somebody stopped the task.",
        next_step="To end a run, stop its execution; else redrive it.",
    ),
    Cause(
        name="interrupted",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.DECIDE,
        facts=worker_reason(Reason.INTERRUPTED),
        sentence="The worker was told to stop and left after saving its work.",
        next_step="Redrive the run; it resumes behind the work that is already durable.",
    ),
    Cause(
        name="fence-lost",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.DECIDE,
        facts=(*worker_reason(Reason.FENCE_LOST), *exit_code(Exit.FENCE_LOST)),
        sentence="Another attempt held the run, so this one left it alone.",
        next_step="Look at the run's record for who holds it; redrive the run once nobody does.",
    ),
    Cause(
        name="throttled",
        cause_class=CauseClass.THROTTLED,
        answer=Answer.WAIT,
        facts=error("ECS.ServerException"),
        says=(*("rate exceeded", "Throttling", "RequestLimitExceeded", "request limit exceeded"),),
        sentence="AWS throttled or could not answer the call: {stopped_reason}",
        next_step="Redrive the run; if this repeats, spread the schedules or raise the API quota.",
    ),
    Cause(
        name="disk-full",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=("no space left on device",),
        sentence="The task's disk is too small for its image: {stopped_reason}",
        next_step="Raise the job's disk, deploy again, then redrive the run.",
    ),
    Cause(
        name="wrong-architecture",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=_OTHER_ARCHITECTURE,
        sentence="The image is not made for the task's architecture: {stopped_reason}",
        next_step=(
            "Build the image for the architecture that the job names, deploy again, then redrive"
            " the run."
        ),
    ),
    Cause(
        name="command-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        # containerd and runc, of what the image's ENTRYPOINT, the command or its USER names.
        says=(
            *("runtime create failed", "executable file not found", "unable to find user"),
            *("unable to find group", "no command specified"),
        ),
        also_says=(
            *("executable file not found", "no such file or directory", "permission denied"),
            *("is a directory", "not a directory", "argument list too long", "no command"),
            *("no matching entries",),
        ),
        sentence="The image does not hold what the task starts: {stopped_reason}",
        next_step=(
            "Correct the image's ENTRYPOINT or USER, or the command, deploy again, then redrive the"
            " run."
        ),
    ),
    Cause(
        name="pull-forbidden",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=_PULL,
        also_says=("403 forbidden", "status code 403"),
        sentence="The registry refuses the image to the task: {stopped_reason}",
        next_step=(
            "Give the job's execution role permission to pull the image (or the registry's policy"
            " to let it), then redrive the run."
        ),
    ),
    Cause(
        name="image-not-reached",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        says=(*_PULL, "ResourceInitializationError", "your network configuration"),
        also_says=_PASSING,
        sentence="The task could not reach what it needs to start: {stopped_reason}",
        next_step="Check the task's routes to what the text names, then redrive the run.",
    ),
    Cause(
        name="registry-untrusted",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=_UNTRUSTED,
        sentence="The task does not trust who answers it: {stopped_reason}",
        next_step="Mend the certificate or address that the text names, then redrive the run.",
    ),
    Cause(
        name="image-unusable",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=_PULL,
        also_says=_UNUSABLE_IMAGE,
        sentence="The image cannot be unpacked: {stopped_reason}",
        next_step="Build the image anew, deploy again, then redrive the run.",
    ),
    Cause(
        name="image-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=_PULL,
        also_says=_NO_IMAGE,
        sentence="The image cannot be pulled: {stopped_reason}",
        next_step="Push the image or correct its name, deploy again, then redrive the run.",
    ),
    Cause(
        name="access-denied",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=_DENIED,
        sentence="A role lacks a permission: {stopped_reason}",
        next_step="Give the role what the text names, then redrive the run.",
    ),
    Cause(
        name="network-full",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        # EC2's codes, of the network interface that ECS makes for the task.
        says=("InsufficientFreeAddresses", "NetworkInterfaceLimitExceeded"),
        sentence="The task found no room for its network interface: {stopped_reason}",
        next_step=(
            "Free addresses of the platform's subnets, add subnets, or raise the quota of network"
            " interfaces; then redrive the run."
        ),
    ),
    Cause(
        name="network-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        # EC2's codes of subnets and security groups that are not there.
        says=("InvalidSubnet", "InvalidGroup", "InvalidSecurityGroup"),
        sentence="A subnet or security group of the task is missing: {stopped_reason}",
        next_step=(
            "Correct what the text names in the platform's network, deploy again, then redrive the"
            " run."
        ),
    ),
    Cause(
        name="volume-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        # ECS's agent names what mounts so; mount.nfs4 and EFS's helper say the others.
        says=("efs utils",),
        also_says=("no such file or directory", "your file system id is correct", "does not exist"),
        sentence="A file system that the task mounts is missing: {stopped_reason}",
        next_step="Correct the file system or folder that the text names, then redrive the run.",
    ),
    Cause(
        name="host-failed",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        facts=stop_code("InfrastructureHealth"),
        says=(
            *("InternalError", "network interface", "CannotCreateVolumeError"),
            *("ContainerRuntimeTimeoutError", "DockerTimeoutError"),
        ),
        sentence="The infrastructure under the task failed: {stopped_reason}",
        next_step="Redrive the run; if this repeats, look at the AWS Health Dashboard.",
    ),
    Cause(
        name="aws-in-trouble",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        facts=(*worker_reason(Reason.AWS_IN_TROUBLE), *exit_code(Exit.AWS_IN_TROUBLE)),
        sentence="S3 or DynamoDB did not answer the worker, so not all that was done is saved.",
        next_step="Redrive the run; if this repeats, look at the network and AWS Health Dashboard.",
    ),
    Cause(
        name="worker-fault",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        budget=Budget.FAULTS,
        facts=(*worker_reason(Reason.WORKER_FAULT), *exit_code(Exit.WORKER_FAULT)),
        sentence="The worker met an error of its own; the job's settings are not to blame.",
        next_step="Report it with the traceback in the attempt's log, then redrive the run.",
        most_tries=1,
    ),
    Cause(
        name="definition-inactive",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=("taskdefinition is inactive", "taskdefinition not found", "describe task definition"),
        sentence="The task definition is no longer active: {stopped_reason}",
        next_step="Deploy the job again (steadyspot up), then redrive the run.",
    ),
    Cause(
        name="log-group-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=("log group", "log stream"),
        also_says=_NO_LOG_GROUP,
        sentence="The log group that the task writes to is missing: {stopped_reason}",
        next_step="Create the log group or deploy the job again, then redrive the run.",
    ),
    Cause(
        name="secret-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=_NO_SECRET,
        sentence="A secret that the task names is missing or cannot be read: {stopped_reason}",
        next_step=(
            "Create or mend the secret that the text names, or the job's secrets, deploy again,"
            " then redrive the run."
        ),
    ),
    Cause(
        name="key-unusable",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=_UNUSABLE_KEY,
        sentence="A key that the task's image or secret is encrypted with failed: {stopped_reason}",
        next_step="Mend the key of the image or secret that the text names, then redrive the run.",
    ),
    Cause(
        name="spot-not-offered",
        cause_class=CauseClass.REFUSED,
        answer=Answer.WAIT,
        stays_on_spot=False,
        says=("capacity provider that is not associated", "capacity provider was not found"),
        sentence="The cluster does not offer Spot: {stopped_reason}",
        next_step="Add FARGATE_SPOT to the cluster's capacity providers, then redrive the run.",
    ),
    Cause(
        name="never-started",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        never_started=True,
        # ECS at times says this and no more, and the next try goes well.
        facts=stop_code("TaskFailedToStart"),
        says=("task failed to start",),
        sentence="The task did not start: {stopped_reason}",
        next_step="Redrive the run; if this repeats, mend what the text names.",
    ),
    Cause(
        name="bad-setup",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        facts=(
            *worker_reason(Reason.BAD_SETUP, Reason.NOT_RUNNABLE, Reason.NOT_FOUND),
            *exit_code(Exit.BAD_SETUP, Exit.NOT_RUNNABLE, Exit.NOT_FOUND),
        ),
        sentence="The worker could not start the job (exit code {exit_code}).",
        next_step="Correct the setting or command that the task's log names, then redrive the run.",
    ),
    Cause(
        name="bad-request",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        facts=error("States.QueryEvaluationError", "States.ParameterPathFailure"),
        sentence="The run's input or set-up could not be understood: {stopped_reason}",
        next_step="Correct the input of the execution or the job's settings, then start it again.",
    ),
    Cause(
        name="account-not-ready",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        # The API's BlockedException; the second is what RunTask says of AWSServiceRoleForECS.
        facts=error("ECS.BlockedException"),
        says=(
            *("service linked role", "service-linked role"),
            # EC2's and other services' common errors of an account that is new or closed.
            *("PendingVerification", "pending verification", "OptInRequired"),
            *("account is suspended", "account is currently blocked"),
        ),
        sentence="The account cannot run tasks: {stopped_reason}",
        next_step=(
            "Create the service-linked role of ECS (aws iam create-service-linked-role"
            " --aws-service-name ecs.amazonaws.com), or ask AWS Support about the account, then"
            " redrive the run."
        ),
    ),
    Cause(
        name="refused-by-ecs",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        # Of the errors of RunTask (ECS's API reference), those whose name alone says what is wrong.
        facts=error(
            *("ECS.ClusterNotFoundException", "ECS.PlatformUnknownException"),
            *("ECS.PlatformTaskDefinitionIncompatibilityException",),
            *("ECS.UnsupportedFeatureException", "ECS.ConflictException"),
        ),
        # These are the names of whatever else it refuses.
        says=("ECS.InvalidParameterException", "ECS.ClientException"),
        also_says=_MISTAKEN,
        sentence="ECS refused to run the task: {stopped_reason}",
        next_step="Correct what the text names, deploy again, then redrive the run.",
    ),
    Cause(
        name="ecs-in-trouble",
        cause_class=CauseClass.INFRASTRUCTURE,
        answer=Answer.WAIT,
        # ECS.AmazonECSException is what ECS has no name for, ECS.SdkClientException what never
        # reached it; and there are names that are used of much, with a text that no row knows.
        facts=error("ECS.*"),
        sentence="ECS did not take the call: {stopped_reason}",
        next_step=(
            "Redrive the run; if this repeats, mend what the text names, or look at the AWS Health"
            " Dashboard."
        ),
    ),
    Cause(
        name="out-of-memory",
        cause_class=CauseClass.OUT_OF_MEMORY,
        answer=Answer.STOP,
        facts=worker_reason(Reason.OUT_OF_MEMORY),
        says=("OutOfMemoryError",),
        sentence="The task ran out of its memory ({memory_gb} GB).",
        next_step="Give the job more memory, deploy again, then redrive the run.",
    ),
    Cause(
        name="time-limit",
        cause_class=CauseClass.TIMED_OUT,
        answer=Answer.DECIDE,
        facts=(
            *error("States.Timeout", "States.HeartbeatTimeout"),
            *worker_reason(Reason.TIMED_OUT),
            *exit_code(Exit.TIMED_OUT),
        ),
        sentence="The attempt used up the time it was given.",
        next_step="Raise expected_minutes, deploy again, then redrive the run.",
        most_stalls=1,
        hangs=True,
    ),
    Cause(
        name="misused",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        facts=worker_reason(Reason.MISUSED),
        sentence="The job broke a rule of units and outputs, so what it did cannot count.",
        next_step="Mend the job where its log names the unit or output, then redrive the run.",
    ),
    Cause(
        name="work-lost",
        cause_class=CauseClass.INCOMPLETE,
        answer=Answer.WAIT,
        facts=worker_reason(Reason.WORK_LOST),
        sentence="Uploads of the run were removed from the bucket before they were published.",
        next_step="Find out who removes uploads from the bucket, then redrive the run.",
    ),
    Cause(
        name="try-again",
        cause_class=CauseClass.FAILED,
        answer=Answer.WAIT,
        facts=(*worker_reason(Reason.TRY_AGAIN), *exit_code(Exit.TRY_AGAIN)),
        sentence="The job asked to be tried again (exit code 75).",
        next_step="Look at the job's log for what it waits for, then redrive the run.",
        least_tries=3,
    ),
    Cause(
        name="no-stop-report",
        cause_class=CauseClass.INCOMPLETE,
        answer=Answer.DECIDE,
        facts=exit_code(0, 137, Exit.INTERRUPTED),
        sentence="The task ended (exit code {exit_code}), but the run's record is not complete.",
        next_step="Check that the container's ENTRYPOINT is the worker, then redrive the run.",
    ),
    Cause(
        name="job-failed",
        cause_class=CauseClass.FAILED,
        answer=Answer.DECIDE,
        facts=(*worker_reason(Reason.FAILED), *exit_code("*")),
        sentence="The job ended with exit code {exit_code}.",
        next_step="Read the job's log, mend the job, then redrive the run.",
    ),
)

UNKNOWN = Cause(
    name="unknown",
    cause_class=CauseClass.UNKNOWN,
    answer=Answer.STOP,
    sentence="The attempt ended for a reason that no row of the table knows: {stopped_reason}",
    next_step="Open the execution's history; add a row for it; then redrive the run.",
)

NOT_CLAIMED = Cause(
    name="not-claimed",
    cause_class=CauseClass.MISCONFIGURED,
    answer=Answer.STOP,
    sentence="The run could not be taken up: {error}",
    next_step="Correct the input, or what the text names; then redrive the run.",
)

TAMPERED = Cause(
    name="tampered",
    cause_class=CauseClass.MISCONFIGURED,
    answer=Answer.STOP,
    sentence=(
        "The run table held what no claim of this run had made: {found}. It was thrown away, and"
        " nothing was run."
    ),
    next_step=(
        "Find out who wrote it: another run's container has the task role that could. Then redrive"
        " the run; it begins from nothing."
    ),
)

NOT_CONTINUED = Cause(
    name="not-continued",
    cause_class=CauseClass.INCOMPLETE,
    answer=Answer.STOP,
    sentence=(
        "The run has made as many launches as one execution carries along, and could not go on in"
        " another: {error}"
    ),
    next_step="Redrive the run; it resumes behind the work that is already durable.",
)

EXECUTION_ENDED = Cause(
    name="execution-ended",
    cause_class=CauseClass.INTERRUPTED,
    answer=Answer.STOP,
    sentence="The execution was {how_ended} before the run had finished.",
    next_step=(
        "Redrive the run if it is still wanted; it resumes behind the work that is already durable."
    ),
)

REPLACED = Cause(
    name=messages.REPLACED,
    cause_class=CauseClass.INTERRUPTED,
    answer=Answer.STOP,
    sentence="A newer run of the job was due, and took its place.",
    next_step="Nothing, if the newer run does its work too; else redrive the run.",
)

SKIPPED = Cause(
    name=Status.SKIPPED.value,
    cause_class=CauseClass.SKIPPED,
    answer=Answer.STOP,
    sentence="Run {other} of the job was still under way, so this one was not begun.",
    next_step=(
        "Nothing, if the next run does its work too; else redrive its scheduled time with --from"
        " and --to."
    ),
)

HELD = Cause(
    name="held",
    cause_class=CauseClass.REFUSED,
    answer=Answer.WAIT_FOR_SPOT,
    sentence="Spot was refused to other runs just now, so this one did not ask for it.",
    next_step=(
        "If this lasts, allow more zones or on-demand capacity; steadyspot weather shows when Spot"
        " is scarce."
    ),
)
"""Of no attempt: the run waits before one."""

QUEUE_FULL = Cause(
    name="queue-full",
    cause_class=CauseClass.SKIPPED,
    answer=Answer.STOP,
    sentence=(
        "As many runs as may wait were waiting for run {other} of the job, so this one was not"
        " begun."
    ),
    next_step=(
        "Look why runs take longer than their interval, or raise queue_at_most; redrive its"
        " scheduled time with --from and --to."
    ),
)

SHARDS_UNFINISHED = Cause(
    name="shards-unfinished",
    cause_class=CauseClass.SHARDS_UNFINISHED,
    answer=Answer.STOP,
    sentence="Of {shards} shards {left} did not finish: {which}",
    next_step=(
        "Mend what stopped them, then redrive the run: it runs these shards alone. explain and logs"
        " take --shard."
    ),
)


def rows() -> tuple[Cause, ...]:
    """Return the whole table: how attempts end, what no row knows, and what befalls a run."""
    return (
        *attempts(),
        *(NOT_CONTINUED, TAMPERED, NOT_CLAIMED, EXECUTION_ENDED),
        *(REPLACED, SKIPPED, QUEUE_FULL, HELD, SHARDS_UNFINISHED),
    )


def attempts() -> tuple[Cause, ...]:
    """Return how attempts end, in the order of the tests; the last takes what no other knows."""
    return (*_ATTEMPTS, UNKNOWN)
