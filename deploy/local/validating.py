"""A definition held against what AWS checks before it makes a state machine of it; pure.

moto asks only for the grammar. Here are the rest of AWS's rules: fields that a state has and has
not, transitions, limits of numbers, JSONata that can be parsed, arguments of the calls that Tasks
make. The codes and the form of a message are AWS's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from steadyspot.deploy.local.arguments import UnknownResource, call_of, faults
from steadyspot.deploy.local.expressions import fault_of

LARGEST_NUMBER: Final = 99_999_999
"""Of `TimeoutSeconds`, `Seconds` and their like; the model of Step Functions."""
LARGEST_DATA: Final = 262_144
"""Bytes of an input, of Arguments, of a result, and of what one state assigns."""
LARGEST_DEFINITION: Final = 1_048_576
LONGEST_NAME: Final = 80
_LONGEST_DELAY: Final = 31_622_400

MISSING_TARGET: Final = "MISSING_TRANSITION_TARGET"
"""The code where a transition leads nowhere, or none leads to a state."""

_JSONATA, _JSONPATH = "JSONata", "JSONPath"
_TRANSITION = ("Next", "End")
_EVERY = ("Type", "Comment", "QueryLanguage")
_PATHS = ("InputPath", "OutputPath")
_SHAPED = ("Parameters", "ResultSelector", "ResultPath", "Assign", *_PATHS)
_TROUBLE = ("Retry", "Catch")
_OF_TASK = ("Resource", "Credentials", "TimeoutSeconds", "HeartbeatSeconds")
_OF_MAP = (
    *("ItemProcessor", "Iterator", "ItemSelector", "ItemReader", "ItemBatcher", "ResultWriter"),
    *("MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount", "Label"),
)
_MAP_PATHS = (
    *("MaxConcurrencyPath", "ToleratedFailurePercentagePath", "ToleratedFailureCountPath"),
    "ItemsPath",
)
_FIELDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    _JSONATA: {
        "Task": (*_OF_TASK, "Arguments", "Output", "Assign", *_TROUBLE, *_TRANSITION),
        "Pass": ("Output", "Assign", *_TRANSITION),
        "Wait": ("Seconds", "Timestamp", "Output", "Assign", *_TRANSITION),
        "Choice": ("Choices", "Default", "Output", "Assign"),
        "Succeed": ("Output",),
        "Fail": ("Error", "Cause"),
        "Parallel": ("Branches", "Arguments", "Output", "Assign", *_TROUBLE, *_TRANSITION),
        "Map": (*_OF_MAP, "Items", "Output", "Assign", *_TROUBLE, *_TRANSITION),
    },
    _JSONPATH: {
        "Task": (
            *(*_OF_TASK, "TimeoutSecondsPath", "HeartbeatSecondsPath"),
            *(*_SHAPED, *_TROUBLE, *_TRANSITION),
        ),
        "Pass": ("Result", "ResultPath", "Parameters", "Assign", *_PATHS, *_TRANSITION),
        "Wait": (
            *("Seconds", "Timestamp", "SecondsPath", "TimestampPath", "Assign"),
            *(*_PATHS, *_TRANSITION),
        ),
        "Choice": ("Choices", "Default", "Assign", *_PATHS),
        "Succeed": _PATHS,
        "Fail": ("Error", "Cause", "ErrorPath", "CausePath"),
        "Parallel": ("Branches", *_SHAPED, *_TROUBLE, *_TRANSITION),
        "Map": (*_OF_MAP, *_MAP_PATHS, *_SHAPED, *_TROUBLE, *_TRANSITION),
    },
}
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "Task": ("Resource",),
    "Choice": ("Choices",),
    "Parallel": ("Branches",),
}
_OF_MACHINE = ("Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version")
_OF_INNER = ("Comment", "ProcessorConfig", "QueryLanguage", "StartAt", "States")
_OF_RETRIER = (
    *("ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds"),
    *("JitterStrategy", "Comment"),
)
_OF_CATCHER: Final[Mapping[str, tuple[str, ...]]] = {
    _JSONATA: ("ErrorEquals", "Next", "Output", "Assign", "Comment"),
    _JSONPATH: ("ErrorEquals", "Next", "ResultPath", "Assign", "Comment"),
}
_OF_RULE = ("Condition", "Next", "Output", "Assign", "Comment")
_NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "TimeoutSeconds": (1, LARGEST_NUMBER),
    "HeartbeatSeconds": (1, LARGEST_NUMBER),
    "Seconds": (0, LARGEST_NUMBER),
    "IntervalSeconds": (1, LARGEST_NUMBER),
    "MaxAttempts": (0, LARGEST_NUMBER),
    "MaxDelaySeconds": (1, _LONGEST_DELAY - 1),
    "MaxConcurrency": (0, LARGEST_NUMBER),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a definition: AWS's code, a sentence, and where, as `/States/Name`."""

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        where = f" at {self.location}" if self.location else ""
        return f"{self.code}: {self.message}{where}"


