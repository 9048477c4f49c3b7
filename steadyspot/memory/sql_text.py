"""What units of a loop give SQL to that may write, by the program's text.

Drivers open a transaction for what is read, too, and say nothing of what was written in it. So the
text tells which connections and cursors are given SQL that writes, or SQL that it does not spell
out, and by what other names these go. Where it spells out none that writes, all is read.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from types import CodeType

from steadyspot.memory.flow import arguments
from steadyspot.memory.places import (
    FUNCTIONS,
    block_of,
    called_by,
    declared,
    given_to,
    place_of,
    stored_in,
    walk,
)
from steadyspot.memory.program_text import Loop, Program, program_of, programs_of

_WRITES = re.compile(
    r"\b(?:(?:insert|replace)\s+(?:\w+\s+)*?into|update\s[^;]*?\bset|delete\s+from|merge\s+into"
    r"|copy\s+(?!\()[^;]*?\bfrom|load\s+data|truncate\s+table"
    r"|create\s+(?:or\s+replace\s+)?(?:unlogged\s+)?table)\b"
    r"|\A\s*(?:insert|update|delete|merge|replace|truncate|call)\b",
    re.IGNORECASE,
)
_READS = re.compile(
    r"\s*(?:select|with|values|table|show|explain|desc|describe|set|use|declare|fetch|close|begin"
    r"|start|commit|rollback|savepoint|release|lock|listen|create|drop|alter|copy)\b",
    re.IGNORECASE,
)
"""What other SQL begins with, which writes no rows."""

_SEND = {
    *("execute", "executemany", "query", "cmd_query", "stream", "copy", "copy_expert"),
    *("prepare", "fetch", "fetchrow", "fetchval"),
}
"""Methods that are given SQL first."""

_WRITE = {"callproc", "copy_from", "copy_records_to_table", "copy_to_table"}
"""Methods that write by themselves."""

_Defined = ast.FunctionDef | ast.AsyncFunctionDef

Name = tuple[str, str]
"""The function whose own a name is, empty for a global name and an attribute; and the name."""

At = tuple[CodeType, int]
"""An instruction that is under way."""


def written_by_units(stack: Sequence[At], files: Iterable[str]) -> frozenset[Name]:
    """What units may write to, the next of which is asked for by one of these instructions."""
    programs = programs_of(files)
    text = _Text(programs)
    loops = _loops(stack, programs)
    if not loops:
        return text.written(node for program in programs for node in program.statements())
    units = [node for program, loop in loops for node in _body(program, loop)]
    holding = {above for program, loop in loops for above in program.above(loop)}
    return text.written([*units, *text.called(units, holding)])


def is_among(path: Sequence[object], names: frozenset[Name]) -> bool:
    """Whether what is reached by such a path is one of these, or lies in one."""
    code, first, *others = path
    assert isinstance(code, CodeType)
    of_any = {name for _, name in names}
    whose = {("", first), (code.co_name, first)}
    return (
        not names.isdisjoint(whose)
        or (first in code.co_freevars and first in of_any)
        or not of_any.isdisjoint(others)
    )


def _loops(stack: Sequence[At], programs: Sequence[Program]) -> list[tuple[Program, Loop]]:
    """The loops that ask for their next, innermost first."""
    under_way = [(program_of(os.path.realpath(code.co_filename)), code, at) for code, at in stack]
    return [
        (program, loop)
        for program, code, at in under_way
        if program and program in programs and (loop := program.loop(code, at))
    ]


def _body(program: Program, loop: Loop) -> list[ast.AST]:
    """What a loop does, and what is open all through it."""
    around = (one for one in program.above(loop) if isinstance(one, ast.With | ast.AsyncWith))
    return [*loop.body, *(item for one in around for item in one.items)]


class _Text:
    """The text of all files of the job."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self._around: dict[ast.AST, ast.AST | None] = {}
        for program in programs:
            for node in program.nodes:
                inner = node if isinstance(node, FUNCTIONS) else self._around.get(node)
                self._around |= dict.fromkeys(ast.iter_child_nodes(node), inner)
        self._values = [pair for node in self._around for pair in _values(node)]
        self._spelt: dict[str, bool | None] = {}
        for target, value in self._values:
            if (writes := _does_write(_texts(value))) is not None:
                for place in stored_in(target):
                    self._spelt[place] = _any((writes, self._spelt.get(place)))
        self._defined: dict[str, list[_Defined]] = {}
        self._fields: dict[str, set[Name]] = {}
        for node in self._around:
            if isinstance(node, _Defined):
                self._defined.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.ClassDef):
                made = [one for one in node.body if getattr(one, "name", "") == "__init__"]
                self._defined[node.name] = [one for one in made if isinstance(one, _Defined)]
                fields = (one.target for one in node.body if isinstance(one, ast.AnnAssign))
                self._fields[node.name] = {("", place_of(one)) for one in fields}

    def written(self, nodes: Iterable[ast.AST]) -> frozenset[Name]:
        """What they give SQL to that may write, and all that this was made of."""
        found: set[Name] = set()
        spelt_out = True in self._spelt.values()
        for call in {one for one in walk(nodes) if isinstance(one, ast.Call)}:
            writes, to = self._gives(call)
            spelt_out = spelt_out or writes is True
            if writes is not False:
                found |= self._names(to)
        return frozenset(self._with_origins(found)) if spelt_out else frozenset()

    def called(self, nodes: Sequence[ast.AST], holding: Collection[ast.AST]) -> list[ast.AST]:
        """What stands in functions that these may call, but for those ``holding`` them."""
        found: set[ast.AST] = set()
        words, left = set[str](), nodes
        while left:
            words |= {place_of(node).lstrip(".") for node in walk(left)}
            named: set[ast.AST] = {
                one
                for name, functions in self._defined.items()
                for one in functions
                if name in words or _has_no_caller(one)
            }
            named |= {
                value
                for target, value in self._values
                if words & {place.lstrip(".") for place in stored_in(target)}
            }
            left = list(named - found - set(holding))
            found |= named
        functions = (one for one in walk(found - set(holding)) if isinstance(one, FUNCTIONS))
        return [node for one in functions for node in block_of(one)]

    def _gives(self, call: ast.Call) -> tuple[bool | None, ast.expr]:
        """Whether a call gives SQL that writes, none where no text tells; and to what."""
        given = given_to(call)
        if isinstance(call.func, ast.Attribute):
            if called_by(call) in _WRITE:
                return True, call.func.value
            if called_by(call) in _SEND and given:
                return self._is_written_by(given[0]), call.func.value
        return any(self._is_written_by(one) for one in given), call

    def _is_written_by(self, sql: ast.expr) -> bool | None:
        """Whether SQL writes that stands here, or in what was given a name."""
        named = (self._spelt.get(place_of(node)) for node in ast.walk(sql))
        return _any({_does_write(_texts(sql)), *named})

    def _with_origins(self, names: set[Name]) -> set[Name]:
        """These, and the names of all that they were made of."""
        origins: dict[Name, set[Name]] = {}
        for made, of in self._made():
            for name in made:
                origins.setdefault(name, set()).update(of)
        left = names
        while left:
            left = set[Name]().union(*(origins.get(one, ()) for one in left)) - names
            names = names | left
        return names

    def _made(self) -> Iterator[tuple[set[Name], set[Name]]]:
        """Names, and those of what they are given, are called with or return."""
        for target, value in self._values:
            yield self._names(target), self._names(value)
        for node, function in self._around.items():
            if isinstance(node, ast.Return | ast.Yield) and isinstance(function, _Defined):
                yield {("", function.name)}, self._names(node)
            elif isinstance(node, ast.Call):
                yield from self._called(node)

    def _called(self, call: ast.Call) -> Iterator[tuple[set[Name], set[Name]]]:
        """What a call gives to attributes by name, and to functions that it calls or hands on."""
        everything = self._names(call)
        for one in call.keywords:
            yield {("", one.arg or "")}, self._names(one.value)
        yield self._fields.get(called_by(call), set()), everything
        for function in self._defined.get(called_by(call), ()):
            for name, value in arguments(function, call):
                yield {(function.name, name)}, self._names(value)
            others = (function.args.vararg, function.args.kwarg)
            yield {(function.name, one.arg) for one in others if one}, everything
        for place in map(place_of, given_to(call)):
            for function in self._defined.get(place.lstrip("."), ()):
                yield {(function.name, name) for name in _parameters(function)}, everything

    def _names(self, node: ast.AST) -> set[Name]:
        """The names that a node stands for, or may be made of."""
        match node:
            case ast.Name(id=name):
                return {(self._whose(node), name)}
            case ast.Attribute(attr=name):
                return {("", name)}
            case ast.Call(func=ast.Attribute(attr=name, value=value)):
                method = {("", name)} if name in self._defined else set()
                return method.union(*map(self._names, (value, *given_to(node))))
        return set[Name]().union(*map(self._names, ast.iter_child_nodes(node)))

    def _whose(self, node: ast.Name) -> str:
        """The function whose own a name is, empty where it is global."""
        function = self._around[node]
        while function:
            if node.id in _own(function):
                return getattr(function, "name", "<lambda>")
            function = self._around[function]
        return ""


