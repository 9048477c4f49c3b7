"""What a program reads once it is through with what it does just now, by its text.

That is what follows each call that is under way, what the functions use that are called there, and
what a block ``with`` ends then, as a file or a workbook.
Of those that the loop alone calls, such as one that keeps the answers it was given, nothing is read
later. What is registered somewhere, as with ``atexit``, may be called at any time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from types import CodeType, FrameType

from steadyspot.memory.deciding import Deciding, deciding
from steadyspot.memory.flow import is_read, read_by
from steadyspot.memory.gathering import Names
from steadyspot.memory.places import (
    FUNCTIONS,
    block_of,
    places_at,
    stored_in,
    used,
    used_of_outer,
    walk,
)
from steadyspot.memory.program_text import Program, under_way_in


class Later:
    """What is read after what is under way in ``frames``, or by that if ``now`` is said, too.

    ``files`` are those of the job. ``statements`` is what runs then, ``places`` what that reads, by
    whatever code, and ``given`` what gets another value in the code that is under way;
    ``makes_output``: whether the program makes one by ``run.output``, or may in a ``folder``.
    """

    def __init__(
        self,
        frames: Sequence[FrameType],
        files: Iterable[str],
        *,
        now: bool = False,
        folder: bool = False,
    ) -> None:
        self._after: dict[CodeType, list[ast.stmt]] = {}
        self._ended: dict[CodeType, set[str]] = {}
        loops, blocks = set[ast.AST](), list[ast.AST]()
        under_way, programs = under_way_in(frames, files)
        for frame, program, statement, loop in under_way:
            code = frame.f_code
            self._after[code] = [*([statement] if now else ()), *program.after(statement)]
            self._ended[code] = program.ended_after(statement)
            blocks += self._after[code]
            if loop:
                loops.add(loop)
            else:
                blocks += program.around(code, frame.f_lasti)
        self._functions = functions = called_from(blocks, programs, loops)
        self._folder = folder
        self._outer = set().union(*map(used_of_outer, functions))
        self.given = set[str]().union(*map(stored_in, blocks))
        self.statements = with_functions(blocks, functions)
        self.places = read_by(self.statements)
        self.makes_output = folder or ".output" in self.places

    def deciding(self) -> Deciding:
        """What decides whether outputs are made."""
        return deciding(self._after.values(), self._functions, folder=self._folder)

    def reads(self, code: CodeType, name: str) -> bool:
        """Whether a name of a frame's code is read later."""
        after = self._after.get(code)
        if after is None:
            return False
        return is_read(after, name) is True or name in self._outer | self._ended[code]

    def reads_at(self, path: Names) -> bool:
        """Whether what is reached by these names is read later."""
        code, *names = path
        if len(names) == 1 and isinstance(code, CodeType):
            return self.reads(code, str(names[0]))
        return not self.places.isdisjoint(places_at(path))


def with_functions(blocks: Iterable[ast.AST], functions: Iterable[ast.AST]) -> list[ast.AST]:
    """What runs where these blocks do, which call these functions."""
    return [*blocks, *(one for each in functions for one in block_of(each))]


def called_from(
    blocks: Iterable[ast.AST],
    programs: Iterable[Program],
    loops: set[ast.AST],
    *,
    decorators: bool = False,
) -> list[ast.AST]:
    """The functions that these blocks may call, by themselves or through others.

    ``decorators``: also what these have put around a function, as one that keeps its answers.
    """
    left = {one: name for each in programs for one, name in each.functions(loops).items()}
    names = set().union(*map(used, blocks), *(one.registered() for one in programs))
    found: list[ast.AST] = []
    by_name: dict[str, list[ast.AST]] = {}
    for one, name in left.items():
        by_name.setdefault(name, []).append(one)
    while more := {one for one, name in left.items() if _is_called(name, names)}:
        if decorators:
            more |= left.keys() & _put_around(more, by_name)
        found += more
        left = {one: name for one, name in left.items() if one not in more}
        names = set().union(*(used(one) for each in more for one in block_of(each)))
    return found


def _put_around(functions: Iterable[ast.AST], by_name: dict[str, list[ast.AST]]) -> set[ast.AST]:
    """What decorators of the job's own have these functions called by."""
    names = {
        place.lstrip(".")
        for one in functions
        for decorator in getattr(one, "decorator_list", ())
        for place in used(decorator)
    }
    return {made for name in names for one in by_name.get(name, ()) for made in _made_by(one)}


def _made_by(decorator: ast.AST) -> set[ast.AST]:
    """The functions in it that run with each call, and not to make another, as it does itself."""
    inner = [one for one in ast.walk(decorator) if isinstance(one, FUNCTIONS)][1:]
    return {one for one in inner if not _returns_one_of(inner, one)}


def _returns_one_of(functions: Iterable[ast.AST], function: ast.AST) -> bool:
    returned = (one for one in walk(block_of(function)) if isinstance(one, ast.Return))
    names = set[str]().union(*map(used, returned))
    return any(one is not function and getattr(one, "name", "") in names for one in functions)


def _is_called(name: str, names: set[str]) -> bool:
    """Whether what is called by a name is among these; what has none may be called at any time."""
    return not name or name in names or f".{name}" in names
