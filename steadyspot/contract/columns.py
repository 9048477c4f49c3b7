"""The columns of the run table, by name; ``records`` says what those with fields of their own hold.

The workflow writes the request's side (who has claimed the run, its attempts, its money, what
stopped it), the worker what it has made durable and why it left.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

JOB: Final = "job"
"""Partition key: the job's name."""

RUN_KEY: Final = "run_key"
"""Sort key: what the run is called by within its job."""

STATUS: Final = "status"
EXECUTION: Final = "execution"
"""ARN of the execution that works the run off."""

CLAIMS: Final = "claims"
"""How often the run was claimed: by its first execution and by each redrive."""

CLAIMED_AT: Final = "claimed_at"
SCHEDULED_TIME: Final = "scheduled_time"
ATTEMPTS: Final = "attempts"
MONEY: Final = "money"
CAUSE: Final = "cause"
"""Name of the row of the cause table that the run ended unfinished with."""

FENCE: Final = "fence"
HOLDER: Final = "holder"
"""Tells two tasks with the same fence apart."""

CHECKPOINT: Final = "checkpoint"
PROGRESS: Final = "progress"
STOP_REPORT: Final = "stop_report"
"""What the worker wrote when it left without having finished."""

COMMIT: Final = "commit"
"""Where the list of uploads that are being completed lies."""

COMPLETION: Final = "completion"
