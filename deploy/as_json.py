"""The one form in which values go out as JSON: times as ISO in UTC, decimals as numbers.

``json-of-verbs.schema.json`` beside it is what each verb promises to print; ``VERB --json-schema``
prints the part of it that is the verb's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Any


def as_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, default=_plain, indent=indent)


def form_of(verb: str) -> dict[str, Any]:
    """Return the JSON Schema of what a verb prints with ``--json``; of ``logs``, of each line."""
    path = resources.files(__package__) / "json-of-verbs.schema.json"
    forms: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return {**forms, "$ref": f"#/$defs/{verb}"}


def _plain(value: object) -> object:
    """Return what JSON has no form for as something that it has one for."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
