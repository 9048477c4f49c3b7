"""The spans of a run's trace as a picture; pure. ``trace.html`` draws it, or leads to the console.

A row for each span, in the order of their beginnings, parts moved in under what they are parts of.
How one ended is told by its sign and its edge, so that it is there in grey, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.traces import RunTrace, TracedSpan

WIDTH, LEFT, RIGHT = 960, 300, 944
"""Between the last two lies the time."""
_ROW, _BAR = 20, 14
_LEAST = 2.0
_MOVED_IN = 14
_LONGEST = 38
"""Characters of a name that have room."""


@dataclass(frozen=True)
class Row:
    """A span to draw."""

    name: str
    indent: int
    x: float
    y: int
    width: float
    ended: str
    sign: str
    told: str


@dataclass(frozen=True)
class TracePicture:
    """A trace laid out."""

    width: int
    height: int
    bar: int
    rows: tuple[Row, ...]
    told: str


def trace_picture(trace: RunTrace | None) -> TracePicture | None:
    """Return where the spans of a trace lie; None where there are none."""
    if trace is None or not trace.spans:
        return None
    rows = tuple(_row(trace, span, number) for number, span in enumerate(trace.spans))
    told = "; ".join(row.told for row in rows)
    return TracePicture(WIDTH, _ROW * len(rows) + 8, _BAR, rows, told)


def _row(trace: RunTrace, span: TracedSpan, number: int) -> Row:
    whole = max((trace.end - trace.begin).total_seconds(), 0.001)
    seconds = (span.until(trace.end) - span.begun).total_seconds()
    wide = max(_LEAST, seconds / whole * (RIGHT - LEFT))
    x = LEFT + (span.begun - trace.begin).total_seconds() / whole * (RIGHT - LEFT)
    ended, sign = _end(span)
    room = _LONGEST - 2 * span.depth
    return Row(
        name=span.name if len(span.name) <= room else f"{span.name[: room - 1]}…",
        indent=8 + _MOVED_IN * span.depth,
        x=round(min(x, RIGHT - wide), 1),
        y=4 + _ROW * number,
        width=round(wide, 1),
        ended=ended,
        sign=sign,
        told=f"{span.name}, {duration(seconds)} from {span.begun:%H:%M:%S} UTC, {ended}",
    )


def _end(span: TracedSpan) -> tuple[str, str]:
    if span.ended is None:
        return "under way", "…"
    if span.stopped or span.failed:
        return "stopped", "✕"
    return "finished", "✓"
