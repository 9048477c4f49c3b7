"""What is read back from the run table and the bucket, held against what the worker writes there.

Another container of the same job may have written it. What has another shape counts as not there,
so that the attempt goes on without it and says so, instead of failing in the midst of it. Whether
bytes are those that were saved is a matter of hashes, and decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steadyspot.contract import columns
from steadyspot.worker.keeping.store import Item

LARGEST = 1 << 53
"""Counts and seconds are below it; above it JSON's readers disagree."""

Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """A text."""
    return isinstance(value, str)


def is_number(value: Any) -> bool:
    """A number of seconds, none below 0 and none that is not one."""
    return type(value) in (int, float) and 0 <= value < LARGEST


def is_count(value: Any) -> bool:
    """A whole number, 0 or more."""
    return type(value) is int and 0 <= value < LARGEST


def is_told(value: Any) -> bool:
    """A number that the job itself told, whatever it is."""
    return type(value) in (int, float) and abs(value) < LARGEST


def is_list(value: Any) -> bool:
    """A list of whatever."""
    return isinstance(value, list)


def is_texts(value: Any) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(map(is_text, value))


def is_texts_by_name(value: Any) -> bool:
    """An object whose values are texts."""
    return isinstance(value, dict) and all(map(is_text, value.values()))


def optional(check: Check) -> Check:
    """Return the check that takes None, too."""
    return lambda value: value is None or check(value)


def fits(value: Any, shape: Mapping[str, Check]) -> bool:
    """Whether it is an object with all of these fields, each as it must be."""
    return isinstance(value, dict) and all(
        name in value and check(value[name]) for name, check in shape.items()
    )


POINTER: Mapping[str, Check] = {"key": is_text, "sha256": is_text}


def _is_history(value: Any) -> bool:
    return fits(
        value,
        {
            "segments": lambda segments: (
                is_list(segments) and all(fits(one, POINTER) for one in segments)
            ),
            "units": lambda units: (
                isinstance(units, dict) and all(map(optional(is_texts), units.values()))
            ),
            "outputs": lambda outputs: isinstance(outputs, dict),
        },
    )


MANIFEST: Mapping[str, Check] = {
    "format": is_count,
    "history": _is_history,
    "units_done": is_count,
    "unpublished": is_texts_by_name,
    "state": is_list,
    "fraction": optional(is_told),
    "total": optional(is_told),
    "open_uploads": is_texts_by_name,
    "sequence": is_count,
    "seconds": is_number,
    "lost_seconds": is_number,
    "started_at": is_text,
}
PLAN: Mapping[str, Check] = {
    "record": lambda record: fits(
        record,
        {
            "request_sha256": is_text,
            "units": is_count,
            "seconds": is_number,
            "lost_seconds": is_number,
            "worker_version": is_text,
            "completed_at": is_text,
        },
    ),
    "history": _is_history,
}

_COLUMNS: Mapping[str, Check] = {
    columns.CHECKPOINT: lambda value: (
        fits(value, POINTER) and ("previous" not in value or fits(value["previous"], POINTER))
    ),
    columns.COMMIT: lambda value: fits(value, POINTER),
    columns.STOP_REPORT: lambda value: fits(
        value, {"fence": is_count, "total_lost_seconds": is_number}
    ),
    columns.WARNINGS: is_texts,
}


def odd_columns(item: Item) -> list[str]:
    """Return the columns of a run's item that hold what no worker writes."""
    return [name for name, check in _COLUMNS.items() if name in item and not check(item[name])]