def refusal_of(found: Iterable[Problem]) -> str:
    """The message with which CreateStateMachine refuses."""
    return f"Invalid State Machine Definition: '{', '.join(map(str, found))}'"


@lru_cache(maxsize=64)
def problems(definition: str) -> tuple[Problem, ...]:
    """What AWS has against a definition; none if it can be made a state machine."""
    if len(definition.encode()) > LARGEST_DEFINITION:
        return (_schema(f"The definition is longer than {LARGEST_DEFINITION} bytes", ""),)
    try:
        machine = json.loads(definition)
    except (ValueError, RecursionError) as error:
        return (Problem("INVALID_JSON_DESCRIPTION", str(error), ""),)
    if not isinstance(machine, dict):
        return (Problem("INVALID_JSON_DESCRIPTION", "It is no JSON object", ""),)
    language = machine.get("QueryLanguage", _JSONPATH)
    found = [*_unknown(machine, _OF_MACHINE, ""), *_numbers(machine, "")]
    found += _of_states(machine, language, "")
    names = [name for name, _ in _all_states(machine)]
    found += [
        _schema(f"The state name '{name}' is used more than once", "")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    return tuple(found)


def _all_states(machine: Any) -> Iterator[tuple[str, Any]]:
    states = machine.get("States") if isinstance(machine, dict) else None
    for name, state in (states if isinstance(states, dict) else {}).items():
        yield name, state
        for _, inner in _inner_machines(state):
            yield from _all_states(inner)


def _inner_machines(state: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(state, dict):
        return
    branches = state.get("Branches")
    for number, branch in enumerate(branches if isinstance(branches, list) else ()):
        yield f"Branches[{number}]", branch
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield field, state[field]


def _of_states(machine: Mapping[str, Any], language: str, at: str) -> Iterator[Problem]:
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield _schema("These fields are required: [States]", at)
        return
    if machine.get("StartAt") not in states:
        yield _missing(f"Missing 'StartAt' target: {machine.get('StartAt')}", f"{at}/StartAt")
    reached = {machine.get("StartAt")}
    for name, state in states.items():
        where = f"{at}/States/{name}"
        if not isinstance(state, dict):
            yield _schema("A state must be an object", where)
            continue
        if len(name) > LONGEST_NAME:
            yield _schema(f"A state name has at most {LONGEST_NAME} characters", where)
        yield from _of_state(state, state.get("QueryLanguage", language), where)
        for field, target in _targets(state):
            reached.add(target)
            if target not in states:
                yield _missing(f"Missing 'Next' target: {target}", f"{where}/{field}")
    for name in states:
        if name not in reached:
            yield _missing(f'State "{name}" is not reachable.', f"{at}/States/{name}")


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        rules = state.get(field)
        for number, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict) and "Next" in rule:
                yield f"{field}[{number}]/Next", rule["Next"]


def _of_state(state: Mapping[str, Any], language: str, at: str) -> Iterator[Problem]:
    kind = state.get("Type")
    allowed = _FIELDS.get(language, {}).get(str(kind))
    if allowed is None:
        yield _schema(f"'{kind}' of {language} is no type of a state", f"{at}/Type")
        return
    yield from _unknown(state, (*_EVERY, *allowed), at)
    missing = [field for field in _REQUIRED.get(str(kind), ()) if field not in state]
    if missing:
        yield _schema(f"These fields are required: [{', '.join(missing)}]", at)
    if "Next" in allowed and ("Next" in state) == (state.get("End") is True):
        yield _schema("Exactly one of these fields is required: [Next, End]", at)
    yield from _numbers(state, at)
    yield from _of_trouble(state, language, at)
    if kind == "Choice":
        yield from _of_choices(state, language, at)
    if language == _JSONATA:
        yield from _expressions(state, at)
    if kind == "Task":
        yield from _of_task(state, at)
    for field, inner in _inner_machines(state):
        where = f"{at}/{field}"
        if not isinstance(inner, dict):
            yield _schema("It must be an object", where)
            continue
        yield from _unknown(inner, _OF_INNER, where)
        yield from _of_states(inner, inner.get("QueryLanguage", language), where)


def _of_trouble(state: Mapping[str, Any], language: str, at: str) -> Iterator[Problem]:
    for field, allowed in (("Retry", _OF_RETRIER), ("Catch", _OF_CATCHER[language])):
        rules = state.get(field, [])
        if not isinstance(rules, list):
            yield _schema(f"{field} must be an array", f"{at}/{field}")
            continue
        for number, rule in enumerate(rules):
            where = f"{at}/{field}[{number}]"
            if not isinstance(rule, dict):
                yield _schema("A rule must be an object", where)
                continue
            yield from _unknown(rule, allowed, where)
            yield from _numbers(rule, where)
            yield from _of_errors(rule, last=number == len(rules) - 1, at=where)
            if field == "Catch" and "Next" not in rule:
                yield _schema("These fields are required: [Next]", where)


def _of_errors(rule: Mapping[str, Any], *, last: bool, at: str) -> Iterator[Problem]:
    names = rule.get("ErrorEquals")
    if not isinstance(names, list) or not names:
        yield _schema("These fields are required: [ErrorEquals]", at)
    elif "States.ALL" in names and (len(names) > 1 or not last):
        yield _schema("States.ALL must appear alone, and in the last rule", f"{at}/ErrorEquals")
    rate, jitter = rule.get("BackoffRate", 1), rule.get("JitterStrategy", "NONE")
    if not isinstance(rate, (int, float)) or rate < 1:
        yield _schema("BackoffRate must be a number not less than 1.0", f"{at}/BackoffRate")
    if jitter not in ("FULL", "NONE"):
        yield _schema("JitterStrategy must be FULL or NONE", f"{at}/JitterStrategy")


def _of_choices(state: Mapping[str, Any], language: str, at: str) -> Iterator[Problem]:
    rules = state.get("Choices")
    if not isinstance(rules, list) or not rules:
        yield _schema("Choices must be an array that is not empty", f"{at}/Choices")
        return
    for number, rule in enumerate(rules):
        where = f"{at}/Choices[{number}]"
        if not isinstance(rule, dict) or "Next" not in rule:
            yield _schema("These fields are required: [Next]", where)
        elif language == _JSONATA:
            yield from _unknown(rule, _OF_RULE, where)
            if "Condition" not in rule:
                yield _schema("These fields are required: [Condition]", where)


def _of_task(state: Mapping[str, Any], at: str) -> Iterator[Problem]:
    try:
        call = call_of(str(state.get("Resource", "")))
    except UnknownResource as error:
        yield _schema(
            f"The resource provided {error} is not recognized. The value is not a valid resource "
            "ARN, or the resource is not available in this region.",
            f"{at}/Resource",
        )
        return
    for field in ("Arguments", "Parameters"):
        if call is not None and field in state:
            for fault in faults(call, state[field], literal=True):
                yield _schema(fault, f"{at}/{field}")


def _expressions(value: Any, at: str) -> Iterator[Problem]:
    """What is wrong with the expressions of a state, but for those of machines inside it."""
    if isinstance(value, str):
        if value.startswith("{%"):
            yield from _of_expression(value, at)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("Branches", "ItemProcessor", "Iterator", "Comment"):
                yield from _expressions(item, f"{at}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _expressions(item, f"{at}[{number}]")


def _of_expression(text: str, at: str) -> Iterator[Problem]:
    if not text.endswith("%}"):
        yield _schema("A JSONata expression must end with '%}'", at)
        return
    if fault := fault_of(text[2:-2].strip()):
        yield _schema(f"The JSONata expression is not valid: {fault}", at)


def _unknown(value: Mapping[str, Any], allowed: tuple[str, ...], at: str) -> Iterator[Problem]:
    for field in value:
        if field not in allowed:
            yield _schema(f"Field '{field}' is not supported", f"{at}/{field}")


def _numbers(value: Mapping[str, Any], at: str) -> Iterator[Problem]:
    for field, (least, most) in _NUMBERS.items():
        number = value.get(field, least)
        if isinstance(number, str) and number.startswith("{%"):
            continue
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or not least <= number <= most:
            yield _schema(f"{field} must be an integer from {least} to {most}", f"{at}/{field}")


def _schema(message: str, at: str) -> Problem:
    return Problem("SCHEMA_VALIDATION_FAILED", message, at)


def _missing(message: str, at: str) -> Problem:
    return Problem(MISSING_TARGET, message, at)
