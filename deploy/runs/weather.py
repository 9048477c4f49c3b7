"""The weather of Spot as runs wrote it down: when it refused them or took tasks back, and where.

There is an item for each month and CPU architecture; the hours are those of the day in UTC, summed
up over this month and the last one. A launch offers all zones, so a refusal is of none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from steadyspot.contract import columns
from steadyspot.deploy.runs.fleet import months_of

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target


@dataclass(frozen=True)
class Hour:
    """What befell launches on Spot in an hour of the day, 0 to 23 in UTC; reclaims by zone."""

    hour: int
    refused: int = 0
    reclaimed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Weather:
    """Of one CPU architecture: hours with trouble, and when Spot refused last, if it did."""

    architecture: str
    last_refused: datetime | None
    hours: tuple[Hour, ...]

    @property
    def zones(self) -> list[str]:
        """Zones in which tasks were taken back."""
        return sorted({zone for hour in self.hours for zone in hour.reclaimed})


def read(target: Target, now: datetime) -> list[Weather]:
    """Read the weather of each architecture that jobs of the configuration have; one call."""
    architectures = sorted({job.architecture for job in target.config.jobs.values()})
    items = target.runs.weather(architectures, months_of(now))
    return [weather_of(architecture, items[architecture]) for architecture in architectures]


def weather_of(architecture: str, months: Iterable[Mapping[str, Any]]) -> Weather:
    """Return the weather that the items of some months hold."""
    refused: Counter[int] = Counter()
    reclaimed: dict[int, Counter[str]] = {}
    last = 0
    for month in months:
        for name, value in month.items():
            count, hour, zone = _counted(name, value)
            if name.startswith(columns.REFUSED_IN):
                refused[hour] += count
            elif name.startswith(columns.RECLAIMED_IN):
                reclaimed.setdefault(hour, Counter())[zone] += count
            elif name == columns.LATEST_REFUSED:
                last = max(last, int(value["S"].split(" ")[0]))
    return Weather(
        architecture,
        datetime.fromtimestamp(last / 1000, UTC) if last else None,
        tuple(
            Hour(hour, refused[hour], dict(sorted(reclaimed.get(hour, {}).items())))
            for hour in sorted({*refused, *reclaimed})
        ),
    )


def _counted(column: str, value: Mapping[str, str]) -> tuple[int, int, str]:
    """Return count, hour and zone of a column that counts; zeros of any other."""
    _, _, of = column.partition("_")
    hour, _, zone = of.partition("_")
    return (int(value["N"]), int(hour), zone) if "N" in value else (0, 0, "")


def cells(weather: Weather) -> Iterator[tuple[str, ...]]:
    """Yield a row for each hour: hour, refused, and what was taken back in each zone."""
    for one in weather.hours:
        taken = (str(one.reclaimed.get(zone, 0)) for zone in weather.zones)
        yield f"{one.hour:02}:00", str(one.refused), *taken
