"""The variables of a job's workflow, by name, and the fields of those that others read.

The workflow assigns them; the command line reads them back from a history, and sets them where it
asks what a deployed state would do.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

JOB: Final = "job"
"""The job's parameters."""

CAUSES: Final = "causes"
"""The cause table."""

RUN: Final = "run"
"""Settings of this execution."""

LAST: Final = "last"
"""The latest attempt."""

ATTEMPTS: Final = "attempts"
"""The attempts before it, those of earlier executions included, each with its cause."""

WORK: Final = "work"
"""What the record says of the work."""

SPOT_REFUSED: Final = "spotRefused"
"""Since when Spot is refused, and how often that was waited for."""

CAUSE: Final = "cause"
"""The row of the cause table that stopped the latest attempt."""

STATES_ENTERED: Final = "statesEntered"
"""How many states were entered, which is what a workflow costs."""

SHARDS: Final = "shards"
"""Over how many tasks the run is spread, and what their records say once none of them runs."""

PRINTED: Final = "printed"
"""The last lines that the job of a run that ended unfinished printed."""

HOLDER: Final = "holder"
"""Who holds the run by its record, where that was asked, and what else it says of the claim."""

HOLDER_STATUS: Final = "holderStatus"

TURN: Final = "turn"
"""Whose turn it is by the job's item, and who stands in the way of this run."""

RIVAL: Final = "rival"
"""What Step Functions says of who stands in the way."""

GONE_RIVAL: Final = "goneRival"
"""The execution that had the turn and was seen to have ended without giving it back."""

EARLIER_ATTEMPTS: Final = "earlierAttempts"
"""Field of ``run``: how many attempts earlier executions of the run made."""

CLAIMS: Final = "claims"
"""Field of ``run``: how often it was claimed, this time included."""
