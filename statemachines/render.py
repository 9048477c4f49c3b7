"""Writes the definitions as Amazon States Language, beside the code.

They are committed, as YAML, and a test keeps them equal to the code. The templates name these files
by their paths, so what is reviewed here is what is deployed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from steadyspot.statemachines import after_the_end, job

ROOM = Path(__file__).parent

DEFINITIONS = {"job": job.build, "after-the-end": after_the_end.build}


class _Dumper(yaml.SafeDumper):
    """Puts into double quotes what CloudFormation substitutes in, which it does before it parses.

    Else a job called ``no`` would become a boolean, and a quote of a substituted text the end of
    the text that it stands in.
    """


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    style = '"' if "${" in text or text.startswith("{%") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def definition(name: str) -> dict[str, Any]:
    """Return one definition as data."""
    graph: dict[str, Any] = json.loads(json.dumps(DEFINITIONS[name]().to_dict()))
    return graph


def rendered(name: str) -> str:
    """Return one definition as the file beside the code."""
    text: str = yaml.dump(
        definition(name), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )
    return text


def path_of(name: str) -> Path:
    """Return where the file of a definition is."""
    return ROOM / "rendered" / f"{name}.asl.yaml"


def write() -> Iterator[Path]:
    """Write every rendered file and yield its path."""
    for name in DEFINITIONS:
        path = path_of(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(rendered(name), "utf-8")
        yield path
