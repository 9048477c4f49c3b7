"""How the grace between SIGTERM and SIGKILL is shared out, as pure functions of what was measured.

ECS sends SIGTERM and, ``stopTimeout`` seconds later, SIGKILL (2 to 120 s on Fargate). The job gets
what saving does not need; saving needs what it needed before, three times over, up to a bound. A
save that may come to need more than that is begun before, while the job runs.
"""

from __future__ import annotations

LEAVE_SECONDS = 1.0
"""Kept for withdrawing, the stop report, telemetry and the exit itself."""

SAVE_FACTOR = 3.0
LEAST_SAVE_SECONDS = 1.0
MOST_SAVE_SHARE = 0.75

EARLY_SHARE = 0.5
"""Of the most that a last save may take: what needs more is saved at once, since a forecast errs
and the job goes on working until it is killed."""

LOOK_SHARE = 0.02
"""Of the time at most is spent on looking how much has changed."""

SHORTEST_LOOK_SECONDS = 1.0


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
    save_end = _save_end(stop_timeout_seconds)
    most = most_save_seconds(stop_timeout_seconds)
    save = min(max(LEAST_SAVE_SECONDS, SAVE_FACTOR * save_seconds), most)
    on_stop = min(on_stop_seconds, (save_end - save) * 0.75)
    drain = save_end - save - on_stop
    if drain_seconds is not None:
        drain = min(drain, drain_seconds)
    return Shares(drain, drain + on_stop, save_end)


def _save_end(stop_timeout_seconds: float) -> float:
    return max(stop_timeout_seconds - LEAVE_SECONDS, stop_timeout_seconds * 0.75)


def most_save_seconds(stop_timeout_seconds: float) -> float:
    """The longest that a stop leaves to the last save."""
    return MOST_SAVE_SHARE * _save_end(stop_timeout_seconds)


def is_due_early(
    needed_seconds: float, most_seconds: float, since_seconds: float, last_seconds: float
) -> bool:
    """Whether to save at once, so that a stop which comes later still leaves enough time.

    ``needed_seconds``: what a save would take now; ``most_seconds``: what a stop leaves to it at
    most. ``since_seconds``: since the last save ended, which took ``last_seconds``; a job that
    changes more than can be saved is not saved for more than half of the time.
    """
    return needed_seconds >= EARLY_SHARE * most_seconds and since_seconds >= last_seconds


def next_look_seconds(look_seconds: float, every_seconds: float) -> float:
    """When to look again, given how long a look took, for saves every so many seconds."""
    return min(every_seconds, max(SHORTEST_LOOK_SECONDS, look_seconds / LOOK_SHARE))
