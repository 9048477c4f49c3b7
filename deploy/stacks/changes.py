"""What a change set will do, as data and as lines for a person; pure.

CloudFormation tells resources and properties; which states of a workflow change it does not, so
the two definitions are compared here, from the marks between which a template carries them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import yaml  # type: ignore[import-untyped]

from steadyspot.statemachines.marks import MARK, MARK_END, written_out

KEEPS_DATA = {
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::ECR::Repository",
    "AWS::Logs::LogGroup",
}
"""Types of which losing one loses something that no deployment brings back."""
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Change:
    """One resource that a change set adds, modifies or removes."""

    action: str
    resource: str
    kind: str
    replaces: bool
    properties: tuple[str, ...] = ()

    @property
    def loses_data(self) -> bool:
        """Whether something that holds data goes away with it."""
        return self.kind in KEEPS_DATA and (self.action == "Remove" or self.replaces)


@dataclass(frozen=True)
class Plan:
    """A change set that is ready; ``parameters``: those that change, before and after."""

    stack: str
    change_set: str
    new: bool
    changes: tuple[Change, ...]
    parameters: Mapping[str, tuple[str, str]]
    states: tuple[str, ...] = ()


def changes_of(described: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes of ``DescribeChangeSet``'s answer."""
    return tuple(_change(change["ResourceChange"]) for change in described.get("Changes", []))


def _change(change: Mapping[str, Any]) -> Change:
    targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
    names = {
        target["Name"] if target.get("Attribute") == "Properties" else target["Attribute"]
        for target in targets
        if target.get("Name") or target.get("Attribute")
    }
    return Change(
        action=change["Action"],
        resource=change["LogicalResourceId"],
        kind=change.get("ResourceType", ""),
        replaces=change.get("Replacement") in ("True", "Conditional"),
        properties=tuple(sorted(names)),
    )


def parameters_that_change(
    before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return the parameters whose values differ, with both; only given ones are compared."""
    return {
        name: (before.get(name, ""), value)
        for name, value in sorted(after.items())
        if before.get(name, "") != value
    }


def states_that_change(before: str, after: str) -> tuple[str, ...]:
    """Return the states that differ between two templates, a line each."""
    old, new = definitions(before), definitions(after)
    return tuple(
        f"{name}: {line}"
        for name in sorted(old.keys() | new.keys())
        for line in _states(old.get(name, {}), new.get(name, {}))
    )


def definitions(template: str) -> dict[str, dict[str, Any]]:
    """Return the definitions that a template of ours carries, by name, written out."""
    found = {}
    lines = iter(template.splitlines())
    for line in lines:
        if line.strip().startswith(MARK):
            block = list(takewhile(lambda line: line.strip() != MARK_END, lines))
            with suppress(json.JSONDecodeError, yaml.YAMLError):
                found[line.partition(MARK)[2].strip()] = json.loads(written_out(block))
    return found


def _states(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = old.get("States", {}), new.get("States", {})
    if old and new and old.get("StartAt") != new.get("StartAt"):
        yield f"starts at {new.get('StartAt')} instead of {old.get('StartAt')}"
    for state in dict.fromkeys([*after, *before]):
        if state not in before:
            yield f"{state} is new"
        elif state not in after:
            yield f"{state} goes"
        elif before[state] != after[state]:
            keys = before[state].keys() | after[state].keys()
            what = sorted(k for k in keys if before[state].get(k) != after[state].get(k))
            yield f"{state} changes ({', '.join(what)})"


def lines_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the lines of a readable diff: add, change, replace, remove or detail."""
    if not plan.new:
        for name, (before, after) in plan.parameters.items():
            yield "detail", f"{name}: {_shown(before)} -> {_shown(after)}"
    for change in plan.changes:
        yield _line(change)
    for state in plan.states:
        yield "detail", f"state of {state}"


def _line(change: Change) -> tuple[str, str]:
    what = f"{change.resource} ({change.kind})"
    about = f": {', '.join(change.properties)}" if change.properties else ""
    loss = "; WHAT IT HOLDS IS NO LONGER USED" if change.loses_data else ""
    if change.action == "Modify" and change.replaces:
        return "replace", f"replace {what}{about}{loss}"
    return {
        "Add": ("add", f"add     {what}"),
        "Remove": ("remove", f"remove  {what}{loss}"),
    }.get(change.action, ("change", f"change  {what}{about}"))


def _shown(value: str) -> str:
    """Return a value, its middle left out where it is long: of an image, the digest's end tells."""
    half = _SHOWN_CHARACTERS // 2 - 2
    text = value if len(value) <= _SHOWN_CHARACTERS else f"{value[:half]}...{value[-half:]}"
    return text or "(empty)"
