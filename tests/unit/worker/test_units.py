"""Keys of units: the same for the same unit at every attempt, another one for another type."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from steadyspot.units import Ambiguous, NoKey, Process, key_of, owner


class Colour(Enum):
    RED = 1


class Shade(Enum):
    RED = 1


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    ONE = "1"


class Bits(Flag):
    A = 1
    B = 2


NOON = datetime.fromisoformat("2026-01-01T12:00")
UNITS: list[Any] = [
    1, 1.0, True, "1", "true", "1.0", None, "null", "", "a", "ä", "\ud800", '"1"', Decimal("1"),
    Fraction(1), 1 + 0j, b"1", [1], ["1"], [[1]], [], {"1": 1}, {1: 1}, {}, frozenset([1]),
    Colour.RED, Shade.RED, Number.ONE, Word.ONE, Bits.A, Bits.A | Bits.B, "Colour.RED",
    date(2026, 1, 1), NOON, NOON.astimezone(UTC), time(1), timedelta(1),
    "2026-01-01", "date(2026-01-01)", UUID(int=1), str(UUID(int=1)), Path("a"), Path("a/b"), 10**30,
    1e300, -0.5,
]  # fmt: skip


def test_units_of_different_types_have_different_keys() -> None:
    for one, other in itertools.combinations(UNITS, 2):
        assert key_of(one) != key_of(other), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "a"), [1, "a"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"b", "a", "c"}, {"c", "b", "a"}),
        (Path("a/b"), PurePosixPath("a/b")),
    ],
)
def test_units_that_are_the_same_have_one_key(one: Any, other: Any) -> None:
    assert key_of(one) == key_of(other)


def test_scalars_of_numpy_have_the_keys_of_what_they_stand_for() -> None:
    np = pytest.importorskip("numpy")
    assert key_of(np.int64(5)) == key_of(np.uint8(5)) == key_of(5)
    assert key_of(np.float64(0.5)) == key_of(np.float32(0.5)) == key_of(0.5)
    assert key_of(np.str_("a")) == key_of("a")
    assert key_of(np.bool_(True)) == key_of(True)
    days = [np.datetime64("2026-01-01"), np.datetime64(1, "ns"), np.timedelta64(1, "ns"), 1]
    assert len({key_of(day) for day in days}) == len(days)
    for bad in (np.float64("nan"), np.datetime64("NaT"), np.array([1, 2])):
        with pytest.raises(NoKey):
            key_of(bad)


@dataclass(frozen=True)
class Scalar:
    """What a scalar of pandas looks like: it tells its module, and is its own value."""

    text: str

    def __str__(self) -> str:
        return self.text


def test_scalars_of_pandas_have_keys_and_those_for_nothing_do_not() -> None:
    period = type("Period", (Scalar,), {"__module__": "pandas._libs.tslibs.period"})
    missing = type("NAType", (Scalar,), {"__module__": "pandas._libs.missing"})
    stamp = type("Timestamp", (datetime,), {"__module__": "pandas._libs.tslibs.timestamps"})

    assert key_of(period("2026-01")) != key_of(period("2026-02")) != key_of("2026-01")
    assert key_of(stamp(2026, 1, 1, 12)) == key_of(NOON)
    with pytest.raises(NoKey):
        key_of(missing("<NA>"))


@pytest.mark.parametrize("unit", [object(), float("nan"), [object()], lambda: 0, iter([])])
def test_what_has_no_stable_key_is_refused(unit: Any) -> None:
    with pytest.raises(NoKey):
        key_of(unit)


@dataclass(frozen=True)
class Unit:
    key: str
    process: Process


def test_unit_of_the_nearest_process_is_the_owner() -> None:
    """Of the process of this test and of its parent."""
    mine = Unit("mine", Process.of(os.getpid()))
    parents = Unit("parent's", Process.of(os.getppid()))

    assert owner([mine, parents], os.getpid()) is mine
    assert owner([parents], os.getpid()) is parents
    assert owner([parents, mine], os.getppid()) is parents
    assert owner([mine], os.getppid()) is None, "it waits for what is below it"
    assert owner([], os.getpid()) is None
    with pytest.raises(Ambiguous, match="mine and second"):
        owner([mine, Unit("second", mine.process)], os.getpid())


def test_a_process_that_came_after_one_with_its_number_is_another() -> None:
    now = Process.of(os.getpid())

    assert now.lives()
    assert not Process(now.pid, "7").lives()
    assert not Process(2**22 + 1, "").lives()
