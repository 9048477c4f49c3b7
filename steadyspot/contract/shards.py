"""Shards: one run worked off by many tasks, each by an execution of its own with a key of its own.

The key of a shard is that of its run, ``.s`` and the number of the shard in four digits, counted
from 0: ``20261124T020000Z.s0007``. So the keys of a run's shards stand in order behind the run's
own, in the table, in the bucket and in every list, and a query finds them by how they begin.
"""

from __future__ import annotations

MOST_SHARDS = 10_000
"""As many as four digits can number, which is how many a Distributed Map runs at once at most."""

LIST_OF_SHARDS = "shards-"
"""How the name of a list begins of what so many shards have made, beside the completion record."""

_MARK, _DIGITS = ".s", 4
SHARD_SUFFIX_CHARACTERS = len(_MARK) + _DIGITS
"""By which the key of a shard is longer than that of its run."""


def shards_prefix(run_key: str) -> str:
    """Return how the keys of all shards of a run begin."""
    return run_key + _MARK


def shard_key(run_key: str, shard: int) -> str:
    """Return the key of a shard of a run, the first of which is 0.

    Raises
    ------
    ValueError
        When there can be no shard of that number.
    """
    if not 0 <= shard < MOST_SHARDS:
        raise ValueError(f"A shard has a number from 0 to {MOST_SHARDS - 1}, not {shard}.")
    return f"{shards_prefix(run_key)}{shard:0{_DIGITS}}"


def shard_of_execution(name: str) -> tuple[str, int] | None:
    """Return the run and the number of the shard that an execution of such a name works off.

    The name is the shard's key, a dot, and how often its run had been claimed; where the shard goes
    on in another execution, a dot and how often the shard itself has been claimed then follow.
    """
    key, dot, claims = name.rpartition(".")
    if not dot or not claims.isdecimal():
        return None
    return shard_of(key) or shard_of_execution(key)


def shard_of(key: str) -> tuple[str, int] | None:
    """Return the run that a key is a shard of, and the shard's number; None where it is none."""
    run_key, mark, number = key.rpartition(_MARK)
    is_number = len(number) == _DIGITS and number.isascii() and number.isdecimal()
    return (run_key, int(number)) if run_key and mark and is_number else None
