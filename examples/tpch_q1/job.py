"""The job: a part after the other, then the merge.

What each part came to is small and goes into the run's state, which becomes durable together with
the mark that the part is done; so a later attempt has the partials of earlier ones, and begins
behind them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from . import query
from .source import Source

RESULT = "result.csv"


class Run(Protocol):
    """What the job needs of ``steadyspot.Run``."""

    @property
    def state(self) -> dict[str, Any]:
        """What is kept from attempt to attempt."""

    def remaining(self, units: Iterable[int]) -> Iterator[int]:
        """Give the units that no attempt has done."""

    def output(self, name: str) -> AbstractContextManager[Path]:
        """Give a path to write an output to."""


def work(
    run: Run,
    source: Source,
    *,
    parts: int,
    pause_seconds: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Do the parts that are left and write the answer to query 1 as output ``result.csv``.

    ``pause_seconds`` is how long each part takes longer than it need, to be caught in the middle.

    Raises
    ------
    InputMissing, InputUnreachable
        When a part can't be had.
    """
    for number in run.remaining(range(1, parts + 1)):
        with source.part(number) as part:
            partial = query.partial_of(part)
        sleep(pause_seconds)
        run.state.setdefault("partials", {})[str(number)] = partial
        rows = sum(int(numbers[-1]) for numbers in partial.values())
        say(f"part {number} of {parts}: {rows} rows summed")
    with run.output(RESULT) as path:
        query.write(query.merged(run.state["partials"].values()), path)
    say(f"{RESULT}: the sums of {parts} parts merged")
