"""Spot's weather as a table: the hours of the day, and what befell launches in each; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steadyspot.deploy.runs.weather import Weather

HOURS = tuple(f"{hour:02}" for hour in range(24))
_STEPS = (1, 3, 10)
"""From so many on a cell is darker."""


@dataclass(frozen=True)
class Cell:
    """How often something happened in an hour; ``shade`` is 0 for never, 3 for most often."""

    count: int
    shade: int


@dataclass(frozen=True)
class WeatherView:
    """Of one CPU architecture: a row for refusals and one for reclaims in each zone."""

    architecture: str
    told: str
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def weather_views(found: Sequence[Weather]) -> tuple[WeatherView, ...]:
    """Return what a page shows of the weather."""
    return tuple(
        WeatherView(
            one.architecture,
            f"refused last {one.last_refused:%Y-%m-%d %H:%M} UTC" if one.last_refused else "",
            tuple(_rows(one)) if one.hours else (),
        )
        for one in found
    )


def _rows(weather: Weather) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    hours = {one.hour: one for one in weather.hours}
    refused = [hours[hour].refused if hour in hours else 0 for hour in range(24)]
    yield "refused", tuple(map(_cell, refused))
    for zone in weather.zones:
        taken = [hours[hour].reclaimed.get(zone, 0) if hour in hours else 0 for hour in range(24)]
        yield f"taken back in {zone}", tuple(map(_cell, taken))


def _cell(count: int) -> Cell:
    return Cell(count, sum(count >= step for step in _STEPS))
