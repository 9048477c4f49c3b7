"""Reads a schedule expression of EventBridge Scheduler: at, rate or cron.

What is configured, checked, listed and fired is read by this one function, so that none of them
takes what another refuses. When an expression is due is ``calendar``'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from steadyspot.deploy.schedules.cron import BadField, Cron, read_cron

KINDS = 'it must be "rate(1 hour)", "cron(0 2 * * ? *)" or "at(2027-01-31T02:00:00)"'
_LONGEST = 256
"""AWS: an expression has at most 256 characters."""
_CALL = re.compile(r"(rate|cron|at)\((.*)\)")
_RATE = re.compile(r"([1-9][0-9]{0,8}) (minute|hour|day)s?")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_FIELDS = "minutes hours day-of-month month day-of-week year"


class BadExpression(ValueError):
    """What Scheduler would not take; the text is half a sentence, after "but"."""


@dataclass(frozen=True)
class At:
    """Once, at a wall-clock time."""

    wall: datetime


@dataclass(frozen=True)
class Rate:
    """Every so often; a day has 24 hours also when the clocks change (AWS's guide)."""

    step: timedelta


Expression = At | Rate | Cron


@lru_cache(maxsize=1024)  # a screen of many jobs reads each a dozen times
def read(expression: str) -> Expression:
    """Read an expression.

    Raises
    ------
    BadExpression
        It is none of Scheduler's.
    """
    if len(expression) > _LONGEST:
        raise BadExpression(f"it has more than {_LONGEST} characters")
    call = _CALL.fullmatch(expression)
    if not call:
        raise BadExpression(KINDS)
    kind, inside = call.groups()
    readers: dict[str, Callable[[str], Expression]] = {
        "rate": _read_rate,
        "cron": _read_cron,
        "at": _read_at,
    }
    return readers[kind](inside)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone of the IANA list.

    Raises
    ------
    BadExpression
        It is not in the list.
    """
    if name not in _zones():
        raise BadExpression('it must be a name such as "Europe/Berlin" or "UTC"')
    return ZoneInfo(name)


@cache
def _zones() -> set[str]:
    return available_timezones()


def _read_rate(inside: str) -> Rate:
    found = _RATE.fullmatch(inside)
    if not found:
        raise BadExpression(
            "a rate is a positive whole number of 9 digits at most and minutes, hours or days, "
            'such as "rate(5 minutes)"'
        )
    return Rate(timedelta(**{f"{found[2]}s": int(found[1])}))


def _read_cron(inside: str) -> Cron:
    try:
        return read_cron(inside)
    except BadField as error:
        raise BadExpression(
            f"{error}: a cron expression of AWS is {_FIELDS}, one of the days being ?"
        ) from None


def _read_at(inside: str) -> At:
    try:
        if _AT.fullmatch(inside):
            return At(datetime.fromisoformat(inside))
    except ValueError:
        pass
    raise BadExpression('the time must be one, written as in "at(2027-01-31T02:00:00)"')
