"""A run as a plain story, from the history of its execution; pure.

Only what Step Functions wrote down is told: which states were entered, what the calls brought,
what the machine assigned. So the same lines come out live, afterwards, and for an execution that
somebody started in the console.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from steadyspot.contract import Capacity, CapacityMode, messages, variables
from steadyspot.contract.states import JobState
from steadyspot.deploy.runs.turn_told import TurnTold
from steadyspot.deploy.runs.waits import (
    WAITS_FOR_SPOT,
    Wait,
    deadline_of,
    latest_spot_start_of,
    wait_of,
)
from steadyspot.statemachines.causes.of_runs import HELD
from steadyspot.statemachines.causes.row import CauseClass

if TYPE_CHECKING:
    from steadyspot.contract.records import AttemptColumn

SPOT, ON_DEMAND = JobState.RUN_ON_SPOT, JobState.RUN_ON_DEMAND
_READS = (JobState.HOW_FAR, JobState.WHAT_IS_DONE)
_CLAIMS = (JobState.CLAIM, JobState.TAKE_OVER)
_WAITS = (*WAITS_FOR_SPOT, JobState.WAIT_A_MOMENT)
_SOON = timedelta(seconds=2)
"""A wait for Spot that ends so near its latest start leaves no time to try it again."""
_LAUNCHES: Mapping[str, str] = {SPOT: "Spot", ON_DEMAND: Capacity.ON_DEMAND}


class Tone(StrEnum):
    """How a moment should look."""

    PLAIN = "plain"
    GOOD = "good"
    TROUBLE = "trouble"
    DECISION = "decision"


@dataclass(frozen=True)
class Moment:
    """One line of the story; ``at`` is aware UTC."""

    at: datetime
    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Launch:
    """An attempt that has been asked for; ``at`` is aware UTC, ``task`` empty until AWS took it."""

    number: int
    capacity: str
    at: datetime
    task: str = ""


Lines = Iterator[tuple[str, Tone]]


class Story:
    """Turns events of a history, in their order, into moments; feed it as they come."""

    def __init__(self) -> None:
        self._launches = 0
        self._before = 0
        self._done = 0
        self._saved = False
        self._last: Mapping[str, Any] = {}
        self._worked = False
        self._wish = ""
        self._waiting_since: datetime | None = None
        self._capacity = ""
        self._last_capacity = ""
        self._call_failed = False
        self._chose = False
        self._values: dict[str, Any] = {}
        self._judged = 0
        self._said = ""
        self._turn = TurnTold()
        self.under_way: Launch | None = None
        """The attempt that was asked for last, as long as it has not ended."""
        self.latest_spot_start: datetime | None = None
        """After when on-demand was taken instead of Spot, as of the last launch or wait; None where
        it never was, or nobody told."""

    @property
    def deadline(self) -> datetime | None:
        """When the run must be done, as far as was told; None without a deadline."""
        return deadline_of(self._values)

    @property
    def attempts(self) -> list[AttemptColumn]:
        """The attempts that have ended, as the workflow carries them along, each with its cause.

        The record has those that were refused only once another one has ended otherwise.
        """
        rows = list(self._values.get(variables.ATTEMPTS, []))
        last = self._last
        if self._judged and self._judged == last.get("attempt") and "started_at" in last:
            rows = [row for row in rows if row["attempt"] < self._judged]
            rows.append({**last, "cause": self._values[variables.CAUSE]["name"]})
        return cast("list[AttemptColumn]", rows)

    def tell(self, events: Iterable[Mapping[str, Any]]) -> Iterator[Moment]:
        """Yield what these events mean to a person."""
        for event in events:
            for text, tone in self._of(event):
                yield Moment(event["timestamp"], text, tone)

    def _of(self, event: Mapping[str, Any]) -> Lines:
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            yield from self._entered(event["stateEnteredEventDetails"]["name"], event["timestamp"])
        elif kind.endswith("StateExited"):
            yield from self._exited(event["stateExitedEventDetails"], event["timestamp"])
            yield from _held(event["stateExitedEventDetails"])
        elif kind == "TaskSubmitted" and self._capacity:
            tasks = _tasks_in(event["taskSubmittedEventDetails"])
            if tasks and self.under_way:
                self.under_way = replace(self.under_way, task=tasks[0]["TaskArn"])
            yield from _submitted(tasks)
        elif kind in ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"):
            self._call_failed = True
        elif kind == "ExecutionRedriven":
            yield "the execution is redriven in the console", Tone.DECISION
        elif kind in _ENDINGS:
            self.under_way = None
            yield from _ended(kind, event)

    def _entered(self, state: str, at: datetime) -> Lines:
        self._capacity = _LAUNCHES.get(state, "")
        self._call_failed = False
        if self._capacity or state in _WAITS:
            self.latest_spot_start = latest_spot_start_of(self._values)
        if state in _WAITS:
            self._waiting_since = at
            wait = wait_of(state, self._values, at)
            if wait is None or wait.until > at:
                yield _waits(wait, at), Tone.DECISION
        elif state == JobState.MARK_UNFINISHED and self._chose:
            yield "no more is tried: what this cause allows is used up", Tone.DECISION
        elif state == JobState.RUN_SHARDS:
            many = self._values.get(variables.SHARDS, {}).get("of", "its")
            yield f"{many} shards are started, each in an execution of its own", Tone.DECISION
        elif said := self._turn.entered(state, self._values, at):
            yield said, Tone.DECISION
        elif state == JobState.WHO_HOLDS_IT and not self._turn.waits:
            yield "the run is not simply new: who holds it?", Tone.DECISION
        elif self._capacity:
            self._launches += 1
            number = self._before + self._launches
            capacity = Capacity.SPOT if state == SPOT else Capacity.ON_DEMAND
            self.under_way = Launch(number, capacity, at)
            yield self._launched(number)
            self._last_capacity = self._capacity
        self._chose = state == JobState.CHOOSE_CAPACITY and bool(self._launches)

    def _launched(self, number: int) -> tuple[str, Tone]:
        again = number > 1
        resumes, where = self._resumes()
        if self._last_capacity == "Spot" and self._capacity == Capacity.ON_DEMAND:
            does = "to resume" if resumes else "to begin again"
            asked = f"falls back to on-demand: attempt {number} is asked for, {does} {where}"
            return asked, Tone.DECISION
        if again and not self._worked and not resumes:
            return f"attempt {number} is asked for on {self._capacity}", Tone.DECISION
        if again:
            does = f"to resume {where}" if resumes else "to begin again: nothing is saved yet"
            return f"attempt {number} is asked for on {self._capacity}, {does}", Tone.DECISION
        if (
            self._capacity == Capacity.ON_DEMAND
            and self._wish
            and self._wish != CapacityMode.ON_DEMAND_ONLY
        ):
            return "attempt 1 is asked for on on-demand: there is no time for Spot", Tone.DECISION
        return f"attempt {number} is asked for on {self._capacity}", Tone.PLAIN

    def _resumes(self) -> tuple[bool, str]:
        """Return whether an attempt goes on where another one stopped, and where it begins."""
        if self._done:
            return True, f"behind {_units(self._done)} already done"
        return self._saved, "from its checkpoint" if self._saved else "from the beginning"

    def _exited(self, details: Mapping[str, Any], at: datetime) -> Lines:
        state = details["name"]
        if state in _LAUNCHES:
            self.under_way = None
        assigned = assigned_by(details)
        self._values.update(assigned)
        self._done = assigned.get(variables.WORK, {}).get("done", self._done)
        self._saved = assigned.get(variables.WORK, {}).get("saved", self._saved)
        self._last = assigned.get(variables.LAST, self._last)
        if state in _CLAIMS and assigned.get(variables.RUN, {}).get(variables.CLAIMS):
            yield from self._claimed(assigned[variables.RUN], at)
            if found := assigned.get(variables.CAUSE, {}).get("sentence"):
                yield found, Tone.TROUBLE
        elif assigned.get(variables.CAUSE, {}).get("name") and (
            state in _READS or state in _LAUNCHES
        ):
            self._worked = bool(self._last.get("started"))
            self._judged = self._last.get("attempt", 0)
            yield from self._stopped(assigned[variables.CAUSE])
        elif state in _WAITS and self._waiting_since:
            seconds = (at - self._waiting_since).total_seconds()
            if seconds >= 1:
                yield f"waited {seconds:.0f} s", Tone.PLAIN
        elif state in _AFTER:
            done, failed = _AFTER[state]
            if self._call_failed and failed:
                yield failed, Tone.TROUBLE
            elif not self._call_failed:
                yield done, _TONES.get(state, Tone.PLAIN)

    def _stopped(self, cause: Mapping[str, Any]) -> Lines:
        """Say how an attempt ended; a sentence that was said of the one before is not repeated."""
        attempt = self._last
        number = attempt.get("attempt", "")
        if cause["name"] == "finished":
            done = attempt.get("units_done", 0)
            yield f"attempt {number} finished the run: {_units(done)} done", Tone.GOOD
            return
        facts = [cause["name"]]
        if attempt.get("exit_code", -1) >= 0:
            facts.append(f"exit {attempt['exit_code']}")
        if attempt.get("started"):
            facts.append(f"{_units(attempt['units_done'])} done")
        how = _HOW.get(cause.get("class", ""), "stopped")
        why = ", as before" if cause["sentence"] == self._said else f": {cause['sentence']}"
        self._said = cause["sentence"]
        yield f"attempt {number} {how} ({', '.join(facts)}){why}", Tone.TROUBLE

    def _claimed(self, run: Mapping[str, Any], at: datetime) -> Lines:
        if took := self._turn.over(at):
            yield took, Tone.GOOD
        self._launches, self._before = 0, run.get(variables.EARLIER_ATTEMPTS, 0)
        self._wish = run.get("capacity", "")
        if run[variables.CLAIMS] == 1:
            due = f", due by {_clock(self.deadline)}" if self.deadline else ""
            yield f"run {run['key']} is claimed{_after_its_time(run, at)}{due}", Tone.PLAIN
            return
        resumed = f"; {_units(self._done)} done already" if self._done else ""
        yield (
            f"run {run['key']} is taken up again, for the {_nth(run['claims'])} time{resumed}",
            Tone.DECISION,
        )


def _held(details: Mapping[str, Any]) -> Lines:
    """Yield that Spot is not asked, since it is refused to other runs."""
    cause = assigned_by(details).get(variables.CAUSE, {})
    if details["name"] == JobState.LOOK_AT_WEATHER and cause.get("name") == HELD.name:
        yield cause["sentence"], Tone.DECISION


def _after_its_time(run: Mapping[str, Any], at: datetime) -> str:
    """Return how long after its time a run begins: Scheduler may spread starts, or try again."""
    time = run.get(messages.SCHEDULED_TIME)
    minutes = (at - datetime.fromisoformat(time)).total_seconds() / 60 if time else 0
    return f" {minutes:.0f} min after its time" if minutes >= 1 else ""


def _waits(wait: Wait | None, at: datetime) -> str:
    """Return until when is waited, what comes then at the latest, and when the run is due.

    A wait for Spot that ends at the latest start of it has Spot asked for once more.
    """
    if wait is None:
        return "backs off before the next attempt"
    told = [f"waits until {_clock(wait.until)}"]
    if wait.on_demand:
        last = "then asks for Spot a last time" if wait.for_spot else "then takes on-demand"
        told.append(
            last
            if wait.until >= wait.on_demand - _SOON
            else f"takes on-demand from {_clock(wait.on_demand)} on"
        )
    if wait.deadline:
        told.append(f"{'is' if at < wait.deadline else 'was'} due by {_clock(wait.deadline)}")
    return ", ".join(told)


def _clock(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}" if at else "?"


def assigned_by(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a state assigned; very long values are cut by AWS, and left out here."""
    values = {}
    for name, text in (details.get("assignedVariables") or {}).items():
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            continue
    return values


