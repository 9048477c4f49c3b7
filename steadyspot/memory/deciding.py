"""What decides, by a program's text, whether an output is made at all.

An output under an ``if``, or in a loop over what units have left, is not made where a resumed
attempt lacks that, so that no output is there to tell of it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from steadyspot.memory.flow import arguments, goes_one_way
from steadyspot.memory.places import (
    block_of,
    blocks_of,
    called_by,
    given_to,
    heads_of,
    place_of,
    stored_in,
    used,
    walk,
    with_what_made,
)
from steadyspot.memory.program_text import Loop

_WRITE = {
    *("copy", "copy2", "copyfile", "dump", "imwrite", "move", "save", "savefig", "savetxt"),
    *("savez", "sink_csv", "sink_parquet", "to_csv", "to_excel", "to_feather", "to_file"),
    *("to_html", "to_json", "to_parquet", "to_pickle", "tofile", "touch", "write_bytes"),
    *("write_csv", "write_json", "write_parquet", "write_table", "write_text"),
}
"""Functions and methods that make a file."""

_MODE = re.compile("[wax][bt+]*")

_QUIT = {"_exit", "exit", "quit"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Deciding(NamedTuple):
    """Places that decide on outputs.

    ``under``: these are made only if there is something; ``behind``: not if the program ends
    before, as ``if len(done) < 10: sys.exit(1)`` has it.
    """

    under: set[str]
    behind: set[str]


def deciding(
    blocks: Iterable[Sequence[ast.AST]], functions: Iterable[ast.AST], *, folder: bool
) -> Deciding:
    """What decides in these blocks and in functions that they call.

    ``folder``: there is one for outputs, in which any file is one.
    """
    text = _Text(functions, folder=folder)
    found = Deciding(set(), set())
    around = list(blocks)
    for block in (*around, *map(block_of, text.makers())):
        _join(found, text.of_block(block))
    statements = list(chain(*around, *map(block_of, text.functions)))
    return Deciding(*(_made_of(places, statements) for places in found))


def makes_each(loops: Iterable[Loop], functions: Iterable[ast.AST]) -> bool:
    """Whether each unit makes an output, by ``run.output``."""
    text = _Text(functions, folder=False)
    return any(text.makes_always(loop.body) for loop in loops)


class _Text:
    """``functions`` are those that may be called; such as make no output decide on none."""

    def __init__(self, functions: Iterable[ast.AST], *, folder: bool) -> None:
        self.functions = [one for one in functions if isinstance(one, Function)]
        self._folder = folder
        self._makers: dict[str, list[Function]] = {}
        self._within: dict[ast.AST, Deciding] = {}
        left = {one: list(_calls(one.body)) for one in self.functions}
        while more := [one for one, calls in left.items() if any(map(self._is_made_by, calls))]:
            for one in more:
                self._makers.setdefault(one.name, []).append(one)
                del left[one]

    def makers(self) -> Iterator[Function]:
        """The functions that make outputs, themselves or by what they call."""
        return chain.from_iterable(self._makers.values())

    def of_block(self, block: Sequence[ast.AST], *, follows: bool = False) -> Deciding:
        """What decides in a block; ``follows``: an output is made after it."""
        found = Deciding(set(), set())
        for at, statement in enumerate(block):
            if isinstance(statement, _DEFINITIONS):
                continue
            then = follows or self._makes(block[at + 1 :])
            _join(found, self._of_statement(statement, then))
            for inner in blocks_of(statement):
                _join(found, self.of_block(inner, follows=then))
        return found

    def makes_always(self, block: Sequence[ast.stmt]) -> bool:
        """Whether an output is made in a block, whichever way it is gone through."""
        for statement in block:
            if isinstance(statement, _DEFINITIONS):
                continue
            inner = blocks_of(statement)
            goes_through = goes_one_way(statement) and not isinstance(statement, ast.Try)
            if self._makes(heads_of(statement)) or (
                goes_through and all(map(self.makes_always, inner))
            ):
                return True
            if any(isinstance(one, ast.Continue | ast.Break) for one in ast.walk(statement)):
                return False
        return False

    def _of_statement(self, statement: ast.AST, follows: bool) -> Deciding:
        inner = blocks_of(statement)
        makes = any(map(self._makes, inner))
        under, behind = set[str](), set[str]()
        match statement:
            case ast.If(test=test) | ast.While(test=test):
                if makes or (_is_not(test) and follows and any(map(_leaves, inner))):
                    under |= used(test)
                elif follows and any(map(_leaves, inner)):
                    behind |= used(test)
            case ast.For(iter=head) | ast.AsyncFor(iter=head) | ast.Match(subject=head) if makes:
                under |= used(head)
        for node in walk(heads_of(statement)):
            under.update(self._under(node))
        found = Deciding(under, behind)
        for call in _calls(heads_of(statement)):
            _join(found, self._of_call(call))
        return found

    def _under(self, node: ast.AST) -> Iterable[str]:
        """What decides within an expression."""
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse) if self._makes([body, orelse]):
                return used(test)
            case ast.BoolOp(values=values) if self._makes(values[1:]):
                return set().union(*map(used, values[:-1]))
            case ast.Call(args=args) if any(place_of(one) in self._makers for one in args):
                return set().union(*map(used, args))  # As map and pools have it.
        if isinstance(node, _COMPREHENSIONS) and self._makes([node]):
            heads = (head for one in node.generators for head in (one.iter, *one.ifs))
            return set().union(*map(used, heads))
        return ()

    def _of_call(self, call: ast.Call) -> Deciding:
        """What decides in a function that is called, by what it is given."""
        found = Deciding(set(), set())
        for function in self._makers.get(called_by(call), ()):
            if function not in self._within:
                self._within[function] = Deciding(set(), set())  # It may call itself.
                self._within[function] = self.of_block(function.body)
            within = self._within[function]
            for name, value in arguments(function, call):
                found.under.update(used(value) if name in within.under else ())
                found.behind.update(used(value) if name in within.behind else ())
        return found

    def _makes(self, nodes: Iterable[ast.AST]) -> bool:
        """Whether they make an output, themselves or by what they call."""
        return any(map(self._is_made_by, _calls(nodes)))

    def _is_made_by(self, call: ast.Call) -> bool:
        name = called_by(call)
        if name in self._makers or place_of(call.func) == ".output":
            return True
        if any(place_of(one) in self._makers for one in call.args):
            return True
        return self._folder and (name in _WRITE or (name == open.__name__ and _is_to_write(call)))


def _join(found: Deciding, more: Deciding) -> None:
    found.under.update(more.under)
    found.behind.update(more.behind)


def _calls(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """What is called there, and not by functions that are only defined there."""
    left = list(nodes)
    while left:
        node = left.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, _DEFINITIONS):
            left += ast.iter_child_nodes(node)


def _is_to_write(call: ast.Call) -> bool:
    modes = (one.value for one in given_to(call) if isinstance(one, ast.Constant))
    return any(isinstance(one, str) and _MODE.fullmatch(one) for one in modes)


def _is_not(test: ast.expr) -> bool:
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether what follows may not be run; what raises fails."""
    leave = (ast.Return, ast.Break, ast.Continue)
    return any(isinstance(one, leave) for one in walk(block)) or any(
        called_by(one) in _QUIT for one in _calls(block)
    )


def _made_of(places: set[str], statements: Sequence[ast.AST]) -> set[str]:
    """These, and what the statements make them of."""
    made = [(stored_in(one), used(one)) for one in walk(statements) if isinstance(one, ast.Assign)]
    return with_what_made(places, made)
