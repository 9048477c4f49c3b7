"""A run as a plain story, from the history of its execution; pure.

Only what Step Functions wrote down is told: which states were entered, what the calls brought, what the
machine assigned. So the same lines come out live, afterwards, and for an execution that somebody started
in the console.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

SPOT, ON_DEMAND = "Run on Fargate Spot", "Run on on-demand Fargate"
_LAUNCHES = {SPOT: "Spot", ON_DEMAND: "on-demand"}


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


class Story:
    """Turns events of a history, in their order, into moments; feed it as they come."""

    def __init__(self) -> None:
        self._launches = 0
        self._before = 0
        self._waiting_since: datetime | None = None
        self._capacity = ""

    def tell(self, events: Iterable[Mapping[str, Any]]) -> Iterator[Moment]:
        """Yield what these events mean to a person."""
        for event in events:
            for text, tone in self._of(event):
                yield Moment(event["timestamp"], text, tone)

    def _of(self, event: Mapping[str, Any]) -> Iterator[tuple[str, Tone]]:
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            yield from self._entered(event["stateEnteredEventDetails"]["name"], event["timestamp"])
        elif kind.endswith("StateExited"):
            yield from self._exited(event["stateExitedEventDetails"], event["timestamp"])
        elif kind == "TaskSubmitted" and self._capacity:
            yield from self._submitted(event["taskSubmittedEventDetails"])
        elif kind in _ENDINGS:
            yield from _ended(kind, event)

    def _entered(self, state: str, at: datetime) -> Iterator[tuple[str, Tone]]:
        self._capacity = _LAUNCHES.get(state, "")
        if state == "Wait for capacity":
            self._waiting_since = at
            yield "backs off", Tone.DECISION
        elif self._capacity:
            self._launches += 1
            tone = Tone.DECISION if self._launches > 1 else Tone.PLAIN
            number = self._before + self._launches
            yield f"attempt {number} is asked for on {self._capacity}", tone

    def _submitted(self, details: Mapping[str, Any]) -> Iterator[tuple[str, Tone]]:
        tasks = json.loads(details.get("output", "{}")).get("Tasks") or []
        if tasks:
            where = tasks[0].get("AvailabilityZone")
            yield (
                f"task {_short(tasks[0]['TaskArn'])} accepted" + (f" in {where}" if where else ""),
                Tone.PLAIN,
            )

    def _exited(self, details: Mapping[str, Any], at: datetime) -> Iterator[tuple[str, Tone]]:
        state = details["name"]
        assigned = {
            name: json.loads(text)
            for name, text in (details.get("assignedVariables") or {}).items()
        }
        if state == "Claim the run" and assigned.get("run", {}).get("claims"):
            self._before = assigned["run"]["before"]
            again = f", claim {assigned['run']['claims']}" if assigned["run"]["claims"] > 1 else ""
            done = assigned["work"]["done"]
            resumed = f"; {done} units are done already" if done else ""
            yield f"run {assigned['run']['key']} is claimed{again}{resumed}", Tone.PLAIN
        elif state == "Why did it stop?" and "cause" in assigned:
            yield from _stopped(assigned)
        elif state == "Wait for capacity" and self._waiting_since:
            yield (
                f"waited {(at - self._waiting_since).total_seconds():.0f} s for capacity",
                Tone.PLAIN,
            )
        elif state == "Close the run" and not assigned:
            yield "the record says complete", Tone.GOOD
        elif state == "Park the run":
            yield "parked in the dead-letter queue", Tone.TROUBLE
        elif state == "Tell people":
            yield "people are told", Tone.PLAIN


def _stopped(assigned: Mapping[str, Any]) -> Iterator[tuple[str, Tone]]:
    cause = assigned["cause"]
    attempt = assigned["attempts"][-1]
    if cause["name"] == "finished":
        text = f"attempt {attempt['attempt']} finished the run"
        yield f"{text}: {attempt['units_done']} units done", Tone.GOOD
        return
    facts = [cause["name"]]
    if attempt["exit_code"] >= 0:
        facts.append(f"exit {attempt['exit_code']}")
    if attempt["started"]:
        facts.append(f"{attempt['units_done']} units done")
    yield (
        f"attempt {attempt['attempt']} stopped ({', '.join(facts)}): {cause['sentence']}",
        Tone.TROUBLE,
    )


_ENDINGS = {
    "ExecutionSucceeded": ("the execution succeeded", Tone.GOOD),
    "ExecutionFailed": ("the execution failed", Tone.TROUBLE),
    "ExecutionAborted": ("the execution was stopped", Tone.TROUBLE),
    "ExecutionTimedOut": ("the execution ran out of time", Tone.TROUBLE),
}


def _ended(kind: str, event: Mapping[str, Any]) -> Iterator[tuple[str, Tone]]:
    text, tone = _ENDINGS[kind]
    details = (
        event.get("executionFailedEventDetails") or event.get("executionAbortedEventDetails") or {}
    )
    error = details.get("error")
    output = (event.get("executionSucceededEventDetails") or {}).get("output", "")
    if kind == "ExecutionSucceeded" and '"duplicate"' in output:
        yield "a duplicate: another execution works this time off", tone
        return
    yield text + (f" as {error}" if error else ""), tone


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1][:8]
