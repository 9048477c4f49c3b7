"""A program's text as a whole: what a loop changes, and what is read once it is over.

An attribute that any method changes is one that the loop may change.
"""

from __future__ import annotations

import ast
import linecache
import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, takewhile
from types import CodeType, FrameType
from typing import Any, NamedTuple

from steadyspot.memory.flow import Calls, Changes, Way, changed_by, is_read, read_by
from steadyspot.memory.places import (
    FUNCTIONS,
    block_of,
    blocks_of,
    called_by,
    declared,
    place_of,
    stored_in,
    used,
    used_of_outer,
    walk,
    with_what_made,
)
from steadyspot.memory.told import told_at_once

_READ_ALL = {"vars", "pickle", "joblib", ".__dict__", ".model_dump"}
_READ_ALL |= {place for name in ("asdict", "astuple") for place in (name, f".{name}")}
"""What reads all attributes of a value."""

_REGISTER = {"callback", "finalize", "on_stop", "push", "register"}
"""Functions and methods that are given what is to be called at an end."""

_TAKE_OUT = {"clear", "discard", "pop", "popitem", "popleft", "remove"}
"""Methods that take something out of a container."""

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)

ASK = {"__next__", "next"}
"""Functions and methods that ask for the next unit."""

Loop = ast.For | ast.While

Span = tuple[int | None, int | None, int | None, int | None]
"""Where text stands: first and last line, first and last column."""


class Kept(NamedTuple):
    """What a loop changes and the program reads later.

    ``here``: names of the loop's own code; ``elsewhere``: attributes, and names of outer code that
    other functions change. ``touched``: all that a unit has to do with, or a
    function that it may call; ``changed``: what these change, read or not.
    """

    here: Changes
    elsewhere: Changes
    touched: set[str]
    changed: Changes


def kept_by_loop(code: CodeType, at: int, files: Iterable[str]) -> Kept | None:
    """What the loop keeps whose next item is asked for by the instruction ``at``.

    ``files`` are those of the job. None where there is no such loop, or no text of it.
    """
    own = program_of(code.co_filename)
    loop = own.loop(code, at) if own else None
    if own is None or loop is None:
        return None
    here = os.path.realpath(code.co_filename)
    return own.kept(loop, programs_of(file for file in files if os.path.realpath(file) != here))


def added_to(files: Iterable[str]) -> set[str]:
    """What the program gives values anywhere that may depend on those before."""
    return set().union(*(one.added_to() for one in programs_of(files)))


def touched_in(files: Iterable[str]) -> set[str]:
    """What loops and functions of the program have to do with."""
    return set().union(*(one.touched_by(one.statements()) for one in programs_of(files)))


def emptied_in(files: Iterable[str]) -> set[str]:
    """What the program takes something out of."""
    return {place for one in programs_of(files) for place in one.emptied()}


def programs_of(files: Iterable[str]) -> list[Program]:
    """The texts of these files, each once."""
    return list(filter(None, map(program_of, {os.path.realpath(file) for file in files})))


class UnderWay(NamedTuple):
    """A statement that is under way, the frame that runs it, and the text it stands in.

    Where it asks for the next unit of a ``loop`` it is that.
    """

    frame: FrameType
    program: Program
    statement: ast.stmt
    loop: Loop | None


def under_way_in(
    frames: Iterable[FrameType], files: Iterable[str]
) -> tuple[list[UnderWay], list[Program]]:
    """What is under way in ``frames``, and the texts of these and of ``files``, each once."""
    found: list[UnderWay] = []
    programs: dict[str, Program] = {}
    for frame in frames:
        program = program_of(frame.f_code.co_filename)
        statement = program and program.statement(frame.f_code, frame.f_lasti)
        if program and statement:
            programs[os.path.realpath(frame.f_code.co_filename)] = program
            loop = program.loop(frame.f_code, frame.f_lasti)
            if loop is None and isinstance(statement, ast.For):
                loop = statement
            found.append(UnderWay(frame, program, loop or statement, loop))
    others = {os.path.realpath(file) for file in files} - set(programs)
    return found, [*programs.values(), *programs_of(others)]


@cache
def program_of(file: str) -> Program | None:
    """The text of a file, none where it cannot be read or is none of Python."""
    lines = linecache.getlines(file)
    try:
        with warnings.catch_warnings(action="ignore"):  # The program has told of them itself.
            module = told_at_once(ast.parse("".join(lines)))
        used(module)  # What follows asks for parts of that.
    except (SyntaxError, ValueError, RecursionError):  # It was changed, or has endless sums.
        return None
    return Program(module) if lines else None


