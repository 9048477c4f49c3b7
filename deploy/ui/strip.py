"""A job's last runs as a strip of marks, one beside the other, newest at the right; pure.

Each kind of end has a shape and a colour of its own, and is drawn as one path, so that a page with
hundreds of strips stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadyspot.contract import Capacity, Status
from steadyspot.deploy.runs.records import RunRecord

WIDTH_OF_MARK, HEIGHT = 8, 18
_FELL_BACK, _UNDER_WAY = "fell back", "under way"
_SHAPES: dict[str, str] = {
    Status.COMPLETE: "h6v14h-6z",
    _FELL_BACK: "m0,5h6v9h-6z",
    Status.UNFINISHED: "l6,14m-6,0l6,-14",
    _UNDER_WAY: "m0,7h1m2,0h1m2,0h1",
    Status.SKIPPED: "m0,13h6",
}
"""By kind: a whole bar, a low one, a cross, dots, a line at the bottom."""


@dataclass(frozen=True)
class Marks:
    """The marks of one kind: a path, and words."""

    kind: str
    path: str
    told: str


@dataclass(frozen=True)
class StripView:
    """A strip to draw; ``spot_share`` is that of the seconds of its runs, empty without any."""

    width: int
    height: int
    marks: tuple[Marks, ...]
    told: str
    spot_share: str


def strip_of(runs: Sequence[RunRecord]) -> StripView | None:
    """Return the strip of runs, which come oldest first; None without any."""
    if not runs:
        return None
    kinds = [_kind(run) for run in runs]
    marks = []
    for kind, shape in _SHAPES.items():
        places = [index for index, one in enumerate(kinds) if one == kind]
        if places:
            path = "".join(f"M{WIDTH_OF_MARK * index + 1},2{shape}" for index in places)
            marks.append(Marks(kind.replace(" ", "-"), path, f"{len(places)} {kind}"))
    spot, on_demand = (
        sum(run.seconds.get(of, 0) for run in runs) for of in ("spot_seconds", "on_demand_seconds")
    )
    return StripView(
        width=WIDTH_OF_MARK * len(runs),
        height=HEIGHT,
        marks=tuple(marks),
        told=f"last {len(runs)} runs: {', '.join(one.told for one in marks)}",
        spot_share=f"{spot / (spot + on_demand):.0%}" if spot + on_demand else "",
    )


def _kind(run: RunRecord) -> str:
    if run.complete:
        fell_back = run.seconds.get("on_demand_seconds") and _had_spot(run)
        return _FELL_BACK if fell_back else Status.COMPLETE
    if run.status in (Status.RUNNING, Status.COMMITTING):
        return _UNDER_WAY
    return Status.SKIPPED if run.status == Status.SKIPPED else Status.UNFINISHED


def _had_spot(run: RunRecord) -> bool:
    """Return whether it was tried on Spot, which a run of a job on on-demand only is not."""
    return any(attempt.capacity == Capacity.SPOT for attempt in run.attempts)
