"""Says in sentences where something typed does not fit its JSON schema.

The schemas' descriptions complete the sentence "KEY is VALUE, but must be …", so that what is
allowed is written once. A key that is not known is told first, since what is missing is often only
its consequence.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

_LONGEST_SHOWN = 80
_AT_A_GLANCE = 12
"""Names that are read as a list."""


@dataclass(frozen=True)
class Fault:
    """What is wrong at one place: the keys and indexes that lead to it, and the sentence."""

    path: tuple[str, ...]
    sentence: str


def faults_of(schema: Mapping[str, Any], content: object, whole: str) -> list[Fault]:
    """Return all faults of ``content``, which a sentence calls ``whole``; empty if it fits."""
    errors = _Validator(schema).iter_errors(content)
    ordered = sorted(errors, key=lambda error: error.validator != "additionalProperties")
    found = (fault for error in ordered for fault in _faults(error, whole))
    return list(dict.fromkeys(found))


def fits(schema: Mapping[str, Any], content: object) -> bool:
    """Return whether ``content`` has the form of a schema."""
    return bool(_Validator(schema).is_valid(content))


def unknown(name: str, known: Iterable[str]) -> str:
    """Return a name that is not known, with the one that may be meant and those there are.

    Where one may be meant, a list too long to read is left out.
    """
    names = list(known)
    if not names:
        return f"{shown(name)}; there are none"
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    if near and len(names) > _AT_A_GLANCE:
        return f"{shown(name)}{meant}"
    return f"{shown(name)}{meant}; allowed: {', '.join(names)}"


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence: as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


# JSON knows neither nan nor the difference between 5 and 5.0.
_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def _faults(error: ValidationError, whole: str) -> Iterator[Fault]:
    path = tuple(str(part) for part in error.absolute_path)
    where = ".".join(path) or whole
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        names = schema["properties"]
        for name in (name for name in instance if name not in names):
            yield Fault((*path, name), f"{where} has no key {unknown(name, names)}")
    elif error.validator == "required":
        for name in (name for name in schema["required"] if name not in instance):
            allowed = schema["properties"][name]["description"]
            missing = ".".join((*path, name))
            yield Fault((*path, name), f"{missing} is missing: it must be {allowed}")
    elif "propertyNames" in error.absolute_schema_path:
        name = f"{where} has the name {shown(instance)}"
        yield Fault((*path, str(instance)), f"{name}, but it must be {schema['description']}")
    elif schema.get("writeOnly"):
        yield Fault(path, f"{where} must be {schema['description']}")
    else:
        yield Fault(path, f"{where} is {shown(instance)}, but must be {schema['description']}")
