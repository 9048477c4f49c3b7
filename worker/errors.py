"""Trouble that a person reads, and the exit code each kind leaves with.

Every error carries one sentence that says what happened and one that says what to do; a traceback
reaches the log only as a field of the line that tells the worker's own fault. Who catches them
(supervisor, Python API) decides what is written where.
"""

from __future__ import annotations

from steadyspot.contract import Exit, Reason


class WorkerError(Exception):
    """One sentence what, one sentence what to do, and how the worker leaves."""

    exit_code: int = Exit.BAD_SETUP
    reason: Reason = Reason.BAD_SETUP

    def __init__(self, sentence: str, todo: str = "") -> None:
        super().__init__(f"{sentence} {todo}".strip())
        self.sentence = sentence
        self.todo = todo

    def details(self) -> dict[str, str]:
        """What a log line about it has besides the sentences."""
        return {}


class SetupError(WorkerError):
    """Environment, option, permission or checkpoint that no retry mends."""


class Unreachable(WorkerError):
    """S3 or DynamoDB did not answer in time; another attempt may well succeed."""

    exit_code = Exit.AWS_IN_TROUBLE
    reason = Reason.AWS_IN_TROUBLE


class WorkerFault(WorkerError):
    """The worker's own mistake, or a broken image: no setting of the job's mends it."""

    exit_code = Exit.WORKER_FAULT
    reason = Reason.WORKER_FAULT

    def __init__(self, error: BaseException | None) -> None:
        super().__init__(
            f"The worker met an error of its own: {error!r}.",
            "Report it with the traceback in the worker's log, without what is secret in it.",
        )
        self.__cause__ = error

    def details(self) -> dict[str, str]:
        """Return the traceback, as one text."""
        import traceback

        return {"traceback": "".join(traceback.format_exception(self.__cause__))}


class WorkLost(WorkerError):
    """What was done was removed from outside; another attempt does it again."""

    exit_code = Exit.TRY_AGAIN
    reason = Reason.TRY_AGAIN


class TooLate(WorkerError):
    """The attempt is ending and takes nothing more."""


class FenceLost(WorkerError):
    """Another attempt owns the run; this one may not write any more."""

    exit_code = Exit.FENCE_LOST
    reason = Reason.FENCE_LOST


class AlreadyComplete(WorkerError):
    """The run this attempt was started for is complete already; there is nothing to do."""

    exit_code = Exit.FINISHED


class NotRunnable(WorkerError):
    """The command is there but cannot be executed."""

    exit_code = Exit.NOT_RUNNABLE
    reason = Reason.NOT_RUNNABLE


class NotFound(WorkerError):
    """The command is not there."""

    exit_code = Exit.NOT_FOUND
    reason = Reason.NOT_FOUND


def as_trouble(error: BaseException | None) -> WorkerError:
    """An error as something with a sentence: what nobody foresaw is the worker's fault."""
    return error if isinstance(error, WorkerError) else WorkerFault(error)
