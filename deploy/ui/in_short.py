"""A run in a few sentences, for who has a minute: what stopped it, what was done, if it was late.

The sentences about causes are those of the cause table, said once for all attempts that one met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from steadyspot.contract import Capacity
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.story import Explanation, Stop
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.timeline import Timeline
from steadyspot.statemachines.causes import rows
from steadyspot.statemachines.causes.row import Cause

_ROWS: Mapping[str, Cause] = {cause.name: cause for cause in rows()}


def in_short(story: Explanation, timeline: Timeline | None) -> Iterator[str]:
    """Yield what befell a run and what was done about it, in order; nothing of a quiet run."""
    for _, group in groupby(story.stops, key=lambda stop: stop.cause):
        yield _befell([*group])
    if timeline is None or not story.stops:
        return
    if timeline.gaps:
        waited = sum((gap.end - gap.begin).total_seconds() for gap in timeline.gaps)
        yield f"Between attempts it waited {duration(waited)}."
    before = [bar.capacity == Capacity.SPOT for bar in timeline.bars]
    fell_back = next(
        (
            bar
            for index, bar in enumerate(timeline.bars)
            if bar.capacity != Capacity.SPOT and any(before[:index])
        ),
        None,
    )
    if fell_back:
        why = (
            ", the last safe moment for the deadline"
            if _is_by(fell_back.begin, story.latest_spot_start)
            else ""
        )
        yield f"From {fell_back.begin:%H:%M:%S} on it ran on on-demand{why}."


def lateness(story: Explanation, end: datetime | None) -> str:
    """Return how late a run has ended, or is by now; empty where it is not."""
    if story.deadline is None or end is None or end <= story.deadline:
        return ""
    return f"{duration((end - story.deadline).total_seconds())} late"


def to_be_on_time(job: Job) -> str:
    """Return which settings would have had a run that was late finish earlier."""
    return (
        "So that such a night ends in time: a greater margin_seconds "
        f"(now {job.margin_seconds}) has on-demand taken earlier; a greater finish_within_minutes "
        "gives Spot more time."
    )


def _befell(stops: Sequence[Stop]) -> str:
    first, last = stops[0], stops[-1]
    row = _ROWS.get(first.cause)
    sentence = row.sentence.partition(": {")[0].rstrip(".") if row else "it was stopped"
    if len(stops) == 1:
        return f"Attempt {first.attempt} ({first.cause}): {sentence}."
    return f"Attempts {first.attempt} to {last.attempt} ({len(stops)} × {first.cause}): {sentence}."


def _is_by(at: datetime, moment: datetime | None) -> bool:
    return moment is not None and abs((at - moment).total_seconds()) <= 5
