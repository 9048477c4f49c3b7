"""What a program reads back as it begins, by its text: from its state, a file or a database.

It has that as units before a stop had left it, where it has kept it with each of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from steadyspot.memory.flow import changed_by
from steadyspot.memory.gathering import Names
from steadyspot.memory.places import block_of, given_to, places_at, stored_in, used
from steadyspot.memory.under_loops import UnderLoops

_SOURCES = re.compile(r"\.?_*(checkpoint|connect|fetch|load|open|read|restore|resume|state)")


class Restored:
    """What is given a value, or changed, by what reads something and is no unit's.

    So may whatever is given anything but constants, as the path of a mapped file.
    """

    def __init__(self, running: UnderLoops) -> None:
        self._functions = {
            name: one for each in running.programs for one, name in each.functions(()).items()
        }
        of_units = {*running.own, *running.functions}
        of_units |= {
            one for each in running.programs for loop in running.loops for one in each.after(loop)
        }
        self._places = {
            place
            for each in running.programs
            for statement in each.statements_beside(of_units)
            if self._reads(statement) or _is_made_of_something(statement)
            for place in _given_by(statement)
        }
        self._places |= {
            place
            for each in running.programs
            for loop in running.loops
            for place in each.ended_after(loop)
        }

    def has(self, path: Names) -> bool:
        """Whether it is what is reached by these names, or what that lies in."""
        return any(not self._places.isdisjoint(places_at((name,))) for name in path[1:])

    def _reads(self, statement: ast.stmt) -> bool:
        """Whether a statement reads something, itself or by functions that it calls."""
        names, new = set[str](), set(used(statement))
        while new:
            if any(map(_SOURCES.match, new)):
                return True
            names |= new
            called = (self._functions.get(name.lstrip(".")) for name in new)
            new = set().union(*(_used_in(one) for one in called if one)) - names
        return False


def _used_in(function: ast.AST) -> set[str]:
    return set().union(*map(used, block_of(function)))


def _is_made_of_something(statement: ast.stmt) -> bool:
    """Whether a value is made by a call that is given more than constants."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if not isinstance(value, ast.Call):
        return False
    names = set[str]().union(*map(used, given_to(value)))
    return any(not name.isupper() for name in names)


def _given_by(statement: ast.stmt) -> Iterator[str]:
    yield from stored_in(statement)
    yield from (place for place, _ in changed_by([statement]))
