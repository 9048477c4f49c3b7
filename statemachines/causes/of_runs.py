"""What befalls a run beside its attempts: it is not begun, not continued, replaced, or held.

No stop is recognised by these rows: a state or a machine that finds it so names its row, by
``values``. Their order is that of the reference alone.
"""

from __future__ import annotations

from steadyspot.contract import Status, messages
from steadyspot.statemachines.causes.row import Answer, Cause, CauseClass

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

OF_RUNS = (
    *(NOT_CONTINUED, TAMPERED, NOT_CLAIMED, EXECUTION_ENDED),
    *(REPLACED, SKIPPED, QUEUE_FULL, HELD, SHARDS_UNFINISHED),
)
