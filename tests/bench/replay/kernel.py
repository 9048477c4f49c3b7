"""The decisions of the rendered definition as plain Python, fast enough for 100,000 runs.

A test runs the definition itself in virtual time beside this and compares them, decision by
decision. Only what a market of capacity can do to a run is here: refuse, take back before or after
the start, and let it be. Times are seconds since the epoch; where the definition counts
milliseconds, so does this.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.runs.waits import jittered
from steadyspot.statemachines.values import COOL_OFF_SECONDS, REFUSED_OTHERS, WEATHER_SECONDS

SPOT, ON_DEMAND = "spot", "on-demand"
NEVER = 9e15
FOREVER = float("inf")
GROWTH = 3
LONGEST_EXPECTED = 1.2
REMEMBERED = 3
"""Of the latest refusals."""


@dataclass(frozen=True)
class Settings:
    """The job's settings that matter here; the names are those of the template's parameters."""

    expected_minutes: float
    finish_within_minutes: float = 0
    maximum_wait_minutes: float = 60
    start_up_seconds: float = 60
    stop_timeout_seconds: float = 120
    margin_seconds: float = 15
    backoff_seconds: float = 120
    backoff_cap_seconds: float = 3600
    interruptions: int = 5
    job: str = "nightly"


class Met(NamedTuple):
    """What a launch meets; ``refused``: the call itself fails.

    Seconds until the worker starts, until the task is taken back, and from the notice to the exit.
    """

    refused: bool = False
    start_seconds: float = 60.0
    taken_after: float = FOREVER
    exit_seconds: float = 10.0


class Weather:
    """What runs tell each other of refusals: the latest three, each with when, in ms, and who."""

    def __init__(self, *refusals: tuple[int, str]) -> None:
        self.refusals = [*refusals][:REMEMBERED]

    def note(self, at: int, who: str) -> None:
        """Write a refusal down."""
        self.refusals = [(at, who), *self.refusals][:REMEMBERED]

    def refused_to_others(self, at: int, who: str) -> bool:
        """Whether Spot was refused to others just now."""
        others = [when for when, whom in self.refusals if whom != who]
        recent = [when for when in others if at - when < 1000 * WEATHER_SECONDS]
        return len(recent) >= REFUSED_OTHERS and at - max(recent) < 1000 * COOL_OFF_SECONDS


class End(NamedTuple):
    """How a task ended: on what, since when, its work before, and what ended it."""

    capacity: str
    began: float
    done_before: float
    is_finished: bool
    is_refusal: bool
    is_timed_out: bool


class Decision(NamedTuple):
    """A launch or a wait: when, and what was decided (stop-by and the state's time-out, or 0s)."""

    what: str
    at: float
    seconds: int
    stop_by: int


@dataclass
class Replayed:
    """What became of a run."""

    finished_at: float = 0.0
    complete: bool = False
    spot_seconds: float = 0.0
    on_demand_seconds: float = 0.0
    states_entered: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


class Replay:
    """One run. ``market(capacity, at)`` says what a launch meets."""

    def __init__(
        self,
        settings: Settings,
        work_seconds: float,
        market: Callable[[str, float], Met],
        now: float,
        weather: Weather | None = None,
    ) -> None:
        self.s = settings
        self.weather = weather or Weather()
        self.work = work_seconds
        self.market = market
        self.now = now
        self.done = 0.0
        self.out = Replayed()
        self.expected = 60 * settings.expected_minutes
        self.reserve = (
            2 * settings.start_up_seconds + settings.stop_timeout_seconds + settings.margin_seconds
        )
        within = settings.finish_within_minutes
        self.finish_by = math.floor(now) * 1000 + 60_000 * within if within > 0 else 0.0
        self.limit = max(3 * self.expected, 3600)
        due = datetime.fromtimestamp(math.floor(now), UTC)
        self.key = run_key_of(scheduled_time_of(due))
        self.who = f"{settings.job}/{self.key}"
        self.since = NEVER
        self.refused_at = NEVER
        self.waits = 0
        self.stalled = 0
        self.attempts = 0
        self.learned = False
        self.held = 0
        self.is_held = False
        self.refused = 0
        self.end: End | None = None

    # What the definition computes.

    def millis(self) -> int:
        return round(self.now * 1000)

    def fraction(self) -> float:
        return round(min(1.0, self.done / self.work), 9)

    def refused_since(self) -> float:
        """Since when Spot has been refused: from the launch of the first refusal in a row."""
        return min(self.since, self.refused_at)

    def ends(self) -> float:
        """The last moment for a beginning on Spot, in milliseconds."""
        if self.finish_by > 0:
            return self.finish_by - 1000 * (self.reserve + self.expected * (1 - self.fraction()))
        return self.refused_since() + 60_000 * self.s.maximum_wait_minutes

    def slack(self) -> bool:
        return self.millis() + 1000 <= self.ends()

    def stop_by(self, capacity: str) -> float:
        limit = self.millis() + 1000 * self.limit
        if capacity == SPOT and self.finish_by > 0:
            return math.floor(min(self.ends() + 1000 * self.s.start_up_seconds, limit))
        return limit

    def state_ends(self, capacity: str, stop_by: float) -> float:
        if capacity == ON_DEMAND or self.finish_by == 0:
            return stop_by
        left = 1000 * self.expected * (1 - self.fraction())
        course = self.millis() + 1000 * self.s.start_up_seconds + LONGEST_EXPECTED * left
        return max(stop_by, min(course, stop_by + left))

    # The states.

    def run(self) -> Replayed:
        """Run to the end."""
        following = self.begin()
        while following:
            following = self.go_on(following)
        return self.out

    def begin(self) -> str:
        """Claim the run; what follows."""
        self.out.states_entered.append("Claim the run")
        return "look"

    def go_on(self, following: str) -> str:
        """Carry out what follows; what follows then, nothing where the run is over."""
        if following in ("wait", "wait to ask"):
            then = self._wait(asks=following == "wait to ask")
        elif following == "look":
            then = self._look()
        elif following in (SPOT, ON_DEMAND):
            then = self._launch(following)
        elif self.end:
            then = self._ended(self.end)
        else:
            then = self._choose(following)
        self.out.finished_at = self.now
        return then

    def _look(self) -> str:
        self.out.states_entered.append("Look at the weather")
        is_next = self.slack() and self.stalled < 2
        waited = self.refused_at < NEVER
        if (is_next or waited) and not self.weather.refused_to_others(self.millis(), self.who):
            return SPOT
        if is_next:
            self.is_held = True
            if self.attempts == 0:
                self.refused_at = min(self.refused_at, self.millis())
        return "held"

    def _choose(self, last_class: str = "") -> str:
        self.out.states_entered.append("Choose capacity")
        if self.stalled > self.s.interruptions or (last_class == "timed-out" and self.stalled > 1):
            return self._end(
                *("Mark it unfinished", "Park the run", "Count the run", "Read its log"),
                *("Tell people", "Is the run complete?", "Failed"),
            )
        if self.stalled > 1:
            return ON_DEMAND
        if self.is_held and self.slack():
            return "wait"
        return SPOT if self.slack() else ON_DEMAND

    def _wait(self, *, asks: bool) -> str:
        self.out.states_entered.append("Wait to ask again" if asks else "Wait for capacity")
        since = self.refused_since()
        left = (self.ends() - self.millis()) * 0.001
        backoff = min(self.s.backoff_cap_seconds, self.s.backoff_seconds * GROWTH**self.waits)
        most = min(self.s.backoff_cap_seconds, backoff * GROWTH)
        drawn = jittered(backoff / GROWTH, most, (self.s.job, self.key, self.attempts, self.held))
        seconds = max(0, math.floor(min(drawn, left)))
        self.since = since
        if self.is_held:
            self.held += 1
        else:
            self.waits, self.held = self.waits + 1, 0
        self.out.decisions.append(Decision("wait", self.now, seconds, 0))
        self.now += seconds
        return SPOT if asks else "look"

    def _launch(self, capacity: str) -> str:
        out = self.out
        self.attempts += 1
        stop_by = self.stop_by(capacity)
        gives_up = self.state_ends(capacity, stop_by)
        seconds = max(1, math.ceil((gives_up - self.millis()) * 0.001)) + round(
            self.s.stop_timeout_seconds + self.s.margin_seconds
        )
        out.states_entered.append(
            "Run on Fargate Spot" if capacity == SPOT else "Run on on-demand Fargate"
        )
        out.decisions.append(Decision(capacity, self.now, seconds, round(stop_by)))
        met = self.market(capacity, self.now)
        self.is_held = False
        if met.refused:
            return self._refused(self.now, "Note the refusal")
        return self._task(capacity, met, stop_by / 1000, self.now + seconds)

    def _refused(self, launched: float, noting: str) -> str:
        self.refused_at = round(launched * 1000)
        self.refused += 1
        self.weather.note(self.millis(), self.who)
        self.out.states_entered.append(noting)
        if noting == "Note the refusal" and self._is_plain():
            return "wait to ask"
        self.out.states_entered.append("Why did it stop?")
        if self.slack():
            self._learn("Learn how long to wait")
            return "wait"
        self.out.states_entered.append("Wait a moment")
        left = (self.ends() - self.millis()) * 0.001
        self.now += max(0, math.floor(min(left, self.s.backoff_seconds)))
        return "refused"

    def _is_plain(self) -> bool:
        """Whether a state that notes the weather may lead back to Spot, with nothing to judge."""
        told = self.weather.refused_to_others(self.millis(), self.who)
        return self.slack() and not self._is_to_learn() and not told

    def _task(self, capacity: str, met: Met, stop_by: float, gives_up: float) -> str:
        """Let the task run to its end, which is judged by what others will have met until then."""
        out, began, done = self.out, self.now, self.done
        starts = began + met.start_seconds
        finishes, taken = starts + self.work - done, began + met.taken_after
        moves = self.expected if capacity == SPOT and self.finish_by > 0 else 0.0
        stops = _stops_itself(stop_by, starts, moves / self.work)
        notice = min(taken, finishes, stops)
        self.done += max(0.0, notice - starts)
        ended = notice if notice == finishes else notice + met.exit_seconds
        if capacity == SPOT:
            out.spot_seconds += ended - began
        else:
            out.on_demand_seconds += ended - began
        self.now = min(ended, gives_up)
        timed_out = ended > gives_up or notice != taken
        never_began = notice < starts or starts >= gives_up
        self.end = End(
            *(capacity, began, done),
            is_finished=ended <= gives_up and notice == finishes,
            is_refusal=(notice <= starts and not timed_out)
            or (never_began and timed_out and capacity == SPOT),
            is_timed_out=timed_out,
        )
        return "ended"

    def _ended(self, end: End) -> str:
        self.end, out = None, self.out
        if end.is_finished:
            return self._finished()
        out.states_entered += ["How far did it get?", "Record the attempt"]
        gained = self.fraction() > round(min(1.0, end.done_before / self.work), 9)
        at_once = not end.is_timed_out and gained and end.capacity == SPOT
        if (end.is_refusal or at_once) and self.slack():
            self._learn("Learn the run time")
        if end.is_refusal:
            return self._refused(end.began, "Note the weather")
        out.states_entered.append("Note the weather")
        self.since, self.waits, self.held, self.refused_at = NEVER, 0, 0, NEVER
        self.stalled = 0 if gained else self.stalled + 1
        if at_once and self._is_plain():
            return SPOT
        out.states_entered.append("Why did it stop?")
        if at_once and self.slack():
            return "look"
        return "timed-out" if end.is_timed_out else "interrupted"

    def _is_to_learn(self) -> bool:
        return self.finish_by > 0 and not self.learned

    def _learn(self, state: str) -> None:
        """Enter the state that learns the run time, once; there are no records to learn from."""
        if self._is_to_learn():
            self.learned = True
            self.out.states_entered.append(state)

    def _finished(self) -> str:
        out = self.out
        out.complete = True
        out.states_entered.append("Close the run")
        late = self.finish_by > 0 and self.millis() > self.finish_by
        if self.attempts == 1 and not late:
            return ""
        return self._end("What has it done?", "Tell people it finished", "Finished")

    def _end(self, *states: str) -> str:
        self.out.states_entered += states
        return ""


def _stops_itself(stop_by: float, starts: float, pace: float) -> float:
    """When a worker stops by its own clock: the share of the work it makes moves that on."""
    if stop_by < starts:
        return starts
    return FOREVER if pace >= 1 else stop_by + (stop_by - starts) * pace / (1 - pace)
