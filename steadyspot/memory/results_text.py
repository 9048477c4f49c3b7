"""What a program makes of the results of units that it hands to others, by its text.

A resumed attempt hands over those alone that are left, so that what is made of their results lacks
the others'. Names are followed within one function: of units, and of what comes out of whatever is
done with them. What is made within a loop over units or in a unit's block is that unit's, and what
is only waited for or told is nothing that the program makes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from enum import IntEnum
from types import CodeType

from steadyspot.memory.flow import only_stops
from steadyspot.memory.places import (
    GATHER,
    TELL,
    blocks_of,
    called_by,
    heads_of,
    place_of,
    stored_in,
    used,
    walk,
)
from steadyspot.memory.program_text import program_of

_SHAPE = {
    *("batched", "chunked", "deque", "dict", "enumerate", "filter", "frozenset", "islice", "iter"),
    *("list", "next", "reversed", "set", "sorted", "tuple", "zip"),
}
"""Functions that give units where they are given units, and results where results."""

_WAIT = {"gather", "get", "join", "result", "run", "shutdown", "wait", "wait_for"}
"""Functions that wait for results, where nothing is made of what they return."""

_FOLLOWED = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)
"""Statements that give a value another name."""


class Kind(IntEnum):
    """What a value is."""

    OTHER = 0
    UNITS = 1
    RESULTS = 2


def results_read(code: CodeType, at: int) -> set[str]:
    """By what names a function makes something of results, of units that a call ``at`` gives it.

    An empty one is of results without a name. There are none where there is no text.
    """
    program = program_of(code.co_filename)
    found = program.call(code, at) if program else None
    return _followed(*found, Kind.UNITS).names_read() if found else set()


def results_named(code: CodeType, at: int) -> set[str]:
    """The names of such results, be they only told."""
    program = program_of(code.co_filename)
    found = program.call(code, at) if program else None
    kinds = _followed(*found, Kind.UNITS).kinds if found else {}
    return {name for name, kind in kinds.items() if kind is Kind.RESULTS}


def returns_units(code: CodeType, at: int) -> bool:
    """Whether a function returns the units that a call ``at`` gives it."""
    program = program_of(code.co_filename)
    found = program.call(code, at) if program else None
    return _followed(*found, Kind.UNITS).returns_units() if found else False


def returned_read(code: CodeType, at: int) -> set[str]:
    """As ``results_read``, of what a call or comprehension returns that takes units one by one."""
    program = program_of(code.co_filename)
    found = program.comprehension(code, at) or program.call(code, at) if program else None
    if not found or _only_takes(*found):
        return set()
    return _followed(*found, Kind.RESULTS).names_read()


def _followed(given: ast.AST, block: Sequence[ast.stmt], kind: Kind) -> _Flow:
    flow = _Flow(given, kind, block)
    before: dict[str, Kind] | None = None
    while flow.kinds != before:
        before = dict(flow.kinds)
        flow.follow(block)
    return flow


def _only_takes(node: ast.AST, block: Sequence[ast.stmt]) -> bool:
    """Whether it gives the units themselves, as in a list or a batch of them."""
    calls = (one for one in walk(block) if isinstance(one, ast.Call))
    remaining = next((one for one in calls if called_by(one) == "remaining"), None)
    return remaining is not None and _followed(remaining, block, Kind.UNITS).gives_units(node)


class _Flow:
    """The kinds of names, of which more become known each time a block is followed.

    What is ``given`` is of a ``kind`` that is known.
    """

    def __init__(self, given: ast.AST, kind: Kind, block: Sequence[ast.stmt]) -> None:
        self.kinds: dict[str, Kind] = {}
        self._given, self._kind, self._block = given, kind, block

    def names_read(self) -> set[str]:
        """By what names something is made of results in the block."""
        return {name for each in self.read(self._block) for name in self.names(each)}

    def returns_units(self) -> bool:
        """Whether the block returns units."""
        nodes = (one for each in self._block for one in ast.walk(each))
        returned = (one.value for one in nodes if isinstance(one, ast.Return) and one.value)
        return any(map(self.gives_units, returned))

    def gives_units(self, node: ast.AST) -> bool:
        """Whether an expression gives units."""
        return self._of(node) is Kind.UNITS

    def follow(self, block: Sequence[ast.stmt]) -> None:
        """Learn what becomes of units and results in a block."""
        for statement in block:
            for target, kind in self._gives(statement):
                self._give(target, kind)
            for inner in blocks_of(statement):
                self.follow(inner)

    def _gives(self, statement: ast.stmt) -> Iterator[tuple[ast.AST, Kind]]:
        """What a statement gives a value to, and of what kind."""
        match statement:
            case ast.Assign(targets=targets, value=value):
                yield from ((target, self._of(value)) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield target, self._of(value)
            case ast.AugAssign(target=target, value=value) if self._of(value):
                yield target, Kind.RESULTS
            case ast.For() | ast.AsyncFor():
                yield from self._gives_by_loop(statement)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=held, attr=name), args=args)):
                if name in GATHER:
                    yield held, max(map(self._of, args), default=Kind.OTHER)

    def _gives_by_loop(self, loop: ast.For | ast.AsyncFor) -> Iterator[tuple[ast.AST, Kind]]:
        """An item, and what the loop adds up: at least how many items there were."""
        kind = self._of(loop.iter)
        yield loop.target, kind
        if kind:
            sums = (one.target for one in ast.walk(loop) if isinstance(one, ast.AugAssign))
            yield from ((target, Kind.RESULTS) for target in sums)

    def read(self, block: Sequence[ast.stmt]) -> Iterator[ast.AST]:
        """Expressions that make something of what stands in them."""
        for statement in block:
            if self._is_of_units(statement):
                continue
            if isinstance(statement, ast.Expr):
                yield from self._made(statement.value)
            elif not isinstance(statement, (*_FOLLOWED, ast.Raise)) and not only_stops(statement):
                yield from heads_of(statement)
            for inner in blocks_of(statement):
                yield from self.read(inner)

    def names(self, node: ast.AST) -> set[str]:
        """By what names results stand in an expression; an empty one where they have none."""
        if self._of(node) is not Kind.RESULTS:
            return set()
        return {name for name in used(node) if self.kinds.get(name) is Kind.RESULTS} or {""}

    def _made(self, node: ast.AST) -> Iterator[ast.AST]:
        """Of an expression that stands alone, what is made something of: what a call is given."""
        if isinstance(node, ast.Await):
            yield from self._made(node.value)
        elif isinstance(node, ast.Call):
            if called_by(node) in _SHAPE | _WAIT | GATHER | TELL:
                return
            yield from (*node.args, *node.keywords)
            if isinstance(node.func, ast.Attribute):
                yield node.func.value
        else:
            yield node

    def _is_of_units(self, statement: ast.stmt) -> bool:
        """Whether it is a loop over units, or a unit's block."""
        match statement:
            case ast.For(iter=items) | ast.AsyncFor(iter=items):
                return self._of(items) is Kind.UNITS
            case ast.With(items=items) | ast.AsyncWith(items=items):
                entered = (item.context_expr for item in items)
                calls = (one for one in entered if isinstance(one, ast.Call))
                return any(called_by(one) == "unit" for one in calls)
        return False

    def _give(self, target: ast.AST, kind: Kind) -> None:
        while isinstance(target, ast.Subscript | ast.Starred):
            kind = max(kind, self._of(getattr(target, "slice", target.value)))
            target = target.value
        for name in stored_in(target) | {place_of(target)} - {""}:
            self.kinds[name] = max(kind, self.kinds.get(name, Kind.OTHER))

    def _of(self, node: ast.AST) -> Kind:
        """What a value is."""
        if node is self._given:
            return self._kind
        inner = max(map(self._of, ast.iter_child_nodes(node)), default=Kind.OTHER)
        match node:
            case ast.Name() | ast.Attribute():
                inner = max(inner, self.kinds.get(place_of(node), Kind.OTHER))
            case ast.Call():
                inner = _of_call(called_by(node), inner)
            case ast.ListComp(elt=made) | ast.SetComp(elt=made) | ast.GeneratorExp(elt=made):
                items = max(self._of(one.iter) for one in node.generators)
                is_same = any(place_of(made) in stored_in(one.target) for one in node.generators)
                inner = items if is_same or not items else Kind.RESULTS
            case ast.DictComp() if inner:
                inner = Kind.RESULTS
            case ast.Lambda():
                inner = Kind.OTHER
            case ast.Compare() if inner is Kind.UNITS:
                inner = Kind.OTHER
        return inner


def _of_call(name: str, given: Kind) -> Kind:
    """What a function returns that is given values of a kind."""
    if name in TELL | {"unit"} or (name == "len" and given is Kind.UNITS):
        return Kind.OTHER
    return Kind.RESULTS if given and name not in _SHAPE else given
