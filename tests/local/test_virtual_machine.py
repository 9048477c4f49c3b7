"""The virtual interpreter goes the way of the local target's: same states, same variables.

A run on the embedded AWS is recorded; then the very definition that was deployed is run again in
virtual time, with the recorded answers to its calls and the clock of the recording. What is decided
and assigned on the way must be the same, but for the moments that pass inside a state.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.local.runs import Place, Work, parts
from tests.virtual.machine import Machine, TaskFailed

ANSWERS = {
    "TaskSucceeded": "taskSucceededEventDetails",
    "TaskFailed": "taskFailedEventDetails",
    "TaskSubmitFailed": "taskSubmitFailedEventDetails",
    "TaskTimedOut": "taskTimedOutEventDetails",
}
SECONDS = 10.0
"""How far two moments inside of the same state may lie apart, on a machine that is busy."""
ENOUGH, NO_TIME = 10.0, 0.01
"""Minutes that Spot is waited for; with either, no decision hangs on moments within a state."""
VIRTUAL_NAME = "arn:aws:states:us-east-1:123456789012:execution:job:"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.]\d+)?Z")


@dataclass
class Step:
    """A state as it was recorded: when it was entered, what its call answered, what it assigned."""

    name: str
    entered_at: float
    arguments: Any = None
    answered: float = 0.0
    answer: Any = None
    error: tuple[str, str] = ("", "")
    assigned: dict[str, Any] = field(default_factory=dict)


def recorded(history: list[dict[str, Any]]) -> Iterator[Step]:
    """The states of a history, in order; of a call that was repeated, the last answer."""
    step: Step | None = None
    for event in history:
        kind, at = event["type"], event["timestamp"].timestamp()
        if "stateEnteredEventDetails" in event:
            if step:
                yield step
            step = Step(event["stateEnteredEventDetails"]["name"], at)
        elif step is None:
            continue
        elif kind == "TaskScheduled":
            step.arguments = json.loads(event["taskScheduledEventDetails"]["parameters"])
        elif kind in ANSWERS:
            details = event[ANSWERS[kind]]
            step.answered = at
            step.answer = json.loads(details["output"]) if "output" in details else None
            step.error = (details.get("error", ""), details.get("cause", ""))
        elif "stateExitedEventDetails" in event:
            assigned = event["stateExitedEventDetails"].get("assignedVariables", {})
            step.assigned = {name: json.loads(value) for name, value in assigned.items()}
    if step:
        yield step


class Recording:
    """A world that answers as it was recorded, at the moments at which it was."""

    def __init__(self, steps: list[Step], started: float) -> None:
        self.now = started
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.launched: list[Any] = []
        self._steps = steps

    def enter(self, state: str, variables: dict[str, Any]) -> None:
        """Called on entry of each state."""
        at = len(self.seen)
        self.seen.append((state, copy.deepcopy(variables)))
        if at < len(self._steps):
            assert abs(self.now - self._steps[at].entered_at) <= SECONDS, (
                f"it waited before {state}"
            )
            self.now = self._steps[at].entered_at

    def call(self, resource: str, arguments: Any, _timeout_seconds: int, state: str) -> Any:
        step = self._steps[len(self.seen) - 1]
        assert state == step.name, (state, [name for name, _ in self.seen])
        if "ecs:runTask" in resource:
            # Step Functions adds who started a task.
            self.launched.append({**arguments, "StartedBy": ""})
        self.now = step.answered
        if step.error[0]:
            raise TaskFailed(*step.error)
        return step.answer


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal, moments (ISO texts, milliseconds) but nearly so."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, str) and isinstance(right, str):
        moments = [[datetime.fromisoformat(m) for m in _MOMENT.findall(t)] for t in (left, right)]
        return _MOMENT.sub("@", left) == _MOMENT.sub("@", right) and all(
            abs((one - other).total_seconds()) <= SECONDS
            for one, other in zip(*moments, strict=True)
        )
    if isinstance(left, (int, float)) and left > 1e12 and not isinstance(left, bool):
        return isinstance(right, (int, float)) and abs(left - right) <= 1000 * SECONDS
    return bool(left == right and type(left) is type(right))


def reclaimed(work: Work) -> str:
    execution = work.start()
    work.place.aws.market.reclaim(work.held())
    return execution


def refused(work: Work) -> str:
    work.place.aws.market.refuse(work.family, times=2, how="stopped-before-start")
    return work.start(scheduledTime="2026-11-24T02:00:00Z")


def refused_too_long(work: Work) -> str:
    work.place.aws.market.refuse(work.family, times=100, how="stopped-before-start")
    return work.start(scheduledTime="2026-11-24T02:00:00Z")


def throttled(work: Work) -> str:
    work.place.aws.market.refuse(work.family, times=2, how="throttled")
    return work.start()


def deregistered(work: Work) -> str:
    work.ecs.deregister_task_definition(taskDefinition=work.outputs["TaskDefinition"])
    return work.start()


def in_a_hurry(work: Work) -> str:
    """With a deadline that is past, so that nothing but on-demand is left."""
    return work.start(scheduledTime="2026-11-24T02:00:00Z", finishWithinMinutes=1)


def quiet(work: Work) -> str:
    return work.start(expectedMinutes=2, finishWithinMinutes=30)


@pytest.mark.parametrize(
    ("trouble", "happens", "ends"),
    [
        ({}, quiet, "Close the run"),
        ({"at": 3}, reclaimed, "Finished"),
        ({}, refused, "Finished"),
        ({}, refused_too_long, "Finished"),
        ({}, throttled, "Finished"),
        ({}, in_a_hurry, "Finished"),
        ({"at": 3, "do": "exit", "code": 3}, Work.start, "Failed"),
        ({}, deregistered, "Failed"),
    ],
    ids=[
        "quiet",
        "reclaimed",
        "refused",
        "refused-too-long",
        "throttled",
        "unreachable",
        "job-failed",
        "misconfigured",
    ],
)
def test_the_same_answers_lead_through_the_same_states_and_variables(
    place: Place,
    tmp_path: Path,
    trouble: dict[str, Any],
    happens: Callable[[Work], str],
    ends: str,
) -> None:
    wait = NO_TIME if happens is refused_too_long else ENOUGH
    work = place.job(*parts(tmp_path / "met", **trouble), maximum_wait_minutes=wait)
    execution = happens(work)
    shown = work.ended(execution)
    steps = list(recorded(work.history(execution)))
    assert steps[-1].name == ends

    described = work.sfn.describe_state_machine(stateMachineArn=work.outputs["StateMachine"])
    world = Recording(steps, shown["startDate"].timestamp())
    ended = Machine(json.loads(described["definition"])).run(
        world,
        json.loads(shown["input"]),
        name=work.key(execution),
        machine=execution.split(":")[-2],
        watch=world.enter,
    )

    assert ended.states_entered == [step.name for step in steps]
    variables: dict[str, Any] = {}
    for step, (state, seen) in zip(steps, world.seen, strict=True):
        assert same(variables, seen), f"before {state}: {variables} != {seen}"
        variables |= step.assigned
    assert same(variables, ended.variables)
    assert variables.keys() >= {"run", "last", "attempts", "work", "cause"}

    launched = [step.arguments for step in steps if step.name.startswith("Run on")]
    text = json.dumps(world.launched).replace(VIRTUAL_NAME + work.key(execution), execution)
    assert same([{**arguments, "StartedBy": ""} for arguments in launched], json.loads(text))

    assert ended.status == shown["status"]
    assert same([ended.error, ended.cause], [shown.get("error", ""), shown.get("cause", "")])
    if "output" in shown:
        assert same(ended.output, json.loads(shown["output"]))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        ("1", 1),
        (True, 1),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1], [1, 2]),
        ("at 2026-11-24T02:00:00Z", "at 2026-11-24T02:01:00Z"),
        (1_790_000_000_000, 1_790_000_060_000),
    ],
)
def test_what_is_not_the_same_is_seen(left: Any, right: Any) -> None:
    assert not same(left, right)
    assert same(left, left)
