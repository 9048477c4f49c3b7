"""What stands in a program's text: the places that a node uses, gives values to, or leads to.

A place is a name as it stands in the text, or with a dot before it an attribute, of whatever
object. What is only told, as by ``print``, does not count as used.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache
from typing import Any

TELL = {
    *("print", "echo", "secho", "log", "debug", "info", "warn", "warning", "error", "exception"),
    *("critical", "progress", "set_description", "set_postfix", "set_postfix_str"),
}
"""Functions and methods that only tell people."""

_PASS_TIME = {"collect", "sleep"}

END = {"cleanup", "close", "rmtree", "unlink"}
"""Functions that only end what they are given, as that of a figure does, or remove it."""

GATHER = {"add", "append", "appendleft", "extend", "insert", "setdefault", "update"}
"""Methods of containers that take a value up."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_WITHIN = (ast.stmt, ast.ExceptHandler, ast.match_case)
"""What stands in the blocks of a statement."""


@cache
def used(node: ast.AST) -> frozenset[str]:
    """The places whose values are used, and not in order to tell them."""
    inner = (used(child) for child in ast.iter_child_nodes(node))
    match node:
        case ast.Call() if called_by(node) in TELL | _PASS_TIME:
            return frozenset()
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"),
                attr="write" | "writelines" | "flush",
            )
        ):
            return frozenset()
        case ast.Call() if called_by(node) in END:
            return used(node.func)
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            return frozenset({place_of(node)}).union(*inner)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            own = {name for one in node.generators for name in stored_in(one.target)}
            return frozenset().union(*inner) - own | used(node.generators[0].iter)
        case ast.Lambda(args=given, body=body):
            return used(body) - {one.arg for one in arguments_of(node)} | used(given)
    return frozenset().union(*inner)


def used_of_outer(function: ast.AST) -> set[str]:
    """The names that a function uses and are not its own."""
    return set().union(*map(used, block_of(function))) - names_of(function)


def names_of(function: ast.AST) -> set[str]:
    """A function's own names."""
    block = block_of(function)
    own = {node.id for node in walk(block) if isinstance(node, ast.Name) and _is_stored(node)}
    own |= {one.arg for one in arguments_of(function)}
    return own - declared([function])


def arguments_of(function: ast.AST) -> list[ast.arg]:
    """What it is given by name, and functions within it are."""
    return [one for one in ast.walk(function) if isinstance(one, ast.arg)]


def declared(nodes: Iterable[ast.AST]) -> set[str]:
    """Names of outer code that functions say they change."""
    declarations = (one for one in walk(nodes) if isinstance(one, ast.Global | ast.Nonlocal))
    return {name for one in declarations for name in one.names}


def place_of(node: ast.AST) -> str:
    """The place that a name or an attribute stands for, empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return f".{name}"
    return ""


def places_at(path: Sequence[object]) -> set[str]:
    """What the text may call what is reached by these names."""
    return {str(path[-1]), f".{path[-1]}"}


def places_along(path: Sequence[object]) -> set[str]:
    """What it may call what is on the way there, from the code on that the names stand in."""
    return set().union(*(places_at((name,)) for name in path[1:]))


def called_by(call: ast.Call) -> str:
    """The name of the function or method that is called, empty where it has none."""
    return place_of(call.func).lstrip(".")


def given_to(call: ast.Call) -> list[ast.expr]:
    """What a call gives, by place and by name."""
    return [*call.args, *(one.value for one in call.keywords)]


def places_to(node: ast.AST) -> set[str]:
    """All places on the way to a value: of ``a.b[0]`` that of ``a`` and that of ``.b``."""
    found: set[str] = set()
    while isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        found |= {place_of(node)} - {""}
        node = getattr(node, "value", ast.Pass())
    return found


def stored_in(target: ast.AST) -> set[str]:
    """The places that a target gives values to."""
    return {
        place_of(node)
        for node in ast.walk(target)
        if isinstance(node, ast.Name | ast.Attribute) and _is_stored(node)
    }


def _is_stored(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def heads_of(statement: ast.AST) -> list[ast.AST]:
    """What a statement holds besides blocks."""
    return [one for one in ast.iter_child_nodes(statement) if not isinstance(one, _WITHIN)]


def blocks_of(statement: ast.AST) -> list[list[ast.stmt]]:
    """The blocks of a statement that are not empty; what a function holds is not run here."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return []
    parts = [statement, *(getattr(statement, "handlers", []) + getattr(statement, "cases", []))]
    found = [getattr(one, name, []) for one in parts for name in ("body", "orelse", "finalbody")]
    return [block for block in found if isinstance(block, list) and block]


def block_of(function: ast.AST) -> list[Any]:
    """The statements of a function, the expression of a lambda."""
    body = getattr(function, "body", [])
    return body if isinstance(body, list) else [body]


def with_what_made(places: Iterable[str], made: Sequence[tuple[Set[str], Set[str]]]) -> set[str]:
    """Places, and those of which they are made; ``made``: names, and what these are given."""
    found = set(places)
    while more := [of for names, of in made if names & found and not of <= found]:
        found = found.union(*more)
    return found


def walk(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes, and all within them."""
    for node in nodes:
        yield from ast.walk(node)
