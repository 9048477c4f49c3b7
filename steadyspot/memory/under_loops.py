"""The loops that are under way as a unit is asked for, and what units run, by the text."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable
from types import CodeType

from steadyspot.memory.plain_loop import taken_at_once
from steadyspot.memory.program_text import Program, program_of
from steadyspot.memory.read_later import called_from
from steadyspot.under_way import job_stack


class UnderLoops:
    """``loops`` with the code they stand in, and ``others`` that take units at once.

    ``blocks`` are what these run for a unit, ``functions`` what that may call. ``programs`` are all
    texts of the job, whose ``files`` these are.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.loops: dict[ast.For, CodeType] = {}
        self.others: list[ast.stmt] = []
        programs: dict[str, Program] = {}
        taker = taken_at_once()
        for frame in job_stack():
            code = frame.f_code
            program = program_of(code.co_filename)
            statement = program and program.statement(code, frame.f_lasti)
            if program and statement:
                programs[os.path.realpath(code.co_filename)] = program
                if isinstance(statement, ast.For):
                    self.loops[statement] = code
                elif frame is taker:
                    self.others.append(statement)
        for file in {os.path.realpath(one) for one in files} - set(programs):
            if program := program_of(file):
                programs[file] = program
        self.programs = list(programs.values())
        self.blocks = [one for loop in self.loops for one in loop.body] + self.others
        self.functions = called_from(self.blocks, self.programs, set(self.loops))
