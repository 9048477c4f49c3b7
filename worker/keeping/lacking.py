"""What outputs lack that are made once a loop has left out units of attempts before this one.

A program says what it keeps in variables from unit to unit. What those units had left in them is
gone, so that an output made after the loop is not what an undisturbed run would make. A loop that
makes none costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steadyspot.worker.errors import KeptInMemory
from steadyspot.worker.keeping.scanning import Tree
from steadyspot.worker.keeping.warnings import shown


@dataclass(frozen=True)
class _Said:
    names: Sequence[str]
    units: int
    folder: Tree


def kept(names: Sequence[str]) -> str:
    """What is kept, in a sentence."""
    return " and ".join(repr(name) for name in names[:2])


class Lacking:
    """``look`` sees what lies in the folder for outputs."""

    def __init__(self, look: Callable[[], Tree]) -> None:
        self._look = look
        self._said: _Said | None = None
        self._output = ""

    def say(self, names: Sequence[str], units: int) -> None:
        """A loop has left out so many units, and keeps what comes of units under these names."""
        if names and not self._said:
            self._said = _Said(names, units, self._look())

    def made(self, output: str) -> None:
        """An output was made."""
        if self._said:
            self._output = self._output or output

    def trouble(self, folder: Tree) -> KeptInMemory | None:
        """What to say where an output was made after that, also in the ``folder`` as it is now."""
        if not self._said:
            return None
        before = self._said.folder.entries
        new = sorted(name for name, seen in folder.entries.items() if before.get(name) != seen)
        output = self._output or next(iter(new), "")
        if not output:
            return None
        return KeptInMemory(
            f"{shown(output)} would lack what {self._said.units} units done before had left in"
            f" {kept(self._said.names)}, so all units are done again.",
            "Keep it in run.state, or in an output of each unit.",
        )
