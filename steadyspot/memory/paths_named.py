"""Which paths a program's text names, with the values of its variables put in.

What is not known of a text becomes ``*``, so that it stands for whatever lies there.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from steadyspot.memory.places import END, TELL, called_by, given_to, place_of

_UNKNOWN = "*"
_JOIN = {"join", "joinpath"}
_SAME = {"Path", "PurePath", "absolute", "abspath", "fspath", "realpath", "resolve", "str"}
"""Functions and methods that give the path that they are given, as it is."""

_READ_NOTHING = END | TELL | {"exists", "isdir", "isfile", "makedirs", "mkdir"}
_ENVIRONMENT = {"environ", ".environ"}
_READS_A_FOLDER = re.compile(r"_*(collect|concat|dataset|load|merge|open_dataset|read|scan)")
_PATH_LENGTH = 4096
_MANY_LETTERS = 3
"""So many that are known of a name say what is meant."""

Values = Mapping[str, object]
"""By places, the paths that they have, and dictionaries in which some may lie."""


def path_of(value: object) -> str:
    """The path that a value is, or that of a temporary file or folder; empty for anything else."""
    if _is_temporary(value):
        value = getattr(value, "name", "")
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        return text if isinstance(text, str) and len(text) < _PATH_LENGTH else ""
    return ""


def _is_temporary(value: object) -> bool:
    return type(value).__module__ == "tempfile"


def texts_of(nodes: Iterable[ast.AST], values: Values) -> set[str]:
    """All texts that stand in ``nodes``, be they one path or have some in them.

    What is done by methods of a path is left out: each opens and lists by Python itself.
    """
    return {text for node in nodes for text in _texts(node, values)}


def _texts(node: ast.AST, values: Values) -> Iterator[str]:
    if isinstance(node, ast.Call) and called_by(node) in _READ_NOTHING:
        return
    if isinstance(node, ast.Call) and _READS_A_FOLDER.match(called_by(node)):
        folders = (_resolved(one, values) for one in given_to(node))
        yield from (f"{one}/{_UNKNOWN}" for one in folders if _says_something(one))
    text = _resolved(node, values)
    if text != _UNKNOWN:
        if _says_something(text):
            yield text
        return
    if isinstance(node, ast.Attribute) and _resolved(node.value, values) != _UNKNOWN:
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, values)


def _says_something(text: str) -> bool:
    is_known = _UNKNOWN not in text or "/" in text or len(text) > _MANY_LETTERS
    return is_known and text != _UNKNOWN


def _resolved(node: ast.AST, values: Values) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=inner):
            return _resolved(inner, values)
        case ast.JoinedStr(values=parts):
            return "".join(_resolved(one, values) for one in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _resolved(left, values) + _resolved(right, values)
    if joined := _parts(node, values):
        texts = [_resolved(one, values) for one in joined]
        return os.path.join(*texts) if texts[0] != _UNKNOWN else _UNKNOWN
    return path_of(_value(node, values)) or _UNKNOWN


def _parts(node: ast.AST, values: Values) -> Sequence[ast.expr]:
    """What a path is joined of, or made of; empty for anything else."""
    match node:
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return [left, right]
        case ast.Call(func=ast.Attribute(value=of), args=given):
            is_asked = called_by(node) in _JOIN or (called_by(node) in _SAME and not given)
            if is_asked and _resolved(of, values) != _UNKNOWN:
                return [of, *given]
    if isinstance(node, ast.Call) and called_by(node) in _JOIN | _SAME:
        return node.args
    return []


def _value(node: ast.AST, values: Values) -> Any:
    """What a place has, or a dictionary or the environment by a name that stands in the text."""
    match node:
        case ast.Attribute(value=of, attr="name") if _is_temporary(values.get(place_of(of))):
            return values[place_of(of)]
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            return os.environ if place_of(node) in _ENVIRONMENT else values.get(place_of(node))
        case ast.Subscript(value=of, slice=ast.Constant(value=str(key))):
            return _item(_value(of, values), key)
        case ast.Call(func=ast.Attribute(value=of), args=[ast.Constant(value=str(key)), *_]):
            if called_by(node) == "getenv":
                return os.environ.get(key)
            return _item(_value(of, values), key) if called_by(node) == "get" else None
    return None


def _item(values: object, key: str) -> Any:
    return values.get(key) if isinstance(values, MutableMapping) else None
