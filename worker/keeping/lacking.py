"""What outputs lack that are made where units of attempts before this one were left out.

A program says what it keeps in variables from unit to unit, or makes of what a pool returns. What
those units had left there is gone, so that an output made of it is not what an undisturbed run
would make. A program that makes none pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steadyspot.contract import Lacking
from steadyspot.worker.errors import KeptInMemory
from steadyspot.worker.keeping.scanning import Tree
from steadyspot.worker.keeping.warnings import shown


@dataclass
class _Said:
    """``output`` is the first that was made since then, ``folder`` what files there were."""

    names: Sequence[str]
    units: int
    lacking: Lacking
    folder: Tree
    output: str = ""

    def first(self, folder: Tree) -> str:
        """What lacks something; units of a pool make files in a folder, too."""
        if self.lacking is Lacking.IF_FAILED:
            return ""
        if self.lacking is Lacking.UNITS:
            return "What was made"
        if self.output or self.lacking is Lacking.OF_NO_UNIT:
            return self.output and shown(self.output)
        before = self.folder.entries
        new = (name for name, seen in folder.entries.items() if before.get(name) != seen)
        name = min(new, default="")
        return name and shown(name)


def kept(names: Sequence[str]) -> str:
    """What is kept, in a sentence."""
    return " and ".join(repr(name) for name in names[:2])


class Lacks:
    """``look`` sees what lies in the folder for outputs."""

    def __init__(self, look: Callable[[], Tree]) -> None:
        self._look = look
        self._said: list[_Said] = []

    def say(self, names: Sequence[str], units: int, lacking: Lacking) -> None:
        """So many units were left out, and what comes of units is kept under these names."""
        self._said.append(_Said(names, units, lacking, self._look()))

    def made(self, output: str, of_unit: bool) -> None:
        """An output was made."""
        for said in self._said:
            if said.lacking is Lacking.LATER or not of_unit:
                said.output = said.output or output

    def trouble(self, folder: Tree) -> KeptInMemory | None:
        """What to say where an output was made that lacks something; ``folder`` is it now."""
        for said in self._said:
            if output := said.first(folder):
                return _trouble(f"{output} would lack", said)
        return None

    def why_failed(self) -> KeptInMemory | None:
        """What to say where the job has failed, if that may be for what it lacks."""
        for said in self._said:
            if said.lacking is Lacking.IF_FAILED:
                return _trouble("The job failed and had looked for", said)
        return None


def _trouble(what: str, said: _Said) -> KeptInMemory:
    return KeptInMemory(
        f"{what} what {said.units} units done before had left in {kept(said.names)}, so all units"
        " are done again.",
        "Keep it in run.state, in the checkpoint folder, or in an output of each unit.",
    )
