"""Which expressions Scheduler takes, by AWS's guide, and which times each of them means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.schedules.cron import Cron, read_cron
from steadyspot.deploy.schedules.expressions import BadExpression, read
from steadyspot.deploy.stacks.config import ConfigError
from steadyspot.deploy.stacks.config_file import parse

TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)
JOB = '[jobs.ab]\nimage = "x"\n'

# Expected times were counted on a calendar; those in the first group are of AWS's guide.
MEANT = {
    "0 10 * * ? *": ["2026-11-24T10:00", "2026-11-25T10:00"],
    "15 12 * * ? *": ["2026-11-24T12:15", "2026-11-25T12:15"],
    "0 18 ? * MON-FRI *": ["2026-11-24T18:00", "2026-11-25T18:00", "2026-11-26T18:00"],
    "0 8 1 * ? *": ["2026-12-01T08:00", "2027-01-01T08:00"],
    "0/15 * * * ? *": ["2026-11-24T00:00", "2026-11-24T00:15", "2026-11-24T00:30"],
    "1/10 * * * ? *": ["2026-11-24T00:01", "2026-11-24T00:11", "2026-11-24T00:21"],
    "0/5 8-17 ? * MON-FRI *": ["2026-11-24T08:00", "2026-11-24T08:05"],
    "0/30 20-2 ? * MON-FRI *": ["2026-11-24T00:00", "2026-11-24T00:30", "2026-11-24T01:00"],
    "15 10 ? * 6L 2022-2027": ["2026-11-27T10:15", "2026-12-25T10:15", "2027-01-29T10:15"],
    "0 0 3W * ? *": ["2026-12-03T00:00", "2027-01-04T00:00", "2027-02-03T00:00"],
    "0 0 ? * 3#2 *": ["2026-12-08T00:00", "2027-01-12T00:00"],
    "0 0 1 JAN,FEB,MAR ? *": ["2027-01-01T00:00", "2027-02-01T00:00", "2027-03-01T00:00"],
    # As people write them.
    "0 21 LW * ? *": ["2026-11-30T21:00", "2026-12-31T21:00", "2027-01-29T21:00"],
    "0 2 ? * L *": ["2026-11-28T02:00", "2026-12-05T02:00", "2026-12-12T02:00"],
    "0 2 * * ? 2026/2": ["2026-11-24T02:00", "2026-11-25T02:00"],
    "0 2 1 1 ? 2026/2": ["2028-01-01T02:00", "2030-01-01T02:00"],
    "0 2 1 1 ? 2020-2030/3": ["2029-01-01T02:00"],
    "0 2 1 1 ? 2027,2031-2032": ["2027-01-01T02:00", "2031-01-01T02:00", "2032-01-01T02:00"],
    "0 0 1/10,2,3/8 * ? *": ["2026-11-27T00:00", "2026-12-01T00:00", "2026-12-02T00:00"],
    "0 2 ? * 5L *": ["2026-11-26T02:00", "2026-12-31T02:00", "2027-01-28T02:00"],
    "0 2 ? * FRIL *": ["2026-11-27T02:00", "2026-12-25T02:00"],
    "0 11-23/4 ? * 2-6 *": ["2026-11-24T11:00", "2026-11-24T15:00", "2026-11-24T19:00"],
    "5 9-17 ? * * *": ["2026-11-24T09:05", "2026-11-24T10:05"],
    "0 0 ? * TUE#5 *": ["2026-12-29T00:00", "2027-03-30T00:00"],
    "0 0 ? * FRI-MON *": ["2026-11-27T00:00", "2026-11-28T00:00", "2026-11-29T00:00"],
    "0 0 ? * 2/2 *": ["2026-11-25T00:00", "2026-11-27T00:00", "2026-11-30T00:00"],
    "0 0 ? * MON,4,SAT *": ["2026-11-25T00:00", "2026-11-28T00:00", "2026-11-30T00:00"],
    "0 0 1 NOV-FEB ? *": ["2026-12-01T00:00", "2027-01-01T00:00", "2027-02-01T00:00"],
    "0 0 1 JAN/3 ? *": ["2027-01-01T00:00", "2027-04-01T00:00", "2027-07-01T00:00"],
    "0 0 1 1-12/6 ? *": ["2027-01-01T00:00", "2027-07-01T00:00"],
    "0 0 L * ? *": ["2026-11-30T00:00", "2026-12-31T00:00", "2027-01-31T00:00"],
    "0 0 L-2 2 ? *": ["2027-02-26T00:00", "2028-02-27T00:00"],
    "0 0 31W * ? *": ["2026-12-31T00:00", "2027-01-29T00:00", "2027-03-31T00:00"],
    "0 0 1W 5,8 ? *": ["2027-05-03T00:00", "2027-08-02T00:00"],
    "0 0 31 * ? *": ["2026-12-31T00:00", "2027-01-31T00:00", "2027-03-31T00:00"],
    "58-2/2 3 24 11 ? 2026": ["2026-11-24T03:00", "2026-11-24T03:02", "2026-11-24T03:58"],
    "0 2 ? dec mon *": ["2026-12-07T02:00", "2026-12-14T02:00"],
    " 0  2 * * ? * ": ["2026-11-24T02:00", "2026-11-25T02:00"],
}
REFUSED = [
    "*/60 * * * ? *",
    "34 12 * * SAT *",
    "15 12 ? * -1 *",
    "0 8 * ? 2-6 *",
    "0 2 ? * MON#1,MON#3 *",
    "0 2 ? * ? *",
    "0 2 * * * *",
    "0 2 * * ?",
    "0 0 2 * * ? *",
    "60 2 * * ? *",
    "0 24 * * ? *",
    "0 2 0 * ? *",
    "0 2 32 * ? *",
    "0 2 1 13 ? *",
    "0 2 1 JANUARY ? *",
    "0 2 1 MON ? *",
    "0 2 ? * 0 *",
    "0 2 ? * 8 *",
    "0 2 ? * MON#6 *",
    "0 2 ? * MON#0 *",
    "0 2 ? * #2 *",
    "0 2 ? * 2W *",
    "0 2 1#2 * ? *",
    "0 2 L,15 * ? *",
    "0 2 1W,15W * ? *",
    "0 2 0W * ? *",
    "0 2 32W * ? *",
    "0 2 WL * ? *",
    "0 2 W * ? *",
    "0 2 L-31 * ? *",
    "0 2 * * ? 1969",
    "0 2 * * ? 2200",
    "0 2 * * ? 2030-2028",
    "0 2 * * ? ?",
    "? 2 * * ? *",
    "0 L * * ? *",
    "*/0 * * * ? *",
    "/5 * * * ? *",
    "5/ * * * ? *",
    "1-2-3 * * * ? *",
    "1,,2 * * * ? *",
    ", * * * ? *",
    "0 2 ?/2 * MON *",
    "٣ 2 * * ? *",
    "",
    "0 2 * * ? *) (",
]


def dues(expression: str, count: int) -> list[str]:
    """Return the first times of an expression, without their seconds."""
    found: list[str] = []
    last: datetime | None = None
    while len(found) < count:
        last = next_due(Timing(expression, "UTC", TUESDAY), last)
        if last is None:
            break
        found.append(f"{last:%Y-%m-%dT%H:%M}")
    return found


@pytest.mark.parametrize("fields", MEANT)
def test_what_the_guide_documents_is_taken_and_means_its_times(fields: str) -> None:
    expression = f"cron({fields})"
    assert parse(f'{JOB}schedule = "{expression}"').job().schedule == expression
    assert dues(expression, len(MEANT[fields])) == MEANT[fields]


@pytest.mark.parametrize("fields", REFUSED)
def test_what_aws_refuses_is_refused_where_it_is_written_and_by_the_clock(fields: str) -> None:
    expression = f"cron({fields})"
    with pytest.raises(ConfigError, match=r"^steadyspot\.toml:3: jobs\.ab\.schedule is .*, but "):
        parse(f"{JOB}schedule = '{expression}'")
    with pytest.raises(BadExpression):
        next_due(Timing(expression, "UTC", TUESDAY), None)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(-1 minutes)",
        "rate(1.5 hours)",
        "rate(1000000000 minutes)",
        "rate(5minutes)",
        "rate(5 seconds)",
        "rate(5 weeks)",
        "at(2027-02-30T02:00:00)",
        "at(2027-13-01T02:00:00)",
        "at(2027-01-31T24:00:00)",
        "at(2027-01-31T02:00)",
        "at(2027-01-31 02:00:00)",
        "at(2027-01-31T02:00:00+01:00)",
        "Rate(5 minutes)",
        f"cron({'0,' * 120}0 2 * * ? *)",
    ],
)
def test_other_rates_and_times_are_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        read(expression)


@pytest.mark.parametrize("zone", ["", "Europe", "Berlin", "../../etc/passwd", "UTC+1", "é"])
def test_what_is_no_zone_is_refused_by_both(zone: str) -> None:
    with pytest.raises(BadExpression, match="must be a name such as"):
        next_due(Timing("rate(1 hour)", zone, TUESDAY), None)
    with pytest.raises(ConfigError, match=r"jobs\.ab\.timezone is "):
        parse(f"{JOB}schedule = \"cron(0 2 * * ? *)\"\ntimezone = '{zone}'")


def items(low: int, high: int) -> st.SearchStrategy[str]:
    """Return texts of a field: values, ranges, and steps."""
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}"),
        st.tuples(number, st.integers(1, high)).map(lambda two: f"{two[0]}/{two[1]}"),
        st.lists(number, min_size=1, max_size=4).map(lambda some: ",".join(map(str, some))),
    )


def holds(field: str, value: int, low: int, high: int) -> bool:
    """Say whether a field holds for a value; asks of one value what the reader lists."""
    for item in field.split(","):
        text, _, step = item.partition("/")
        begin, _, end = text.partition("-")
        first = low if begin == "*" else int(begin)
        last = int(end) if end else (high if step or begin == "*" else first)
        if first <= value <= last and (value - first) % int(step or 1) == 0:
            return True
    return False


@given(minutes=items(0, 59), hours=items(0, 23), days=items(1, 31), months=items(1, 12))
def test_the_times_are_those_minutes_for_which_every_field_holds(
    minutes: str, hours: str, days: str, months: str
) -> None:
    cron = read_cron(f"{minutes} {hours} {days} {months} ? *")
    begin = datetime.fromisoformat("2026-11-24T01:02")
    found = list(islice(cron.times(begin), 5))
    assert found == sorted(set(found))
    for moment in found:
        assert holds(minutes, moment.minute, 0, 59)
        assert holds(hours, moment.hour, 0, 23)
        assert holds(days, moment.day, 1, 31)
        assert holds(months, moment.month, 1, 12)
    until = found[0] if found else begin + timedelta(days=3)
    left_out = (begin + timedelta(minutes=n) for n in range(3 * 24 * 60))
    for moment in left_out:
        if moment >= until:
            break
        assert not (
            holds(minutes, moment.minute, 0, 59)
            and holds(hours, moment.hour, 0, 23)
            and holds(days, moment.day, 1, 31)
            and holds(months, moment.month, 1, 12)
        )


@given(st.text("0123456789*?/,-LW# SUNMOJA", max_size=40))
def test_no_text_is_anything_but_read_or_refused(text: str) -> None:
    try:
        found = read(f"cron({text})")
    except BadExpression:
        return
    assert isinstance(found, Cron)
    next(iter(found.times(datetime.fromisoformat("2026-01-01"))), None)
