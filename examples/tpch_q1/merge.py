"""Puts together what the shards of a run have published.

    python -m examples.tpch_q1.merge FOLDER RESULT      the partials anywhere below the folder

Each partial says which shard it is of and how many there are, so that none is left out unnoticed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from . import query

PARTIAL = "partial.json"
"""What a shard's output is called."""


@dataclass(frozen=True)
class OfShard:
    """The sums of the parts of one shard, counted from 0."""

    shard: int
    shards: int
    sums: query.Partial


class ShardsMissing(Exception):
    """The partials are not those of all shards of one run. The text is a sentence."""


def write(partial: OfShard, path: Path) -> None:
    """Write one down."""
    path.write_text(json.dumps(asdict(partial)), "utf-8")


def read(text: str) -> OfShard:
    """Return what :func:`write` wrote."""
    return OfShard(**json.loads(text))


def merged(partials: Iterable[OfShard]) -> list[tuple[str, ...]]:
    """Return the rows of the answer.

    Raises
    ------
    ShardsMissing
        Unless each shard is there once.
    """
    partials = list(partials)
    there = sorted((partial.shards, partial.shard) for partial in partials)
    if not there or there != [(there[0][0], number) for number in range(there[0][0])]:
        told = ", ".join(f"{number} of {count}" for count, number in there) or "none"
        raise ShardsMissing(f"a partial of each shard is needed; there are: {told}")
    return query.merged(partial.sums for partial in partials)


def main(arguments: Sequence[str]) -> int:
    """Merge the partials below a folder into one result."""
    parser = argparse.ArgumentParser(prog="python -m examples.tpch_q1.merge", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the outputs of all shards lie")
    parser.add_argument("result", type=Path, help="the file to write")
    options = parser.parse_args(arguments)
    try:
        partials = [read(path.read_text("utf-8")) for path in options.folder.rglob(PARTIAL)]
        query.write(merged(partials), options.result)
    except ShardsMissing as error:
        print(f"tpch_q1: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
