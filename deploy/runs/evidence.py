"""Gathers what a run's story is told from, and shows it; the story is made in ``story``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from steadyspot.contract import COMPLETION, output_prefix
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.runs import shards
from steadyspot.deploy.runs.chain import chain_of, told
from steadyspot.deploy.runs.executions import whole_history
from steadyspot.deploy.runs.given import parameters_of
from steadyspot.deploy.runs.lookup import Finder, Found
from steadyspot.deploy.runs.records import RunRecord, added_up, money
from steadyspot.deploy.runs.redrive import redrive_of
from steadyspot.deploy.runs.story import Explanation, Stop, explain
from steadyspot.deploy.runs.telling import all_told, told_by
from steadyspot.deploy.runs.traces import as_data as trace_as_data
from steadyspot.deploy.runs.traces import show_trace, trace_of
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


def explanation_of(
    target: Target,
    job: Job,
    meant: str | None,
    now: datetime | None = None,
    shard: int | None = None,
) -> Explanation:
    """Return the story of a run, or of a shard of it; ``now`` is that of this machine else.

    Raises
    ------
    Trouble
        When nothing knows that run: neither table nor Step Functions nor the dead-letter queue.
    """
    sfn, outputs = target.client("stepfunctions"), target.job(job)
    finder = Finder(table=target.runs, sfn=sfn, job=job.name, machine=outputs["StateMachine"])
    waits = ""
    try:
        found = finder.find(meant) if shard is None else finder.shard(meant, shard)
    except Trouble:
        waits = _waits(target, job, outputs, meant or "")
        if not waits:
            raise
        found = Found(None, None)
    events = whole_history(sfn, found.execution) if found.execution else []
    name = f"{job.name} {meant or (found.execution or {}).get('name', '')}".rstrip()
    its_shards = _shards_of(target, found.run)
    run = found.run
    if run and run.shards > 1 and not run.complete:
        run = added_up(run, its_shards)
    story = explain(
        run=run,
        execution=found.execution,
        events=events,
        waits=waits,
        name=name,
        shards=its_shards,
        parameters=parameters_of(job, found.run, found.execution),
        now=now or datetime.now(UTC),
    )
    whom = [entry for entry in all_told(target.config) if not entry.heartbeat]
    story = replace(story, told=tuple(told_by(events, whom)))
    key = found.run.run_key if found.run else ""
    if not key:
        return story
    return replace(story, chain=tuple(chain_of(target, job, key)), trace=trace_of(target, job, key))


def _shards_of(target: Target, run: RunRecord | None) -> tuple[RunRecord, ...]:
    if run is None or run.shards == 1:
        return ()
    return tuple(target.runs.of_run(run.job, run.run_key))


def _waits(target: Target, job: Job, outputs: dict[str, str], meant: str) -> str:
    """Return why a run lies in the dead-letter queue, empty where it does not."""
    waiting = redrive_of(target, job, outputs).waiting()
    return next((w.why or w.note for w in waiting if meant in ("", w.run_key)), "")


def show(screen: Screen, story: Explanation, job: Job, prices: Prices) -> None:
    """Print a story."""
    run = story.run
    name = run.run_key if run else story.execution.rsplit(":", 1)[-1]
    screen.say(f"{job.name} {name}".rstrip(), "bold")
    good = run is not None and run.complete
    screen.pair("outcome", story.outcome, "green" if good else "red" if story.next_step else "")
    if story.next_step:
        screen.pair("what to do", story.next_step)
    if run and run.scheduled_time:
        screen.pair("scheduled", run.scheduled_time)
    if story.parameters:
        given = (f"{name} = {json.dumps(value)}" for name, value in story.parameters.items())
        screen.quoted("parameters", ", ".join(given))
    _chain(screen, story)
    for notification in story.told:
        screen.pair("told", notification)
    if story.execution:
        screen.pair("execution", story.execution)
    if story.moments:
        screen.heading("What happened (UTC)")
        for moment in story.moments:
            screen.moment(moment)
    elif run:
        screen.say()
        screen.say("Step Functions no longer has its history; this is what the record says.")
    if run:
        _tried(screen, run, story, job, prices)
    show_trace(screen, story.trace)
    _warnings(screen, run.warnings if run else ())
    _completion(screen, story)


def _tried(screen: Screen, run: RunRecord, story: Explanation, job: Job, prices: Prices) -> None:
    """Print the attempts of a run, or its shards, and what they cost."""
    if run.attempts:
        screen.heading("Its attempts")
        screen.attempts(run.attempts)
        for sentence in _of_stops(story.stops):
            screen.say(sentence)
    if run.shards > 1:
        shards.show(screen, run, story.shards)
    if run.attempts or run.shards > 1:
        cost = money(run, prices, vcpu=job.vcpu, memory_gb=job.memory_gb)
        screen.money(cost, prices.date, complete=run.complete)
        if story.billed:
            screen.bill(story.billed, complete=run.complete)


def _of_stops(stops: Sequence[Stop]) -> Iterator[str]:
    """Yield which rows stopped which attempts; what befell several in a row is said once."""
    for _, group in groupby(
        stops, key=lambda one: (one.cause, one.cause_class, one.stopped_reason)
    ):
        first, *others = group
        joined = " and " if len(others) == 1 else " to "
        numbers = (
            f"s {first.attempt}{joined}{others[-1].attempt}" if others else f" {first.attempt}"
        )
        why = f": {first.stopped_reason}" if first.stopped_reason else ""
        yield f"attempt{numbers}: row {first.cause}, class {first.cause_class}{why}"


def _chain(screen: Screen, story: Explanation) -> None:
    for label, follows in (("comes after", False), ("before", True)):
        if links := told(story.chain, follows=follows):
            screen.pair(label, links)


def _warnings(screen: Screen, sentences: tuple[str, ...]) -> None:
    if sentences:
        screen.heading("What its worker warned of")
    for sentence in sentences:
        screen.say(sentence, "yellow")


def _completion(screen: Screen, story: Explanation) -> None:
    run = story.run
    if run is None or not run.completion:
        return
    record = run.completion
    screen.heading("What it published")
    screen.say(
        f"{record.get('outputs', 0)} outputs, {int(record.get('output_bytes', 0)):,} bytes, "
        f"{record.get('units', 0)} units, at {record.get('completed_at', '?')}"
    )
    if left := int(record.get("left_behind", 0)):
        screen.say(
            f"processes that the job left in the background, ended with it: {left}", "yellow"
        )
    screen.say(f"under {output_prefix(run.job, run.run_key)}, told in {COMPLETION}")


def as_data(story: Explanation, job: Job, prices: Prices) -> dict[str, Any]:
    """Return a story for machines."""
    run = story.run
    cost = money(run, prices, vcpu=job.vcpu, memory_gb=job.memory_gb) if run else None
    of_shards = [
        {
            "shard": shards.number_of(shard),
            "run_key": shard.run_key,
            "status": shard.status,
            "attempts": len(shard.attempts),
            "seconds": shards.seconds_of(shard),
            "cause": shard.cause,
        }
        for shard in story.shards
    ]
    return {
        "job": job.name,
        "shards": of_shards,
        "outcome": story.outcome,
        "next_step": story.next_step,
        "execution": story.execution,
        "parameters": dict(story.parameters),
        "run": asdict(run) if run else None,
        "moments": [asdict(moment) for moment in story.moments],
        "stops": [asdict(stop) for stop in story.stops],
        "chain": [asdict(link) for link in story.chain],
        "trace": trace_as_data(story.trace),
        "told": list(story.told),
        "money": {**asdict(cost), "saving": cost.saving} if cost else None,
        "billed": story.billed.as_row() if story.billed else None,
    }
