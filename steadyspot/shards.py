"""A shard of a run, and which units are its own: each unit belongs to one shard, whoever asks.

Of a list, a set or a dictionary a shard has every N-th unit in the order of their keys, so that the
order in which a machine lists them does not matter. Of what else has a length it has every N-th as
they come; of all the rest, of which nobody knows how many there are, those whose key's hash falls
to it. A test holds that nothing is left out and nothing is twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, Sized
from typing import Any, TypeVar

from steadyspot.contract import Env
from steadyspot.contract.shards import MOST_SHARDS

T = TypeVar("T")


class BadShard(ValueError):
    """The environment names no shard: one sentence what, one sentence what to do."""

    def __init__(self, sentence: str, todo: str) -> None:
        super().__init__(f"{sentence} {todo}")
        self.sentence = sentence
        self.todo = todo


class Shard:
    """One of ``count`` shards of a run; ``number`` is from 0 to below that."""

    def __init__(self, number: int = 0, count: int = 1) -> None:
        self.number = number
        self.count = count

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Shard:
        """The shard that the environment names, the only one where it names none.

        Raises ``BadShard``.
        """
        number, count = environ.get(Env.SHARD, ""), environ.get(Env.SHARDS, "")
        if not number and not count:
            return cls()
        if not number or not count:
            missing, there = (Env.SHARDS, Env.SHARD) if number else (Env.SHARD, Env.SHARDS)
            raise BadShard(f"{there} is set and {missing} is not.", "Set both of them, or neither.")
        shard = cls(whole(number), whole(count))
        if not 1 <= shard.count <= MOST_SHARDS:
            raise BadShard(
                f"{Env.SHARDS} is '{count}'.", f"Give a whole number from 1 to {MOST_SHARDS}."
            )
        if not 0 <= shard.number < shard.count:
            raise BadShard(
                f"{Env.SHARD} is '{number}'.",
                f"Give a whole number from 0 to {shard.count - 1}, since {Env.SHARDS} is {count}.",
            )
        return shard

    def environment(self) -> dict[str, str]:
        """The variables that name it."""
        return {Env.SHARD: str(self.number), Env.SHARDS: str(self.count)}

    def share(self, total: int) -> int:
        """How many of so many units are its own, where every N-th is."""
        return len(range(self.number, total, self.count))

    def own(self, units: Iterable[Any], named: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """Those of the units with their keys that are its own, in the order in which they come.

        ``units``: where they come from, which says whether they have a length and an order.
        """
        if self.count == 1:
            yield from named
        elif is_held(units):
            pairs = list(named)
            names = set(sorted(name for name, _ in pairs)[self.number :: self.count])
            yield from (pair for pair in pairs if pair[0] in names)
        elif isinstance(units, Sized):
            for position, pair in enumerate(named):
                if position % self.count == self.number:
                    yield pair
        else:
            yield from (pair for pair in named if shard_by_hash(pair[0], self.count) == self.number)


def is_held(units: Iterable[Any]) -> bool:
    """Whether all units lie in memory already; a range makes its own when they are asked for."""
    return isinstance(units, Sequence | Set | Mapping) and not isinstance(units, range)


def shard_by_hash(key: str, count: int) -> int:
    """The number of the shard to which a key falls: the same in every process and release."""
    import hashlib  # The worker, which is to start at once, reads a shard and needs no hash.

    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % count


def whole(text: str) -> int:
    """The whole number that a text is, -1 where it is none of plain digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
