"""Shows work on many stacks: what is under way in one line each, and in one line how each ended.

On a terminal the lines of what is under way are drawn anew below those that have ended. Piped, a
line says that a stack began, and one how it ended.
"""

from __future__ import annotations

import io
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.plain import plain

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.changes import Plan
    from steadyspot.deploy.stacks.following import Event


class UnderWay:
    """The stacks that a command works on at the same time.

    Parameters
    ----------
    screen
        Gets the lines.
    whole
        How many stacks there are.
    """

    def __init__(self, screen: Screen, whole: int) -> None:
        self._screen = screen
        self._whole = whole
        self._ended = 0
        self._lines: dict[str, str] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._live = self._screen.live()
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._live:
            self._live.update(Text(""))
            self._live.stop()
        if isinstance(error, KeyboardInterrupt) and self._lines:
            names = ", ".join(sorted(self._lines))
            self._screen.say(f"What goes on at AWS: {names}.", "yellow")

    def screen_of(self, stack: str) -> Screen:
        """Return a screen for the work on one stack, which shows up in its line."""
        return _Line(self, stack)

    def tell(self, stack: str, text: str) -> None:
        """Say what is under way with a stack."""
        with self._lock:
            begins = stack not in self._lines
            self._lines[stack] = text
            if self._live:
                self._live.update(self._table(), refresh=True)
            elif begins:
                self._screen.say(f"{stack}: {text}")

    def end(self, stack: str, text: str, style: str = "") -> None:
        """Say how a stack's work ended."""
        with self._lock:
            self._lines.pop(stack, None)
            self._ended += 1
            self._screen.say(f"{stack}: {text}", style)
            if self._live:
                self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for stack, text in self._lines.items():
            table.add_row(Text(plain(stack)), Text(plain(text), style="dim"))
        table.add_row(f"{self._ended} of {self._whole}", "")
        return table


class _Line(Screen):
    """What the work on one stack would print, as far as a line has room for it."""

    def __init__(self, lines: UnderWay, stack: str) -> None:
        super().__init__(Console(file=io.StringIO()))
        self._lines = lines
        self._stack = stack

    def heading(self, text: str) -> None:
        """Say that it begins."""
        self._lines.tell(self._stack, "looked at")

    def plan(self, plan: Plan) -> None:
        """Say how much changes."""
        self._lines.tell(self._stack, f"{len(plan.changes)} changes")

    def stack_event(self, event: Event) -> None:
        """Say which resource it is at."""
        self._lines.tell(self._stack, f"{event.resource} {event.status.lower().replace('_', ' ')}")
