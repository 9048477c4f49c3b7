"""The job: a part after the other, then the merge; a shard does its own parts and adds them up.

What each part came to is small and goes into the run's state, which becomes durable together with
the mark that the part is done; so a later attempt has the partials of earlier ones, and begins
behind them. What the shards have written, ``merge`` puts together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from . import merge, query
from .source import Source

RESULT = "result.csv"


class Run(Protocol):
    """What the job needs of ``steadyspot.Run``."""

    @property
    def shard(self) -> int:
        """Which shard it is, from 0."""

    @property
    def shards(self) -> int:
        """How many there are."""

    @property
    def state(self) -> dict[str, Any]:
        """What is kept from attempt to attempt."""

    def remaining(self, units: Iterable[int]) -> Iterator[int]:
        """Give the shard's own units that no attempt has done."""

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

    A shard of several writes what the answer is merged from, as output ``partial.json``.
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
    partials = run.state.get("partials", {}).values()  # A shard may have no part.
    if run.shards > 1:
        with run.output(merge.PARTIAL) as path:
            merge.write(merge.OfShard(run.shard, run.shards, query.added(partials)), path)
        say(f"{merge.PARTIAL}: the sums of {len(partials)} of {parts} parts")
        return
    with run.output(RESULT) as path:
        query.write(query.merged(partials), path)
    say(f"{RESULT}: the sums of {parts} parts merged")
