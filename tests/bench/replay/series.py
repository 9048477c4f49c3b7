"""Series of Spot capacity: recorded ones, read from where they lie, and a generator fitted to them.

A series is, for each zone, the moments at which capacity appears and vanishes. The recorded ones
are EC2's (Can't Be Late, NSDI'24): nothing public is known of Fargate Spot. They are not part of
this repository; the generator draws up-times and refused times from log-normal distributions that
have the medians and the means which are published of them.
"""

from __future__ import annotations

import json
import math
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOREVER = float("inf")


@dataclass(frozen=True)
class Zone:
    """Capacity in a zone: ``changes`` are the seconds at which it changes, there at ``first``."""

    name: str
    first: bool
    changes: Sequence[float]
    seconds: float

    def up(self, at: float) -> bool:
        """Whether there is capacity at a moment."""
        return self.first ^ (bisect_right(self.changes, at) % 2 == 1)

    def lasts(self, at: float) -> float:
        """When what is so at a moment changes next."""
        index = bisect_right(self.changes, at)
        return self.changes[index] if index < len(self.changes) else FOREVER

    def stretches(self, begin: float, end: float) -> list[tuple[bool, float]]:
        """Stretches within a window, each with whether there is capacity, and its seconds."""
        found, at = [], begin
        while at < end:
            until = min(self.lasts(at), end)
            found.append((self.up(at), until - at))
            at = until
        return found


Region = Sequence[Zone]
"""Zones that one launch may land in; they share their time."""


def recorded(folder: Path) -> dict[str, Region]:
    """Read the series of a folder, by region. A file is one zone, ``REGION + letter.json``."""
    regions: dict[str, list[Zone]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        series = json.loads(path.read_text())
        gap, data = series["metadata"]["gap_seconds"], [value > 0 for value in series["data"]]
        changes = [i * gap for i in range(1, len(data)) if data[i] != data[i - 1]]
        zone = Zone(path.stem, data[0], changes, gap * len(data))
        regions[path.stem[:-1]].append(zone)
    return dict(regions)


@dataclass(frozen=True)
class Weather:
    """Median and mean, in minutes, of up-times and refused times of a zone."""

    up_median: float
    up_mean: float
    refused_median: float
    refused_mean: float


WEATHER = {
    "cpu": Weather(23, 98, 9, 23),
    "v100-preemption": Weather(39, 122, 24, 82),
    "v100-availability": Weather(32, 193, 29, 108),
}
"""As published with the recorded series."""


def drawn(median: float, mean: float, rng: random.Random) -> float:
    """Draw seconds from the log-normal distribution of that median and mean, in minutes."""
    sigma = math.sqrt(2 * math.log(mean / median))
    return 60 * median * math.exp(rng.gauss(0, sigma))


def generated(weather: Weather, zones: int, seconds: float, rng: random.Random) -> Region:
    """Draw a region's series."""
    return [_zone(f"zone-{number}", weather, seconds, rng) for number in range(zones)]


def _zone(name: str, weather: Weather, seconds: float, rng: random.Random) -> Zone:
    share = weather.up_mean / (weather.up_mean + weather.refused_mean)
    first = up = rng.random() < share
    changes: list[float] = []
    # Begins in the middle of a stretch, which is the likelier the longer it is.
    at = -max(_stretch(up, weather, rng) for _ in range(3)) * rng.random()
    while at < seconds:
        at += _stretch(up, weather, rng)
        if at <= 0:
            continue
        changes.append(at)
        up = not up
    return Zone(name, first, changes, seconds)


def _stretch(up: bool, weather: Weather, rng: random.Random) -> float:
    if up:
        return drawn(weather.up_median, weather.up_mean, rng)
    return drawn(weather.refused_median, weather.refused_mean, rng)
