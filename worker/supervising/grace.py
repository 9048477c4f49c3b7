"""The phases of an attempt, and the time that a stop leaves to each.

    STARTING ──▶ RUNNING ──▶ DRAINING ──▶ SAVING ──▶ LEAVING ──▶ exit

    STARTING  the job is forked and waits to be let go; folders are restored
    RUNNING   the job works; its folders are saved now and then
    DRAINING  a stop was noticed: the job is told, and has its share of the grace to end
    SAVING    the job is gone: what is done is made durable, or published where it ended well
    LEAVING   the stop report is written, what was measured is sent

A phase is never gone back to; a job that ends by itself skips DRAINING, and a stop before the job
began skips RUNNING. ECS sends a signal and, ``stopTimeout`` seconds later, SIGKILL; in between
(``stages`` says how long each takes)

    notice           drain_end          on_stop_end        save_end         stopTimeout
      │ told: the first  │ killed: what is  │ killed: the       │ given up: the   │ SIGKILL
      │ process, then    │ left of the job  │ command for       │ last save       │ of all
      │ who it leaves    │                  │ the stop          │                 │
      ├── DRAINING ──────┼───────────────── SAVING ─────────────┼── LEAVING ──────┤
"""

from __future__ import annotations

import time
from enum import IntEnum, auto

from steadyspot.contract import Reason
from steadyspot.worker.supervising.stages import Shares, shares

NO_END_SECONDS = 1e9
"""What is left while no stop was noticed."""

OWN_LIMIT = "the attempt's own time limit"

SAYING_SECONDS = 0.5
"""What a save that fails leaves for the last word."""


class Phase(IntEnum):
    """Where an attempt is, in the order of time."""

    STARTING = auto()
    RUNNING = auto()
    DRAINING = auto()
    SAVING = auto()
    LEAVING = auto()


class Grace:
    """The phase of the attempt, why it is to stop, and when each share of the grace is over.

    ``by`` names what the stop came by: a signal, or ``OWN_LIMIT``.
    ``on_stop_seconds`` is the share of the command for a stop, ``drain_seconds`` the most that the
    job may have of the grace (none: all that is left). Times are monotonic.
    """

    def __init__(
        self, stop_timeout_seconds: float, on_stop_seconds: float, drain_seconds: float | None
    ) -> None:
        self.seconds = stop_timeout_seconds
        self.phase = Phase.STARTING
        self.why: Reason | None = None
        self.by = ""
        self.noticed = 0.0
        self._saving_began = 0.0
        self._on_stop_seconds = on_stop_seconds
        self._drain_seconds = drain_seconds
        self._shares: Shares

    def enter(self, phase: Phase) -> None:
        """Go on to a phase; one that is over stays over."""
        if phase is Phase.SAVING and not self._saving_began:
            self._saving_began = time.monotonic()
        self.phase = max(self.phase, phase)

    def begin(self, by: str, save_seconds: float, why: Reason | None = None) -> float:
        """The grace begins now; seconds of the job's share. ``save_seconds``: the longest save.

        ``why`` is none where the job had ended by itself: the stop only limits what is left to do.
        """
        self.by, self.noticed = by, time.monotonic()
        self._shares = shares(
            self.seconds, save_seconds, self._on_stop_seconds, self._drain_seconds
        )
        if why is not None:
            self.why = why
            self.enter(Phase.DRAINING)
        return self._shares.drain_end

    @property
    def drain_end(self) -> float:
        """When what is left of the job is killed."""
        return self.noticed + self._shares.drain_end

    @property
    def on_stop_end(self) -> float:
        """When the command for a stop is killed."""
        return self.noticed + self._shares.on_stop_end

    @property
    def save_end(self) -> float:
        """When the last save has to have succeeded or failed, so that this can still be said."""
        return self.noticed + self._shares.save_end - SAYING_SECONDS

    def used(self) -> dict[str, float]:
        """The grace as the stop report tells it, empty where no stop was noticed."""
        if not self.noticed:
            return {}
        now = time.monotonic()
        saving = now - (self._saving_began or min(now, self.drain_end))
        return {
            "grace_seconds": self.seconds,
            "grace_used_seconds": round(now - self.noticed, 3),
            "grace_saving_seconds": round(saving, 3),
        }

    def left(self) -> float:
        """Seconds until saving has to be over; much, where no stop was noticed."""
        if not self.noticed:
            return NO_END_SECONDS
        return self.noticed + self._shares.save_end - time.monotonic()
