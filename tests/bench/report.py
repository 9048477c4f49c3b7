"""How measures are shown: a row for each, in a table that says what must be reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=110)
_MARKS = {None: "", True: "yes", False: "NO"}


@dataclass(frozen=True)
class Row:
    """One line of the table; ``reached`` is none where there is nothing to reach."""

    what: str
    measured: str
    must: str = ""
    reached: bool | None = None


def report(title: str, rows: Iterable[Row]) -> int:
    """Print rows as a table; 1 when something was not reached."""
    table = Table("measure", "measured", "must reach", "", title=title)
    missed = 0
    for row in rows:
        table.add_row(row.what, row.measured, row.must, _MARKS[row.reached])
        missed += row.reached is False
    CONSOLE.print(table)
    return min(missed, 1)
