"""What a page shows, in the words in which it shows it; pure.

Texts come from the functions that a terminal's come from, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from steadyspot.contract import Status, output_prefix
from steadyspot.deploy.as_json import as_json
from steadyspot.deploy.aws.prices import Prices, dollars
from steadyspot.deploy.money.sentences import money_line
from steadyspot.deploy.money.true_bill import sentence_of_run
from steadyspot.deploy.runs.evidence import as_data
from steadyspot.deploy.runs.logs import LogLine
from steadyspot.deploy.runs.outputs import Output
from steadyspot.deploy.runs.progress import duration
from steadyspot.deploy.runs.records import Money, RunRecord, money
from steadyspot.deploy.runs.story import Explanation
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.ui.graph import Graph, graph_of
from steadyspot.deploy.ui.in_short import in_short, lateness, to_be_on_time
from steadyspot.deploy.ui.pictures import Picture, laid_out
from steadyspot.deploy.ui.shards_view import Shards, shards_of
from steadyspot.deploy.ui.timeline import Timeline, timeline_of
from steadyspot.deploy.ui.tones import SIGNS
from steadyspot.deploy.ui.trace_view import TracePicture, trace_picture


@dataclass(frozen=True)
class AttemptRow:
    """A line of the table of attempts."""

    number: int
    capacity: str
    zone: str
    begin: str
    end: str
    time: str
    ended_by: str
    said: str
    units: int


@dataclass(frozen=True)
class Printed:
    """The last lines that an attempt has printed."""

    number: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class OutputRow:
    """An object that a run has published."""

    name: str
    size: str


@dataclass(frozen=True)
class Beside:
    """What is read beside a run's story.

    ``log`` is what attempts printed, by number, None where nobody asked; ``outputs`` are the first
    ones; ``definition`` is that of the workflow, as JSON, empty where AWS does not tell it.
    """

    log: Mapping[int, Sequence[LogLine]] | None = None
    outputs: Sequence[Output] = ()
    definition: str = ""


@dataclass(frozen=True)
class RunView:
    """All that the page of a run shows; ``printed`` is None where nobody asked for the log."""

    job: str
    name: str
    tone: str
    story: Explanation
    late: str
    in_short: tuple[str, ...]
    advice: str
    facts: tuple[tuple[str, str], ...]
    picture: Picture | None
    attempts: tuple[AttemptRow, ...]
    money: str
    billed: str
    warnings: tuple[str, ...]
    published: str
    outputs: tuple[OutputRow, ...]
    shards: Shards | None
    graph: Graph | None
    printed: tuple[Printed, ...] | None
    json: str

    @property
    def sign(self) -> str:
        """A sign that says the same as the colour."""
        return SIGNS[self.tone]

    @property
    def logs(self) -> frozenset[int]:
        """The numbers of the attempts of which there are lines, to which a picture can lead."""
        return frozenset(one.number for one in self.printed or ())

    @property
    def actions(self) -> tuple[str, ...]:
        """What can be done about the run."""
        return {"good": (), "care": ("stop",), "bad": ("redrive",)}[self.tone]

    @property
    def trace(self) -> TracePicture | None:
        """The picture of its trace, where the target keeps that."""
        return trace_picture(self.story.trace)

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more by itself."""
        return self.tone != "care"


def run_view(
    story: Explanation,
    job: Job,
    prices: Prices,
    now: datetime,
    beside: Beside = Beside(),
) -> RunView:
    """Return what a run's page shows at a moment."""
    run, timeline = story.run, timeline_of(story, now)
    cost = money(run, prices, vcpu=job.vcpu, memory_gb=job.memory_gb) if run else None
    late = lateness(story, _end(story, timeline, now))
    return RunView(
        job=job.name,
        name=run.run_key if run else story.execution.rsplit(":", 1)[-1],
        tone=_tone(story),
        story=story,
        late=late,
        in_short=tuple(in_short(story, timeline)),
        advice=to_be_on_time(job) if late and run and run.complete else "",
        facts=(*_facts(story, timeline, now), *_price(cost, story)),
        picture=laid_out(timeline) if timeline else None,
        attempts=tuple(_rows(story)),
        money=(
            money_line(cost, prices.date, complete=run.complete)
            if cost and run and run.attempts
            else ""
        ),
        billed=(
            sentence_of_run(story.billed, complete=run.complete) if story.billed and run else ""
        ),
        warnings=run.warnings if run else (),
        published=_published(run),
        outputs=tuple(OutputRow(one.name, size(one.bytes)) for one in beside.outputs),
        shards=shards_of(run, story.shards, now) if run else None,
        graph=graph_of(beside.definition, story.entered) if beside.definition else None,
        printed=None if beside.log is None else tuple(_printed(beside.log)),
        json=as_json(as_data(story, job, prices), indent=2),
    )


