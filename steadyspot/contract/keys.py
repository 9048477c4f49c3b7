"""The run key: what a run is called by, made of its scheduled time.

The workflow makes it in its first state; whoever looks for the run of a time makes the same here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime


def scheduled_time_of(at: datetime) -> str:
    """Return a time in UTC as EventBridge Scheduler writes it: ``2026-11-24T02:00:00Z``."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def run_key_of(scheduled_time: str) -> str:
    """Return the run key of a scheduled time: ``20261124T020000Z``."""
    return scheduled_time.replace("-", "").replace(":", "")


DRILL_KEY = "drill-"
"""How the key of a run begins that a drill has started; its mails say so."""

RUN_KEY_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST_RUN_KEY = 80
"""As many as the name of an execution has at most; and not only dots, which mean folders."""


def scheduled_time_from(run_key: str) -> str:
    """Return the scheduled time of a run key, empty where it is none of a time in the calendar."""
    from datetime import datetime  # here, since the worker needs none of it to start

    date, clock = f"{run_key[:4]}-{run_key[4:6]}-{run_key[6:8]}", run_key[8:11]
    time = f"{date}{clock}:{run_key[11:13]}:{run_key[13:]}"
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return ""
    return time if scheduled_time_of(at) == time else ""


SCHEDULED_TIME_ATTRIBUTE = "<aws.scheduler.scheduled-time>"
"""What EventBridge Scheduler puts the scheduled time in the place of, in a target's input."""
FIRST_RUN_KEY, LAST_RUN_KEY = "20000101T000000Z", "20991231T235959Z"
"""Between them lie the keys of all scheduled times; a run by hand has its execution's name."""
