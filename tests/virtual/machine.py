"""An interpreter for the states that the definitions use, with the clock of whoever runs it.

It evaluates the same JSONata with the same engine as the local target, but waits for nothing: a
Wait moves the clock, and a Task asks the world what came of it. A test holds it equal to the local
target's interpreter. Retries are the world's business: it answers with what is left after them.
"""

from __future__ import annotations

import heapq
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from jsonatapy import JsonataExpression

from steadyspot.deploy.local import expressions

_WRAPPED = re.compile(r"^\{%(.*)%\}$", re.DOTALL)


class TaskFailed(Exception):
    """A Task failed with an Error and a Cause."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.cause = cause


class World(Protocol):
    """What lies outside the machine: the time, in seconds since the epoch, and the calls."""

    now: float

    def call(
        self, resource: str, arguments: Any, timeout_seconds: int, state: str
    ) -> Any:  # raises TaskFailed
        ...


@dataclass
class Ended:
    """How an execution ended, and the states it entered; ``inside`` a Map, with what ``items``."""

    status: str
    error: str = ""
    cause: str = ""
    output: Any = None
    states_entered: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    items: dict[str, list[Any]] = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)


def substituted(definition: str, values: tuple[tuple[str, str], ...]) -> Any:
    """Return a definition as data of its own, its defaults filled in as CloudFormation does it."""
    for name, value in values:
        definition = definition.replace(f"${{{name}}}", value)
    assert "${" not in definition, re.findall(r"\$\{\w+\}", definition)
    return json.loads(definition)


def iso(seconds: float) -> str:
    """Return a moment as AWS writes it in the context."""
    moment = datetime.fromtimestamp(round(seconds, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def named_in(text: str) -> list[str]:
    """Return the names that stand in an expression."""
    return sorted(set(re.findall(r"\$(\w+)", text)))


class _Here(threading.local):
    """What is compiled, which belongs to its thread, and the time where it is evaluated."""

    def __init__(self) -> None:
        self._compiled: dict[str, JsonataExpression] = {}
        self.now = 0.0

    def moment(self) -> datetime:
        return datetime.fromtimestamp(round(self.now, 3), UTC)

    def compiled(self, text: str) -> JsonataExpression:
        if text not in self._compiled:
            self._compiled[text] = expressions.compiled(text, self.moment)
        return self._compiled[text]


_HERE = _Here()


class Machine:
    """One state machine, ready to run executions one after the other."""

    def __init__(self, definition: Any) -> None:
        self._definition = definition

    def run(
        self,
        world: World,
        request: Any,
        *,
        name: str,
        machine: str = "job",
        watch: Callable[..., None] | None = None,
    ) -> Ended:
        """Run to the end. ``watch`` is called with each state's name and the variables on entry."""
        execution = f"arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}"
        context: dict[str, Any] = {
            "Execution": {
                "Id": execution,
                "Name": name,
                "Input": request,
                "StartTime": iso(world.now),
            },
            "StateMachine": {
                "Id": "arn:aws:states:us-east-1:123456789012:stateMachine:job",
                "Name": "job",
            },
        }
        variables: dict[str, Any] = {}
        ended = Ended("RUNNING", variables=variables)
        state_name: str = self._definition["StartAt"]
        while True:
            ended.states_entered.append(state_name)
            if watch:
                watch(state_name, variables)
            state = self._definition["States"][state_name]
            context["State"] = {"Name": state_name, "EnteredTime": iso(world.now)}
            scope = _Scope(self, world, variables, {"input": request, "context": context})
            kind = state["Type"]
            try:
                following = getattr(scope, kind.lower())(state, state_name, ended)
            except expressions.ExpressionError as error:
                # Nothing catches a failure outside of a Task.
                ended.status, ended.error, ended.cause = (
                    "FAILED",
                    "States.QueryEvaluationError",
                    str(error),
                )
                return ended
            if following is None:
                return ended
            state_name = following

    def evaluate(self, text: str, variables: Mapping[str, Any], now: float) -> Any:
        """Evaluate an expression without its wrapping, at a moment."""
        bound = {name: variables[name] for name in named_in(text) if name in variables}
        _HERE.now = now
        return expressions.evaluate(text, bound, _HERE.compiled)


