"""Draws a definition as Mermaid, which a README shows as a picture.

Made from the rendered definition and nothing else, so that the picture can't say what the workflow
does not do. A dashed arrow is taken when a call fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SHAPES = {
    "Choice": ("{{", "}}"),
    "Succeed": ("([", "])"),
    "Fail": ("([", "])"),
    "Wait": ("[/", "/]"),
}


def mermaid(definition: Mapping[str, Any]) -> str:
    """Return the flow chart, from top to bottom."""
    names = list(definition["States"])
    ids = {name: f"s{number}" for number, name in enumerate(names)}
    lines = ["flowchart TD"]
    for name in names:
        begin, end = _SHAPES.get(definition["States"][name]["Type"], ("[", "]"))
        lines.append(f'  {ids[name]}{begin}"{name}"{end}')
    lines.append(f"  start(( )) --> {ids[definition['StartAt']]}")
    for name, state in definition["States"].items():
        lines += [f"  {ids[name]} {arrow} {ids[to]}" for arrow, to in _arrows(state)]
        if state.get("End"):
            lines.append(f"  {ids[name]} --> ended(( ))")
    return "\n".join(lines) + "\n"


def _arrows(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each arrow once, those that are taken when all goes well first."""
    targets = [choice["Next"] for choice in state.get("Choices", [])]
    targets += [state[key] for key in ("Next", "Default") if key in state]
    failures = [catcher["Next"] for catcher in state.get("Catch", [])]
    yield from (("-->", to) for to in dict.fromkeys(targets))
    yield from (("-.->", to) for to in dict.fromkeys(failures) if to not in targets)
