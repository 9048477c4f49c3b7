"""The loops that are under way as a unit is asked for, and what units run, by the text."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import CodeType

from steadyspot.memory.plain_loop import taken_at_once
from steadyspot.memory.program_text import under_way_in
from steadyspot.memory.read_later import called_from, with_functions
from steadyspot.under_way import job_stack


class UnderLoops:
    """``loops`` with the code they stand in, and ``others`` that take units at once.

    ``blocks`` are what these run for a unit, ``functions`` what that may call. ``programs`` are all
    texts of the job, whose ``files`` these are.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.loops: dict[ast.For, CodeType] = {}
        self.others: list[ast.stmt] = []
        taker = taken_at_once()
        under_way, self.programs = under_way_in(job_stack(), files)
        for frame, _, statement in under_way:
            if isinstance(statement, ast.For):
                self.loops[statement] = frame.f_code
            elif frame is taker:
                self.others.append(statement)
        self.blocks = [one for loop in self.loops for one in loop.body] + self.others
        self.functions = called_from(self.blocks, self.programs, set(self.loops))

    @property
    def statements(self) -> list[ast.AST]:
        """All that is run for a unit."""
        return with_functions(self.blocks, self.functions)
