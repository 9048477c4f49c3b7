"""How the grace between SIGTERM and SIGKILL is shared out, as pure functions of what was measured.

ECS sends SIGTERM and, ``stopTimeout`` seconds later, SIGKILL (2 to 120 s on Fargate). The job gets
what saving does not need; saving needs what it needed before, three times over.
"""

from __future__ import annotations

LEAVE_SECONDS = 1.0
"""Kept for withdrawing, the stop report, telemetry and the exit itself."""

SAVE_FACTOR = 3.0
LEAST_SAVE_SECONDS = 1.0


class Shares:
    """Seconds after the notice at which each stage has to end."""

    def __init__(self, drain_end: float, on_stop_end: float, save_end: float) -> None:
        self.drain_end = drain_end
        self.on_stop_end = on_stop_end
        self.save_end = save_end


def shares(
    stop_timeout_seconds: float,
    save_seconds: float,
    on_stop_seconds: float,
    drain_seconds: float | None,
) -> Shares:
    """Share out the grace.

    ``save_seconds`` is the longest save so far, ``on_stop_seconds`` the share of the user's command
    (0 without one), ``drain_seconds`` the most the job may have (none: all that is left).
    """
    save_end = max(stop_timeout_seconds - LEAVE_SECONDS, stop_timeout_seconds * 0.75)
    save = min(max(LEAST_SAVE_SECONDS, SAVE_FACTOR * save_seconds), save_end * 0.75)
    on_stop = min(on_stop_seconds, (save_end - save) * 0.75)
    drain = save_end - save - on_stop
    if drain_seconds is not None:
        drain = min(drain, drain_seconds)
    return Shares(drain, drain + on_stop, save_end)
