"""Where a program has failed, and what it has read there, by its text."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Set

from steadyspot.memory.flow import read_by
from steadyspot.memory.places import (
    FUNCTIONS,
    TELL,
    blocks_of,
    called_by,
    given_to,
    heads_of,
    names_of,
    place_of,
    places_at,
    used,
    walk,
)
from steadyspot.memory.program_text import Loop, Program, program_of
from steadyspot.own_code import is_the_jobs

_CHAIN = 10
"""So many errors are followed that have led to one another."""

_OF_CHILD = {"_RemoteTraceback", "RemoteTraceback"}
"""What pools of processes name as the cause of an error that a child has met."""


class Failure:
    """What was under way as an error ended the program.

    ``statements`` are the innermost of each call.
    """

    def __init__(self, error: BaseException) -> None:
        errors = list(_chain(error))
        under_way = [found for one in errors for found in _under_way(one)]
        self.statements = [statement for _, statement in under_way]
        self._above = {
            statement: list(program.above(statement)) for program, statement in under_way
        }
        self._is_of_child = any(type(one).__name__ in _OF_CHILD for one in errors)

    def read(self, names: Iterable[str], loops: Set[ast.stmt]) -> set[str]:
        """Which names or attributes of the code in which these loops stand it read.

        Be it to tell them, or since it depended on them what was run.
        """
        places = set[str]()
        for statement, above in self._above.items():
            at = next((at for at, one in enumerate(above) if isinstance(one, FUNCTIONS)), None)
            around = [one for one in above[:at] if isinstance(one, ast.stmt)]
            found = read_by([head := _without_blocks(statement)]) | _told(head)
            found |= {place for one in around for head in heads_of(one) for place in used(head)}
            if at is not None and loops.isdisjoint(ast.walk(above[at])):
                found -= names_of(above[at])
            places |= found
        bare = {name.lstrip(".") for name in names}
        return {name for name in bare if not places.isdisjoint(places_at((name,)))}

    def is_within(self, loops: Collection[Loop]) -> bool:
        """Whether it failed in the body of one of these loops."""
        return any(
            loop in above and not any(one in above or one is statement for one in loop.orelse)
            for statement, above in self._above.items()
            for loop in loops
        )

    def is_of_block(self) -> bool:
        """Whether it failed in the block of a unit, or in a child, as do those of pools."""
        around = (one for above in self._above.values() for one in above)
        blocks = (one for one in around if isinstance(one, ast.With | ast.AsyncWith))
        calls = (item.context_expr for one in blocks for item in one.items)
        return self._is_of_child or any(
            isinstance(one, ast.Call) and called_by(one) == "unit" for one in calls
        )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, those that it groups, and those that have led to it."""
    left: list[BaseException] = [error]
    for _ in range(_CHAIN):
        if not left:
            return
        one = left.pop(0)
        yield one
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        left += [*getattr(one, "exceptions", ()), *([before] if before else ())]


def _under_way(error: BaseException) -> Iterator[tuple[Program, ast.stmt]]:
    call = error.__traceback__
    while call:
        code = call.tb_frame.f_code
        program = program_of(code.co_filename) if is_the_jobs(code) else None
        statement = program and program.statement(code, call.tb_lasti)
        if program and statement:
            yield program, statement
        call = call.tb_next


def _without_blocks(statement: ast.stmt) -> ast.stmt:
    """A statement, of one that has blocks what decides on them."""
    if not blocks_of(statement):
        return statement
    heads = (getattr(one, "context_expr", one) for one in heads_of(statement))
    return ast.Expr(ast.List([one for one in heads if isinstance(one, ast.expr)], ast.Load()))


def _told(statement: ast.stmt) -> set[str]:
    """What is told there, as by ``print``."""
    calls = (one for one in ast.walk(statement) if isinstance(one, ast.Call))
    given = (one for call in calls if called_by(call) in TELL for one in given_to(call))
    names = (one for one in walk(given) if isinstance(one, ast.Name | ast.Attribute))
    return {place_of(one) for one in names}
