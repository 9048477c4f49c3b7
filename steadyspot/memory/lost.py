"""What is lacking of units that were left out, should the program fail or make no output."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # Only after a stop: it loads a parser.
    import ast

    from steadyspot.memory.failing import Failure
    from steadyspot.memory.program_text import Loop


class Lost(NamedTuple):
    """What is lacking of so many units that a loop has left out, once it is over.

    ``later`` for what comes then, ``by_units`` for those after them; what is ``deciding`` whether
    outputs are made at all. Should the program fail: what the loop has ``changed``, and what its
    units have ``looked_up``, by the text; its ``loops``, or the ``takers`` that take units at once;
    ``makes_output``: it would have made one; ``is_through``: the loop has gone through all units.
    """

    units: int = 0
    later: Sequence[str] = ()
    by_units: Sequence[str] = ()
    deciding: Sequence[str] = ()
    changed: Collection[str] = ()
    looked_up: Collection[str] = ()
    loops: frozenset[Loop] = frozenset()
    takers: frozenset[ast.stmt] = frozenset()
    makes_output: bool = False
    is_through: bool = True

    @property
    def around(self) -> frozenset[ast.stmt]:
        """What takes the units."""
        return self.loops | self.takers

    def missed(self, failure: Failure | None) -> list[str]:
        """For the want of what a program may have failed, which did with an error, or without."""
        if failure is None:
            return sorted({*self.later, *(() if self.is_through else self.by_units)})
        if failure.is_of_block():
            return []
        is_taken = not self.takers.isdisjoint(failure.statements)
        if failure.is_within(self.loops) or (is_taken and not self.is_through):
            return sorted({*self.by_units, *failure.read(self.looked_up, self.around)})
        names = failure.read(self.changed, self.around)
        if is_taken:
            names.add("what was returned")
        return sorted(names.union(self.later if self.makes_output else ()))

    def decides(self) -> list[str]:
        """What decides whether outputs are made, where none may be there to tell of it."""
        return [*self.deciding] if self.is_through else []