class Program:
    """The text of one file; ``at`` is an instruction of code that was made of it."""

    def __init__(self, module: ast.Module) -> None:
        self._module = module
        self.nodes = list(ast.walk(module))
        self._functions = [node for node in self.nodes if isinstance(node, FUNCTIONS)]
        self._parents = {child: one for one in self.nodes for child in ast.iter_child_nodes(one)}

    def loop(self, code: CodeType, at: int) -> Loop | None:
        """The loop whose next item is asked for; Python 3.13 tells where that comes from alone.

        Where ``next`` is called it is the innermost around it, unless that makes what is asked.
        """
        span = list(code.co_positions())[at // 2]
        loops = (node for node in self.nodes if isinstance(node, ast.For))
        asked = (one for one in self.calls() if called_by(one) in ASK and _span(one) == span)
        return next(
            chain(
                (one for one in loops if span in (_span(one), _span(one.iter))),
                (loop for one in asked if (loop := self._loop_of(one))),
            ),
            None,
        )

    def _loop_of(self, asking: ast.Call) -> Loop | None:
        within = takewhile(lambda one: not isinstance(one, FUNCTIONS), self.above(asking))
        loop = next((one for one in within if isinstance(one, ast.For | ast.While)), None)
        if loop is None:
            return None
        made = set[str]().union(*map(stored_in, loop.body))
        return None if made & used((asking.args or [asking.func])[0]) else loop

    def statement(self, code: CodeType, at: int) -> ast.stmt | None:
        """The innermost statement that is under way."""
        first, last, column, end = list(code.co_positions())[at // 2]
        if first is None or last is None:
            return None
        begin, over = (first, column or 0), (last, end or 0)
        around = (
            one
            for one in self.nodes
            if isinstance(one, ast.stmt)
            and (one.lineno, one.col_offset) <= begin
            and over <= (one.end_lineno or 0, one.end_col_offset or 0)
        )
        return max(around, key=lambda one: (one.lineno, one.col_offset), default=None)

    def call(self, code: CodeType, at: int) -> tuple[ast.expr, list[Any]] | None:
        """The call that is under way, and the block of the function or module it stands in."""
        span = list(code.co_positions())[at // 2]
        return self._with_block(one for one in self.calls() if _span(one) == span)

    def calls(self) -> list[ast.Call]:
        """All that is called anywhere."""
        return [one for one in self.nodes if isinstance(one, ast.Call)]

    def comprehension(self, code: CodeType, at: int) -> tuple[ast.expr, list[Any]] | None:
        """The same of a list, set or dictionary that is made; Python 3.13 tells of what alone."""
        span = list(code.co_positions())[at // 2]
        found = (node for node in self.nodes if isinstance(node, _COMPREHENSIONS))
        return self._with_block(
            one for one in found if span in (_span(one), _span(one.generators[0].iter))
        )

    def _with_block(self, nodes: Iterator[ast.expr]) -> tuple[ast.expr, list[Any]] | None:
        for node in nodes:
            return node, block_of(self._scope(node))
        return None

    def around(self, code: CodeType, at: int) -> list[ast.expr]:
        """What is called with the result of the call that is under way."""
        found = self.call(code, at)
        above = self.above(found[0]) if found else iter(())
        expressions = takewhile(lambda one: not isinstance(one, ast.stmt), above)
        return [one.func for one in expressions if isinstance(one, ast.Call)]

    def after(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements that may follow one in its function, in order."""
        return list(self._after(statement))

    def ended_after(self, statement: ast.stmt) -> set[str]:
        """Names of what the blocks ``with`` around a statement end, as a file that is closed."""
        within = takewhile(lambda one: not isinstance(one, FUNCTIONS), self.above(statement))
        blocks = (one for one in within if isinstance(one, ast.With | ast.AsyncWith))
        given = (item.optional_vars for one in blocks for item in one.items)
        return {name for target in given if target for name in stored_in(target)}

    def functions(self, without: Collection[ast.AST]) -> dict[ast.AST, str]:
        """All functions but those that stand in these statements, and by what name each is called.

        By that of its class where it makes its objects, by none where others call it, as operators.
        """
        return {
            one: self._called_as(one) for one in self._functions if not self._is_in(one, without)
        }

    def _called_as(self, function: ast.AST) -> str:
        name = getattr(function, "name", "")
        if name == "__init__":
            return getattr(self._parents[function], "name", "")
        return "" if name.startswith("__") else name

    def added_to(self) -> set[str]:
        """What loops and functions give values that may depend on those before."""
        changes = set[tuple[str, Way]]().union(*map(changed_by, self.blocks()))
        return {place for place, way in changes if way is Way.ADDED}

    def runs(self) -> set[str]:
        """What it calls the run itself."""
        attributes = (one for one in self.nodes if isinstance(one, ast.Attribute))
        return {place_of(one.value) for one in attributes if one.attr in ("output", "remaining")}

    def emptied(self) -> Iterator[str]:
        """What it takes something out of, by a method or by ``del``."""
        for node in self.nodes:
            match node:
                case ast.Call(func=ast.Attribute(attr=name, value=held)) if name in _TAKE_OUT:
                    yield place_of(held)
                case ast.Subscript(ctx=ast.Del(), value=held):
                    yield place_of(held)

    def touched_by(self, nodes: Iterable[ast.AST]) -> set[str]:
        """What they use, and of what that is made which they use."""
        found = set().union(*map(used, nodes))
        made = [
            (stored_in(target), used(one.value))
            for one in self.nodes
            if isinstance(one, ast.Assign)
            for target in one.targets
        ]
        return with_what_made(found, made)

    def values_of(self, name: str, seen_by: ast.AST) -> list[ast.expr]:
        """What a name is given that code sees, in its own function or outside of all."""
        scopes = {self._scope(seen_by), self._module}
        return [
            one.value
            for one in self.nodes
            if isinstance(one, ast.Assign)
            and name in {place_of(target) for target in one.targets}
            and self._scope(one) in scopes
        ]

    def _scope(self, node: ast.AST) -> ast.AST:
        above = (one for one in self.above(node) if isinstance(one, FUNCTIONS))
        return next(above, self._module)

    def blocks(self) -> list[list[Any]]:
        """What stands in its loops and functions."""
        loops = (one for one in self.nodes if isinstance(one, _LOOPS))
        return [*(one.body for one in loops), *map(block_of, self._functions)]

    def statements(self) -> list[Any]:
        """All of these."""
        return [one for block in self.blocks() for one in block]

    def registered(self) -> set[str]:
        """What is given to others to be called at an end, as to ``atexit``."""
        given = (one.args for one in self.calls() if called_by(one) in _REGISTER)
        return {place_of(one) for each in given for one in each} - {""}

    def statements_beside(self, others: Collection[ast.AST]) -> Iterator[ast.stmt]:
        """The statements that neither hold one of the others nor stand in one."""
        holding = {above for one in others for above in self.above(one)}
        for node in self.nodes:
            is_beside = node not in holding and node not in others
            if isinstance(node, ast.stmt) and is_beside and not self._is_in(node, others):
                yield node

    def _is_in(self, node: ast.AST, statements: Collection[ast.AST]) -> bool:
        return any(above in statements for above in self.above(node))

    def kept(self, loop: Loop, others: Sequence[Program]) -> Kept:
        """What a loop changes and the program reads later; ``others`` are the job's other files."""
        programs = [self, *others]
        here = elsewhere = changed_by(loop.body)
        touched = self.touched_by(loop.body)
        outer: set[str] = set()
        if any(isinstance(node, ast.Call) for node in walk(loop.body)):
            helpers = [one for each in programs for one in each.helpers(loop)]
            here = here | Calls(helpers).changed(loop.body)
            elsewhere = here.union(*(changed_by(block_of(one)) for one in helpers))
            outer = declared(helpers)
            touched |= self.touched_by(one for each in helpers for one in block_of(each))
        here = here | {(name, way) for name, way in elsewhere if name in outer}
        read = set().union(*(read_by([one._module]) for one in programs))
        if read & _READ_ALL:
            read |= {place for place, _ in elsewhere}
        takes = loop.test if isinstance(loop, ast.While) else loop.target
        changed = here | elsewhere | {(name, Way.RENEWED) for name in stored_in(takes)}
        runs = set().union(*(one.runs() for one in programs))
        return Kept(
            {(name, way) for name, way in here if self._is_read_later(loop, name, outer)},
            {
                (place, way)
                for place, way in elsewhere
                if place in read and (place in outer or place[0] == ".")
            },
            touched,
            {(place, way) for place, way in changed if place not in runs},
        )

    def helpers(self, loop: Loop) -> list[ast.AST]:
        """Functions that the loop may call: all that neither hold it nor are made in it."""
        return [
            one
            for one in self._functions
            if getattr(one, "name", "") != "__init__" and not self._are_within(one, loop)
        ]

    def _are_within(self, one: ast.AST, other: ast.AST) -> bool:
        return one in self.above(other) or other in self.above(one)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self._parents:
            node = self._parents[node]
            yield node

    def _is_read_later(self, loop: Loop, name: str, outer: set[str]) -> bool:
        """Whether a name of the loop's code is read behind it, or by a function that sees it."""
        if is_read(list(self._after(loop)), name):
            return True
        scope = self._scope(loop)
        if name in outer | declared([scope]):
            scope = self._module
        seeing = (one for one in self._functions if scope in self.above(one))
        return any(name in used_of_outer(one) for one in seeing if not self._are_within(one, loop))

    def _after(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """The statements that may follow a loop in its function, in order, or another statement."""
        if isinstance(statement, Loop):
            yield from statement.orelse
        node: ast.AST = statement
        for above in self.above(statement):
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
