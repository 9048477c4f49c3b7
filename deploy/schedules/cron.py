"""Reads the six fields of a cron expression of EventBridge Scheduler, and lists its times.

Written from AWS's guide ("Schedule types in EventBridge Scheduler"); where that is silent, as
Quartz does it, whose dialect it is. Times are those of a wall clock; zones are ``calendar``'s.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

Days = Callable[[int, int], list[int]]
"""Gives the days of a month, in order, from year and month."""
_SUNDAY, _SATURDAY, _DAYS = 1, 7, 7
_LAST = re.compile(r"L(?:-([1-9]|[12][0-9]|30))?")
_NEAREST_WEEKDAY = re.compile(r"(L|[1-9]|[12][0-9]|3[01])W")
_LAST_OF_MONTH = re.compile(r"([A-Z]{3}|[1-7])L")
_NTH_OF_MONTH = re.compile(r"([A-Z]{3}|[1-7])#([1-5])")
_ITEM = re.compile(r"(?:\*|([A-Z]{3}|[0-9]+)(?:-([A-Z]{3}|[0-9]+))?)(?:/([0-9]+))?")


class BadField(ValueError):
    """A field that AWS would not take; the text is half a sentence that names it."""


@dataclass(frozen=True)
class _Field:
    """What one field may hold: numbers from ``low`` to ``high``, or names for them."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wraps: bool = True

    def bad(self, text: str) -> BadField:
        """Return the error for what stands in the field."""
        numbers = f"{self.low}-{self.high}"
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return BadField(f"its {self.name} field is {text!r}, where {numbers}{names} is allowed")

    def number(self, text: str) -> int:
        """Return the number of a number or a name."""
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise self.bad(text)
        return int(text)

    def numbers(self, text: str) -> tuple[int, ...]:
        """Return the numbers of a list of values, ranges and steps, in order.

        A range may go past the end, such as ``20-2`` or ``FRI-MON``, but for years.
        """
        return tuple(sorted({number for item in text.split(",") for number in self._item(item)}))

    def _item(self, text: str) -> list[int]:
        found = _ITEM.fullmatch(text)
        if not found:
            raise self.bad(text)
        begin, end, step = found.groups()
        first = self.low if begin is None else self.number(begin)
        last = first if begin is not None and step is None else self.high
        last = self.number(end) if end is not None else last
        size = self.high - self.low + 1
        if last < first:
            if not self.wraps:
                raise self.bad(text)
            last += size
        if step is not None and not 1 <= int(step) <= self.high:
            raise BadField(
                f"its {self.name} field is {text!r}, where a step of 1-{self.high} is allowed"
            )
        return [
            self.low + (number - self.low) % size
            for number in range(first, last + 1, int(step or 1))
        ]


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY_OF_MONTH = _Field("day-of-month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_DAY_OF_WEEK = _Field("day-of-week", _SUNDAY, _SATURDAY, _WEEKDAYS)
_YEAR = _Field("year", 1970, 2199, wraps=False)


@dataclass(frozen=True)
class Cron:
    """A cron expression that was read; ``days`` is what its two day fields say."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def times(self, since: datetime) -> Iterator[datetime]:
        """Yield the wall-clock times from ``since`` on, which may be one, in order."""
        for day in self._dates(since.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime.combine(day, time(hour, minute))
                    if found >= since:
                        yield found

    def _dates(self, since: date) -> Iterator[date]:
        for year in self.years[bisect_left(self.years, since.year) :]:
            for month in self.months:
                if (year, month) >= (since.year, since.month):
                    days = (date(year, month, day) for day in self.days(year, month))
                    yield from (day for day in days if day >= since)


def read_cron(text: str) -> Cron:
    """Read what stands between the brackets of ``cron(...)``; letters may be small.

    Raises
    ------
    BadField
        AWS would not take it.
    """
    fields = text.upper().split()
    if len(fields) != 6:
        raise BadField(f"it has {len(fields)} fields")
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise BadField("exactly one of its day-of-month and day-of-week must be ?")
    return Cron(
        _MINUTE.numbers(minutes),
        _HOUR.numbers(hours),
        _days_of_week(day_of_week) if day_of_month == "?" else _days_of_month(day_of_month),
        _MONTH.numbers(month),
        _YEAR.numbers(year),
    )


def _days_of_month(text: str) -> Days:
    if last := _LAST.fullmatch(text):
        before = int(last[1] or 0)
        return lambda year, month: [day for day in (_length(year, month) - before,) if day > 0]
    if nearest := _NEAREST_WEEKDAY.fullmatch(text):
        wanted = nearest[1]
        return lambda year, month: _nearest_weekday(year, month, wanted)
    days = _DAY_OF_MONTH.numbers(text)
    return lambda year, month: [*days[: bisect_right(days, _length(year, month))]]


def _days_of_week(text: str) -> Days:
    if last := _LAST_OF_MONTH.fullmatch(text):
        weekday = _DAY_OF_WEEK.number(last[1])
        return lambda year, month: _on(year, month, (weekday,))[-1:]
    if nth := _NTH_OF_MONTH.fullmatch(text):
        weekday, count = _DAY_OF_WEEK.number(nth[1]), int(nth[2])
        return lambda year, month: _on(year, month, (weekday,))[count - 1 : count]
    # AWS: L is the last day of the week, too; weeks end on Saturday.
    weekdays = (_SATURDAY,) if text == "L" else _DAY_OF_WEEK.numbers(text)
    return lambda year, month: _on(year, month, weekdays)


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def _weekday(year: int, month: int, day: int) -> int:
    return date(year, month, day).isoweekday() % _DAYS + 1


def _on(year: int, month: int, weekdays: tuple[int, ...]) -> list[int]:
    days = range(1, _length(year, month) + 1)
    return [day for day in days if _weekday(year, month, day) in weekdays]


def _nearest_weekday(year: int, month: int, wanted: str) -> list[int]:
    """Return the day from Monday to Friday that is nearest, within the month; none without it."""
    length = _length(year, month)
    day = length if wanted == "L" else int(wanted)
    if day > length:
        return []
    weekday = _weekday(year, month, day)
    if weekday == _SATURDAY:
        return [day - 1 if day > 1 else day + 2]
    if weekday == _SUNDAY:
        return [day + 1 if day < length else day - 2]
    return [day]
