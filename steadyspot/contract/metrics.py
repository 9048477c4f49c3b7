"""Names of the metrics that both the worker and the workflow send to CloudWatch.

The worker counts what it ends: attempts, and the runs that it finished. The workflow counts what no
worker ends: runs that are parked or skipped, and those over shards.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

NAMESPACE: Final = "Steadyspot"

JOB: Final = "Job"
CAPACITY: Final = "Capacity"
CAUSE: Final = "Cause"
OUTCOME: Final = "Outcome"
"""Dimensions."""

RUNS: Final = "Runs"
REFUSALS: Final = "Refusals"
"""Launches that came to nothing."""
FINISH_DELAY: Final = "FinishDelaySeconds"
"""From the scheduled time of a run to its end."""

FINISHED: Final = "finished"
LATE: Final = "late"
PARKED: Final = "parked"
SKIPPED: Final = "skipped"
"""Outcomes: finished in time, or behind the deadline; ended unfinished; not begun."""
FAILED: Final = "failed"
"""Ended unfinished, and the queue did not take it."""
OUTCOMES: Final = (FINISHED, LATE, PARKED, SKIPPED, FAILED)
