"""A row of the cause table: the classes, answers and budgets there are, and what a row can say.

The functions at the end write the facts by which a row is recognised; what they are compared with
is made by ``expressions/stopDescribed.jsonata``, and ``causeOf.jsonata`` goes through the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from steadyspot.contract import Reason, Status, messages


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
