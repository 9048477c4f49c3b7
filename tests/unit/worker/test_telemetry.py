"""Metrics have the shape that CloudWatch reads, and each just the dimensions it is asked by."""

from __future__ import annotations

import pytest

from steadyspot.contract.metrics import CAPACITY, CAUSE, FINISHED, JOB, LATE, OUTCOME
from steadyspot.worker.telemetry import Times, embedded_metrics, money, of_run, refused

DIMENSIONS = {JOB: "night", CAPACITY: "spot", CAUSE: "finished", OUTCOME: FINISHED}


def test_a_line_names_each_metric_with_its_unit_and_its_own_dimensions() -> None:
    metrics = {
        (JOB, CAPACITY): {"LostSeconds": 1.5, "Cost": 0.1},
        (JOB, CAUSE): {"Attempts": 1.0},
        (JOB, OUTCOME): {},
        (JOB,): {"GracePercent": 40.0},
    }
    line = embedded_metrics(DIMENSIONS, metrics, 2)

    blocks = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 2000
    assert {block["Namespace"] for block in blocks} == {"Steadyspot"}
    assert [
        (block["Dimensions"], {m["Name"]: m["Unit"] for m in block["Metrics"]}) for block in blocks
    ] == [
        ([["Job", "Capacity"]], {"LostSeconds": "Seconds", "Cost": "Count"}),
        ([["Job", "Cause"]], {"Attempts": "Count"}),
        ([["Job"]], {"GracePercent": "Percent"}),
    ]
    assert all(line[m["Name"]] is not None for block in blocks for m in block["Metrics"])
    assert all(line[name] for block in blocks for names in block["Dimensions"] for name in names)


PRICES = "1024 2 0.04 0.005 0.7"
SECOND = 0.05 / 3600


def test_an_attempt_costs_its_seconds_and_saves_what_they_would_have_cost_on_demand() -> None:
    on_spot = money(PRICES, "spot", 3600, 600)
    assert on_spot["Cost"] == pytest.approx(0.05 * 0.3)
    assert on_spot["Saved"] == pytest.approx(3000 * SECOND - 0.05 * 0.3)
    on_demand = money(PRICES, "on-demand", 3600, 0)
    assert on_demand["Cost"] == pytest.approx(0.05)
    assert on_demand["Saved"] == 0


@pytest.mark.parametrize("prices", ["", "1024", "a b c d e", "1 2 3 4 5 6"])
def test_without_prices_no_money_is_told(prices: str) -> None:
    assert money(prices, "spot", 3600, 0) == {}


def test_the_first_attempt_says_when_a_run_began_and_the_last_when_it_ended() -> None:
    times = Times(began=130.0, ended=190.0, scheduled=100.0, deadline=None)
    assert of_run(times, first=True, finished=False) == (FINISHED, {}, {"StartDelaySeconds": 30})
    assert of_run(times, first=False, finished=True) == (
        FINISHED,
        {"Runs": 1},
        {"FinishDelaySeconds": 90},
    )
    assert of_run(times._replace(began=None), first=True, finished=False)[2] == {}
    assert of_run(times._replace(scheduled=None), first=True, finished=True)[2] == {}


@pytest.mark.parametrize(
    ("deadline", "outcome"), [(None, FINISHED), (200.0, FINISHED), (189.0, LATE)]
)
def test_a_run_behind_its_deadline_is_late(deadline: float | None, outcome: str) -> None:
    times = Times(began=130.0, ended=190.0, scheduled=100.0, deadline=deadline)
    assert of_run(times, first=True, finished=True)[0] == outcome


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("", []),
        ("spot/no-capacity=3", [("spot", "no-capacity", 3)]),
        (
            "spot/no-capacity=3 on-demand/vcpu-limit=12",
            [("spot", "no-capacity", 3), ("on-demand", "vcpu-limit", 12)],
        ),
        (
            "spot/no-capacity=x spot=1 /=1 spot/=1 nonsense = spot/throttled=1",
            [("spot", "throttled", 1)],
        ),
    ],
)
def test_launches_that_came_to_nothing_are_read_and_nonsense_is_passed_over(
    told: str, found: list[tuple[str, str, float]]
) -> None:
    assert list(refused(told)) == found
