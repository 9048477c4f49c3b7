"""The units that a loop leaves out, since they were done before, and what outputs lack for that."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from steadyspot.contract import Env

if TYPE_CHECKING:
    from steadyspot.carried import Carried


class LeftOut:
    """Keys of one loop's units, in order; ``say`` is told what the program keeps in variables.

    By names, of how many units, and whether for units of the loop alone.
    """

    def __init__(self, say: Callable[[list[str], int, bool], None]) -> None:
        self.keys: list[str] = []
        self._say = say
        self._carried: Carried | None = None

    def add(self, key: str) -> None:
        """Leave out a unit; called where the loop asks for the next one."""
        if not self.keys:
            from steadyspot.carried import Carried  # Only after a stop, and it loads a parser.
            from steadyspot.own_code import files_of_job

            self._carried = Carried(files_of_job())
        self.keys.append(key)

    def loop_is_over(self, state: object, *, ran: bool, each_made: bool) -> None:
        """Say what is lacking from now on, unless the job keeps it in its state or in a folder.

        ``ran``: other units were done; ``each_made``: each of them made something.
        """
        if self._carried and not state and not _has_checkpoint():
            if names := self._carried.names(ran=ran, all_made=each_made):
                self._say(names, len(self.keys), False)
            if ran and each_made and (names := self._carried.names_by_units()):
                self._say(names, len(self.keys), True)


def _has_checkpoint() -> bool:
    folder = os.environ.get(Env.CHECKPOINT_DIR)
    if not folder:
        return False
    with contextlib.suppress(OSError):
        return bool(os.listdir(folder))
    return False
