"""States of the ``stepfunctions`` SDK that speak JSONata.

The SDK knows JSONPath only: these subclasses add ``Arguments``, ``Assign``, ``Output`` and the
newer fields of a Retry, and leave chaining, visiting and validation to it.
"""

from __future__ import annotations

import warnings
from typing import Any

from steadyspot.statemachines.composing import Expression

with warnings.catch_warnings():
    # The SDK imports pkg_resources, whose deprecation is not the user's concern.
    warnings.simplefilter("ignore")
    from stepfunctions.steps import choice_rule, states

_FIELDS = {
    "comment",
    "arguments",
    "assign",
    "output",
    "seconds",
    "error",
    "cause",
    "resource",
    "timeout_seconds",
}
_OF_MAP = {"items", "item_selector", "max_concurrency", "tolerated_failure_count", "label"}


class _Jsonata:
    """Fields that a JSONata state may have, and none of JSONPath's."""

    fields: dict[str, Any]

    def is_field_allowed(self, field_name: str) -> bool:
        return field_name in _FIELDS or field_name in {"retry", "catch"}


State = states.State


class Task(_Jsonata, states.Task):
    """A Task state."""


class Wait(_Jsonata, states.Wait):
    """A Wait state."""


class Succeed(_Jsonata, states.Succeed):
    """A Succeed state."""


class Fail(_Jsonata, states.Fail):
    """A Fail state; ``error`` and ``cause`` may be expressions."""


class Choice(_Jsonata, states.Choice):
    """A Choice state whose rules are :class:`Rule`."""


class Map(_Jsonata, states.State):
    """A Map in distributed mode: ``processor`` is the first state of what each item goes through.

    Those states see nothing of the variables outside, only what ``item_selector`` gives them.
    """

    def __init__(self, state_id: str, *, processor: states.State, **fields: Any) -> None:
        super().__init__(state_id, "Map", **fields)
        self.processor = processor

    def is_field_allowed(self, field_name: str) -> bool:
        return field_name in _OF_MAP or super().is_field_allowed(field_name)

    def to_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = super().to_dict()
        graph = states.Graph(self.processor).to_dict()
        state["ItemProcessor"] = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": graph["StartAt"],
            "States": {name: _in_order(inner) for name, inner in graph["States"].items()},
        }
        return state


class Retry(states.Retry):
    """A retrier with ``max_delay_seconds`` and ``jitter_strategy``."""

    def is_field_allowed(self, field_name: str) -> bool:
        return field_name in {"max_delay_seconds", "jitter_strategy"} or super().is_field_allowed(
            field_name
        )


class Catch(states.Catch):
    """A catcher that assigns; its expressions must be total, since nothing catches a catcher."""

    def is_field_allowed(self, field_name: str) -> bool:
        return field_name in {"error_equals", "assign", "output", "comment"}


class Rule(choice_rule.BaseRule):
    """A rule of a Choice: a condition, a comment that says why, and what it assigns."""

    def __init__(
        self, condition: Expression, *, comment: str = "", assign: dict[str, Any] | None = None
    ) -> None:
        self.condition = condition
        self.comment = comment
        self.assign = assign or {}

    def to_dict(self) -> dict[str, Any]:
        rule: dict[str, Any] = {"Condition": self.condition}
        if self.comment:
            rule["Comment"] = self.comment
        if self.assign:
            rule["Assign"] = self.assign
        return rule


class Machine(states.Graph):
    """A whole definition in JSONata."""

    def to_dict(self) -> dict[str, Any]:
        graph: dict[str, Any] = super().to_dict()
        return {
            "Comment": graph["Comment"],
            "QueryLanguage": "JSONata",
            "StartAt": graph["StartAt"],
            "States": {name: _in_order(state) for name, state in graph["States"].items()},
        }


def _in_order(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with what comes after it at its end."""
    last = [name for name in ("Output", "Type", "Next", "Catch") if name in state]
    first = [name for name in state if name not in last]
    return {name: state[name] for name in (*first, *last)}
