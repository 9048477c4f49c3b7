"""How attempts end: the rows by which a stop is recognised and answered.

The order is the order of the tests: what AWS says of Spot comes before exit codes, since a
reclaimed container may end with any code (143, 137, 2 were seen), and text comes before codes,
since 137 is the code of a memory kill as well. ``expressions/causeOf.jsonata`` goes through it.
"""

from __future__ import annotations

from steadyspot.contract import Exit, Reason, Status
from steadyspot.statemachines.causes import texts
from steadyspot.statemachines.causes.row import (
    Answer,
    Budget,
    Cause,
    CauseClass,
    error,
    exit_code,
    record_says,
    stop_code,
    worker_reason,
)

ATTEMPTS: tuple[Cause, ...] = (
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
        facts=stop_code(*texts.SPOT_CODES),
        never_started=True,
        says=texts.SPOT_TEXT,
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
        says=(texts.GIVEN_UP,),
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
        says=(texts.GIVEN_UP,),
        sentence="The task started in the moment in which its launch was given up.",
        next_step="Redrive the run; if this repeats, raise launch_minutes.",
    ),
    Cause(
        name="reclaimed",
        cause_class=CauseClass.INTERRUPTED,
        answer=Answer.SPOT_AGAIN,
        facts=stop_code(*texts.SPOT_CODES),
        says=texts.SPOT_TEXT,
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
        says=texts.OTHER_ARCHITECTURE,
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
        says=texts.PULL,
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
        says=(*texts.PULL, "ResourceInitializationError", "your network configuration"),
        also_says=texts.PASSING,
        sentence="The task could not reach what it needs to start: {stopped_reason}",
        next_step="Check the task's routes to what the text names, then redrive the run.",
    ),
    Cause(
        name="registry-untrusted",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=texts.UNTRUSTED,
        sentence="The task does not trust who answers it: {stopped_reason}",
        next_step="Mend the certificate or address that the text names, then redrive the run.",
    ),
    Cause(
        name="image-unusable",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=texts.PULL,
        also_says=texts.UNUSABLE_IMAGE,
        sentence="The image cannot be unpacked: {stopped_reason}",
        next_step="Build the image anew, deploy again, then redrive the run.",
    ),
    Cause(
        name="image-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=texts.PULL,
        also_says=texts.NO_IMAGE,
        sentence="The image cannot be pulled: {stopped_reason}",
        next_step="Push the image or correct its name, deploy again, then redrive the run.",
    ),
    Cause(
        name="access-denied",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        says=texts.DENIED,
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
        also_says=texts.NO_LOG_GROUP,
        sentence="The log group that the task writes to is missing: {stopped_reason}",
        next_step="Create the log group or deploy the job again, then redrive the run.",
    ),
    Cause(
        name="secret-missing",
        cause_class=CauseClass.MISCONFIGURED,
        answer=Answer.STOP,
        never_started=True,
        says=texts.NO_SECRET,
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
        says=texts.UNUSABLE_KEY,
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
        also_says=texts.MISTAKEN,
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
        sentence="Outputs of the run were removed from the bucket before they were published.",
        next_step="Find out who removes uploads or packs from the bucket, then redrive the run.",
    ),
    Cause(
        name="kept-in-memory",
        cause_class=CauseClass.INCOMPLETE,
        answer=Answer.DECIDE,
        facts=worker_reason(Reason.KEPT_IN_MEMORY),
        sentence="What units done before a stop had left in memory or in other files is lacking.",
        next_step="Keep it in run.state, in the checkpoint folder, or in an output of each unit,"
        " then redrive the run.",
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
