"""The cause table: what can stop an attempt, how it is recognised, and what is done about it.

This one table is the source of the Choice rules of *Why did it stop?*, of the sentences in the
mails, of the faults that the local target can cause and of the table in the README. The order is
the order of the tests: what AWS says of Spot comes before exit codes, since a reclaimed container
may end with any code (143, 137, 2 were seen), and text comes before codes, since 137 is the code of
a memory kill as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from steadyspot.contract import Exit, Reason, Status


class CauseClass(StrEnum):
    """How the workflow answers. Budgets and answers belong to the class, recognition to the row."""

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


@dataclass(frozen=True)
class Stop:
    """What is known of an attempt that ended, taken from ``Error``, ``Cause`` and the run's record.

    ``said`` is what AWS says in words: the message of a failed call, or the reasons inside the JSON
    of a stopped task. It never holds an environment value. ``exit_code`` is that of the worker's
    container. ``word`` is the worker's own reason if it was written by this very attempt.
    """

    error: str = ""
    stop_code: str = ""
    said: str = ""
    started: bool = True
    exit_code: int | None = None
    word: str = ""
    status: str = Status.RUNNING


@dataclass(frozen=True)
class Cause:
    """A row. It matches if any of its marks does and, where set, ``never_started`` holds as well.

    ``sentence`` may hold ``{exit_code}`` and ``{said}``; ``next_step`` is told where the run ends
    with it. ``also_says`` narrows ``says``: one text of each must be there. ``waits``: the next
    attempt comes after a back-off.
    """

    name: str
    cause_class: CauseClass
    sentence: str
    next_step: str
    errors: tuple[str, ...] = ()
    stop_codes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    also_says: tuple[str, ...] = ()
    words: tuple[Reason, ...] = ()
    exit_codes: tuple[int, ...] = ()
    any_exit_code: bool = False
    any_ecs_error: bool = False
    complete: bool = False
    never_started: bool = False
    waits: bool = False

    def matches(self, stop: Stop) -> bool:
        """Whether this row names what stopped the attempt; its Choice rule tests the same."""
        if self.never_started and (stop.started or stop.exit_code is not None):
            return False
        silent = not stop.word
        return any(
            (
                self.complete and stop.status == Status.COMPLETE,
                stop.error in self.errors,
                stop.stop_code in self.stop_codes,
                _says(stop.said, self.says)
                and (not self.also_says or _says(stop.said, self.also_says)),
                stop.word in self.words,
                silent and stop.exit_code in self.exit_codes,
                silent and self.any_exit_code and stop.exit_code is not None and stop.exit_code > 0,
                self.any_ecs_error and stop.error.startswith("ECS."),
            )
        )


def _says(said: str, texts: Iterable[str]) -> bool:
    return any(text in said for text in texts)


_SPOT_CODES = ("SpotInterruption", "TerminationNotice")
_SPOT_TEXT = ("Your Spot Task was interrupted",)
_PASSING = (
    "timeout",
    "timed out",
    "i/o",
    "connection",
    "toomanyrequests",
    "Too Many Requests",
    "503",
)

CAUSES: tuple[Cause, ...] = (
    Cause(
        name="finished",
        cause_class=CauseClass.FINISHED,
        complete=True,
        sentence="The worker finished the run and its record is complete.",
        next_step="Nothing to do.",
    ),
    Cause(
        name="no-capacity",
        cause_class=CauseClass.REFUSED,
        waits=True,
        errors=("AmazonECS.Unknown",),
        says=("Capacity is unavailable", "RESOURCE:", "limit on the number of vCPUs"),
        sentence="AWS had no capacity for the task: {said}",
        next_step="If this lasts, allow more zones or raise the vCPU quota, then redrive the run.",
    ),
    Cause(
        name="reclaimed-before-start",
        cause_class=CauseClass.REFUSED,
        waits=True,
        never_started=True,
        stop_codes=_SPOT_CODES,
        says=_SPOT_TEXT,
        sentence="AWS took the Spot task back before its container had started.",
        next_step="If this lasts, allow more zones or on-demand capacity, then redrive the run.",
    ),
    Cause(
        name="reclaimed",
        cause_class=CauseClass.INTERRUPTED,
        stop_codes=_SPOT_CODES,
        says=_SPOT_TEXT,
        sentence="AWS reclaimed the Spot capacity.",
        next_step="Redrive the run; it resumes behind the work that is already durable.",
    ),
    Cause(
        name="stopped-by-hand",
        cause_class=CauseClass.INTERRUPTED,
        stop_codes=("UserInitiated",),
        sentence="Somebody stopped the task.",
        next_step="To end a run, stop its execution; else redrive it.",
    ),
    Cause(
        name="interrupted",
        cause_class=CauseClass.INTERRUPTED,
        words=(Reason.INTERRUPTED,),
        sentence="The worker was told to stop and left after saving its work.",
        next_step="Redrive the run; it resumes behind the work that is already durable.",
    ),
    Cause(
        name="fence-lost",
        cause_class=CauseClass.INTERRUPTED,
        words=(Reason.FENCE_LOST,),
        exit_codes=(Exit.FENCE_LOST,),
        sentence="Another attempt held the run, so this one left it alone.",
        next_step="Look at the run's record for who holds it; redrive the run once nobody does.",
    ),
    Cause(
        name="throttled",
        cause_class=CauseClass.THROTTLED,
        waits=True,
        errors=("ECS.ServerException",),
        says=("Rate exceeded", "ThrottlingException", "Throttling"),
        sentence="AWS throttled or could not answer the call: {said}",
        next_step="Redrive the run; if this repeats, spread the schedules or raise the API quota.",
    ),
    Cause(
        name="image-not-reached",
        cause_class=CauseClass.INFRASTRUCTURE,
        waits=True,
        says=("CannotPullContainerError", "ResourceInitializationError"),
        also_says=_PASSING,
        sentence="The task could not reach what it needs to start: {said}",
        next_step="Check the routes to the registry and to the log group, then redrive the run.",
    ),
    Cause(
        name="host-failed",
        cause_class=CauseClass.INFRASTRUCTURE,
        waits=True,
        stop_codes=("InfrastructureHealth",),
        says=("InternalError", "Network Interface", "network interface"),
        sentence="The infrastructure under the task failed: {said}",
        next_step="Redrive the run; if this repeats, look at the AWS Health Dashboard.",
    ),
    Cause(
        name="aws-in-trouble",
        cause_class=CauseClass.INFRASTRUCTURE,
        waits=True,
        words=(Reason.AWS_IN_TROUBLE,),
        exit_codes=(Exit.AWS_IN_TROUBLE,),
        sentence="S3 or DynamoDB did not answer the worker, so not all that was done is saved.",
        next_step="Redrive the run; if this repeats, look at the network and AWS Health Dashboard.",
    ),
    Cause(
        name="definition-inactive",
        cause_class=CauseClass.MISCONFIGURED,
        says=("is inactive", "TaskDefinition not found"),
        sentence="The task definition is no longer active: {said}",
        next_step="Deploy the job again (steadyspot up), then redrive the run.",
    ),
    Cause(
        name="image-missing",
        cause_class=CauseClass.MISCONFIGURED,
        says=("CannotPullContainerError",),
        sentence="The image cannot be pulled: {said}",
        next_step="Push the image or correct its name, deploy again, then redrive the run.",
    ),
    Cause(
        name="access-denied",
        cause_class=CauseClass.MISCONFIGURED,
        says=("AccessDenied", "not authorized"),
        sentence="A role lacks a permission: {said}",
        next_step="Give the role what the text names, then redrive the run.",
    ),
    Cause(
        name="cannot-initialise",
        cause_class=CauseClass.MISCONFIGURED,
        says=("ResourceInitializationError",),
        sentence="A secret or the log group that the task names is missing: {said}",
        next_step="Create it or correct the task definition, then redrive the run.",
    ),
    Cause(
        name="bad-setup",
        cause_class=CauseClass.MISCONFIGURED,
        words=(Reason.BAD_SETUP, Reason.NOT_RUNNABLE, Reason.NOT_FOUND),
        exit_codes=(Exit.BAD_SETUP, Exit.NOT_RUNNABLE, Exit.NOT_FOUND),
        sentence="The worker could not start the job (exit code {exit_code}).",
        next_step="Correct the setting or command that the task's log names, then redrive the run.",
    ),
    Cause(
        name="bad-request",
        cause_class=CauseClass.MISCONFIGURED,
        errors=("States.QueryEvaluationError", "States.ParameterPathFailure"),
        sentence="The run's input or set-up could not be understood: {said}",
        next_step="Correct the input of the execution or the job's settings, then start it again.",
    ),
    Cause(
        name="refused-by-ecs",
        cause_class=CauseClass.MISCONFIGURED,
        any_ecs_error=True,
        sentence="ECS refused to run the task: {said}",
        next_step="Correct what the text names, deploy again, then redrive the run.",
    ),
    Cause(
        name="out-of-memory",
        cause_class=CauseClass.OUT_OF_MEMORY,
        says=("OutOfMemoryError",),
        words=(Reason.OUT_OF_MEMORY,),
        sentence="The task ran out of its memory ({memory_gb} GB).",
        next_step="Give the job more memory, deploy again, then redrive the run.",
    ),
    Cause(
        name="time-limit",
        cause_class=CauseClass.TIMED_OUT,
        errors=("States.Timeout", "States.HeartbeatTimeout"),
        words=(Reason.TIMED_OUT,),
        exit_codes=(Exit.TIMED_OUT,),
        sentence="The attempt used up the time it was given.",
        next_step="Raise expected_minutes, deploy again, then redrive the run.",
    ),
    Cause(
        name="try-again",
        cause_class=CauseClass.FAILED,
        waits=True,
        words=(Reason.TRY_AGAIN,),
        exit_codes=(Exit.TRY_AGAIN,),
        sentence="The job asked to be tried again (exit code 75).",
        next_step="Look at the job's log for what it waits for, then redrive the run.",
    ),
    Cause(
        name="no-word",
        cause_class=CauseClass.INCOMPLETE,
        exit_codes=(0, 137, Exit.INTERRUPTED),
        sentence="The task ended (exit code {exit_code}), but the run's record is not complete.",
        next_step="Check that the container's ENTRYPOINT is the worker, then redrive the run.",
    ),
    Cause(
        name="job-failed",
        cause_class=CauseClass.FAILED,
        words=(Reason.FAILED,),
        any_exit_code=True,
        sentence="The job ended with exit code {exit_code}.",
        next_step="Read the job's log, mend the job, then redrive the run.",
    ),
)

UNKNOWN = Cause(
    name="unknown",
    cause_class=CauseClass.UNKNOWN,
    sentence="The attempt ended for a reason that no row of the cause table knows: {said}",
    next_step="Open the execution's history; add a row for it; then redrive the run.",
)


def classify(stop: Stop) -> Cause:
    """Return the first row that matches, else :data:`UNKNOWN`."""
    return next((cause for cause in CAUSES if cause.matches(stop)), UNKNOWN)
