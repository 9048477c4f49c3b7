"""What each unit of a loop reads as those before it left it, by the text of what it runs.

That is the body of the loop, what its head gives to ``map`` and the like, and the functions that
these may call. What is read in order to wait, to stop or to tell counts as little as what a unit
looks up again or makes anew: a cache, the time, a table that is loaded once, a buffer that is
emptied first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from steadyspot.memory.caches import is_cache, is_of_folders, is_record
from steadyspot.memory.flow import (
    LEAVES,
    Calls,
    Way,
    adds,
    changed_by,
    goes_one_way,
    read_by,
    renewed,
)
from steadyspot.memory.loop_heads import taken_by
from steadyspot.memory.places import (
    arguments_of,
    block_of,
    blocks_of,
    called_by,
    declared,
    heads_of,
    place_of,
    stored_in,
    used,
    used_of_outer,
    walk,
)
from steadyspot.memory.under_loops import UnderLoops

_CLOCKS = {"monotonic", "now", "perf_counter", "process_time", "time", "today", "utcnow"}
_SEEDED = {"Random", "RandomState", "default_rng", "seed"}
"""What is given to these makes the same random numbers in each attempt."""

_EMPTY = {"clear", "fill", "seek", "truncate"}
"""Methods after which nothing is there of what was before."""

_TAKE = (ast.For, ast.AsyncFor, ast.comprehension)

_ENTERED = (ast.For, ast.AsyncFor, ast.While, ast.Try)
"""Statements whose first block is taken to be gone through."""


class UnitText:
    """What units run: the loops under way, what else takes units, and what these may call."""

    def __init__(self, running: UnderLoops) -> None:
        own, functions = running.blocks, running.functions
        self.read = set[str]().union(*map(read_by, own))
        self._changes = set[tuple[str, Way]]().union(*map(changed_by, own))
        for one in functions:
            outer = used_of_outer(one) | declared([one]) | _defaults(one)
            read = read_by(block_of(one), called=True)
            self.read |= {place for place in read if _is_of(place, outer)}
            changes = changed_by(block_of(one))
            self._changes |= {(place, way) for place, way in changes if _is_of(place, outer)}
        statements = [one for block in (*own, *map(block_of, functions)) for one in block]
        self._changes |= Calls(functions).changed(statements)
        self._nodes = list(walk(statements))
        self._own = own
        self._functions = functions
        self._followed: set[str] = set()
        self.counted = running.counted & self.read
        self._given = set[str]().union(*map(taken_by, running.loops))
        takes = (one for one in self._nodes if isinstance(one, _TAKE))
        self._taken = self._given.union(*(stored_in(one.target) for one in takes))
        self._given |= {arg.arg for one in functions for arg in arguments_of(one)}
        self._given |= {name for one in statements for name in stored_in(one)}

    def hands_on(self, place: str, ways: Iterable[Way] | None = None) -> bool:
        """Whether units may read there what those before them left.

        ``ways``: how it is changed, else as the text says.
        """
        return self.looks_up(place, ways) and not (
            is_cache(self._nodes, place, self._taken)
            or is_of_folders(self._nodes, place)
            or is_record(self._nodes, place)
        )

    def looks_up(self, place: str, ways: Iterable[Way] | None = None) -> bool:
        """The same, where it may be looked up as in a cache: one that looks in vain has failed."""
        ways = self.ways({place}) if ways is None else ways
        if place not in self.read or not (set(ways) - {Way.RENEWED}):
            return False
        if any(self._is_renewed(block, place) for block in self._own):
            return False
        return not (self._is_clock(place) or self._is_made_once(place))

    def ways(self, places: set[str]) -> set[Way]:
        """In what ways units change these."""
        return {way for place, way in self._changes if place in places}

    def seeds(self, program: Iterable[ast.AST]) -> bool:
        """Whether a program seeds its random numbers, and not for each unit anew."""
        return any(map(_is_seeded, program)) and not any(map(_is_seeded, self._nodes))

    def _is_renewed(self, block: Sequence[ast.stmt], place: str) -> bool | None:
        """Whether it is before it is read, where all is gone through; none where it may be neither.

        A function that is called renews what it renews itself.
        """
        for statement in block:
            if place in self._emptied(statement):
                return True
            if any(place in used(head) for head in heads_of(statement)) or adds(statement, place):
                return False
            if isinstance(statement, LEAVES) or place in renewed(statement):
                return True
            if isinstance(statement, ast.For) and place in stored_in(statement.target):
                return True
            inner = [self._is_renewed(one, place) for one in blocks_of(statement)]
            if False in inner:
                return False
            if (isinstance(statement, _ENTERED) and inner[:1] == [True]) or (
                goes_one_way(statement) and all(inner)
            ):
                return True
        return None

    def _emptied(self, statement: ast.stmt) -> set[str]:
        """What a statement empties or fills anew, itself or by a function that it calls."""
        match statement:
            case ast.Expr(value=ast.Call() as call):
                return _cleared(statement) | self._renewed_by(called_by(call))
        return _cleared(statement)

    def _renewed_by(self, name: str) -> set[str]:
        if name in self._followed:  # It calls itself.
            return set()
        self._followed.add(name)
        blocks = [block_of(one) for one in self._functions if getattr(one, "name", "") == name]
        found = {
            place
            for block in blocks
            for statement in block
            for place in renewed(statement) | self._emptied(statement)
            if self._is_renewed(block, place)
        }
        self._followed.discard(name)
        return found

    def _stores(self, place: str) -> Iterator[tuple[ast.stmt, ast.expr | None]]:
        """The statements that give a place another value, and that."""
        for node in self._nodes:
            match node:
                case ast.Assign(targets=targets, value=value):
                    if any(place in stored_in(one) for one in targets):
                        yield node, value
                case ast.AnnAssign(target=target, value=value):
                    if place in stored_in(target):
                        yield node, value
                case ast.AugAssign(target=target) | ast.For(target=target):
                    if place in stored_in(target):
                        yield node, None

    def _is_clock(self, place: str) -> bool:
        values = [value for _, value in self._stores(place)]
        return bool(values) and all(
            isinstance(one, ast.Call) and called_by(one) in _CLOCKS for one in values
        )

    def _is_made_once(self, place: str) -> bool:
        """Whether it is given a value where it has none yet, which is none of a unit's."""
        stores = list(self._stores(place))
        guarded = {
            inner
            for node in self._nodes
            if isinstance(node, ast.If) and place in used(node.test)
            for inner in walk(node.body)
        }
        return bool(stores) and all(
            statement in guarded and value is not None and used(value).isdisjoint(self._given)
            for statement, value in stores
        )


def _cleared(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.Expr(value=ast.Call(args=given, keywords=[ast.keyword("out", held), *_])):
            return {place_of(held)}.difference(*map(used, given))
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="set", value=held), args=[given])):
            return {place_of(held)} - used(given)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name, value=held))):
            return {place_of(held)} if name in _EMPTY else set()
        case ast.Assign(targets=[ast.Subscript(value=held, slice=ast.Slice(None, None))]):
            return {place_of(held)} - used(statement.value)
    return set()


def _is_of(place: str, outer: set[str]) -> bool:
    """Whether it is none of a function's own names."""
    return place[0] == "." or place in outer


def _is_seeded(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and called_by(node) in _SEEDED and bool(node.args)


def _defaults(function: ast.AST) -> set[str]:
    """Its own names for what it is given where nobody gives it another."""
    given = getattr(function, "args", ast.arguments([], [], None, [], [], None, []))
    by_name = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return {one.arg for one in given.args[len(given.args) - len(given.defaults) :]} | {
        one.arg for one, default in by_name if default
    }
