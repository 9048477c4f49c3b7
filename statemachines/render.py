"""Writes the definitions as Amazon States Language in YAML: what is deployed, and what is reviewed.

The files are committed; a test keeps them equal to the code. An expression keeps the lines of its
own file: YAML folds them into the one line that Step Functions gets. What the files say of the
values stands above it as a comment.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from steadyspot.statemachines import (
    after_its_time,
    after_others,
    after_the_end,
    at_the_deadline,
    before_the_start,
    by_mail,
    job,
)
from steadyspot.statemachines.composing import Expression

FOLDER = Path(__file__).parent / "rendered"
DEFINITIONS = {
    "job": job.build,
    "before-the-start": before_the_start.build,
    "at-the-deadline": at_the_deadline.build,
    "after-its-time": after_its_time.build,
    "after-others": after_others.build,
    "after-the-end": after_the_end.build,
    "by-mail": by_mail.build,
}
WIDTH = 120
_INDENT = "  "
_PLAIN = re.compile(r"[A-Za-z][\w ./?-]*")


def definition(name: str) -> dict[str, Any]:
    """Return one definition as data."""
    graph: dict[str, Any] = json.loads(json.dumps(_data(DEFINITIONS[name]())))
    return graph


def rendered(name: str) -> str:
    """Return one definition as the file that is deployed."""
    head = "# Written by `make render` from statemachines/*.py and statemachines/expressions.\n"
    return head + "\n".join(_mapping(_data(DEFINITIONS[name]()), 0)) + "\n"


def path_of(name: str) -> Path:
    """Return where the file of a definition is."""
    return FOLDER / f"{name}.asl.yaml"


def write() -> Iterator[Path]:
    """Write every definition and yield its path."""
    for name in DEFINITIONS:
        path = path_of(name)
        path.write_text(rendered(name), "utf-8")
        yield path


def _data(value: Any) -> Any:
    """Return a machine as dictionaries and lists, expressions as they are."""
    if hasattr(value, "to_dict"):
        return _data(value.to_dict())
    if isinstance(value, dict):
        return {key: _data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_data(item) for item in value]
    return value


def _mapping(data: dict[str, Any], depth: int) -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, Expression):
            yield from _comments(value, depth)
        yield from _entry(f"{_INDENT * depth}{_scalar(key)}:", value, depth)


def _entry(before: str, value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield before
        yield from _mapping(value, depth + 1)
    elif isinstance(value, list) and value:
        yield before
        for item in value:
            yield from _item(item, depth + 1)
    elif isinstance(value, Expression):
        yield from _folded(before, value.lines, depth + 1)
    else:
        line = f"{before} {_scalar(value)}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield from _folded(before, textwrap.wrap(value, WIDTH - len(before) - 4), depth + 1)


def _item(value: Any, depth: int) -> Iterator[str]:
    """Yield an item of a list; the first line of a mapping stands behind the dash."""
    if isinstance(value, Expression):
        yield from _comments(value, depth)
        yield from _folded(f"{_INDENT * depth}-", value.lines, depth + 1)
        return
    lines = list(_mapping(value, depth + 1) if isinstance(value, dict) else [_scalar(value)])
    first, *others = lines
    yield f"{_INDENT * depth}- {first.strip()}"
    yield from others


def _comments(made: Expression, depth: int) -> Iterator[str]:
    """Yield what the file says of the value, then the first sentence of each that it needs."""
    indent = f"{_INDENT * depth}# "
    for name, text in made.comments:
        told = f"${name}: {text.split('. ')[0].rstrip('.')}." if name else text
        if text:
            yield from textwrap.wrap(
                told,
                WIDTH - 20,
                initial_indent=indent,
                subsequent_indent=indent + (_INDENT if name else ""),
            )


def _folded(before: str, lines: tuple[str, ...] | list[str], depth: int) -> Iterator[str]:
    """Yield a text in double quotes, of which YAML makes one line: a line break is a blank."""
    quoted = [json.dumps(line, ensure_ascii=False)[1:-1] for line in lines]
    quoted[-1] += '"'
    yield f'{before} "{quoted[0]}'
    yield from (f"{_INDENT * depth}{line}" for line in quoted[1:])


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)
