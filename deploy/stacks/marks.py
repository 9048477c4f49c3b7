"""The mark by which a stack is known as this product's, for which platform and which job.

A name proves nothing and a tag is copied easily, so it takes both: the tag, and the template's own
metadata, which also lists what that template holds. What a stack holds beside that, somebody else
has put there. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml  # type: ignore[import-untyped]

TAG = "steadyspot"
SECTION = "Steadyspot"
"""The key of the mark in a template's metadata."""
_METADATA = re.compile(r"^Metadata:[ ]*\n", re.MULTILINE)
_LINE = re.compile(rf"^  {SECTION}: \{{.*\}}\n", re.MULTILINE)
"""The mark as it stands in a template that was deployed."""


@dataclass(frozen=True)
class Mark:
    """Whose a stack is; ``job`` is empty for the platform's own."""

    platform: str
    job: str = ""

    @property
    def stack(self) -> str:
        """The name of the stack; marks of two platforms may have the same."""
        return f"{self.platform}-{self.job}" if self.job else self.platform

    @property
    def tag(self) -> str:
        """The value of the tag; no two marks have the same, since no name has a slash."""
        return f"{self.platform}/{self.job}" if self.job else self.platform

    def __str__(self) -> str:
        return (
            f"job {self.job} of platform {self.platform}"
            if self.job
            else f"platform {self.platform}"
        )


@dataclass(frozen=True)
class Marked:
    """What a template says of itself: its mark, and the logical ids that it holds."""

    mark: Mark
    held: frozenset[str]


def mark_of(platform: str, stack: str) -> Mark:
    """Return the mark that a stack of this name must bear if it is this platform's.

    Raises
    ------
    ValueError
        When no stack of the platform can have that name.
    """
    if stack == platform:
        return Mark(platform)
    begin, job = stack[: len(platform) + 1], stack[len(platform) + 1 :]
    if begin != f"{platform}-" or not job:
        raise ValueError(f"{stack} is no name of a stack of {platform}")
    return Mark(platform, job)


def with_mark(text: str, mark: Mark) -> str:
    """Return a template of ours with its mark in its metadata, once, also where one stood there."""
    text = _LINE.sub("", text)
    said = json.dumps(
        {"Platform": mark.platform, "Job": mark.job, "Resources": sorted(_resources(text))},
        separators=(",", ":"),
    )
    line = f"  {SECTION}: {said}\n"
    if _METADATA.search(text):
        return _METADATA.sub(lambda found: found[0] + line, text, count=1)
    return f"Metadata:\n{line}{text}"


def marked(text: str) -> Marked | None:
    """Return what a template says of itself; None where it is none of ours, whatever it is."""
    said = _section(_parsed(text).get("Metadata"), SECTION)
    platform, job, resources = (said.get(key) for key in ("Platform", "Job", "Resources"))
    if not (isinstance(platform, str) and platform and isinstance(job, str)):
        return None
    held = resources if isinstance(resources, list) else []
    return Marked(Mark(platform, job), frozenset(map(str, held)))


def collides(one: str, other: str) -> bool:
    """Return whether two platforms can give a stack, a role or a workflow the same name.

    Job ``eu`` of platform ``prod`` is ``prod-eu``, as platform ``prod-eu`` is.
    """
    return one != other and (one.startswith(f"{other}-") or other.startswith(f"{one}-"))


def _resources(text: str) -> list[str]:
    return [str(name) for name in _section(_parsed(text), "Resources")]


def _section(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads any template, and takes no notice of CloudFormation's short forms or other tags."""


_Loader.add_multi_constructor("", lambda _loader, _tag, _node: None)


@lru_cache(maxsize=32)
def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
