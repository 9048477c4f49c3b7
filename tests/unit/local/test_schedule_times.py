"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.schedules.expressions import BadExpression

BEGUN = datetime(2026, 11, 24, 2, 0, 30, 500, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(timing: Timing, count: int) -> list[datetime]:
    found: list[datetime] = []
    last: datetime | None = None
    while len(found) < count and (last := next_due(timing, last)) is not None:
        found.append(last)
    return found


def test_a_one_time_schedule_is_due_once_at_its_wall_clock_time() -> None:
    timing = Timing("at(2026-11-24T05:00:00)", "Europe/Berlin", BEGUN)
    assert dues(timing, 5) == [at("2026-11-24T04:00:00")]


@pytest.mark.parametrize(("seconds_ago", "due"), [(59, True), (61, False)])
def test_a_one_time_schedule_of_the_last_minute_still_fires(seconds_ago: int, due: bool) -> None:
    then = BEGUN.replace(microsecond=0) - timedelta(seconds=seconds_ago)
    timing = Timing(f"at({then:%Y-%m-%dT%H:%M:%S})", "UTC", BEGUN)
    assert (next_due(timing, None) is not None) is due


def test_a_one_time_schedule_ignores_start_and_end() -> None:
    timing = Timing(
        "at(2026-11-24T05:00:00)",
        "UTC",
        BEGUN,
        at("2027-01-01T00:00:00"),
        at("2026-01-01T00:00:00"),
    )
    assert next_due(timing, None) == at("2026-11-24T05:00:00")


def test_a_rate_without_a_start_begins_at_once() -> None:
    assert dues(Timing("rate(5 minutes)", "UTC", BEGUN), 3) == [
        at("2026-11-24T02:00:30"),
        at("2026-11-24T02:05:30"),
        at("2026-11-24T02:10:30"),
    ]


def test_a_rate_begins_at_its_start() -> None:
    timing = Timing("rate(1 day)", "UTC", BEGUN, start=at("2026-12-01T00:00:00"))
    assert dues(timing, 2) == [at("2026-12-01T00:00:00"), at("2026-12-02T00:00:00")]


def test_a_rate_whose_start_has_passed_keeps_its_beat() -> None:
    timing = Timing("rate(1 hour)", "UTC", BEGUN, start=at("2026-11-24T00:10:00"))
    assert next_due(timing, None) == at("2026-11-24T02:10:00")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # To come, passed on the beat, passed off it, passed by less than a step.
        ("24T03:00:00", None, ["24T03:00:00", "24T05:00:00", "24T07:00:00"]),
        ("23T02:00:30", None, ["24T02:00:30", "24T04:00:30", "24T06:00:30"]),
        ("23T23:59:59", None, ["24T03:59:59", "24T05:59:59", "24T07:59:59"]),
        ("24T02:00:29", None, ["24T04:00:29", "24T06:00:29", "24T08:00:29"]),
        # An end is the last moment that counts, whether or not it is on the beat.
        ("24T03:00:00", "24T05:00:00", ["24T03:00:00", "24T05:00:00"]),
        ("24T03:00:00", "24T04:59:59", ["24T03:00:00"]),
        ("24T03:00:00", "24T03:00:00", ["24T03:00:00"]),
        ("24T03:00:00", "24T02:59:59", []),
        (None, "24T04:00:30", ["24T02:00:30", "24T04:00:30"]),
        (None, "24T02:00:00", []),
    ],
)
def test_a_rate_keeps_to_its_start_and_its_end(
    start: str | None, end: str | None, expected: list[str]
) -> None:
    bounds = {
        name: at(f"2026-11-{text}") for name, text in (("start", start), ("end", end)) if text
    }
    found = dues(Timing("rate(2 hours)", "UTC", BEGUN, **bounds), 3)
    assert found == [at(f"2026-11-{text}") for text in expected]


def test_a_day_of_a_rate_has_24_hours_also_when_the_clocks_change() -> None:
    timing = Timing("rate(1 day)", "Europe/Berlin", at("2026-10-24T10:00:00"))
    assert dues(timing, 3)[-1] == at("2026-10-26T10:00:00")


def test_nothing_is_due_after_the_end() -> None:
    timing = Timing("rate(1 hour)", "UTC", BEGUN, end=at("2026-11-24T04:00:00"))
    assert dues(timing, 9) == [at("2026-11-24T02:00:30"), at("2026-11-24T03:00:30")]


def test_cron_speaks_of_the_wall_clock_in_summer_and_winter() -> None:
    summer = Timing("cron(0 2 * * ? *)", "Europe/Berlin", at("2026-07-01T12:00:00"))
    winter = Timing("cron(0 2 * * ? *)", "Europe/Berlin", at("2026-12-01T12:00:00"))
    assert next_due(summer, None) == at("2026-07-02T00:00:00")
    assert next_due(winter, None) == at("2026-12-02T01:00:00")


