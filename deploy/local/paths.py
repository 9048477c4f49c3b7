"""Paths into an event as EventBridge writes them: dots alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at_path(event: Mapping[str, Any], path: str) -> Any:
    """The value at a path like `$.detail.status`; null where there is none."""
    value: Any = event
    for name in [part for part in path.removeprefix("$").split(".") if part]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