def _tone(story: Explanation) -> str:
    run = story.run
    if run and run.complete:
        return "good"
    if story.under_way or (run and run.status in (Status.RUNNING, Status.COMMITTING)):
        return "care"
    return "bad"


def _facts(
    story: Explanation, timeline: Timeline | None, now: datetime
) -> Iterator[tuple[str, str]]:
    run = story.run
    if run and run.scheduled_time:
        yield "scheduled", _moment(run.scheduled_time)
    if story.deadline:
        yield "due by", f"{story.deadline:%Y-%m-%d %H:%M} UTC"
    if timeline:
        over = _tone(story) != "care"
        end = _end(story, timeline, now) or now
        yield "ended" if over else "now", f"{end:%Y-%m-%d %H:%M:%S} UTC"
        if story.deadline:
            late = (end - story.deadline).total_seconds()
            yield "against the deadline", f"{duration(abs(late))} {'late' if late > 0 else 'left'}"
    if run:
        total = f" of {run.units_total}" if run.units_total else ""
        yield "units done", f"{run.units_done}{total}"
        yield "attempts", str(len(timeline.bars) if timeline else len(run.attempts))


def _end(story: Explanation, timeline: Timeline | None, now: datetime) -> datetime | None:
    """Return when a run ended, now where it is under way; None where nobody knows."""
    if _tone(story) == "care":
        return now
    return timeline.bars[-1].end if timeline else None


def _price(cost: Money | None, story: Explanation) -> Iterator[tuple[str, str]]:
    """Yield what compute cost, and what AWS bills in all; what was saved only if it is complete."""
    complete = story.run is not None and story.run.complete
    if cost and cost.cost:
        yield "compute", f"{dollars(cost.cost)}{_saved(cost.saving) if complete else ''}"
    if billed := story.billed:
        told = _saved(billed.saving) if complete else ""
        yield "AWS bills in all", f"about {dollars(billed.total)}{told}"


def _saved(share: float) -> str:
    return f", {share:.0%} saved" if share >= 0 else f", {-share:.0%} dearer"


def _rows(story: Explanation) -> Iterator[AttemptRow]:
    run = story.run
    said = {stop.attempt: stop.stopped_reason for stop in story.stops}
    for attempt in run.attempts if run else ():
        yield AttemptRow(
            number=attempt.attempt,
            capacity=attempt.capacity,
            zone=attempt.zone or "-",
            begin=attempt.started_at[11:19],
            end=attempt.ended_at[11:19],
            time=duration(attempt.seconds),
            ended_by=attempt.cause or "-",
            said=said.get(attempt.attempt, ""),
            units=attempt.units_done,
        )
    if launch := story.under_way:
        yield AttemptRow(
            number=launch.number,
            capacity=launch.capacity,
            zone="-",
            begin=f"{launch.at:%H:%M:%S}",
            end="-",
            time="-",
            ended_by="under way",
            said="",
            units=run.units_done if run else 0,
        )


def _published(run: RunRecord | None) -> str:
    if run is None or not run.completion:
        return ""
    record = run.completion
    number = int(record.get("outputs", 0))
    return (
        f"{number} output{'s' * (number != 1)}, {int(record.get('output_bytes', 0)):,} bytes, "
        f"under {output_prefix(run.job, run.run_key)} at {record.get('completed_at', '?')}"
    )


def _printed(log: Mapping[int, Sequence[LogLine]]) -> Iterator[Printed]:
    for number, lines in log.items():
        if lines:
            yield Printed(
                number, tuple(f"{line.at.astimezone(UTC):%H:%M:%S}  {line.text}" for line in lines)
            )


def size(number: int) -> str:
    """Return a number of bytes for people."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if number >= 10**power:
            return f"{number / 10**power:.1f} {unit}"
    return f"{number} bytes"


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
