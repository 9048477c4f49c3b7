"""The one trace of a run: where its page in the console is, or what the embedded AWS keeps of it.

On AWS the console draws a trace. The embedded AWS has no console, so its segments are read and
shown as spans in the order of their times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from steadyspot.contract.shards import shard_of
from steadyspot.contract.traces import trace_id

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target

_MOST = 60
"""Spans that are shown; a run over shards has many."""
_WIDTH = 24
"""Characters of a timeline in a terminal."""


@dataclass(frozen=True)
class TracedSpan:
    """What a segment, or a part of one, says; ``ended`` is None while it goes on, times are UTC.

    ``depth`` is 0 for an attempt, and one more for what is a part of it.
    """

    name: str
    depth: int
    begun: datetime
    ended: datetime | None
    stopped: bool
    failed: bool

    def until(self, end: datetime) -> datetime:
        """Return its end, or that of all where it goes on."""
        return self.ended or end


@dataclass(frozen=True)
class RunTrace:
    """A run's trace; ``link`` is empty on the embedded AWS, ``spans`` are empty on AWS."""

    id: str
    link: str
    spans: tuple[TracedSpan, ...] = ()

    @property
    def begin(self) -> datetime:
        """When the first span began."""
        return min(span.begun for span in self.spans)

    @property
    def end(self) -> datetime:
        """The last moment that a span tells of."""
        return max(span.ended or span.begun for span in self.spans)


def trace_of(target: Target, job: Job, run_key: str) -> RunTrace | None:
    """Return the trace of a run, or of one of its shards; None where the job is not traced."""
    if not target.config.is_traced(job):
        return None
    name = trace_id(target.platform["Table"], job.name, run_key)
    if target.switches is None:
        return RunTrace(name, _link(target.session.region_name, name))
    reply = target.client("xray").batch_get_traces(TraceIds=[name])
    documents = [one["Document"] for trace in reply["Traces"] for one in trace["Segments"]]
    return RunTrace(name, "", tuple(spans_of(map(json.loads, documents), run_key))[:_MOST])


def spans_of(segments: Iterable[Mapping[str, Any]], run_key: str) -> Iterator[TracedSpan]:
    """Yield the spans of segments, each with its parts behind it.

    Of a segment that came twice, as one that goes on and whole, the whole one counts; of a shard
    only what is its own.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    for segment in segments:
        if shard_of(run_key) and segment.get("annotations", {}).get("run_key") != run_key:
            continue
        before = latest.get(segment["id"])
        if before is None or "end_time" not in before:
            latest[segment["id"]] = segment
    for segment in sorted(latest.values(), key=_began):
        yield from _spans(segment, 0, _attempt(segment))


def _spans(part: Mapping[str, Any], depth: int, name: str) -> Iterator[TracedSpan]:
    ended = part.get("end_time")
    yield TracedSpan(
        name=name,
        depth=depth,
        begun=_moment(part["start_time"]),
        ended=None if ended is None else _moment(ended),
        stopped=bool(part.get("error")),
        failed=bool(part.get("fault")),
    )
    for below in sorted(part.get("subsegments", ()), key=_began):
        yield from _spans(below, depth + 1, below["name"])


def _attempt(segment: Mapping[str, Any]) -> str:
    """Return what an attempt is called, by what its segment is annotated with."""
    about = segment.get("annotations", {})
    shard = shard_of(str(about.get("run_key", "")))
    told = [f"attempt {about.get('attempt', '?')}"]
    told += [f"of shard {shard[1]}"] if shard else []
    told += [f"on {about['capacity']}"] if about.get("capacity") else []
    told += [f"in {about['zone']}"] if about.get("zone") else []
    return " ".join(told) + (f": {about['cause']}" if about.get("cause") else "")


def _began(part: Mapping[str, Any]) -> float:
    return float(part["start_time"])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _link(region: str, name: str) -> str:
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    return f"{console}#xray:traces/{name}"


def show_trace(screen: Screen, trace: RunTrace | None) -> None:
    """Print where a trace is, or its spans as a timeline."""
    if trace is None:
        return
    screen.heading("Its trace")
    screen.say(trace.link or trace.id)
    if trace.spans:
        names = ("span", "from (UTC)", "s", "timeline")
        screen.table(names, [*_lines(trace)])


def _lines(trace: RunTrace) -> Iterator[tuple[str, str, str, str]]:
    whole = max((trace.end - trace.begin).total_seconds(), 0.001)
    for span in trace.spans:
        seconds = (span.until(trace.end) - span.begun).total_seconds()
        before = int(_WIDTH * (span.begun - trace.begin).total_seconds() / whole)
        before = min(before, _WIDTH - 1)
        bar = max(1, min(round(_WIDTH * seconds / whole), _WIDTH - before))
        sign = "x" if span.stopped or span.failed else "=" if span.ended else "."
        name = f"{'  ' * span.depth}{span.name}"
        yield name, f"{span.begun:%H:%M:%S}", f"{seconds:.1f}", f"{' ' * before}{sign * bar}"


def as_data(trace: RunTrace | None) -> dict[str, Any] | None:
    """Return a trace for machines."""
    return asdict(trace) if trace else None
