"""What a program does only in order to tell people, by its text.

A variable that is nowhere used but to be told is told as it is made, and a function that only tells
what it is given is one more ``print``. What is made by a call that may do anything is neither.
"""

from __future__ import annotations

import ast
import re

from steadyspot.memory.flow import is_plain, only_tells
from steadyspot.memory.places import TELL, called_by, given_to, place_of, used, walk

_SHOWN = {"eval", "exec", "globals", "locals", "vars"}
"""Functions by which a variable is used whose name need stand nowhere."""


def told_at_once(module: ast.Module) -> ast.Module:
    """The text with ``print`` in place of what does nothing but tell in the end."""
    nodes = list(ast.walk(module))
    told = {
        inner
        for one in nodes
        if isinstance(one, ast.Call) and only_tells(ast.Expr(value=one))
        for inner in ast.walk(one)
    }
    names = {place_of(one) for one in nodes if one not in told and _is_used(one)}
    texts = (one.value for one in nodes if isinstance(one, ast.Constant))
    spelt = {word for one in texts if isinstance(one, str) for word in re.findall(r"\w+", one)}
    if names.isdisjoint(_SHOWN):
        _Tell(names | spelt, _functions_that_tell(nodes)).visit(module)
    return module


def _is_used(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


def _functions_that_tell(nodes: list[ast.AST]) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    functions = [one for one in nodes if isinstance(one, kinds)]
    others = {one.name for one in functions if not _tells(one)}
    return {one.name for one in functions} - others


def _tells(function: ast.AST) -> bool:
    if not isinstance(function, ast.FunctionDef) or function.decorator_list:
        return False
    calls = (one for one in walk(function.body) if isinstance(one, ast.Call))
    return all(map(only_tells, function.body)) and any(called_by(one) in TELL for one in calls)


class _Tell(ast.NodeTransformer):
    """``names`` may be used for more than to be told, ``functions`` only tell."""

    def __init__(self, names: set[str], functions: set[str]) -> None:
        self._names, self._functions = names, functions

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        match node.targets:
            case [ast.Name(id=name)] if self._names.isdisjoint({name, f".{name}"}):
                if used(node.value) and is_plain(node.value):
                    return _print(node, [node.value])
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        match node.value:
            case ast.Call(func=ast.Name(id=name)) as call if name in self._functions:
                if all(map(is_plain, given_to(call))):
                    return _print(node, given_to(call))
        return node


def _print(statement: ast.stmt, values: list[ast.expr]) -> ast.Expr:
    call = ast.Call(func=ast.Name(id="print", ctx=ast.Load()), args=values, keywords=[])
    told = ast.copy_location(ast.Expr(value=call), statement)
    return ast.fix_missing_locations(told)
