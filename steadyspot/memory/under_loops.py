"""The loops that are under way as a unit is asked for, and what units run, by the text."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import CodeType

from steadyspot.memory.loop_heads import counted_by_head, run_by_head
from steadyspot.memory.plain_loop import taken_at_once
from steadyspot.memory.program_text import Loop, under_way_in
from steadyspot.memory.read_later import called_from, with_functions
from steadyspot.under_way import job_stack


class UnderLoops:
    """``loops`` with the code they stand in, beside which others take units at once.

    These are ``takers``; ``blocks`` are what each of all runs for a unit, ``functions`` what that
    may call, and ``counted`` names of what begins again in each attempt beside units. ``programs``
    are all texts of the job, whose ``files`` these are.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.loops: dict[Loop, CodeType] = {}
        self.takers: list[ast.stmt] = []
        self.blocks: list[list[ast.stmt]] = []
        self.counted = set[str]()
        taker = taken_at_once()
        under_way, self.programs = under_way_in(job_stack(), files)
        named = {name for one in self.programs for name in one.functions(()).values()}
        for frame, program, statement, loop in under_way:
            if loop:
                if loop not in self.loops:
                    head = run_by_head(loop, program, named)
                    self.blocks.append([*head, *loop.body])
                    self.counted |= counted_by_head(loop, program)
                self.loops[loop] = frame.f_code
            elif frame is taker:
                self.takers.append(statement)
                self.blocks.append([statement])
        self.functions = called_from(self.own, self.programs, set(self.loops), decorators=True)

    @property
    def own(self) -> list[ast.stmt]:
        """What stands in all blocks."""
        return [one for block in self.blocks for one in block]

    @property
    def statements(self) -> list[ast.AST]:
        """All that is run for a unit."""
        return with_functions(self.own, self.functions)
