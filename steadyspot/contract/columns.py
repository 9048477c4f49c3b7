"""The columns of the run table, by name; ``records`` says what those with fields of their own hold.

A run has two items. The workflow's holds who has claimed the run, its attempts, its money and what
stopped it; no container can write it. The worker's, under a partition key of its own, holds what is
durable and why the worker left; the workflow makes it with the claim and keeps ``execution`` and
``status`` in both in step, and it counts only for the execution that it names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

JOB: Final = "job"
"""Partition key: the job's name, of the worker's item :func:`worker_partition`."""

WORKER_SUFFIX: Final = "/worker"
"""No job's name has a slash, so no job's partition is another's."""


def worker_partition(job: str) -> str:
    """Return the partition key of the worker's items of a job."""
    return job + WORKER_SUFFIX


TURN_SUFFIX: Final = "/turn"
TURN: Final = "turn"
"""Sort key of the one item of its partition, by which runs of a job do not overlap."""


def turn_partition(job: str) -> str:
    """Return the partition key of a job's turn."""
    return job + TURN_SUFFIX


WEATHER: Final = "/weather"
"""Partition key of the weather of Spot; the sort key is a CPU architecture and a month, such as
``X86_64/2026-11``. No job's partition is called so, and no task can write there."""

REFUSED_IN: Final = "refused_"
RECLAIMED_IN: Final = "reclaimed_"
"""How a column of the weather begins that counts launches which Spot refused, or tasks that it took
back. An hour of the day follows, 00 to 23 in UTC, and of a reclaim ``_`` and the zone."""

LATEST_REFUSED: Final = "latest_1"
"""Of the weather: when Spot refused last, in milliseconds since the epoch, a blank, job/run key."""

REFUSED_BEFORE: Final = "latest_2"
"""The same of the refusal before that one."""

SHARDS_SUFFIX: Final = "/shards"


def shards_partition(job: str) -> str:
    """Return the partition key of the workflow's items of shards, which are not among the runs'."""
    return job + SHARDS_SUFFIX


SHARDS: Final = "shards"
"""Over how many tasks the run is spread: as many as when it began, 1 for a run that is not."""

SHARDS_LEFT: Final = "shards_left"
"""Numbers of the shards with which the run ended unfinished, separated by commas."""

SKIPPED_FOR: Final = "skipped_for"
"""Key of the run that was under way when this one was skipped."""

TAKEN_BY: Final = "taken_by"
"""Of the turn: key of the run that has it, alone in a set; not there while nobody has it."""

DUE: Final = "due_key"
"""Of the turn: when that run was due, written as a run key is."""

QUEUED: Final = "queued"
"""Of the turn: a set of those that wait for it, each ``DUE/RUN KEY/NAME OF ITS EXECUTION``."""

RUN_KEY: Final = "run_key"
"""Sort key: what the run is called by within its job."""

STATUS: Final = "status"
"""Of the run, in the workflow's item; of the work, in the worker's."""

EXECUTION: Final = "execution"
"""ARN of the execution that works the run off."""

CLAIMS: Final = "claims"
"""How often the run was claimed: by its first execution and by each redrive."""

CLAIMED_AT: Final = "claimed_at"
SCHEDULED_TIME: Final = "scheduled_time"
ATTEMPTS: Final = "attempts"
BROKEN_OFF: Final = "broken_off"
"""The attempt that ended with its execution, until the next one takes it into ``attempts``."""

MONEY: Final = "money"
CAUSE: Final = "cause"
"""Name of the row of the cause table that the run ended unfinished with."""

TOLD_LATE: Final = "told_late"
"""ARN of the execution for which people were told that the deadline had passed."""

TOLD_LATE_BY: Final = "told_late_by"
MARKED_BY: Final = "marked_by"
"""ARNs of the executions of *At the deadline* and *After the end* that wrote so: where a reply is
lost, their next try must still go through."""

FENCE: Final = "fence"
HOLDER: Final = "holder"
"""Tells two tasks with the same fence apart."""

CHECKPOINT: Final = "checkpoint"
PROGRESS: Final = "progress"
STOP_REPORT: Final = "stop_report"
"""What the worker wrote when it left without having finished."""

WARNINGS: Final = "warnings"
"""Sentences of the worker's about what went wrong and ended no attempt; not there without any."""

COMMIT: Final = "commit"
"""Where the list of outputs that are being published lies."""

DELETE_AT: Final = "delete_at"
"""When DynamoDB may delete the item of a complete run, in seconds since the epoch; 0: never."""

COMPLETION: Final = "completion"

IS_OPEN: Final = "is_open"
"""There, and :data:`OPEN`, while a run is under way or ended unfinished; the index of that name."""

OPEN: Final = "open"
OPEN_SHARD: Final = "open-shard"
"""The same of a shard."""

OPEN_AS: Final = "open_as"
"""Sorts the index: :data:`RUNNING_SINCE` or :data:`PARKED_SINCE`, then the time since when."""

PARKED_SINCE: Final = "parked "
RUNNING_SINCE: Final = "running "

TOTALS: Final = "totals/"
"""How the sort key of an item begins that sums up the finished runs of a month; no run key has a
slash. The month, as 2026-11, follows. Runs count in the month, and on the day, that they are of."""

DAY: Final = "day_"
"""How the column begins that counts a day's finished runs; the day, 01 to 31, follows."""

COST: Final = "cost"
COST_ON_DEMAND_ONLY: Final = "cost_on_demand_only"
LATEST_RUN: Final = "latest_run"
"""Key of the run that wrote into the month's totals last."""

LATEST_AT: Final = "latest_at"
