"""What a loop's body changes, and what the program reads once the loop is over, by its text.

A place is a name as it stands in the text, or with a dot before it an attribute, of whatever
object. Nothing is run: an attribute that any method changes is one that the loop may change, and
what libraries do with what they are given is known of some functions alone, by their names. What is
only told, as by ``print``, does not count as read.
"""

from __future__ import annotations

import ast
import linecache
import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from itertools import takewhile
from types import CodeType
from typing import Any, NamedTuple

TELL = {
    *("print", "echo", "secho", "log", "debug", "info", "warn", "warning", "error", "exception"),
    *("critical", "progress", "set_description", "set_postfix", "set_postfix_str"),
}
"""Functions and methods that only tell people."""

GATHER = {"add", "append", "appendleft", "extend", "insert", "setdefault", "update"}
"""Methods of containers that take a value up."""

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

_READ_ALL = {"vars", "pickle", "joblib", ".__dict__", ".model_dump"}
_READ_ALL |= {place for name in ("asdict", "astuple") for place in (name, f".{name}")}
"""What reads all attributes of a value."""

_REGISTER = {"callback", "finalize", "on_stop", "push", "register"}
"""Functions and methods that are given what is to be called at an end."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)
_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_WITHIN = (ast.stmt, ast.ExceptHandler, ast.match_case)
"""What stands in the blocks of a statement."""


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

Span = tuple[int | None, int | None, int | None, int | None]
"""Where text stands: first and last line, first and last column."""

Changes = set[tuple[str, Way]]
"""Places, and how they are changed."""


class Kept(NamedTuple):
    """What a loop changes and the program reads later.

    ``here``: names of the loop's own code; ``elsewhere``: attributes, and names of outer code that
    other functions change. ``by_units``: places that a unit reads as those before it left them.
    ``touched``: all that a unit, or a function that it may call, has to do with.
    """

    here: Changes
    elsewhere: Changes
    by_units: set[str]
    touched: set[str]


def kept_by_loop(code: CodeType, at: int, files: Iterable[str]) -> Kept | None:
    """What the loop keeps whose next item is asked for by the instruction ``at``.

    ``files`` are those of the job. None where there is no such loop, or no text of it.
    """
    own = program_of(code.co_filename)
    loop = own.loop(code, at) if own else None
    if own is None or loop is None:
        return None
    at_hand = {os.path.realpath(file) for file in files} - {os.path.realpath(code.co_filename)}
    return own.kept(loop, list(filter(None, map(program_of, at_hand))))


def added_to(files: Iterable[str]) -> set[str]:
    """What the program gives values anywhere that may depend on those before."""
    programs = filter(None, map(program_of, {os.path.realpath(file) for file in files}))
    return set().union(*(one.added_to() for one in programs))


def touched_in(files: Iterable[str]) -> set[str]:
    """What loops and functions of the program have to do with."""
    programs = filter(None, map(program_of, {os.path.realpath(file) for file in files}))
    found = set[str]()
    for one in programs:
        found |= one.touched_by([node for block in one.blocks() for node in block])
    return found


@cache
def program_of(file: str) -> Program | None:
    """The text of a file, none where it cannot be read or is none of Python."""
    lines = linecache.getlines(file)
    try:
        with warnings.catch_warnings(action="ignore"):  # The program has told of them itself.
            module = ast.parse("".join(lines))
        used(module)  # What follows asks for parts of that.
    except (SyntaxError, ValueError, RecursionError):  # It was changed, or has endless sums.
        return None
    return Program(module) if lines else None


class Program:
    """The text of one file; ``at`` is an instruction of code that was made of it."""

    def __init__(self, module: ast.Module) -> None:
        self._module = module
        self._nodes = list(ast.walk(module))
        self._functions = [node for node in self._nodes if isinstance(node, FUNCTIONS)]
        self._parents = {child: one for one in self._nodes for child in ast.iter_child_nodes(one)}

    def loop(self, code: CodeType, at: int) -> ast.For | None:
        """The loop whose next item is asked for; Python 3.13 tells where that comes from alone."""
        span = list(code.co_positions())[at // 2]
        loops = (node for node in self._nodes if isinstance(node, ast.For))
        return next((one for one in loops if span in (_span(one), _span(one.iter))), None)

    def statement(self, code: CodeType, at: int) -> ast.stmt | None:
        """The innermost statement that is under way."""
        first, last, column, end = list(code.co_positions())[at // 2]
        if first is None or last is None:
            return None
        begin, over = (first, column or 0), (last, end or 0)
        around = (
            one
            for one in self._nodes
            if isinstance(one, ast.stmt)
            and (one.lineno, one.col_offset) <= begin
            and over <= (one.end_lineno or 0, one.end_col_offset or 0)
        )
        return max(around, key=lambda one: (one.lineno, one.col_offset), default=None)

    def call(self, code: CodeType, at: int) -> tuple[ast.expr, list[Any]] | None:
        """The call that is under way, and the block of the function or module it stands in."""
        span = list(code.co_positions())[at // 2]
        calls = (node for node in self._nodes if isinstance(node, ast.Call))
        return self._with_block(one for one in calls if _span(one) == span)

    def comprehension(self, code: CodeType, at: int) -> tuple[ast.expr, list[Any]] | None:
        """The same of a list, set or dictionary that is made; Python 3.13 tells of what alone."""
        span = list(code.co_positions())[at // 2]
        found = (node for node in self._nodes if isinstance(node, _COMPREHENSIONS))
        return self._with_block(
            one for one in found if span in (_span(one), _span(one.generators[0].iter))
        )

    def _with_block(self, nodes: Iterator[ast.expr]) -> tuple[ast.expr, list[Any]] | None:
        for node in nodes:
            above = (one for one in self._above(node) if isinstance(one, FUNCTIONS))
            return node, block_of(next(above, self._module))
        return None

    def around(self, code: CodeType, at: int) -> list[ast.expr]:
        """What is called with the result of the call that is under way."""
        found = self.call(code, at)
        above = self._above(found[0]) if found else iter(())
        expressions = takewhile(lambda one: not isinstance(one, ast.stmt), above)
        return [one.func for one in expressions if isinstance(one, ast.Call)]

    def after(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements that may follow one in its function, in order."""
        return list(self._after(statement))

    def functions(self, without: Collection[ast.AST]) -> list[ast.AST]:
        """All functions but those that stand in these statements."""
        return [one for one in self._functions if not self._is_in(one, without)]

    def added_to(self) -> set[str]:
        """What loops and functions give values that may depend on those before."""
        changes = set[tuple[str, Way]]().union(*map(_changed, self.blocks()))
        return {place for place, way in changes if way is Way.ADDED}

    def touched_by(self, nodes: Iterable[ast.AST]) -> set[str]:
        """What they use, and of what that is made which they use."""
        found = set().union(*map(used, nodes))
        made = [
            (stored_in(target), used(one.value))
            for one in self._nodes
            if isinstance(one, ast.Assign)
            for target in one.targets
        ]
        while more := [of for names, of in made if names & found and not of <= found]:
            found = found.union(*more)
        return found

    def blocks(self) -> list[list[Any]]:
        """What stands in its loops and functions."""
        loops = (one for one in self._nodes if isinstance(one, _LOOPS))
        return [*(one.body for one in loops), *map(block_of, self._functions)]

    def registered(self) -> set[str]:
        """What is given to others to be called at an end, as to ``atexit``."""
        calls = (one for one in self._nodes if isinstance(one, ast.Call))
        given = (one.args for one in calls if called_by(one) in _REGISTER)
        return {place_of(one) for each in given for one in each} - {""}

    def _is_in(self, node: ast.AST, statements: Collection[ast.AST]) -> bool:
        return any(above in statements for above in self._above(node))

    def kept(self, loop: ast.For, others: Sequence[Program]) -> Kept:
        """What a loop changes and the program reads later; ``others`` are the job's other files."""
        programs = [self, *others]
        here = elsewhere = _changed(loop.body)
        touched = self.touched_by(loop.body)
        outer: set[str] = set()
        if any(isinstance(node, ast.Call) for node in _walk(loop.body)):
            helpers = [one for each in programs for one in each._helpers(loop)]
            here = here | _Calls(helpers).changed(loop.body)
            elsewhere = here.union(*(_changed(block_of(one)) for one in helpers))
            outer = _declared(helpers)
            touched |= self.touched_by(one for each in helpers for one in block_of(each))
        here = here | {(name, way) for name, way in elsewhere if name in outer}
        read = set().union(*(read_by([one._module]) for one in programs))
        if read & _READ_ALL:
            read |= {place for place, _ in elsewhere}
        return Kept(
            {(name, way) for name, way in here if self._is_read_later(loop, name, outer)},
            {
                (place, way)
                for place, way in elsewhere
                if place in read and (place in outer or place[0] == ".")
            },
            {place for place, way in here if way is not Way.RENEWED} & read_by(loop.body),
            touched,
        )

    def _helpers(self, loop: ast.For) -> list[ast.AST]:
        """Functions that the loop may call: all that neither hold it nor are made in it."""
        return [
            one
            for one in self._functions
            if getattr(one, "name", "") != "__init__" and not self._are_within(one, loop)
        ]

    def _are_within(self, one: ast.AST, other: ast.AST) -> bool:
        return one in self._above(other) or other in self._above(one)

    def _above(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self._parents:
            node = self._parents[node]
            yield node

    def _is_read_later(self, loop: ast.For, name: str, outer: set[str]) -> bool:
        """Whether a name of the loop's code is read behind it, or by a function that sees it."""
        if is_read(list(self._after(loop)), name):
            return True
        above = list(self._above(loop))
        scope = next((one for one in above if isinstance(one, FUNCTIONS)), self._module)
        if name in outer | _declared([scope]):
            scope = self._module
        seeing = (one for one in self._functions if scope in self._above(one))
        return any(name in used_of_outer(one) for one in seeing if not self._are_within(one, loop))

    def _after(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """The statements that may follow a loop in its function, in order, or another statement."""
        if isinstance(statement, ast.For):
            yield from statement.orelse
        node: ast.AST = statement
        for above in self._above(statement):
            for block in blocks_of(above) or [block_of(above)]:
                at = next((at for at, one in enumerate(block) if one is node), len(block))
                yield from block[at + 1 :]
            if isinstance(above, FUNCTIONS):
                return
            if isinstance(above, _LOOPS):
                yield from (one for one in above.body if one is not node)
            if isinstance(above, ast.Try):
                yield from (*above.orelse, *above.finalbody)
            node = above


def _span(node: ast.stmt | ast.expr) -> Span:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _changed(block: Sequence[ast.stmt]) -> Changes:
    """What a block changes."""
    found: Changes = set()
    for node in _walk(block):
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
    may_skip = any(isinstance(node, ast.Continue) for node in _walk(block))
    for place in set().union(*map(stored_in, block)):
        is_renewed = not may_skip and is_read(block, place) is False
        found.add((place, Way.RENEWED if is_renewed else Way.ADDED))
    return found


class _Calls:
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
            for call in (node for node in _walk(block) if isinstance(node, ast.Call))
            for function in self._functions.get(called_by(call), ())
            for name, value in _arguments(function, call)
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


def _arguments(function: ast.FunctionDef, call: ast.Call) -> list[tuple[str, ast.expr]]:
    """What a call gives, by the function's names for it."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    by_place = zip(names[names[:1] == ["self"] :], call.args, strict=False)
    return [*by_place, *((one.arg or "", one.value) for one in call.keywords)]


def _changed_within(function: ast.FunctionDef) -> Changes:
    """What a function changes within values, and not what it gives its own names to."""
    names = {(place, way) for place, way in _changed(function.body) if way in _WITHIN_VALUE}
    sums = (one.target for one in ast.walk(function) if isinstance(one, ast.AugAssign))
    return names | {(place_of(target), Way.SUMMED) for target in sums}


def read_by(nodes: Iterable[ast.AST]) -> set[str]:
    """The places that are read in them, but in order to change them, to stop or to tell."""
    return {
        place
        for statement in _walk(nodes)
        if isinstance(statement, ast.stmt) and not only_stops(statement)
        for head in heads_of(statement)
        for place in used(head)
        if not _only_changes(statement, place)
    }


def only_stops(statement: ast.stmt) -> bool:
    """Whether all that depends on a condition is that the loop is left, or something told."""
    inner = [one for block in blocks_of(statement) for one in block]
    return isinstance(statement, ast.If) and all(
        isinstance(one, _LEAVES) or (isinstance(one, ast.Expr) and not used(one.value))
        for one in inner
    )


def is_read(block: Sequence[ast.stmt], place: str) -> bool | None:
    """Whether it is read before it is renewed; none where it may be neither."""
    for statement in block:
        if any(place in used(head) for head in heads_of(statement)) or _adds(statement, place):
            return True
        if isinstance(statement, _LEAVES) or place in _renewed(statement):
            return False
        blocks = blocks_of(statement)
        if isinstance(statement, ast.For) and place in stored_in(statement.target):
            blocks = blocks[1:]
        found = [is_read(one, place) for one in blocks]
        if True in found:
            return True
        if _goes_one_way(statement) and all(one is False for one in found):
            return False
    return None


def _goes_one_way(statement: ast.stmt) -> bool:
    """Whether one of its blocks is gone through, or those that are not end all."""
    match statement:
        case ast.If(orelse=[_, *_]) | ast.With() | ast.AsyncWith() | ast.Try(orelse=[]):
            return True
    return False


def _adds(statement: ast.stmt, place: str) -> bool:
    return isinstance(statement, ast.AugAssign) and place_of(statement.target) == place


def _only_changes(statement: ast.AST, place: str) -> bool:
    """Whether a statement reads a place in order to change it alone."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name, value=changed))):
            return name in _TAKE_MORE and place in places_to(changed)
        case ast.AugAssign():
            return place in places_to(statement.target)
        case ast.stmt():
            return place in _renewed(statement)
    return False


def _renewed(statement: ast.stmt) -> set[str]:
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


@cache
def used(node: ast.AST) -> frozenset[str]:
    """The places whose values are used, and not in order to tell them."""
    inner = (used(child) for child in ast.iter_child_nodes(node))
    match node:
        case ast.Call() if called_by(node) in TELL:
            return frozenset()
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            return frozenset({place_of(node)}).union(*inner)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            own = {name for one in node.generators for name in stored_in(one.target)}
            return frozenset().union(*inner) - own | used(node.generators[0].iter)
    return frozenset().union(*inner)


def used_of_outer(function: ast.AST) -> set[str]:
    """The names that a function uses and are not its own."""
    block = block_of(function)
    own = {node.id for node in _walk(block) if isinstance(node, ast.Name) and _is_stored(node)}
    own |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    return set().union(*map(used, block)) - (own - _declared([function]))


def _declared(nodes: Iterable[ast.AST]) -> set[str]:
    """Names of outer code that functions say they change."""
    declarations = (one for one in _walk(nodes) if isinstance(one, ast.Global | ast.Nonlocal))
    return {name for one in declarations for name in one.names}


def place_of(node: ast.AST) -> str:
    """The place that a name or an attribute stands for, empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return f".{name}"
    return ""


def called_by(call: ast.Call) -> str:
    """The name of the function or method that is called, empty where it has none."""
    return place_of(call.func).lstrip(".")


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


def _walk(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)
