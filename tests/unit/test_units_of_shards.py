"""The units of shards: each unit is one shard's, the same one on every attempt and machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.contract import Env
from steadyspot.contract.shards import MOST_SHARDS
from steadyspot.local_shards import NotHere, wanted
from steadyspot.shards import BadShard, Shard, is_held, shard_by_hash
from steadyspot.units import key_of

ROOT = Path(__file__).parents[2]
COUNTS = st.integers(1, 50)
UNITS = st.lists(
    st.one_of(
        st.integers(), st.text(), st.dates(), st.datetimes(), st.uuids(), st.booleans(),
        st.tuples(st.integers(), st.text()), st.binary(), st.decimals(allow_nan=False),
    ),
    unique_by=key_of,
    max_size=120,
)  # fmt: skip


class Array:
    """What has a length and gives its units when it is asked, as an array does."""

    def __init__(self, units: list[Any]) -> None:
        self._units = units

    def __len__(self) -> int:
        return len(self._units)

    def __iter__(self) -> Any:
        return iter(self._units)


FORMS: dict[str, Callable[[list[Any]], Iterable[Any]]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "dictionary": dict.fromkeys,
    "view": lambda units: dict.fromkeys(units).keys(),
    "array": Array,
    "generator": iter,
}


def own(shard: Shard, units: Iterable[Any]) -> list[Any]:
    return [unit for _, unit in shard.own(units, ((key_of(unit), unit) for unit in units))]


def keys(units: Iterable[Any]) -> list[str]:
    return [key_of(unit) for unit in units]


def of_each(form: str, units: list[Any], count: int) -> list[list[Any]]:
    """The keys of the units of each shard."""
    # All list them in one order; the keys are made once, not for each shard anew.
    pairs = [(key_of(unit), unit) for unit in FORMS[form](units)]
    shards = (Shard(number, count).own(FORMS[form](units), iter(pairs)) for number in range(count))
    return [[key for key, _ in part] for part in shards]


@pytest.mark.parametrize("form", FORMS)
@given(units=UNITS, count=COUNTS)
def test_each_unit_is_of_one_shard_and_shares_are_equal_where_the_length_is_known(
    form: str, units: list[Any], count: int
) -> None:
    # Equal ones of different types are one in a set or dictionary.
    there = keys(FORMS[form](units))
    parts = of_each(form, units, count)

    assert sorted(key for part in parts for key in part) == sorted(there)
    assert all(part == [key for key in there if key in part] for part in parts), "order is kept"
    if form != "generator":
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert sizes == [Shard(number, count).share(len(there)) for number in range(count)]


@pytest.mark.parametrize("form", ["list", "set", "dictionary", "generator"])
@given(units=UNITS, count=COUNTS, random=st.randoms(use_true_random=False))
def test_the_order_in_which_a_machine_lists_the_units_does_not_matter(
    form: str, units: list[Any], count: int, random: Any
) -> None:
    units = list(dict.fromkeys(units))
    shuffled = random.sample(units, len(units))

    one, other = of_each(form, units, count), of_each(form, shuffled, count)
    assert [sorted(part) for part in one] == [sorted(part) for part in other]


@given(units=UNITS, more=UNITS, count=COUNTS)
def test_a_unit_of_a_generator_stays_with_its_shard_whatever_comes_with_it(
    units: list[Any], more: list[Any], count: int
) -> None:
    there = set(keys(units))
    joined = units + [unit for unit in more if key_of(unit) not in there]

    for before, after in zip(
        of_each("generator", units, count), of_each("generator", joined, count), strict=True
    ):
        assert before == [key for key in after if key in there]


def test_a_range_makes_its_units_as_they_are_asked_for() -> None:
    shard = Shard(3, 1000)
    units = range(10**12)
    first = shard.own(units, ((key_of(unit), unit) for unit in units))
    assert [next(first)[1], next(first)[1]] == [3, 1003]
    assert not is_held(units)


def test_hashes_spread_units_and_are_the_same_in_every_release() -> None:
    names = [f"2026/11/{number:05}.parquet" for number in range(10_000)]
    sizes = [0] * 10
    for name in names:
        sizes[shard_by_hash(key_of(name), 10)] += 1
    assert min(sizes) > 900
    assert [shard_by_hash(key_of(unit), 1000) for unit in (1, "1", date(2026, 1, 1), "\udc80")] == [
        shard_by_hash(text, 1000) for text in ("1", '"1"', "date(2026-01-01)", '"\\udc80"')
    ]
    assert [shard_by_hash(text, MOST_SHARDS) for text in ("1", '"a"', "\udc80")] == [
        2913,
        6349,
        7345,
    ]


def test_units_are_the_same_in_processes_whose_own_hashes_differ() -> None:
    program = (
        "from steadyspot.shards import Shard\n"
        "from steadyspot.units import key_of\n"
        "units = {'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'}\n"
        "for form in (units, list(units), iter(units)):\n"
        "    pairs = [(key_of(unit), unit) for unit in units]\n"
        "    print(sorted(unit for _, unit in Shard(1, 3).own(form, pairs)))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1, said
    assert said.pop().count("\n") == 3


def test_the_environment_names_a_shard_or_none() -> None:
    for environ in ({}, {Env.SHARD: "", Env.SHARDS: ""}, {Env.SHARD: "0", Env.SHARDS: "1"}):
        shard = Shard.read({str(name): value for name, value in environ.items()})
        assert (shard.number, shard.count) == (0, 1)
    shard = Shard.read({Env.SHARD: "9999", Env.SHARDS: "10000"})
    assert (shard.number, shard.count) == (9999, MOST_SHARDS)
    assert Shard.read(shard.environment()).number == 9999


@pytest.mark.parametrize(
    ("number", "count", "says"),
    [
        ("4", "4", "STEADYSPOT_SHARD is '4'. Give a whole number from 0 to 3"),
        ("-1", "4", "STEADYSPOT_SHARD is '-1'"),
        ("1.0", "4", "STEADYSPOT_SHARD is '1.0'"),
        ("٣", "4", "STEADYSPOT_SHARD is '٣'"),
        ("0", "0", "STEADYSPOT_SHARDS is '0'. Give a whole number from 1 to 10000"),
        ("0", "10001", "STEADYSPOT_SHARDS is '10001'"),
        ("0", "four", "STEADYSPOT_SHARDS is 'four'"),
        ("", "4", "STEADYSPOT_SHARDS is set and STEADYSPOT_SHARD is not"),
        ("4", "", "STEADYSPOT_SHARD is set and STEADYSPOT_SHARDS is not"),
    ],
)
def test_what_is_no_shard_is_refused_in_a_sentence(number: str, count: str, says: str) -> None:
    with pytest.raises(BadShard) as bad:
        Shard.read({Env.SHARD: number, Env.SHARDS: count})
    assert says in str(bad.value)
    assert bad.value.todo


@given(st.dictionaries(st.uuids(), st.datetimes(), max_size=50), COUNTS)
def test_pairs_of_a_dictionary_are_units_too(units: dict[UUID, datetime], count: int) -> None:
    parts = [own(Shard(number, count), units.items()) for number in range(count)]
    assert {pair for part in parts for pair in part} == set(units.items())
    assert sum(map(len, parts)) == len(units)


@pytest.mark.parametrize("asked", ["0", "-1", "101", "many", "2.0", " 2"])
def test_as_many_local_shards_as_there_cannot_be_are_refused(asked: str) -> None:
    with pytest.raises(NotHere, match=f"is '{asked}'. Give a whole number from 1 to 100"):
        wanted({Env.LOCAL_SHARDS: asked})


def test_a_program_starts_shards_where_it_is_none_itself() -> None:
    assert [wanted({Env.LOCAL_SHARDS: asked}) for asked in ("", "1", "2", "100")] == [0, 0, 2, 100]
    assert wanted({Env.LOCAL_SHARDS: "4", Env.SHARD: "0"}) == 0
    assert wanted({}) == 0
