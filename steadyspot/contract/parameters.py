"""A job's parameters: their types, what a run gives, and what is filled into its command; pure.

A job declares each parameter with a type and a default, a run may give another value. Both sides of
the wire check that with the same rules: the command line where somebody types a value, the worker
where a run begins. Values are JSON; a date is a text such as 2026-11-24. They are no secrets: they
stand in the history of an execution.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

TYPES = {
    "text": "a text without NUL characters",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-11-24",
}
"""The types, and what completes the sentence 'NAME must be …'."""
SCHEDULED_TIME, RUN_KEY, SHARD, SHARDS = "scheduled_time", "run_key", "shard", "shards"
"""What a command can have filled in beside parameters, whose names these can't be."""
GIVEN_CHARACTERS = 1000
"""Of what a run gives, as AWS counts them in a task's overrides."""
_PLACE = re.compile(r"(?<!\$)\{([a-z][a-z0-9_]*)(?::([^{}]*))?\}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadParameter(Exception):
    """A value that a parameter can't have, or one of a parameter that there is not: a sentence."""


def fault_of(kind: str, value: object) -> str:
    """Return what is wrong with a value, to complete 'NAME …'; empty where nothing is."""
    return "" if _IS[kind](value) else f"must be {TYPES[kind]}"


def _is_date(value: object) -> bool:
    from datetime import date

    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


_IS = {
    "text": lambda value: isinstance(value, str) and "\0" not in value,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_date,
}


def value_of(kind: str, text: str) -> Any:
    """Return the value that somebody typed.

    Raises
    ------
    BadParameter
        When it is none of that type; the text completes 'NAME …'.
    """
    value: Any = text
    if kind == "boolean":
        value = {"true": True, "false": False}.get(text)
    elif kind == "integer" and _INTEGER.fullmatch(text):
        value = int(text)
    elif kind == "number":
        try:
            value = float(text)
        except ValueError:
            value = None
    if fault := fault_of(kind, value):
        raise BadParameter(fault)
    return value


def values_of(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the value of every parameter: what a run gives, else the default.

    Raises
    ------
    BadParameter
        When a run gives what is not declared, or is of another type.
    """
    for name, value in given.items():
        if name not in declared:
            names = ", ".join(declared) or "none"
            raise BadParameter(f"There is no parameter {name}; the job has {names}.")
        if fault := fault_of(declared[name]["type"], value):
            raise BadParameter(f"The parameter {name} {fault}.")
    return {name: given.get(name, form["default"]) for name, form in declared.items()}


def filled(text: str, values: Mapping[str, Any], time: datetime, about: Mapping[str, str]) -> str:
    """Return a text with ``{scheduled_time:%Y-%m-%d}`` and the ``{NAME}`` of values filled in.

    ``about``: what else can be, such as the run key, by name. What is neither stays, as does what
    a shell would fill in (``${NAME}``). ``time`` is UTC.
    """
    known = {**values, **about}

    def value(place: re.Match[str]) -> str:
        name, form = place[1], place[2]
        if name == SCHEDULED_TIME:
            return time.strftime(form) if form else time.strftime("%Y-%m-%dT%H:%M:%SZ")
        return place[0] if form is not None or name not in known else _text(known[name])

    return _PLACE.sub(value, text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
