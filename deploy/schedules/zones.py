"""How far a time zone's clock is from UTC, as text that a workflow can read.

JSONata knows no time zones, so that mails could tell UTC alone. Which offset a zone has is fixed
for years ahead, so it travels as one parameter: the zone's name, then from when on it is how many
minutes ahead. The years are fixed, too, lest each deployment were a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 2025, 2040
_STEP = timedelta(days=7)
"""No two changes of a zone are so near to each other in these years."""
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offsets_of(name: str) -> str:
    """Return ``Europe/Berlin,28927740:60,29056860:120,…``: minutes since the epoch, minutes ahead.

    Empty for UTC, which mails tell anyway.
    """
    parts = [f"{(at - _EPOCH) // _MINUTE}:{minutes}" for at, minutes in _offsets(ZoneInfo(name))]
    return "" if {part.rpartition(":")[2] for part in parts} == {"0"} else ",".join([name, *parts])


def _offsets(zone: ZoneInfo) -> Iterator[tuple[datetime, int]]:
    """Yield since when, in UTC, the zone is so many minutes ahead; the first at the beginning."""
    at, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (FIRST_YEAR, LAST_YEAR + 1))
    yield at, _ahead(zone, at)
    while at < end:
        later = at + _STEP
        if _ahead(zone, at) != _ahead(zone, later):
            yield _change(zone, at, later), _ahead(zone, later)
        at = later


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the minute at which the offset changes, between two moments that differ in it."""
    while after - before > _MINUTE:
        middle = before + (after - before) // _MINUTE // 2 * _MINUTE
        if _ahead(zone, middle) == _ahead(zone, before):
            before = middle
        else:
            after = middle
    return after


def _ahead(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset() or timedelta()
    return round(offset / _MINUTE)
