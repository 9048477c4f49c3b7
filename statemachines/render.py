"""Writes the definitions as Amazon States Language, beside the code and into the templates.

All are committed; a test keeps them equal to the code. A template carries the text itself, so that
it deploys alone and the console shows exactly what is reviewed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from statemachines import after_the_end, job

ROOM = Path(__file__).parent
FOLDER = ROOM.parent / "deploy" / "templates"
TEMPLATES = (FOLDER / "job.yaml", FOLDER / "platform.yaml")

DEFINITIONS = {"job": job.build, "after-the-end": after_the_end.build}


def definition(name: str) -> dict[str, Any]:
    """Return one definition as data."""
    graph: dict[str, Any] = json.loads(json.dumps(DEFINITIONS[name]().to_dict()))
    return graph


def pretty(name: str) -> str:
    """Return one definition as the file beside the code."""
    return json.dumps(definition(name), indent=2, ensure_ascii=False) + "\n"


def filled(template: str) -> str:
    """Return the template with each definition after its mark ``# definition: NAME``."""
    return "\n".join(_fill(iter(template.splitlines()))) + "\n"


def _fill(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.strip().startswith("# definition: "):
            name = line.split(": ", 1)[1].strip().replace(" ", "-")
            indent = line[: len(line) - len(line.lstrip())]
            yield next(lines)
            yield f"{indent}  " + json.dumps(
                definition(name), separators=(",", ":"), ensure_ascii=False
            )
            yield next(line for line in lines if line.strip() == "# definition end")


def write() -> Iterator[Path]:
    """Write every rendered file and yield its path."""
    for name in DEFINITIONS:
        path = ROOM / "rendered" / f"{name}.asl.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(pretty(name))
        yield path
    for path in TEMPLATES:
        path.write_text(filled(path.read_text()))
        yield path
