"""How measures are shown: a row for each, in a table that says what must be reached."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.table import Table

Measure = TypeVar("Measure", bound=Callable[..., object])

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


def chosen(
    arguments: list[str], measures: Sequence[Measure], about: str | None
) -> tuple[list[Measure], bool]:
    """Those of a section's measures that are named, all where none is; and whether ``--full``."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--full", action="store_true", help="the long numbers")
    parser.add_argument("names", nargs="*", help=", ".join(m.__name__ for m in measures))
    given = parser.parse_args(arguments)
    wanted = [m for m in measures if not given.names or m.__name__ in given.names]
    return wanted, given.full
