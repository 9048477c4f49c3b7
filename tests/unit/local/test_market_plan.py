"""What the market decides, with a clock that stands still until it is moved."""

from __future__ import annotations

import pytest

from steadyspot.deploy.local.market import ON_DEMAND, SPOT, Market, Refusal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_plan_everything_is_granted() -> None:
    market = Market()
    assert market.decide("job", SPOT) is None
    assert [(entry.what, entry.family, entry.capacity) for entry in market.log()] == [
        ("granted", "job", SPOT)
    ]


def test_plans_are_used_in_order_and_by_family_and_capacity() -> None:
    market = Market()
    market.refuse("job", times=1, how="slow")
    market.refuse("*", times=1, how=Refusal.THROTTLED)
    market.refuse("job", times=1, how=Refusal.FAILURES, capacity=ON_DEMAND)
    assert market.decide("other", SPOT) is Refusal.THROTTLED
    assert market.decide("other", SPOT) is None
    assert market.decide("job", ON_DEMAND) is Refusal.FAILURES
    assert market.decide("job", SPOT) is Refusal.SLOW
    assert market.decide("job", SPOT) is None


def test_a_plan_in_unknown_words_is_refused() -> None:
    with pytest.raises(ValueError, match="politely"):
        Market().refuse("job", times=1, how="politely")


def test_a_reclaim_is_planned_for_spot_only_and_used_up() -> None:
    market = Market()
    market.reclaim_after("job", 5.0)
    assert market.reclaim_delay("job", ON_DEMAND) is None
    assert market.reclaim_delay("other", SPOT) is None
    assert market.reclaim_delay("job", SPOT) == 5.0
    assert market.reclaim_delay("job", SPOT) is None


def test_a_series_holds_each_value_for_its_gap_and_the_last_for_good() -> None:
    clock = Clock()
    market = Market(clock=clock)
    market.follow([0, 1, 0], 600, how="stopped-before-start")
    seen = []
    for _ in range(5):
        seen.append(market.decide("job", SPOT))
        clock.now += 600
    refused = Refusal.STOPPED_BEFORE_START
    assert seen == [refused, None, refused, refused, refused]
    assert market.decide("job", ON_DEMAND) is None
    market.clear()
    assert market.decide("job", SPOT) is None


@pytest.mark.parametrize(("series", "gap"), [([], 600), ([1], 0)])
def test_a_series_needs_values_and_a_gap(series: list[int], gap: float) -> None:
    with pytest.raises(ValueError, match="series"):
        Market().follow(series, gap)


def test_clearing_forgets_plans_and_keeps_the_log() -> None:
    market = Market()
    market.refuse("job", times=3, how="failures")
    market.reclaim_after("job", 1)
    market.decide("job", SPOT)
    market.clear()
    assert market.decide("job", SPOT) is None
    assert market.reclaim_delay("job", SPOT) is None
    assert [entry.what for entry in market.log()] == ["refused", "granted"]


def test_a_reclaim_of_nothing_is_false() -> None:
    assert Market().reclaim("arn:aws:ecs:us-east-1:123456789012:task/c/none") is False
