"""Ends a run that is under way: its execution is stopped, and *After the end* speaks for it.

Step Functions stops the task of an execution that is stopped (AWS's page on runTask.sync); the
worker saves what is done. The run is marked, parked in the dead-letter queue and told to people by
the small workflow that does so for every execution which ends without having said how.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from steadyspot.contract import Status
from steadyspot.deploy.runs.executions import described
from steadyspot.deploy.runs.records import RunRecord

_LOOK_SECONDS = 1.0


def stop(sfn: Any, execution: str, reason: str) -> bool:
    """Stop an execution; return whether it was under way."""
    found = described(sfn, execution)
    if found is None or found["status"] != "RUNNING":
        return False
    sfn.stop_execution(executionArn=execution, error="Stopped", cause=reason)
    return True


def marked(
    look: Callable[[], RunRecord | None],
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> RunRecord | None:
    """Wait until the run's record says how it ended; None where it does not within the time."""
    until = clock() + seconds
    while True:
        run = look()
        if run is not None and run.status in (Status.COMPLETE, Status.UNFINISHED):
            return run
        if clock() > until:
            return None
        pause(_LOOK_SECONDS)
