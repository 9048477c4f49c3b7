"""Columns side by side, laid out in a picture's own units; pure. A template draws them.

What a column says is in its height, its sign and its words, so that it is there in grey, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH = 960
AXIS, TOP = 130, 34
_COLUMN_AT_MOST = 28.0
_SIGN_ROOM = 11.0


@dataclass(frozen=True)
class Column:
    """One value of a chart, before it is laid out."""

    value: float
    kind: str
    sign: str
    told: str


@dataclass(frozen=True)
class Upright:
    """A column to draw; its sign is empty where it has no room."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    sign: str
    told: str


@dataclass(frozen=True)
class Limit:
    """A line across a chart, before and after it is laid out."""

    value: float
    text: str
    y: float = 0.0


@dataclass(frozen=True)
class Chart:
    """Columns laid out from left to right; ``most`` says what the highest is."""

    name: str
    width: int
    height: int
    axis: int
    columns: tuple[Upright, ...]
    most: str
    first: str
    last: str
    limit: Limit | None
    told: str


def chart_of(
    name: str,
    columns: Sequence[Column],
    told_as: Callable[[float], str],
    ends: tuple[str, str] = ("", ""),
    limit: Limit | None = None,
) -> Chart | None:
    """Return columns laid out from left to right; None where there are none.

    Parameters
    ----------
    told_as
        Says what the highest value is.
    ends
        What stands below the first and the last column.
    limit
        A value that is drawn as a line.
    """
    if not columns:
        return None
    highest = max(column.value for column in columns)
    top = max(highest, limit.value if limit else 0.0)
    room = WIDTH / len(columns)
    width = min(_COLUMN_AT_MOST, 0.8 * room)
    step = min(room, _COLUMN_AT_MOST / 0.8)

    def height(value: float) -> float:
        return max(1.0, round((AXIS - TOP) * value / top, 1)) if top else 1.0

    return Chart(
        name=name,
        width=WIDTH,
        height=AXIS + 40,
        axis=AXIS,
        columns=tuple(
            Upright(
                x=round(step * index, 1),
                y=round(AXIS - height(column.value), 1),
                width=round(width, 1),
                height=height(column.value),
                kind=column.kind,
                sign=column.sign if width >= _SIGN_ROOM else "",
                told=column.told,
            )
            for index, column in enumerate(columns)
        ),
        most=told_as(highest),
        first=ends[0],
        last=ends[1],
        limit=Limit(limit.value, limit.text, round(AXIS - height(limit.value), 1))
        if limit
        else None,
        told=f"{name}, {told_as(highest)}. " + "; ".join(column.told for column in columns),
    )
