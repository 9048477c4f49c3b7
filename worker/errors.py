"""Trouble that a person reads, and the exit code each kind leaves with.

Every error carries one sentence that says what happened and one that says what to do; a traceback
reaches the log only as a field of the line that tells the worker's own fault. Who catches them
(supervisor, Python API) decides what is written where.
"""

from __future__ import annotations

import errno
import os

from steadyspot.contract import Exit, Reason

SHORTAGES = {
    errno.EMFILE: "Raise the task definition's limit of open files (ulimits, nofile).",
    errno.ENFILE: "Let fewer programs run at once on the machine.",
    errno.EAGAIN: "Let the job begin fewer threads and processes, or raise their limit (nproc).",
    errno.ENOMEM: "Give the job more memory.",
    errno.ENOSPC: "Give the job more disk, or let it keep less there.",
    errno.EDQUOT: "Give the job more disk, or let it keep less there.",
    errno.EROFS: "Mount a volume there, or name another folder.",
}
"""What a machine can be short of, by the error's number: what to do about it."""

SHORTEST_HIDDEN = 4
"""Values of the environment that are shorter tell nothing, and stand in every text."""


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


class Denied(SetupError):
    """The task role may not do it; S3 says so, too, of a key that is missing."""


class Short(SetupError):
    """The machine is short of something, such as open files; that may pass within the attempt."""


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
            without_values(f"The worker met an error of its own: {error!r}."),
            "Report it with the traceback in the worker's log.",
        )
        self.__cause__ = error

    def details(self) -> dict[str, str]:
        """Return the traceback, as one text."""
        import traceback

        text = "".join(traceback.format_exception(self.__cause__))
        return {"traceback": without_values(text)}


def without_values(text: str) -> str:
    """The text without any value of the environment, which may be a secret that an error quotes."""
    hidden: set[str] = set()
    for value in os.environ.values():
        hidden |= {value, repr(value)[1:-1], *_inner_values(value)}
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= SHORTEST_HIDDEN:
            text = text.replace(value, "…")
    return text


def _inner_values(value: str) -> set[str]:
    """The values of a variable that is an object of JSON, as the job's variables are."""
    import json

    try:
        inner = json.loads(value)
    except (ValueError, RecursionError):
        return set()
    texts = inner.values() if isinstance(inner, dict) else ()
    return {form for text in texts for form in (str(text), repr(text)[1:-1])}


class WorkLost(WorkerError):
    """What was done was removed from outside; another attempt does it again."""

    exit_code = Exit.TRY_AGAIN
    reason = Reason.WORK_LOST


class KeptInMemory(WorkerError):
    """What units of attempts before this one left in variables, or in other files, is lacking."""

    exit_code = Exit.TRY_AGAIN
    reason = Reason.KEPT_IN_MEMORY


class Misuse(WorkerError):
    """The job broke a rule of units and outputs; until it is mended that is so in each attempt."""

    reason = Reason.MISUSED


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
    if isinstance(error, WorkerError):
        return error
    number = shortage(error)
    if number is None:
        return WorkerFault(error)
    return Short(f"The machine is short: {os.strerror(number)}.", SHORTAGES[number])


def shortage(error: BaseException | None) -> int | None:
    """What the machine was short of, as a key of ``SHORTAGES``, if that was it."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return errno.EAGAIN
    number = error.errno if isinstance(error, OSError) else None
    return number if number in SHORTAGES else None