class _Scope:
    """One state that was entered."""

    def __init__(
        self, machine: Machine, world: World, variables: dict[str, Any], states: dict[str, Any]
    ) -> None:
        self._machine = machine
        self._world = world
        self._variables = variables
        self._states = states

    def choice(self, state: Any, _name: str, _ended: Ended) -> str:
        for rule in state["Choices"]:
            chosen = self._value(rule["Condition"])
            if not isinstance(chosen, bool):
                raise expressions.ExpressionError(f"{rule['Condition']} is no boolean.")
            if chosen:
                self._assign(rule)
                return str(rule["Next"])
        if "Default" not in state:
            raise expressions.ExpressionError("States.NoChoiceMatched")
        return str(state["Default"])

    def wait(self, state: Any, _name: str, _ended: Ended) -> str:
        seconds = self._value(state["Seconds"])
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
            raise expressions.ExpressionError(f"{seconds} is no number of seconds to wait.")
        self._world.now += seconds
        self._assign(state)
        return str(state["Next"])

    def map(self, state: Any, name: str, ended: Ended) -> str:
        """Let each item go through the processor as soon as one of so many at once is done.

        The world gives what an item sees from a moment on, ``beside(at)``, or works all items off
        by itself, with ``works_off(items)``.
        """
        items, at_once = self._value(state["Items"]), self._value(state["MaxConcurrency"])
        assert isinstance(items, list), f"{items} is no list"
        ended.items[name] = items
        processor = Machine(state["ItemProcessor"])
        free = [self._world.now] * at_once
        given = {**self._states["context"]}
        world: Any = self._world
        works_off = getattr(world, "works_off", None)
        for index, item in enumerate(() if works_off else items):
            self._states["context"] = {**given, "Map": {"Item": {"Index": index, "Value": item}}}
            request = self._value(state["ItemSelector"])
            beside = world.beside(heapq.heappop(free))
            ended.inside += processor.run(beside, request, name=f"{name}-{index}").states_entered
            heapq.heappush(free, beside.now)
        if works_off:
            works_off(items)
        self._states["context"] = given
        self._world.now = max(free)
        self._states["result"] = [{} for _ in items]
        self._assign(state)
        return str(state["Next"])

    def succeed(self, state: Any, _name: str, ended: Ended) -> None:
        ended.output = self._value(state.get("Output", {}))
        ended.status = "SUCCEEDED"

    def fail(self, state: Any, _name: str, ended: Ended) -> None:
        ended.status = "FAILED"
        ended.error, ended.cause = self._value(state["Error"]), self._value(state["Cause"])

    def task(self, state: Any, name: str, ended: Ended) -> str | None:
        try:
            timeout = self._value(state["TimeoutSeconds"])
            if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 1:
                raise expressions.ExpressionError(f"{timeout} is no positive number of seconds.")
            arguments = self._value(state["Arguments"])
            result = self._world.call(state["Resource"], arguments, timeout, name)
            self._states["result"] = result
            output = self._value(state.get("Output", {}))
            self._assign(state)
        except expressions.ExpressionError as error:
            return self._caught(state, "States.QueryEvaluationError", str(error), ended)
        except TaskFailed as failed:
            return self._caught(state, failed.error, failed.cause, ended)
        if state.get("End"):
            ended.status, ended.output = "SUCCEEDED", output
            return None
        return str(state["Next"])

    def _caught(self, state: Any, error: str, cause: str, ended: Ended) -> str | None:
        self._states.pop("result", None)
        for catcher in state.get("Catch", []):
            names = catcher["ErrorEquals"]
            known = error in names or ("States.ALL" in names and error != "States.Runtime")
            if known:
                self._states["errorOutput"] = {"Error": error, "Cause": cause}
                self._assign(catcher)
                return str(catcher["Next"])
        ended.status, ended.error, ended.cause = "FAILED", error, cause
        return None

    def _assign(self, of: Any) -> None:
        self._variables.update(self._value(of.get("Assign", {})))

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        found = _WRAPPED.match(value) if isinstance(value, str) else None
        if not found:
            return value
        names = {**self._variables, "states": self._states}
        return self._machine.evaluate(found[1].strip(), names, self._world.now)
