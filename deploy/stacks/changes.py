"""What a change set will do, as data and as lines for a person; pure.

CloudFormation tells resources and properties; which states of a workflow change it does not, so
the definition that is deployed is compared here with the one that would be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

KEEPS_DATA = {
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::ECR::Repository",
    "AWS::Logs::LogGroup",
}
"""Types of which losing one loses something that no deployment brings back."""
BESIDE_STATES = "what stands beside the states"
_SHOWN_CHARACTERS = 60
_NAME = re.compile(r"\$\{\w+\}")
_BREAKS = re.compile(r"(?<=;)\s*|(?<=,)\s+|\s+(?=(?:and|or|[?:&])\s)")
"""Where an expression, which is deployed as one line, is shown on the next."""


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

    def as_data(self) -> dict[str, Any]:
        """Return it in the form of JSON."""
        return {
            "action": self.action,
            "resource": self.resource,
            "type": self.kind,
            "replaces": self.replaces,
            "properties": list(self.properties),
        }

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Change:
        """Return the change that :meth:`as_data` has given."""
        return cls(
            action=data["action"],
            resource=data["resource"],
            kind=data["type"],
            replaces=data["replaces"],
            properties=tuple(data["properties"]),
        )


@dataclass(frozen=True)
class StateChange:
    """One state of a workflow that "is new", "goes" or "changes"; then with the lines that do."""

    state: str
    how: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A change set that is ready; ``parameters``: those that change, before and after.

    ``held`` are the logical ids of what the last deployed template of ours held.
    """

    stack: str
    change_set: str
    new: bool
    changes: tuple[Change, ...]
    parameters: Mapping[str, tuple[str, str]]
    states: tuple[StateChange, ...] = ()
    held: frozenset[str] = frozenset()

    @property
    def foreign(self) -> tuple[str, ...]:
        """The logical ids of what goes or is replaced though no template of ours has brought it."""
        return tuple(
            change.resource
            for change in self.changes
            if (change.action == "Remove" or change.replaces) and change.resource not in self.held
        )

    @property
    def removed(self) -> set[str]:
        """The logical ids of the resources that go."""
        return {change.resource for change in self.changes if change.action == "Remove"}

    @property
    def modified(self) -> set[str]:
        """The logical ids of the resources that are there and change."""
        return {change.resource for change in self.changes if change.action == "Modify"}


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


def states_that_change(
    deployed: Mapping[str, Any], rendered: Mapping[str, Any]
) -> tuple[StateChange, ...]:
    """Return the states that differ between a deployed definition and a rendered one.

    Where the rendered one has ``${Name}``, anything may stand in the deployed one: what is
    substituted are parameters and names, of which the change set tells itself.
    """
    old, new = _parts(deployed), _parts(rendered)
    changes = (
        StateChange(name, *_difference(old.get(name), new.get(name)))
        for name in dict.fromkeys([*new, *old])
    )
    return tuple(change for change in changes if change.how)


def _parts(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return each state, and what stands beside the states."""
    beside = {key: value for key, value in definition.items() if key != "States"}
    return {BESIDE_STATES: beside, **definition.get("States", {})}


def _lines(value: Any, path: str = "") -> Iterator[str]:
    """Yield what stands at each path of a value; an expression is several lines."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _lines(value[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _lines(item, f"{path}[{number}]")
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        first, *others = _BREAKS.split(text) if text.startswith("{%") else [text]
        yield f"{path}: {first}"
        yield from (f"  {line}" for line in others)


def _difference(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> tuple[str, tuple[str, ...]]:
    if old == new:
        return "", ()
    if old is None:
        return "is new", ()
    if new is None:
        return "goes", ()
    lines = tuple(_changed_lines([*_lines(old)], [*_lines(new)]))
    return "changes" if lines else "", lines


def _changed_lines(old: list[str], new: list[str]) -> Iterator[str]:
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            gone, come = old[a:b], new[c:d]
            for line in new[c:d]:
                same = next((was for was in gone if _substituted(line).fullmatch(was)), None)
                if same is not None:
                    gone.remove(same)
                    come.remove(line)
            yield from (f"- {line}" for line in gone)
            yield from (f"+ {line}" for line in come)


def _substituted(line: str) -> re.Pattern[str]:
    """Return what a rendered line may look like once it is deployed."""
    return re.compile(".*".join(re.escape(text) for text in _NAME.split(line)))


def lines_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the lines of a readable diff: add, change, replace, remove or detail."""
    if not plan.new:
        for name, (before, after) in plan.parameters.items():
            yield "detail", f"{name}: {_shown(before)} -> {_shown(after)}"
    for change in plan.changes:
        yield _line(change)
    for changed in plan.states:
        yield "detail", f"state {changed.state} {changed.how}"
        yield from (("detail", f"    {line}") for line in changed.lines)


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
