"""Where the parts of a picture lie, in its own units; pure. The templates draw them.

A picture is 960 units wide. Capacity is told by place, pattern and word, an end by its sign: what
a picture says must be there in grey, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from steadyspot.contract import Capacity
from steadyspot.deploy.ui.timeline import Bar, Ended, Timeline

WIDTH = 960
LEFT, RIGHT = 96, 944
"""Between them lies the time."""
_LANES = {Capacity.SPOT: 44, Capacity.ON_DEMAND: 80}
_BAR_HEIGHT = 26
_CURVE_TOP, _CURVE_BOTTOM = 122, 178
_LEAST_BAR = 3.0
_SIGN_ROOM = 34
_LINE_ROOM = 150
_TICKS_AT_MOST = 8
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_SIGNS = {Ended.FINISHED: "✓", Ended.STOPPED: "✕", Ended.UNDER_WAY: "…"}


@dataclass(frozen=True)
class Box:
    """A bar to draw; ``text`` is empty where it has no room, ``number`` 0 where it is a wait."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    ended: str
    text: str
    told: str
    number: int = 0


@dataclass(frozen=True)
class Line:
    """A moment to draw as an upright line with its name, which stands left or right of it."""

    x: float
    kind: str
    text: str
    row: int
    leftward: bool


@dataclass(frozen=True)
class Tick:
    """A time on the axis."""

    x: float
    text: str


@dataclass(frozen=True)
class Picture:
    """A timeline laid out; ``curve`` are the points of a polyline, empty without units."""

    width: int
    height: int
    axis: int
    boxes: tuple[Box, ...]
    gaps: tuple[Box, ...]
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    curve: str
    told: str


def laid_out(timeline: Timeline) -> Picture:
    """Return where everything of a timeline lies."""
    scale = Scale(timeline.begin, timeline.end)
    curve = " ".join(
        f"{scale.at(at):.1f},{_CURVE_BOTTOM - share * (_CURVE_BOTTOM - _CURVE_TOP):.1f}"
        for at, share in timeline.curve
    )
    axis = _CURVE_BOTTOM if curve else 116
    return Picture(
        width=WIDTH,
        height=axis + 26,
        axis=axis,
        boxes=tuple(_box(bar, scale) for bar in timeline.bars),
        gaps=tuple(
            Box(
                x=scale.at(gap.begin),
                y=_LANES[Capacity.SPOT],
                width=scale.at(gap.end) - scale.at(gap.begin),
                height=_BAR_HEIGHT,
                kind="wait",
                ended="",
                text="",
                told=gap.told,
            )
            for gap in timeline.gaps
        ),
        lines=tuple(_lines(timeline, scale)),
        ticks=tuple(scale.ticks()),
        curve=curve,
        told=_told(timeline),
    )


def _box(bar: Bar, scale: Scale) -> Box:
    begin = scale.at(bar.begin)
    width = max(_LEAST_BAR, scale.at(bar.end) - begin)
    sign = _SIGNS[bar.ended]
    lane = Capacity.SPOT if bar.capacity == Capacity.SPOT else Capacity.ON_DEMAND
    return Box(
        x=begin,
        y=_LANES[lane],
        width=width,
        height=_BAR_HEIGHT,
        kind=lane.value,
        ended=bar.ended.replace(" ", "-"),
        text=f"{bar.number} {sign}" if width >= _SIGN_ROOM else "",
        told=bar.told,
        number=bar.number,
    )


def _lines(timeline: Timeline, scale: Scale) -> Iterator[Line]:
    named = (
        ("scheduled", "scheduled", timeline.scheduled),
        ("last-moment", "latest start on Spot", timeline.latest_spot_start),
        ("deadline", "deadline", timeline.deadline),
    )
    shown = [(kind, name, at) for kind, name, at in named if at is not None]
    within = [one for one in shown if timeline.begin <= one[2] <= timeline.end]
    for row, (kind, name, at) in enumerate(within):
        x = scale.at(at)
        leftward = x > RIGHT - _LINE_ROOM
        yield Line(x, kind, f"{name} {at:%H:%M:%S}", row % 2, leftward)


def _told(timeline: Timeline) -> str:
    """Return the picture in words, for who cannot see it."""
    told = [bar.told for bar in timeline.bars]
    if timeline.deadline:
        told.append(f"deadline {timeline.deadline:%Y-%m-%d %H:%M} UTC")
    return "; ".join(told)


class Scale:
    """Turns times into places."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self._begin = begin
        self._seconds = max(1.0, (end - begin).total_seconds())

    def at(self, moment: datetime) -> float:
        """Return where a moment lies."""
        share = (moment - self._begin).total_seconds() / self._seconds
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def ticks(self) -> Iterator[Tick]:
        """Yield a few round times."""
        days = -(-self._seconds // (_TICKS_AT_MOST * _STEPS[-1]))
        fitting = (step for step in _STEPS if self._seconds / step <= _TICKS_AT_MOST)
        step = next(fitting, int(days * _STEPS[-1]))
        form = "%H:%M:%S" if step < 60 else "%H:%M" if step < _STEPS[-1] else "%m-%d"
        midnight = self._begin.replace(hour=0, minute=0, second=0, microsecond=0)
        first = -(-(self._begin - midnight).total_seconds() // step)
        moment = midnight + timedelta(seconds=first * step)
        while (moment - self._begin).total_seconds() <= self._seconds:
            yield Tick(self.at(moment), f"{moment:{form}}")
            moment += timedelta(seconds=step)
