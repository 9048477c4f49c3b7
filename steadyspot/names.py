"""What an output may be called, for the job's API and the supervisor alike; pure."""

from __future__ import annotations

from typing import Any

from steadyspot.contract import COMPLETION

LONGEST_BYTES = 700
"""S3 allows keys of 1,024 bytes, of which the run's prefix takes its part."""


class BadName(ValueError):
    """A name that no output can have: one sentence what, one sentence what to do."""

    def __init__(self, sentence: str, todo: str) -> None:
        super().__init__(f"{sentence} {todo}")
        self.sentence = sentence
        self.todo = todo


def check_name(name: Any) -> str:
    """Return the name, fit to be a key below the run's prefix. Raises ``BadName``."""
    if not isinstance(name, str) or not name.isprintable():  # Surrogates are not, either.
        raise BadName(
            f"The output name {name!r} is no printable text.", "Use a name in plain UTF-8."
        )
    if not 0 < len(name.encode()) <= LONGEST_BYTES:
        raise BadName(
            f"The output name {name!r} is empty or too long.", f"Use 1 to {LONGEST_BYTES} bytes."
        )
    if any(piece in ("", ".", "..") for piece in name.split("/")):
        raise BadName(
            f"The output name {name!r} climbs out of its folder.",
            "Use a relative name without '.' and '..', such as 'part-00001.parquet'.",
        )
    if name == COMPLETION:
        raise BadName(
            f"The output name '{COMPLETION}' belongs to the completion record.",
            "Use another name.",
        )
    return name
