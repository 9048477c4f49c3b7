"""Which names in a program's text are of caches and records, in which no unit hands on anything.

What is kept in a cache is looked up, and may be made again at any time; what a loop takes, as the
first row of each customer, may not. A record, as of settings, has things under keys that stand in
the text; none of these is read as it was left.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from steadyspot.memory.places import called_by, place_of, used

_DROP = {"clear", "move_to_end", "pop", "popitem"}
"""Methods after which there is less in a cache, or what is in it is sorted by its last use."""


def is_cache(nodes: Sequence[ast.AST], place: str, taken: Set[str]) -> bool:
    """Whether things are only kept by key there and looked up, each made without the others.

    ``taken`` are the names under which loops take what they go through.
    """
    kept = [one for node in nodes for one in _kept_by(node, place)]
    looked_up = sum(_is_looked_up(node, place) for node in nodes)
    others = sum(_is_known(node, place) + len(_items_of(node, place)) for node in nodes)
    others += sum(_drops(node, place) + _is_bounded(node, place) for node in nodes)
    return (
        bool(kept and looked_up)
        and _uses(nodes, place) == looked_up + others
        and all(_is_made_alone(value, place) for _, value in kept)
        and not any(_is_taken(key, value, taken) for key, value in kept)
        and not _Keys.of(nodes, place).go_on()
    )


def is_record(nodes: Sequence[ast.AST], place: str) -> bool:
    """Whether all in it stands under keys of the text, of which none goes on."""
    keys = _Keys.of(nodes, place)
    return _uses(nodes, place) == keys.uses and not keys.go_on()


def is_of_folders(nodes: Sequence[ast.AST], place: str) -> bool:
    """Whether it only says of which folders it is known that they are there."""
    asked = [one for one in nodes if isinstance(one, ast.If) and _is_known(one.test, place)]
    added = sum(_is_added_to(node, place) for node in nodes)
    return (
        bool(asked)
        and _uses(nodes, place) == len(asked) + added
        and all(_makes_a_folder(one) for each in asked for one in [*each.body, *each.orelse])
    )


def _makes_a_folder(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return called_by(call) in {"add", "makedirs", "mkdir"}
    return False


def _is_added_to(node: ast.AST, place: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=held, attr="add")):
            return place_of(held) == place
    return False


def _uses(nodes: Iterable[ast.AST], place: str) -> int:
    return sum(_is_used(node) and place_of(node) == place for node in nodes)


def _is_used(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


class _Keys(NamedTuple):
    """Keys that stand in the text: which are read, read before they are kept, kept, added to."""

    uses: int
    read: set[object]
    read_first: set[object]
    kept: set[object]
    added_to: set[object]

    @classmethod
    def of(cls, nodes: Iterable[ast.AST], place: str) -> _Keys:
        found = cls(0, set(), set(), set(), set())
        uses = 0
        for node in sorted(filter(_may_have_a_key, nodes), key=_stands):
            match node:
                case ast.AugAssign(target=ast.Subscript(value=held, slice=ast.Constant(value=key))):
                    if place_of(held) == place:
                        found.added_to.add(key)
                case (
                    ast.Subscript(value=held, slice=ast.Constant(value=key))
                    | ast.Call(
                        func=ast.Attribute(value=held, attr="get"),
                        args=[ast.Constant(value=key), *_],
                    )
                ) if place_of(held) == place:
                    uses += 1
                    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                        found.kept.add(key)
                    else:
                        found.read.add(key)
                        found.read_first.update({key} - found.kept)
        return found._replace(uses=uses)

    def go_on(self) -> bool:
        """Whether one is read as it was left."""
        return bool(self.read & self.added_to or self.read_first & self.kept)


def _may_have_a_key(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript | ast.Call | ast.AugAssign)


def _stands(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _kept_by(node: ast.AST, place: str) -> list[tuple[ast.expr, ast.expr]]:
    """What is kept there, each with its key."""
    match node:
        case ast.Assign(value=value):
            return [(item.slice, value) for item in _items_of(node, place)]
        case ast.Call(func=ast.Attribute(value=held, attr="setdefault"), args=[key, value]):
            return [(key, value)] if place_of(held) == place else []
    return []


def _items_of(node: ast.AST, place: str) -> list[ast.Subscript]:
    """The items of it that a statement gives a value."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    items = (one for one in targets if isinstance(one, ast.Subscript))
    return [one for one in items if place_of(one.value) == place]


def _is_looked_up(node: ast.AST, place: str) -> bool:
    match node:
        case ast.Subscript(value=held, ctx=ast.Load()):
            return place_of(held) == place
        case ast.Call(func=ast.Attribute(value=held, attr="get" | "setdefault")):
            return place_of(held) == place
    return False


def _is_known(node: ast.AST, place: str) -> bool:
    """Whether it is asked whether there is something by a key."""
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[held]):
            return place_of(held) == place
    return False


def _drops(node: ast.AST, place: str) -> bool:
    """Whether a statement only takes something out of it, or sorts it by its last use."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=held, attr=name))):
            return name in _DROP and place_of(held) == place
    return False


def _is_bounded(node: ast.AST, place: str) -> bool:
    """Whether it is asked how much there is, only to take something out of it."""
    match node:
        case (
            ast.If(
                test=ast.Compare(left=ast.Call(func=ast.Name(id="len"), args=[held])),
                body=body,
                orelse=[],
            )
            | ast.While(
                test=ast.Compare(left=ast.Call(func=ast.Name(id="len"), args=[held])), body=body
            )
        ):
            return place_of(held) == place and all(_drops(one, place) for one in body)
    return False


def _is_taken(key: ast.expr, value: ast.expr, taken: Set[str]) -> bool:
    """Whether a value is what a loop takes, or a part of it, and the key does not say it all."""
    if any(isinstance(one, ast.Call) for one in ast.walk(value)):
        return False
    if ast.dump(key) == ast.dump(value) or (
        isinstance(key, ast.Name | ast.Tuple) and used(value) <= used(key)
    ):
        return False
    return not taken.isdisjoint(used(value))


def _is_made_alone(value: ast.expr, place: str) -> bool:
    """Whether a value is made without the others of its container, and is none to be filled."""
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]) | ast.Call(args=[], keywords=[]):
            return False
    return place not in used(value)
