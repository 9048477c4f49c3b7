"""What a block of a program changes and reads, by its text.

Nothing is run: what libraries do with what they are given is known of some by their names alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from enum import Enum

from steadyspot.memory.places import (
    GATHER,
    blocks_of,
    called_by,
    given_to,
    heads_of,
    place_of,
    places_to,
    stored_in,
    used,
    walk,
)

_TAKE_MORE = GATHER | {
    *("execute", "executemany", "partial_fit", "push", "put"),
    *("write", "writelines", "writerow", "writerows"),
}
"""Methods by which a value takes something up."""

_CHANGE_FIRST = {
    *("heapify", "heappop", "heappush", "heappushpop", "heapreplace", "shuffle", "pack_into"),
    *("insort", "insort_left", "insort_right", "setitem", "iadd"),
    *("at", "copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"),
}
"""Functions of libraries that change the first value they are given."""

LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_STOPS = (ast.Raise, ast.Break, ast.Return)

_SAVE = {"commit", "flush", "save"}
"""Methods that make durable what is there."""


_MAKE = {
    *("abs", "bool", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "range"),
    *("repr", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip"),
}
_SHOW = {"format", "items", "keys", "monotonic", "most_common", "perf_counter", "time", "values"}
"""Functions, and methods, that do nothing but give a value."""


class Way(Enum):
    """How a place is changed."""

    ADDED = "to a value that may depend on the one before"
    RENEWED = "to a value that does not"
    FILLED = "at some key or index"
    SUMMED = "at some key or index, with what stood there"
    GIVEN = "by a method of the value, which takes something up"


_WITHIN_VALUE = {Way.FILLED, Way.SUMMED, Way.GIVEN}
_DEEP = 3
"""So far it is followed what functions hand on to others."""

Changes = set[tuple[str, Way]]
"""Places, and how they are changed."""


def changed_by(block: Sequence[ast.stmt]) -> Changes:
    """What a block changes."""
    found: Changes = set()
    for node in walk(block):
        match node:
            case ast.AugAssign(target=ast.Subscript() as changed):
                found |= {(place, Way.SUMMED) for place in places_to(changed)}
            case ast.keyword(arg="out", value=changed):
                found |= {(place, Way.SUMMED) for place in places_to(changed)}
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                found |= {(place, Way.FILLED) for place in places_to(node)}
            case ast.Call(func=ast.Attribute(attr=name, value=changed)) if name in _TAKE_MORE:
                found |= {(place, Way.GIVEN) for place in places_to(changed)}
            case ast.Call(args=[changed, *_]) if called_by(node) in _CHANGE_FIRST:
                found |= {(place, Way.GIVEN) for place in places_to(changed)}
            case ast.Call(args=[changed, ast.Constant(value=str(name)), *_]):
                if called_by(node) == "setattr":
                    found.add((f".{name}", Way.ADDED))
    may_skip = any(isinstance(node, ast.Continue) for node in walk(block))
    for place in set().union(*map(stored_in, block)):
        is_renewed = not may_skip and is_read(block, place) is False
        found.add((place, Way.RENEWED if is_renewed else Way.ADDED))
    return found


class Calls:
    """What functions of the job change within what they are given, by what stands in them."""

    def __init__(self, functions: Iterable[ast.AST]) -> None:
        self._functions: dict[str, list[ast.FunctionDef]] = {}
        for one in functions:
            if isinstance(one, ast.FunctionDef):
                self._functions.setdefault(one.name, []).append(one)
        self._known: dict[tuple[ast.FunctionDef, int], Changes] = {}

    def changed(self, block: Sequence[ast.AST], depth: int = 0) -> Changes:
        """What calls in a block change."""
        return {
            (place, way)
            for call in (node for node in walk(block) if isinstance(node, ast.Call))
            for function in self._functions.get(called_by(call), ())
            for name, value in arguments(function, call)
            for changed, way in self._within(function, depth + 1)
            if changed == name
            for place in places_to(value)
        }

    def _within(self, function: ast.FunctionDef, depth: int) -> Changes:
        """By its own names, what a function changes within values, as do those that it calls."""
        known = self._known.get((function, depth))
        if known is None:
            known = _changed_within(function)
            if depth < _DEEP:
                known = known | self.changed(function.body, depth)
            self._known[function, depth] = known
        return known


def arguments(
    function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call
) -> list[tuple[str, ast.expr]]:
    """What a call gives, by the function's names for it."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    by_place = zip(names[names[:1] in (["self"], ["cls"]) :], call.args, strict=False)
    return [*by_place, *((one.arg or "", one.value) for one in call.keywords)]


def _changed_within(function: ast.FunctionDef) -> Changes:
    """What a function changes within values, and not what it gives its own names to."""
    names = {(place, way) for place, way in changed_by(function.body) if way in _WITHIN_VALUE}
    sums = (one.target for one in ast.walk(function) if isinstance(one, ast.AugAssign))
    return names | {(place_of(target), Way.SUMMED) for target in sums}


