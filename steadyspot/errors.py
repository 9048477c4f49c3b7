"""What a job is told where something cannot be done, or where it is to leave.

Each message says in a sentence why, and in another what to do; a job may catch all but the end at a
stop, which is a ``SystemExit``.
"""

from __future__ import annotations

from steadyspot.contract import Exit


class RunError(Exception):
    """The supervisor could not do what was asked; the message says why and what to do."""


class Interrupted(SystemExit):
    """Raised out of ``remaining`` at a stop, after the unit in hand is durable: the process leaves.

    A ``SystemExit``, so that ``finally`` blocks run and no traceback is printed.
    """


class NoNewUnit(RunError):
    """What ``unit`` raises at a stop in a child of the process that leads the job.

    No ``SystemExit``, which would end a child of a pool whose parent then waits for its answer for
    ever; the pool carries it to the parent, where it arrives as ``Interrupted``. Since
    ``multiprocessing.Pool`` ends all its children then, the others' units are waited for before.
    """

    def __reduce__(self) -> tuple[type[Interrupted], tuple[int]]:
        return Interrupted, (int(Exit.INTERRUPTED),)


class Misused(RunError):
    """A rule of units was broken, so that what is in hand cannot count, whoever catches this."""
