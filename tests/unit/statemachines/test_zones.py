"""Times in mails by the clock of the job's zone beside UTC, held against the zones themselves."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from steadyspot.deploy.schedules.zones import FIRST_YEAR, LAST_YEAR, offsets_of
from steadyspot.statemachines.composing import expression
from tests.virtual.machine import Machine

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
MACHINE = Machine({})
TOLD = expression("timeTold").removeprefix("{%").removesuffix("%}")


def told(at: datetime, offsets: str) -> str:
    values = {"time": round(at.timestamp() * 1000), "job": {"zoneOffsets": offsets}}
    return str(MACHINE.evaluate(f"({TOLD})($time)", values, 0.0))


def wanted(at: datetime, zone: str) -> str:
    there = at.astimezone(ZoneInfo(zone))
    shown = f"{there:%H:%M}" if there.date() == at.date() else f"{there:%Y-%m-%d %H:%M}"
    return f"{at:%Y-%m-%d %H:%M} UTC ({shown} {zone})"


def moments(zone: str) -> list[datetime]:
    """The minutes around each change of the zone's clock, and some between them."""
    changes = [
        datetime.fromtimestamp(60 * int(part.partition(":")[0]), UTC)
        for part in offsets_of(zone).split(",")[2:]
    ]
    near = [at + timedelta(minutes=more) for at in changes for more in (-1, 0, 1)]
    begin = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    days = 365 * (LAST_YEAR - FIRST_YEAR)
    rng = random.Random(1)
    return near + [begin + timedelta(minutes=rng.randrange(1_440 * days)) for _ in range(20)]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_is_told_by_the_zone_s_clock_at_each_of_its_changes(zone: str) -> None:
    offsets = offsets_of(zone)
    for at in moments(zone):
        assert told(at, offsets) == wanted(at, zone)


@pytest.mark.parametrize(("zone", "changes"), list(zip(ZONES, (32, 32, 32, 0), strict=True)))
def test_all_changes_of_the_years_are_known(zone: str, changes: int) -> None:
    assert len(offsets_of(zone).split(",")) == 2 + changes


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-10-25T00:59:00+00:00", "2026-10-25 00:59 UTC (02:59 Europe/Berlin)"),
        ("2026-10-25T01:00:00+00:00", "2026-10-25 01:00 UTC (02:00 Europe/Berlin)"),
        ("2026-11-24T23:30:00+00:00", "2026-11-24 23:30 UTC (2026-11-25 00:30 Europe/Berlin)"),
    ],
)
def test_a_day_is_told_where_it_is_another(at: str, shown: str) -> None:
    assert told(datetime.fromisoformat(at), offsets_of("Europe/Berlin")) == shown


def test_without_a_zone_of_its_own_a_job_s_mails_tell_utc_alone() -> None:
    assert [offsets_of(zone) for zone in ("UTC", "Etc/UTC", "GMT")] == ["", "", ""]
    assert told(datetime(2026, 11, 24, 3, 15, tzinfo=UTC), "") == "2026-11-24 03:15 UTC"
