"""Which files a program reads by its text and the values that this names, also within libraries.

A database, a table or a program is given a path that stands in the text or in a variable, and reads
it by itself.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable

from steadyspot.memory.contents import is_data
from steadyspot.memory.files_left import FilesLeft, names_of
from steadyspot.memory.files_outside import FilesOutside
from steadyspot.memory.gathering import reached
from steadyspot.memory.in_objects import is_object
from steadyspot.memory.paths_named import path_of, texts_of
from steadyspot.memory.places import called_by, given_to, walk
from steadyspot.memory.read_later import Later

_READS = re.compile(
    r"_*(open|read|load|scan|i?glob|rglob|iterdir|listdir|walk|connect|execute|sql|query|run|call"
    r"|check_|Popen|system|copy|move|rename|replace|make_archive|from_?file|memmap|imread|File$"
    r"|Dataset$|concat|merge|extract|upload|put_file)"
)
_WRITES = re.compile(
    r"_*(open|write|to_|save|dump|copy|move|rename|connect|execute|sql|query|insert|run|call"
    r"|check_|Popen|system|extract|download|url_?retrieve|fetch|imwrite|imsave|to_?file|tofile"
    r"|sink_|create_dataset|export|File$|Dataset$|mkdir|touch|put|add|append)"
)
"""Functions and methods that may read or write a file, by how their names begin."""

_MODES = {f"{how}{more}" for how in "rwxa" for more in ("", "b", "t", "+", "b+", "+b")}
"""What a file may be opened for."""

_SELECTS = re.compile(r"\b(select|returning|or\s+ignore)\b", re.IGNORECASE)
_BEGINS_ANEW = re.compile(
    r"\b(create\s+or\s+replace|drop|truncate)\b|\bdelete\s+from\s+[\w.\"]+\s*(;|\Z)", re.IGNORECASE
)
"""Words of SQL by which rows of others are read, and by which none of them are left."""


def reads_rows_of_others(of_units: Iterable[ast.AST]) -> bool:
    """Whether SQL that units run reads what others of them may have left in a database."""
    sql = _texts(of_units)
    return any(map(_SELECTS.search, sql)) and not any(map(_BEGINS_ANEW.search, sql))


class FilesNamed:
    """``later`` is what the program reads once it is through with what it does just now."""

    def __init__(self, later: Later) -> None:
        self._later = later

    def read(self, left: FilesLeft, *, kept: bool) -> list[str]:
        """By what names it reads files that units have left, as ``FilesOutside`` does."""
        found = [
            one
            for text in texts_of(self._later.statements, self._values())
            for one in left.below(text, whole=False)
        ]
        if self._reads_an_object() or self._reads_a_file():
            found += left.databases_left()
        return names_of(found, kept=kept)

    def handed_on(
        self, outside: FilesOutside, of_units: Iterable[ast.AST], *, kept: bool
    ) -> list[str]:
        """By what names units may read in a database what those before them have left."""
        return outside.databases_again(kept=kept) if reads_rows_of_others(of_units) else []

    def may_hide_some(self, of_units: Iterable[ast.AST], left: FilesLeft) -> bool:
        """Whether what units run may leave something in a file that is read for an output later."""
        if not self._later.makes_output:
            return False
        if self._reads_an_object() and any(left.databases()):
            return True
        reads = self._reads_a_file() or self._reads_a_path()
        return reads and _uses(of_units, _WRITES, "r")

    def _values(self) -> dict[str, object]:
        """By places, the paths and dictionaries there; of two of one name the innermost code's.

        A place that is given another value later has none.
        """
        found: dict[str, object] = {}
        for (_, *names), value, _ in reached(lambda one: 0 if type(one) is dict else _is_path(one)):
            found.setdefault(f".{names[-1]}" if names[1:] else str(names[0]), value)
        return {place: value for place, value in found.items() if place not in self._later.given}

    def _reads_a_file(self) -> bool:
        """Whether a function is called later that may read one."""
        return _uses(self._later.statements, _READS, "wxa")

    def _reads_a_path(self) -> bool:
        """Whether a path is read later where there is something."""
        return any(
            self._later.reads_at(path) and os.path.lexists(path_of(value))
            for path, value, _ in reached(_is_path)
        )

    def _reads_an_object(self) -> bool:
        """Whether an object of a library is read later, which may be what holds a file."""
        return any(self._later.reads_at(path) for path, _, _ in reached(_as_object))


def _uses(nodes: Iterable[ast.AST], names: re.Pattern[str], other_modes: str) -> bool:
    calls = (node for node in walk(nodes) if isinstance(node, ast.Call))
    return any(
        names.match(called_by(call)) and not _mode(call).startswith(tuple(other_modes))
        for call in calls
    )


def _mode(call: ast.Call) -> str:
    """What a file is opened for, empty where no constant says it."""
    if called_by(call) != open.__name__:
        return ""
    modes = (one.value for one in given_to(call) if isinstance(one, ast.Constant))
    return next((one for one in modes if one in _MODES), "")


def _texts(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        node.value
        for node in walk(nodes)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _as_object(value: object) -> int | None:
    return 0 if is_object(value) and is_data(value) is None else None


def _is_path(value: object) -> int | None:
    return 0 if path_of(value) else None
