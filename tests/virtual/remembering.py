"""A machine that evaluates an expression once for the same values, for thousands of executions.

What an expression comes to depends on nothing but the variables it names, what it reads of the
state's own values, and the clock. Where none of it is new the earlier answer is given again, as a
copy. An expression that asks for the time or for chance is always evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.virtual.machine import Machine

_OF_NOW = re.compile(r"\$(?:now|millis|random)\b")
_OF_STATE = re.compile(r"\$states(?:\.(\w+)(?:\.(\w+))?)?")
_NAME = re.compile(r"\$(\w+)")
MOST = 20_000
"""As many different values are told apart; then all is forgotten and begun anew."""


class Remembering(Machine):
    """A machine whose expressions are evaluated once for the same values."""

    def __init__(self, definition: Any) -> None:
        super().__init__(definition)
        self._known: dict[tuple[Any, ...], str] = {}
        self._numbers = Numbers()

    def evaluate(self, text: str, variables: Mapping[str, Any], now: float) -> Any:
        """Evaluate an expression, or give what it came to before."""
        if _changes(text):
            return super().evaluate(text, variables, now)
        if len(self._numbers) > MOST:
            self._known.clear()
            self._numbers = Numbers()
        key = (text, *(self._numbers.of(value) for value in read_by(text, variables)))
        if key not in self._known:
            self._known[key] = json.dumps(super().evaluate(text, variables, now))
        return json.loads(self._known[key])


class Numbers:
    """Numbers that stand for what values say; they are as long as the values are not changed."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._seen: dict[int, tuple[Any, int]] = {}

    def __len__(self) -> int:
        return max(len(self._seen), len(self._numbers))

    def of(self, value: Any) -> int:
        """Return the number that every value has which says the same."""
        if id(value) not in self._seen:
            said = json.dumps(value, sort_keys=True)
            # The value is kept as well, so that no other gets its identity.
            self._seen[id(value)] = (value, self._numbers.setdefault(said, len(self._numbers)))
        return self._seen[id(value)][1]


MISSING = "\0"
"""What is read of a variable that has no value; no run has such a text."""


def read_by(text: str, variables: Mapping[str, Any]) -> list[Any]:
    """Return the values that an expression reads, besides the time."""
    names, of_state = _reads(text)
    values = [variables.get(name, MISSING) for name in names]
    return values + [_of(variables["states"], *path) for path in of_state]


@cache
def _changes(text: str) -> bool:
    """Whether an expression asks for the time or for chance, or for what is changed in place."""
    in_place = {("", ""), ("context", "")}
    return _OF_NOW.search(text) is not None or not in_place.isdisjoint(_reads(text)[1])


@cache
def _reads(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The variables that an expression names, and the state's own values that it reads."""
    of_state = {(first, second) for first, second in _OF_STATE.findall(text)}
    return sorted(set(_NAME.findall(text)) - {"states"}), sorted(of_state)


def _of(states: Any, first: str, second: str) -> Any:
    if not first:
        return states
    within = states.get(first)
    return within.get(second) if first == "context" and within else within
