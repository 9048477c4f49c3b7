"""Makes the JSONata that is deployed out of files that hold one named value each.

``expressions/slack.jsonata`` holds the value of ``$slack``. What a file mentions as ``$name``, and
a file of that name exists for, is put before it once: ``( $ends := …; $slack := …; $slack )``.
Numbers and tables that Python knows are named in the same way, see ``values.py``. What a file
mentions and nobody has a value for is a variable of the workflow, a name of its own, or JSONata's.

Every expression is total, but where its comment says that an error is caught: a Choice, a Wait and
a catcher have no Catch, so an undefined value there would end the run unseen.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from steadyspot.statemachines.values import PARAMETERS, VALUES

FOLDER = Path(__file__).parent / "expressions"
WIDTH = 92
"""Characters of a line of JSONata; in the rendered file it is indented."""

_TOKENS = re.compile(
    r"""(?P<comment>/\*.*?\*/)|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<=[(,=])\s*/(?:[^/\\\n]|\\.)+/"""
    r"""|\$(?P<mention>[A-Za-z]\w*)|.""",
    re.DOTALL,
)
_BOUND = re.compile(r"\$(\w+)\s*:=")
_PARAMETERS_OF_FUNCTION = re.compile(r"function\(([^)]*)\)")
_PATH = re.compile(r"\$\w+(\.\w+)*")


class Expression(str):
    """JSONata within ``{% %}`` in one line, with the layout and the comments for people beside it.

    ``lines`` joined by a blank are the expression. ``comments`` has a name and a text for it and
    for each value that was put before it.
    """

    lines: tuple[str, ...]
    comments: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, lines: list[str], comments: list[tuple[str, str]]) -> Expression:
        """Return what these lines make; lines that are folded lose their indentation."""
        made = cls(" ".join(line.strip() for line in lines))
        made.lines, made.comments = tuple(lines), tuple(comments)
        return made


@dataclass(frozen=True)
class Named:
    """A named value: its comment, its lines, and the names that it mentions."""

    name: str
    comment: str
    lines: tuple[str, ...]
    mentions: tuple[str, ...] = ()


def expression(name: str, **given: Any) -> Expression:
    """Return the expression of that name; ``given`` stand in for files.

    They are plain values, or files of another name, see :func:`named`.

    Raises
    ------
    ValueError
        A file gives a name of its own to something, which a file already has.
    """
    known = {**library(), **{name: _stand_in(name, value) for name, value in given.items()}}
    before = list(_before(known[name], known, [name]))
    own = known[name]
    comments = [("", own.comment)] + [(named.name, named.comment) for named in before]
    if not before:
        return Expression.of(_wrapped(list(own.lines)), comments)
    lines = ["{% ("]
    for named in before:
        first, *others = named.lines
        lines += [f"  ${named.name} := {first}", *(f"  {line}" for line in others)]
        lines[-1] += ";"
    return Expression.of([*lines, *(f"  {line}" for line in own.lines), ") %}"], comments)


def named(name: str) -> Named:
    """Return the value of that name, to stand in for another one."""
    return library()[name]


def _stand_in(name: str, value: Any) -> Named:
    return replace(value, name=name) if isinstance(value, Named) else _data(name, value)


def variable(path: str) -> Expression:
    """Return the expression that is a variable of the workflow, or a field of it: ``$run.key``."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path} is more than a variable: it belongs into a file.")
    return Expression.of([f"{{% {path} %}}"], [])


def _wrapped(lines: list[str]) -> list[str]:
    lines[0] = "{% " + lines[0]
    lines[-1] += " %}"
    return lines


def _before(named: Named, known: Mapping[str, Named], done: list[str]) -> Iterator[Named]:
    """Yield what a value needs, once, each after what it needs itself."""
    for name in named.mentions:
        if name in known and name not in done:
            done.append(name)
            yield from _before(known[name], known, done)
            yield known[name]


@cache
def library() -> dict[str, Named]:
    """Return all named values: one for each file, and those that Python knows."""
    files = {path.stem: _read(path) for path in sorted(FOLDER.glob("*.jsonata"))}
    data = {name: _data(name, value) for name, value in VALUES.items()}
    parameters = Named("parameters", PARAMETERS.comment, tuple(PARAMETERS.lines))
    known = {**files, **data, parameters.name: parameters}
    for path in FOLDER.glob("*.jsonata"):
        own = _own_names(path.read_text("utf-8")) & known.keys()
        if own:
            raise ValueError(f"{path.name} binds ${', $'.join(own)}, the name of another value.")
    return known


def _own_names(text: str) -> set[str]:
    parameters = " ".join(_PARAMETERS_OF_FUNCTION.findall(text))
    return {*_BOUND.findall(text), *re.findall(r"\$(\w+)", parameters)}


def _read(path: Path) -> Named:
    text = path.read_text("utf-8")
    comments, code, mentions = [], [], []
    for token in _TOKENS.finditer(text):
        if token["comment"]:
            comments.append(" ".join(token["comment"][2:-2].split()))
            continue
        code.append(token[0])
        if token["mention"]:
            mentions.append(token["mention"])
    lines = [line.rstrip() for line in "".join(code).splitlines() if line.strip()]
    return Named(path.stem, " ".join(comments), tuple(lines), tuple(dict.fromkeys(mentions)))


def _data(name: str, value: Any) -> Named:
    return Named(name, "", tuple(_folded(literal(value), WIDTH - len(name))))


def literal(value: Any) -> str:
    """Return data as JSONata, whose texts stand in single quotes where they can."""
    if isinstance(value, dict):
        pairs = (f"{literal(key)}: {literal(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    text = json.dumps(value, ensure_ascii=False)
    is_simple = isinstance(value, str) and "'" not in value and "\\" not in text
    return f"'{value}'" if is_simple else text


def _folded(text: str, width: int) -> list[str]:
    """Break a text at blanks, each of which is one again once the lines are joined."""
    lines = textwrap.wrap(text, width, break_on_hyphens=False)
    return lines if " ".join(lines) == text else [text]
