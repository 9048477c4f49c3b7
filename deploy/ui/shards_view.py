"""The shards of a run as rows of a picture: when each worked, and how it stands; pure.

A run may have thousands: those that are not complete come first, then those that took longest, and
the others are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from steadyspot.contract import Capacity, Status
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.shards import number_of, seconds_of
from steadyspot.deploy.ui.pictures import WIDTH, Scale, Tick
from steadyspot.deploy.ui.tones import SIGNS, tone_of

_MOST = 40
_TOP, _LANE, _BAR = 8, 22, 16
_LEAST = 2.0


@dataclass(frozen=True)
class Piece:
    """An attempt of a shard to draw."""

    x: float
    width: float
    kind: str
    ended: str
    told: str


@dataclass(frozen=True)
class Lane:
    """A shard to draw."""

    number: int
    run_key: str
    y: float
    sign: str
    tone: str
    pieces: tuple[Piece, ...]
    told: str


@dataclass(frozen=True)
class Shards:
    """Shards laid out; ``told`` says how many stand how, ``left_out`` how many are not drawn."""

    width: int
    height: int
    axis: int
    bar: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    told: str
    left_out: int


def shards_of(run: RunRecord, shards: Sequence[RunRecord], now: datetime) -> Shards | None:
    """Return the shards of a run that were begun; None where none was."""
    if not shards:
        return None
    chosen = [shard for shard in shards if not shard.complete][:_MOST]
    longest = sorted((shard for shard in shards if shard.complete), key=seconds_of, reverse=True)
    chosen += longest[: _MOST - len(chosen)]
    chosen.sort(key=number_of)
    spans = [span for shard in chosen for span in _spans(shard, now)]
    begin = min((span[0] for span in spans), default=now)
    scale = Scale(begin, max((span[1] for span in spans), default=now))
    axis = _TOP + _LANE * len(chosen)
    return Shards(
        width=WIDTH,
        height=axis + 26,
        axis=axis,
        bar=_BAR,
        lanes=tuple(_lane(index, shard, scale, now) for index, shard in enumerate(chosen)),
        ticks=tuple(scale.ticks()),
        told=_told(run, shards),
        left_out=len(shards) - len(chosen),
    )


def _lane(index: int, shard: RunRecord, scale: Scale, now: datetime) -> Lane:
    tone = tone_of(shard.status)
    return Lane(
        number=number_of(shard),
        run_key=shard.run_key,
        y=_TOP + _LANE * index,
        sign=SIGNS[tone],
        tone=tone,
        pieces=tuple(
            Piece(
                x=scale.at(begin),
                width=max(_LEAST, round(scale.at(end) - scale.at(begin), 1)),
                kind=Capacity.SPOT if capacity == Capacity.SPOT else Capacity.ON_DEMAND,
                ended=ended,
                told=told,
            )
            for begin, end, capacity, ended, told in _spans(shard, now)
        ),
        told=f"shard {number_of(shard)}: {shard.status}, {len(shard.attempts)} attempts, "
        f"{duration(seconds_of(shard))}{f', {shard.cause}' if shard.cause else ''}",
    )


def _spans(shard: RunRecord, now: datetime) -> Iterator[tuple[datetime, datetime, str, str, str]]:
    """Yield begin, end, capacity, how it ended and words of each attempt."""
    last = None
    for one in shard.attempts:
        try:
            begin, end = (
                datetime.fromisoformat(time).astimezone(UTC)
                for time in (one.started_at, one.ended_at)
            )
        except ValueError:
            continue
        good = one.cause == "finished"
        last = max(begin, end)
        yield (
            begin,
            last,
            one.capacity,
            "finished" if good else "stopped",
            f"attempt {one.attempt} on {one.capacity}, {duration(one.seconds)}: {one.cause}",
        )
    if shard.status == Status.RUNNING:
        begun = last or _moment(shard.claimed_at) or now
        yield begun, max(begun, now), Capacity.SPOT, "under-way", "under way, or waits"


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _told(run: RunRecord, shards: Sequence[RunRecord]) -> str:
    count = Counter(shard.status for shard in shards)
    count["not started"] = run.shards - len(shards)
    told = ", ".join(f"{number} {status}" for status, number in count.items() if number > 0)
    return f"{run.shards} shards: {told}"
