"""What the head of a loop over units runs for each of them, and what it takes beside them.

A head is gone through once, but what it gives to ``map`` or ``zip`` is asked with each unit, as is
an expression that generates. What ``remaining`` is given is gone through for all units alike.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from copy import deepcopy

from steadyspot.memory.places import called_by, given_to, place_of, stored_in, used, walk
from steadyspot.memory.program_text import ASK, Loop, Program

_LAZY = {
    *("map", "filter", "zip", "zip_longest", "starmap", "filterfalse", "takewhile", "dropwhile"),
    *("accumulate", "compress", "groupby"),
}
"""Functions that ask what they are given for the next as they are asked themselves."""

_COUNT = {"count", "range"}
_DEEP = 3
"""So far names in a head are followed to what has units."""


def run_by_head(loop: Loop, program: Program, functions: Collection[str]) -> list[ast.stmt]:
    """What the head of a loop runs for each unit, where ``functions`` of the job have such names.

    Each as a statement of its own.
    """
    if isinstance(loop, ast.While):
        named = (one for one in ast.walk(loop.test) if isinstance(one, ast.NamedExpr))
        return [ast.Assign(targets=[one.target], value=one.value) for one in named]
    head = _Names(program, loop).visit(deepcopy(loop.iter))
    return [ast.Expr(value=one) for one in _run(head, functions)]


def counted_by_head(loop: Loop, program: Program) -> set[str]:
    """Names that a head gives what begins again with each attempt, as a count does."""
    if isinstance(loop, ast.While):
        return set()
    return _counted(_Names(program, loop).visit(deepcopy(loop.iter)), loop.target)


def taken_by(loop: Loop) -> set[str]:
    """Names that a loop gives its units."""
    if isinstance(loop, ast.For):
        return stored_in(loop.target)
    return {
        name
        for one in ast.walk(loop)
        if isinstance(one, ast.Assign | ast.NamedExpr) and _asks(one.value)
        for name in stored_in(one)
    }


def _asks(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and called_by(node) in ASK


class _Names(ast.NodeTransformer):
    """Puts in place of names what the loop's code has given them once, where that has units."""

    def __init__(self, program: Program, loop: Loop, depth: int = _DEEP) -> None:
        self._program, self._loop, self._depth = program, loop, depth

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node if called_by(node) == "remaining" else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        values = self._program.values_of(node.id, self._loop) if self._depth else []
        if len(values) == 1 and isinstance(values[0], ast.Call | ast.GeneratorExp):
            inner = _Names(self._program, self._loop, self._depth - 1)
            value: ast.expr = inner.visit(deepcopy(values[0]))
            return value if _has_units(value) else node
        return node


def _run(
    node: ast.expr, functions: Collection[str], *, is_asked: bool = False
) -> Iterator[ast.expr]:
    """What is run for each unit; ``is_asked``: also what has other names is."""
    match node:
        case ast.GeneratorExp(generators=[first, *_]):
            yield _function_of(node)
            yield from _run(first.iter, functions)
        case ast.Call():
            if called_by(node) == "remaining":
                return
            if is_asked and not _has_units(node):
                yield node
            for one in given_to(node):
                yield from _run(one, functions, is_asked=called_by(node) in _LAZY)
        case ast.Name() | ast.Attribute() if place_of(node).lstrip(".") not in functions:
            if is_asked:
                yield node
        case ast.Lambda() | ast.Name() | ast.Attribute():
            yield node


def _function_of(made: ast.GeneratorExp) -> ast.Lambda:
    """What makes one item, as a function has names of its own."""
    names = sorted(name for one in made.generators for name in stored_in(one.target))
    parts = [made.elt, *(one.iter for one in made.generators[1:])]
    parts += [condition for one in made.generators for condition in one.ifs]
    own = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    return ast.Lambda(args=own, body=ast.Tuple(elts=parts, ctx=ast.Load()))


def _counted(taken: ast.expr, target: ast.expr) -> set[str]:
    match taken, target:
        case ast.Call(func=ast.Name(id="enumerate"), args=[of, *_]), ast.Tuple(elts=[at, one]):
            return stored_in(at) | _counted(of, one)
        case ast.Call(func=ast.Name(id="zip"), args=args), ast.Tuple(elts=targets):
            pairs = list(zip(args, targets, strict=False))
            return set().union(
                *(stored_in(one) for of, one in pairs if _is_beside(of, args)),
                *(_counted(of, one) for of, one in pairs),
            )
        case ast.Call(func=ast.Name(id="map"), args=[_, *args]), _:
            return stored_in(target) if any(_is_beside(one, args) for one in args) else set()
        case ast.GeneratorExp(elt=made, generators=[first]), _:
            own = _counted(first.iter, first.target)
            return {name for part, one in _parts(made, target) if own & used(part) for name in one}
    return set()


def _parts(made: ast.expr, target: ast.expr) -> list[tuple[ast.expr, set[str]]]:
    """What is made, and the names that are given it."""
    match made, target:
        case ast.Tuple(elts=parts), ast.Tuple(elts=targets) if len(parts) == len(targets):
            return list(zip(parts, map(stored_in, targets), strict=True))
    return [(made, stored_in(target))]


def _is_beside(taken: ast.expr, args: list[ast.expr]) -> bool:
    """Whether something else than units is asked for its next with each of them."""
    name = called_by(taken) if isinstance(taken, ast.Call) else ""
    if name in _COUNT:
        return True
    return name != "repeat" and not _has_units(taken) and any(map(_has_units, args))


def _has_units(node: ast.expr) -> bool:
    calls = (one for one in walk([node]) if isinstance(one, ast.Call))
    return any(called_by(one) == "remaining" for one in calls)
