"""The key of a shard: made and read in one place, in order by name, never mistaken for a run's."""

from __future__ import annotations

import pytest

from steadyspot.contract.shards import MOST_SHARDS, shard_key, shard_of, shards_prefix

RUN_KEY = "20261124T020000Z"


@pytest.mark.parametrize("shard", [0, 7, 999, MOST_SHARDS - 1])
def test_a_shards_key_is_read_back(shard: int) -> None:
    key = shard_key(RUN_KEY, shard)
    assert key.startswith(shards_prefix(RUN_KEY))
    assert shard_of(key) == (RUN_KEY, shard)


def test_shards_stand_in_order_behind_their_run() -> None:
    keys = [RUN_KEY, *(shard_key(RUN_KEY, shard) for shard in range(0, MOST_SHARDS, 9))]
    assert keys == sorted(keys)


@pytest.mark.parametrize("key", ["", RUN_KEY, ".s0001", "a.s1", "a.s00001", "a.s-001", "a.s00²1"])
def test_no_other_key_is_a_shards(key: str) -> None:
    assert shard_of(key) is None


@pytest.mark.parametrize("shard", [-1, MOST_SHARDS])
def test_there_is_no_shard_beyond_what_the_digits_hold(shard: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 9999"):
        shard_key(RUN_KEY, shard)
