"""What somebody wants to begin with: one job, and where it is deployed from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["python", "shell", "node", "own"]
Pipeline = Literal["none", "github", "gitlab"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PIPELINES: tuple[Pipeline, ...] = get_args(Pipeline)

_NAME_LENGTH = 32
"""As long as a job's name may be (config.schema.json)."""


@dataclass(frozen=True)
class Wish:
    """One job to begin with.

    ``kind`` says which job is written: one in Python, shell or Node that resumes, or none where
    somebody has an own one. ``keys`` are those of the job's table in steadyspot.toml, in their
    order; ``base`` is the image that the job's own is made from, if not the worker's; ``left_out``
    says, a line each, what somebody had and has no place there.
    """

    name: str
    kind: Kind
    keys: Mapping[str, Any]
    mail: str | None = None
    pipeline: Pipeline = "none"
    base: str | None = None
    left_out: tuple[str, ...] = ()


COMMANDS: Mapping[Kind, list[str]] = {
    "python": ["python3", "job.py"],
    "shell": ["sh", "job.sh"],
    "node": ["node", "job.mjs"],
}
"""How the job that is written is started."""
FOLDERS = {"checkpoint_dir": "/work/checkpoint", "output_dir": "/work/output"}
"""By which a job that does not use the Python API resumes and hands over what it made."""


def wish_of(
    name: str,
    kind: Kind,
    *,
    command: list[str] | None = None,
    schedule: str | None = None,
    mail: str | None = None,
    pipeline: Pipeline = "none",
) -> Wish:
    """Return what the answers ask for."""
    keys: dict[str, Any] = {"image": f"{name}:local"}
    if command or kind in COMMANDS:
        keys["command"] = command or COMMANDS[kind]
    if kind != "python":
        keys |= FOLDERS
    if schedule:
        keys |= {"schedule": schedule, "missed": "auto"}
    return Wish(name, kind, keys, mail, pipeline)


def name_from(text: str) -> str:
    """Return a job's name made of any text; ``job`` where nothing is left of it."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    cleaned = re.sub(r"^[^a-z]+", "", cleaned)[:_NAME_LENGTH].rstrip("-")
    return cleaned if len(cleaned) > 1 else "job"
