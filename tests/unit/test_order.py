"""The order of the tests of a run: ``tests/order.py``."""

from __future__ import annotations

import pytest

from tests.order import dealt

SHORT = [(f"s{number}", "short", 60.0) for number in range(20)]
LONG = [("a1", "a", 300.0), ("a2", "a", 300.0), ("b1", "b", 600.0), ("c1", "c", 180.0)]


def test_what_may_take_longest_stands_in_front_of_each_share_file_by_file() -> None:
    order = dealt([*SHORT[:15], *LONG, *SHORT[15:]], 2, 120.0)
    assert order[:2] == ["b1", "c1"]
    assert order[12:14] == ["a1", "a2"]
    assert [one for one in order if one[0] == "s"] == [name for name, *_ in SHORT]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("tests", [[], SHORT, LONG, [*LONG, *SHORT], SHORT[:2]])
def test_every_test_is_run_once(tests: list[tuple[str, str, float]], workers: int) -> None:
    order = dealt(tests, workers, 120.0)
    assert sorted(order) == sorted(name for name, *_ in tests)
