"""The Spot market of the local target: what a launch meets, and when capacity is taken back.

A plan of faults (refuse the next launches, reclaim a task) or a recorded series of capacity
decides; the market only says what shall happen, `fargate.py` does it. It also holds the switches
for what is not known about AWS, so that both ways can be tested.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

SPOT = "FARGATE_SPOT"
ON_DEMAND = "FARGATE"
ANY_FAMILY = "*"


class Refusal(StrEnum):
    """How a launch is refused. Each is one of the ways AWS was seen or documented to do it."""

    FAILURES = "failures"
    """RunTask answers 200 with `failures[]`."""
    EXCEPTION = "exception"
    """RunTask raises 'Capacity is unavailable at this time…'."""
    STOPPED_BEFORE_START = "stopped-before-start"
    """The task is accepted and stops with SpotInterruption: no StartedAt, no exit code."""
    THROTTLED = "throttled"
    """RunTask raises ThrottlingException, 'Rate exceeded'."""
    SERVER_ERROR = "server-error"
    """RunTask raises ServerException, status 500."""
    SLOW = "slow"
    """The task stays in PROVISIONING for `Market.slow_seconds`."""


@dataclass(frozen=True)
class MarketEntry:
    """One thing the market did: `what` is granted, refused or reclaimed."""

    at: datetime
    what: str
    family: str
    capacity: str
    how: str = ""
    task_arn: str = ""


@dataclass
class _PlannedRefusal:
    family: str
    how: Refusal
    capacity: str
    times: int


@dataclass
class _PlannedReclaim:
    family: str
    seconds: float
    times: int


@dataclass
class _Series:
    capacity: Sequence[int]
    gap_seconds: float
    started_at: float
    how: Refusal
    stop: threading.Event = field(default_factory=threading.Event)

    def now(self, clock: Callable[[], float]) -> int:
        step = int((clock() - self.started_at) / self.gap_seconds)
        return self.capacity[min(step, len(self.capacity) - 1)]


class Market:
    """Decides about launches and reclaims. Every method may be called from any thread.

    Attributes
    ----------
    exit_zero_succeeds
        A task that was stopped and whose containers all exited 0 counts as success (AWS: unknown,
        inferred yes).
    sidecars_count
        Any container without exit code 0 fails the state (AWS: reported twice); else only the
        essential ones.
    reclaim_stop_code
        `SpotInterruption`, `TerminationNotice` or None for absent; all three were seen.
    stop_on_timeout
        `TimeoutSeconds` of a `.sync` state also stops the task (AWS: unknown).
    cut_causes
        A Cause above 32,768 characters is cut (AWS: inferred from the length in the model).
    slow_seconds
        How long a slow launch stays in PROVISIONING.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.exit_zero_succeeds = True
        self.sidecars_count = True
        self.reclaim_stop_code: str | None = "SpotInterruption"
        self.stop_on_timeout = False
        self.cut_causes = True
        self.slow_seconds = 3600.0
        self._clock = clock
        self._lock = threading.RLock()
        self._refusals: list[_PlannedRefusal] = []
        self._reclaims: list[_PlannedReclaim] = []
        self._series: _Series | None = None
        self._log: list[MarketEntry] = []
        self._reclaim: Callable[[str], bool] = lambda _task_arn: False
        self._reclaim_all: Callable[[], None] = lambda: None

    def on_reclaim(self, reclaim: Callable[[str], bool], reclaim_all: Callable[[], None]) -> None:
        """Say who takes tasks back: by ARN (False where there is none to take), and all on Spot."""
        self._reclaim = reclaim
        self._reclaim_all = reclaim_all

    def refuse(self, family: str, *, times: int, how: Refusal | str, capacity: str = SPOT) -> None:
        """Refuse the next `times` launches of the family (`*`: any). Plans are used in order.

        0 takes back what is planned for the family.
        """
        with self._lock:
            if times <= 0:
                self._refusals = [plan for plan in self._refusals if plan.family != family]
                return
            self._refusals.append(_PlannedRefusal(family, Refusal(how), capacity, times))

    def reclaim(self, task_arn: str) -> bool:
        """Take a task back now, with SIGTERM. False where it is not on Spot, or stopping."""
        return self._reclaim(task_arn)

    def reclaim_after(self, family: str, seconds: float, *, times: int = 1) -> None:
        """Take the next `times` Spot tasks of the family back, `seconds` after each is RUNNING."""
        with self._lock:
            self._reclaims.append(_PlannedReclaim(family, seconds, times))

    def follow(
        self,
        series: Sequence[int],
        gap_seconds: float,
        *,
        how: Refusal | str = Refusal.FAILURES,
    ) -> None:
        """Let a recorded series rule Spot: 1 grants, 0 refuses; 1 to 0 takes back all Spot tasks.

        One value holds for `gap_seconds`; after the end the last one stays.
        """
        if not series or gap_seconds <= 0:
            raise ValueError("A series needs at least one value and a gap above 0 seconds.")
        following = _Series(list(series), gap_seconds, self._clock(), Refusal(how))
        with self._lock:
            self._end_series()
            self._series = following
        threading.Thread(
            target=self._follow, args=(following,), name="market-series", daemon=True
        ).start()

    def clear(self) -> None:
        """Forget every plan and the series. The log and the switches stay."""
        with self._lock:
            self._refusals.clear()
            self._reclaims.clear()
            self._end_series()

    def log(self) -> list[MarketEntry]:
        """What the market did so far, in order."""
        with self._lock:
            return list(self._log)

    def decide(self, family: str, capacity: str) -> Refusal | None:
        """How this launch is refused; None where it is granted. Uses up one planned refusal."""
        with self._lock:
            refusal = self._planned(family, capacity) or self._ruled_by_series(capacity)
            self.note("refused" if refusal else "granted", family, capacity, how=refusal or "")
            return refusal

    def reclaim_delay(self, family: str, capacity: str) -> float | None:
        """Seconds after RUNNING at which the task is taken back. Uses up one planned reclaim."""
        if capacity != SPOT:
            return None
        with self._lock:
            for plan in self._reclaims:
                if plan.family in (family, ANY_FAMILY):
                    plan.times -= 1
                    if plan.times <= 0:
                        self._reclaims.remove(plan)
                    return plan.seconds
        return None

    def note(
        self, what: str, family: str, capacity: str, *, how: str = "", task_arn: str = ""
    ) -> None:
        """Write into the log."""
        with self._lock:
            self._log.append(
                MarketEntry(datetime.now(UTC), what, family, capacity, str(how), task_arn)
            )

    def _planned(self, family: str, capacity: str) -> Refusal | None:
        for plan in self._refusals:
            if plan.family in (family, ANY_FAMILY) and plan.capacity == capacity:
                plan.times -= 1
                if plan.times <= 0:
                    self._refusals.remove(plan)
                return plan.how
        return None

    def _ruled_by_series(self, capacity: str) -> Refusal | None:
        if self._series is None or capacity != SPOT or self._series.now(self._clock):
            return None
        return self._series.how

    def _end_series(self) -> None:
        if self._series is not None:
            self._series.stop.set()
            self._series = None

    def _follow(self, series: _Series) -> None:
        for step in range(1, len(series.capacity)):
            due = series.started_at + step * series.gap_seconds
            if series.stop.wait(max(0.0, due - self._clock())):
                return
            if series.capacity[step - 1] and not series.capacity[step]:
                self._reclaim_all()
