"""The one form in which values go out as JSON: times as ISO in UTC, decimals as numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def as_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, default=_plain, indent=indent)


def _plain(value: object) -> object:
    """Return what JSON has no form for as something that it has one for."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