def _has_no_caller(function: _Defined) -> bool:
    """Whether the text may not name a function where it is called."""
    return bool(function.decorator_list) or (
        function.name.startswith("__") and function.name != "__init__"
    )


def _does_write(texts: Iterable[str]) -> bool | None:
    """Whether one of them is SQL that writes, none where none is SQL at all."""
    return _any(set(map(_writes, texts)))


def _writes(text: str) -> bool | None:
    if _WRITES.search(text):
        return True
    return False if _READS.match(text) else None


def _any(whether: Collection[bool | None]) -> bool | None:
    """Whether any writes, none where nobody knows."""
    return True if True in whether else False if False in whether else None


def _texts(node: ast.AST) -> Iterator[str]:
    """All that is spelt out in a node; what is put into it is some word."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts
            )
        case _:
            for one in ast.iter_child_nodes(node):
                yield from _texts(one)


def _values(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """What a node gives values to, and which."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return [pair for target in targets for pair in _pairs(target, value)]
        case (
            ast.AnnAssign(target=target, value=ast.expr() as value)
            | ast.AugAssign(target=target, value=value)
        ):
            return [(target, value)]
        case ast.NamedExpr(target=target, value=value):
            return [(target, value)]
        case ast.withitem(optional_vars=ast.expr() as target, context_expr=value):
            return [(target, value)]
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            return [(target, value)]
    return []


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """A target and its value, or several that stand side by side."""
    match target, value:
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            return list(zip(targets, values, strict=True))
    return [(target, value)]


def _parameters(function: ast.AST) -> set[str]:
    arguments_of = getattr(function, "args", ast.arguments([], [], None, [], [], None, []))
    return {node.arg for node in ast.walk(arguments_of) if isinstance(node, ast.arg)}


@cache
def _own(function: ast.AST) -> set[str]:
    """The names that are a function's own."""
    stored = {place for one in block_of(function) for place in stored_in(one)}
    return (stored | _parameters(function)) - declared([function])