_AFTER: Mapping[str, tuple[str, str]] = {
    JobState.CLOSE: ("the run's record says complete", ""),
    JobState.RUN_SHARDS: ("all shards have ended", "the shards could not all be started"),
    JobState.COMPLETE: ("all shards are complete, and so is the run", ""),
    JobState.PARK: ("the run is parked in the dead-letter queue", "the run could not be parked"),
    JobState.TELL_IT_WAITS: (
        "on-demand is refused, and people are told",
        "on-demand is refused, and people could not be told",
    ),
    JobState.TELL_IT_HANGS: (
        "it came to no end, and people are told",
        "it came to no end, and people could not be told",
    ),
    JobState.TELL: ("people are told", "people could not be told"),
    JobState.TELL_IT_FINISHED: ("people are told", "people could not be told"),
}
"""What a state has done once it is left, and what is said where its call failed and was caught."""
_TONES: Mapping[str, Tone] = {
    JobState.CLOSE: Tone.GOOD,
    JobState.COMPLETE: Tone.GOOD,
    JobState.PARK: Tone.TROUBLE,
}


def _tasks_in(details: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    try:
        return json.loads(details.get("output", "{}")).get("Tasks") or []
    except json.JSONDecodeError:
        return []


def _submitted(tasks: Sequence[Mapping[str, Any]]) -> Lines:
    if tasks:
        where = tasks[0].get("AvailabilityZone")
        text = f"task {_short(tasks[0]['TaskArn'])} is accepted"
        yield text + (f" in {where}" if where else ""), Tone.PLAIN


_HOW: Mapping[str, str] = {
    CauseClass.REFUSED: "was refused",
    CauseClass.INTERRUPTED: "was interrupted",
    CauseClass.INCOMPLETE: "ended without finishing",
    CauseClass.THROTTLED: "was throttled",
    CauseClass.INFRASTRUCTURE: "was lost",
    CauseClass.MISCONFIGURED: "cannot run",
    CauseClass.OUT_OF_MEMORY: "ran out of memory",
    CauseClass.TIMED_OUT: "ran out of time",
    CauseClass.FAILED: "failed",
}


_ENDINGS = {
    "ExecutionSucceeded": ("the execution succeeded", Tone.GOOD),
    "ExecutionFailed": ("the execution failed", Tone.TROUBLE),
    "ExecutionAborted": ("the execution was stopped by hand", Tone.TROUBLE),
    "ExecutionTimedOut": ("the execution ran out of time", Tone.TROUBLE),
}


def _ended(kind: str, event: Mapping[str, Any]) -> Lines:
    text, tone = _ENDINGS[kind]
    details = (
        event.get("executionFailedEventDetails") or event.get("executionAbortedEventDetails") or {}
    )
    error = details.get("error")
    output = (event.get("executionSucceededEventDetails") or {}).get("output", "")
    if kind == "ExecutionSucceeded" and '"duplicate"' in output:
        yield "a duplicate: another execution works this time off", tone
        return
    if kind == "ExecutionSucceeded" and f'"{messages.SKIPPED}"' in output:
        yield "the run was skipped: another run of the job was under way", Tone.TROUBLE
        return
    if kind == "ExecutionSucceeded" and f'"{messages.GONE_ON}"' in output:
        yield "the run goes on in another execution, which carries the latest attempts along", tone
        return
    yield text + (f" as {error}" if error else ""), tone


def _units(number: float) -> str:
    return "1 unit" if number == 1 else f"{number:g} units"


def _nth(number: int) -> str:
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{last or 'th'}"


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1][:8]
