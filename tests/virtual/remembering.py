"""A machine that evaluates an expression once for the same values, for thousands of executions.

What an expression comes to depends on nothing but the variables it names, what it reads of the
state's own values, and the clock. Where none of it is new the earlier answer is given again, as a
copy. An expression that asks for the time or for chance is always evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
        self._reads: dict[str, tuple[list[str], set[tuple[str, str]]] | None] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        self._numbers: dict[str, int] = {}
        self._seen: dict[int, tuple[Any, int]] = {}

    def evaluate(self, text: str, variables: Mapping[str, Any], now: float) -> Any:
        """Evaluate an expression, or give what it came to before."""
        if text not in self._reads:
            self._reads[text] = _read_by(text)
        reads = self._reads[text]
        if reads is None:
            return super().evaluate(text, variables, now)
        if max(len(self._seen), len(self._numbers)) > MOST:
            self._known.clear()
            self._numbers.clear()
            self._seen.clear()
        names, of_state = reads
        key = (
            text,
            *(self._number(variables[name]) if name in variables else -1 for name in names),
            *(self._number(_of(variables["states"], *path)) for path in of_state),
        )
        if key not in self._known:
            self._known[key] = json.dumps(super().evaluate(text, variables, now))
        return json.loads(self._known[key])

    def _number(self, value: Any) -> int:
        """A number that stands for what a value says."""
        if id(value) not in self._seen:
            said = json.dumps(value, sort_keys=True)
            # The value is kept as well, so that no other gets its identity.
            self._seen[id(value)] = (value, self._numbers.setdefault(said, len(self._numbers)))
        return self._seen[id(value)][1]


def _read_by(text: str) -> tuple[list[str], set[tuple[str, str]]] | None:
    """The variables and the state's values that an expression reads; none if it asks the time."""
    of_state = {(first, second) for first, second in _OF_STATE.findall(text)}
    if _OF_NOW.search(text) or ("", "") in of_state:
        return None
    return sorted(set(_NAME.findall(text)) - {"states"}), of_state


def _of(states: Any, first: str, second: str) -> Any:
    within = states.get(first)
    return within.get(second) if first == "context" and within else within
