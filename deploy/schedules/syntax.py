"""Tells whether EventBridge Scheduler will take a schedule expression.

It is told before anything is deployed, since AWS answers a wrong one with a failed stack. Reading
a cron expression is aws-croniter's work; when a schedule fires is decided elsewhere.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from aws_croniter import AwsCroniter

KINDS = 'it must be "rate(1 hour)", "cron(0 2 * * ? *)" or "at(2027-01-31T02:00:00)"'
_CALL = re.compile(r"(rate|cron|at)\((.*)\)")
_RATE = re.compile(r"[1-9][0-9]{0,8} (minute|hour|day)s?")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


def fault_of(expression: str) -> str | None:
    """Return what is wrong with a schedule expression, as half a sentence, or None.

    AWS: ``rate(value unit)`` with a positive value and minutes, hours or days; ``cron`` with six
    fields, of which day-of-month or day-of-week is ``?``; ``at`` with a time without zone.
    """
    call = _CALL.fullmatch(expression)
    if not call:
        return KINDS
    kind, inside = call.groups()
    return {"rate": _fault_of_rate, "cron": _fault_of_cron, "at": _fault_of_at}[kind](inside)


def is_timezone(name: str) -> bool:
    """Tell whether a name is in the IANA list of time zones."""
    return name in _timezones()


@cache
def _timezones() -> set[str]:
    return available_timezones()


def _fault_of_rate(inside: str) -> str | None:
    if _RATE.fullmatch(inside):
        return None
    return 'a rate is a positive whole number and minutes, hours or days, such as "rate(5 minutes)"'


def _fault_of_cron(inside: str) -> str | None:
    try:
        AwsCroniter(inside)
    except ValueError as error:
        said = str(error).rstrip(".").replace(".One", "; one").replace(". ", ": ")
        fields = "minutes hours day-of-month month day-of-week year, one of the days being ?"
        return f"AWS has no such cron expression ({said}): it is {fields}"
    return None


def _fault_of_at(inside: str) -> str | None:
    try:
        known = bool(_AT.fullmatch(inside)) and datetime.fromisoformat(inside) is not None
    except ValueError:
        known = False
    return None if known else 'the time must be written as in "at(2027-01-31T02:00:00)"'
