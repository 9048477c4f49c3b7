"""Writes the definitions as Amazon States Language, beside the code and into the templates.

All are committed; a test keeps them equal to the code. A template carries the text itself, so that
it deploys alone and the console shows exactly what is reviewed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from steadyspot.statemachines import after_the_end, job
from steadyspot.statemachines.marks import MARK, MARK_END
from steadyspot.statemachines.pieces import mapping, packed, pieces, substituted

ROOM = Path(__file__).parent
FOLDER = ROOM.resolve().parent / "deploy" / "templates"
TEMPLATES = (FOLDER / "job.yaml", FOLDER / "platform.yaml")

DEFINITIONS = {"job": job.build, "after-the-end": after_the_end.build}


def definition(name: str) -> dict[str, Any]:
    """Return one definition as data."""
    graph: dict[str, Any] = json.loads(json.dumps(DEFINITIONS[name]().to_dict()))
    return graph


def pretty(name: str) -> str:
    """Return one definition as the file beside the code."""
    return json.dumps(definition(name), indent=2, ensure_ascii=False) + "\n"


def plain(name: str) -> str:
    """Return one definition as YAML."""
    text: str = yaml.safe_dump(definition(name), sort_keys=False, width=100, allow_unicode=True)
    return text


def filled(template: str) -> str:
    """Return the template with each definition after its mark ``# definition: NAME``.

    Where ``DefinitionString:`` is an ``!Sub``, what the definition says more than once has a name.
    """
    return "\n".join(_fill(iter(template.splitlines()))) + "\n"


def _fill(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.strip().startswith(MARK):
            text = packed(definition(line.partition(MARK)[2].strip().replace(" ", "-")))
            indent = line[: len(line) - len(line.lstrip())]
            first = next(lines)
            block = _named(text) if first.endswith("!Sub") else [f" {text}"]
            yield from (first, *(indent + made for made in block))
            yield next(line for line in lines if line.strip() == MARK_END)


def _named(text: str) -> Iterator[str]:
    """Yield the two arguments of an ``Fn::Sub``; each state stands on a line of its own."""
    named = pieces(text)
    outline = substituted(text, named)
    yield "- |"
    for state in json.loads(text)["States"]:
        at = outline.index(f'"{state}":')
        yield f" {outline[:at]}"
        outline = outline[at:]
    yield f" {outline}"
    first, *others = mapping(text, named)
    yield f"- {first}"
    yield from (f"  {line}" for line in others)


def write() -> Iterator[Path]:
    """Write every rendered file and yield its path."""
    for name in DEFINITIONS:
        path = ROOM / "rendered" / f"{name}.asl.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(pretty(name))
        yield path
        path = path.with_suffix(".yaml")
        path.write_text(plain(name))
        yield path
    for path in TEMPLATES:
        path.write_text(filled(path.read_text()))
        yield path
