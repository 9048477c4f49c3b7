"""When it is looked for the runs of a schedule: at its own times, at most one an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.schedules.looks import Looks, looks_after


@pytest.mark.parametrize(
    ("expression", "looks"),
    [
        ("cron(0 2 * * ? *)", Looks("cron(0 2 * * ? *)")),
        ("cron(30 2 1 * ? *)", Looks("cron(30 2 1 * ? *)")),
        ("cron(0/5 8-18 ? * MON-FRI *)", Looks("cron(0 8-18 ? * MON-FRI *)")),
        ("cron(20,50 * * * ? *)", Looks("cron(20 * * * ? *)")),
        ("at(2027-01-31T02:00:00)", Looks("at(2027-01-31T02:00:00)")),
        ("rate(1 minute)", Looks("rate(60 minutes)", 1)),
        ("rate(7 minutes)", Looks("rate(63 minutes)", 7)),
        ("rate(1 hour)", Looks("rate(60 minutes)", 60)),
        ("rate(30 days)", Looks("rate(43200 minutes)", 43_200)),
    ],
)
def test_it_is_looked_at_the_schedule_s_own_times_but_at_most_once_an_hour(
    expression: str, looks: Looks
) -> None:
    assert looks_after(expression) == looks


def dues(expression: str, zone: str, begun: datetime, until: datetime) -> list[datetime]:
    timing = Timing(expression, zone, begun)
    found, due = [], next_due(timing, None)
    while due is not None and due <= until:
        found.append(due)
        due = next_due(timing, due)
    return found


@pytest.mark.parametrize(
    "day", [datetime(2027, 3, 27, tzinfo=UTC), datetime(2027, 10, 30, tzinfo=UTC)]
)
@pytest.mark.parametrize("expression", ["cron(30 2 * * ? *)", "cron(*/10 * * * ? *)"])
def test_a_look_never_asks_for_a_time_that_a_change_of_the_clocks_leaves_out(
    day: datetime, expression: str
) -> None:
    until = day + timedelta(days=3)
    runs = dues(expression, "Europe/Berlin", day, until)
    looks = dues(looks_after(expression).expression, "Europe/Berlin", day, until)
    assert set(looks) <= set(runs)
    assert len(looks) >= 2


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("every", [1, 5, 60, 1440])
def test_each_look_at_a_rate_finds_one_run_whichever_way_the_first_is_due(
    every: int, *, at_once: bool
) -> None:
    """AWS does not say whether the first time of a rate is when it is made, or a period later."""
    made, later = datetime(2027, 1, 1, tzinfo=UTC), timedelta(seconds=3)
    looks = looks_after(f"rate({every} minutes)" if every > 1 else "rate(1 minute)")
    period = timedelta(minutes=looks.every_minutes)
    step = timedelta(minutes=int(looks.expression.removeprefix("rate(").split()[0]))
    first = made + (timedelta() if at_once else period)
    runs = [first + number * period for number in range(500)]
    for number in range(5):
        looked = made + later + (number if at_once else number + 1) * step
        assert len([run for run in runs if looked - period < run <= looked]) == 1
