"""What ``run.state`` may be, and whose a change of it is, since it becomes durable with a mark.

Nothing here makes it durable; what is refused says what to do instead.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import Any

from steadyspot.errors import Misused, RunError
from steadyspot.in_hand import InHand, is_child_of_python
from steadyspot.protocol import STATE_BYTES


class State:
    """Looks whose a change of ``run.state`` is, which becomes durable with a unit's mark.

    ``read`` gives the state. Changes are told by its JSON. A change that is of none or of several
    of those in hand would be lost or counted twice once some of them are done again, and what a
    child changes is seen by no other process.
    """

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._in_hand: set[InHand] = set()
        self._pid = os.getpid()
        self._saved = self._ended = self._text()
        self._before: str | None = None

    def begin(self, unit: InHand) -> None:
        """A unit is begun. Raises ``Misused``."""
        with self._lock:
            self._check()
            self._in_hand = {one for one in self._in_hand if one.pid == unit.pid} | {unit}
            self._look()

    def check(self) -> None:
        """Raise ``Misused`` where it was changed while units are done side by side."""
        with self._lock:
            self._check()

    def leave(self, unit: InHand) -> None:
        """A unit is in hand no more."""
        with self._lock:
            self._in_hand.discard(unit)
            self._look()

    def changed(self) -> bool:
        """Whether it was changed since this was asked for last, as a unit ended."""
        before, self._ended = self._ended, self._text()
        return self._ended != before

    def unsaved(self) -> list[Any]:
        """The state, if it is to be saved. Raises ``Misused``."""
        if self._text() == self._saved:
            return []
        if os.getpid() != self._pid or is_child_of_python():
            raise Misused(
                "run.state was changed in a child process, where no other sees it. Return what a"
                " unit yields to the parent, or write it into an output of the unit."
            )
        return [self._read()]

    def saved(self, state: list[Any]) -> None:
        """What ``unsaved`` gave is durable."""
        if state:
            self._saved = self._text()

    def _text(self) -> str:
        try:
            return json.dumps(self._read())
        except (TypeError, ValueError, RecursionError, RuntimeError):
            return ""  # It is refused when it is to be saved, or is being changed this moment.

    def _look(self) -> None:
        if not self._is_side_by_side():
            self._before = None
        elif self._before is None:
            self._before = self._text()

    def _check(self) -> None:
        if self._before is not None and self._text() != self._before:
            raise Misused(
                "run.state was changed while units are done side by side: whose change that is"
                " cannot be told, so that it would be lost or counted twice after an interruption."
                " Write what each yields into an output of it, and put them together at the end."
            )

    def _is_side_by_side(self) -> bool:
        """Whether units are in hand that do not lie within each other."""
        outer = {one.outer for one in self._in_hand}
        return len(self._in_hand - outer) > 1


def plain(state: Any) -> Any:
    """The state, if it comes back from JSON as it is. Raises ``RunError``."""
    try:
        size = len(json.dumps(state))
    except (TypeError, ValueError, RecursionError) as error:
        raise RunError(f"run.state is not JSON: {error}. Keep plain values in it.") from None
    if size > STATE_BYTES:
        raise RunError(
            f"run.state is too large: {size} bytes of JSON, {STATE_BYTES} at most."
            " Write what is large into an output or a checkpoint folder."
        )
    _check_names(state)
    return state


def _check_names(value: Any) -> None:
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise RunError(
                    f"run.state has the key {name!r}, which JSON would make a text."
                    " Use texts as keys of dictionaries."
                )
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            _check_names(one)