def read_by(nodes: Iterable[ast.AST], *, called: bool = False) -> set[str]:
    """The places that are read in them, but in order to change them, to stop or to tell.

    ``called``: a function that stops here goes on where it was called.
    """
    return {
        place
        for statement in walk(nodes)
        if isinstance(statement, ast.stmt)
        and not (only_stops(statement, called=called) or only_tells(statement))
        for head in heads_of(statement)
        for place in used(head)
        if not _only_changes(statement, place)
    }


def only_stops(statement: ast.stmt, *, called: bool = False) -> bool:
    """Whether all that depends on a condition is that the loop is left, or something told."""
    inner = [one for block in blocks_of(statement) for one in block]
    returns = called and any(isinstance(one, ast.Return) for one in inner)
    return isinstance(statement, ast.If) and not returns and all(map(_makes_nothing, inner))


def _makes_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(args=[], keywords=[]) as call) if called_by(call) in _SAVE:
            return True
        case ast.Expr(value=value):
            return not used(value)
    return isinstance(statement, (*_STOPS, ast.Import, ast.ImportFrom, ast.Pass))


def only_tells(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but tell what values hold, also where it asks for them."""
    if isinstance(statement, ast.If | ast.For):
        heads = [statement.test] if isinstance(statement, ast.If) else [statement.iter]
        return all(map(is_plain, heads)) and all(map(only_tells, statement.body + statement.orelse))
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return not used(call) and all(map(is_plain, given_to(call)))
    return isinstance(statement, ast.Pass) or _is_text(statement)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def is_plain(value: ast.expr) -> bool:
    """Whether a value is made of others by what is known to do nothing else."""
    others = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
    return all(
        _only_gives(one) if isinstance(one, ast.Call) else not isinstance(one, others)
        for one in ast.walk(value)
    )


def _only_gives(call: ast.Call) -> bool:
    match call:
        case ast.Call(func=ast.Name(id=name)):
            return name in _MAKE
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(), *_]):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join")):
            return True
    return called_by(call) in _SHOW


def is_read(block: Sequence[ast.stmt], place: str) -> bool | None:
    """Whether it is read before it is renewed; none where it may be neither."""
    for statement in block:
        if only_tells(statement):
            continue
        if any(place in used(head) for head in heads_of(statement)) or adds(statement, place):
            return True
        if isinstance(statement, LEAVES) or place in renewed(statement):
            return False
        blocks = blocks_of(statement)
        if isinstance(statement, ast.For) and place in stored_in(statement.target):
            blocks = blocks[1:]
        found = [is_read(one, place) for one in blocks]
        if True in found:
            return True
        if goes_one_way(statement) and all(one is False for one in found):
            return False
    return None


def goes_one_way(statement: ast.stmt) -> bool:
    """Whether one of its blocks is gone through, or those that are not end all."""
    match statement:
        case ast.If(orelse=[_, *_]) | ast.With() | ast.AsyncWith() | ast.Try(orelse=[]):
            return True
    return False


def adds(statement: ast.stmt, place: str) -> bool:
    """Whether a statement changes it by an operator, as ``+=`` does."""
    return isinstance(statement, ast.AugAssign) and place_of(statement.target) == place


def _only_changes(statement: ast.AST, place: str) -> bool:
    """Whether a statement reads a place in order to change it alone."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name, value=changed))):
            return name in _TAKE_MORE and place in places_to(changed)
        case ast.AugAssign():
            return place in places_to(statement.target)
        case ast.Assign(targets=[ast.Subscript(value=changed, slice=key)], value=value):
            is_alone = place not in used(key) and _only_adds(value, place)
            return place in places_to(changed) and is_alone
        case ast.stmt():
            return place in renewed(statement)
    return False


def _only_adds(value: ast.expr, place: str) -> bool:
    """Whether a place is read at most to add to what stands in it: ``sums.get(key, 0) + 1``."""
    match value:
        case ast.BinOp(left=before, right=added):
            return _only_adds(before, place) and place not in used(added)
        case (
            ast.Subscript(value=held, slice=key)
            | ast.Call(func=ast.Attribute(value=held, attr="get"), args=[key, *_])
        ) if place_of(held) == place:
            return place not in used(key)
    return place not in used(value)


def renewed(statement: ast.stmt) -> set[str]:
    """What a statement gives another value, whatever happens."""
    match statement:
        case ast.Assign():
            return {name for target in statement.targets for name in stored_in(target)}
        case ast.AnnAssign(value=ast.expr()):
            return stored_in(statement.target)
        case ast.With() | ast.AsyncWith():
            given = (item.optional_vars for item in statement.items if item.optional_vars)
            return {name for target in given for name in stored_in(target)}
    return set()