def test_a_time_that_summer_time_leaves_out_is_skipped() -> None:
    timing = Timing("cron(30 2 * * ? *)", "Europe/Berlin", at("2026-03-28T12:00:00"))
    assert dues(timing, 2) == [at("2026-03-30T00:30:00"), at("2026-03-31T00:30:00")]


def test_a_time_that_comes_twice_in_autumn_counts_once() -> None:
    timing = Timing("cron(30 2 * * ? *)", "Europe/Berlin", at("2026-10-24T12:00:00"))
    assert dues(timing, 2) == [at("2026-10-25T00:30:00"), at("2026-10-26T01:30:00")]


def test_cron_knows_the_last_friday_and_the_second_monday() -> None:
    last_friday = Timing("cron(0 9 ? * 6L *)", "UTC", at("2026-11-01T00:00:00"))
    second_monday = Timing("cron(0 9 ? * 2#2 *)", "UTC", at("2026-11-01T00:00:00"))
    assert next_due(last_friday, None) == at("2026-11-27T09:00:00")
    assert next_due(second_monday, None) == at("2026-11-09T09:00:00")


def test_cron_waits_for_the_start() -> None:
    timing = Timing("cron(0 2 * * ? *)", "UTC", BEGUN, start=at("2026-12-24T02:00:00"))
    assert next_due(timing, None) == at("2026-12-24T02:00:00")


def test_a_cron_of_years_gone_by_is_never_due() -> None:
    assert next_due(Timing("cron(0 2 1 1 ? 2020)", "UTC", BEGUN), None) is None


@pytest.mark.parametrize(
    "expression",
    ["", "every day", "rate(0 minutes)", "rate(5 weeks)", "at(tomorrow)", "cron(* * * * * *)"],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        next_due(Timing(expression, "UTC", BEGUN), None)


def test_what_is_no_time_zone_is_refused() -> None:
    with pytest.raises(BadExpression, match="must be a name such as"):
        next_due(Timing("cron(0 2 * * ? *)", "Europe/Atlantis", BEGUN), None)


@pytest.mark.parametrize("unit", ["minutes", "hours", "days"])
def test_a_rate_of_ages_is_due_once_and_then_never(unit: str) -> None:
    timing = Timing(f"rate(999999999 {unit})", "UTC", BEGUN)
    assert len(dues(timing, 3)) == (3 if unit == "minutes" else 1)
    late = Timing("rate(999999999 days)", "UTC", BEGUN, start=at("2020-01-01T00:00:00"))
    assert next_due(late, None) is None


def test_a_sparse_day_is_found_however_far_away() -> None:
    leap = Timing("cron(0 2 29 2 ? *)", "UTC", at("2096-03-01T00:00:00"))
    assert next_due(leap, None) == at("2104-02-29T02:00:00")
    five_mondays = Timing("cron(0 2 ? 2 MON#5 *)", "UTC", BEGUN)
    assert next_due(five_mondays, None) == at("2044-02-29T02:00:00")
    assert next_due(Timing("cron(0 2 30 2 ? *)", "UTC", BEGUN), None) is None


def test_every_minute_goes_on_through_a_day_that_a_zone_left_out() -> None:
    timing = Timing("cron(* * * * ? *)", "Pacific/Apia", at("2011-12-30T09:59:00"))
    assert dues(timing, 3) == [
        at("2011-12-30T09:59:00"),
        at("2011-12-30T10:00:00"),
        at("2011-12-30T10:01:00"),
    ]


def test_every_minute_that_is_made_in_a_repeated_hour_waits_for_its_end() -> None:
    timing = Timing("cron(* * * * ? *)", "Europe/Berlin", at("2026-10-25T01:00:30"))
    assert next_due(timing, None) == at("2026-10-25T02:00:00")


def test_a_zone_that_gave_up_summer_time_keeps_one_clock() -> None:
    timing = Timing("cron(30 2 * 7 ? *)", "Europe/Istanbul", at("2026-07-01T00:00:00"))
    assert next_due(timing, None) == at("2026-07-01T23:30:00")


@given(
    begun=st.integers(1_577_836_800, 2_051_222_400).map(lambda at: datetime.fromtimestamp(at, UTC)),
    expression=st.sampled_from(
        ["rate(7 minutes)", "cron(*/20 * * * ? *)", "cron(30 2 * * ? *)", "cron(0 9 ? * MON-FRI *)"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_dues_only_grow_and_none_lies_before_the_beginning(
    begun: datetime, expression: str, zone: str
) -> None:
    found = dues(Timing(expression, zone, begun), 4)
    assert len(found) == 4
    assert found[0] >= begun - timedelta(seconds=1)
    assert all(earlier < later for earlier, later in pairwise(found))
