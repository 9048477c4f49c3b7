"""One run as a plain story: what stopped it, which row matched, what was decided, what to do.

Told from the run's record, the execution's history and the cause table. Each may be missing: an
execution that never claimed a run has no record, a history is kept for 90 days, and a start that
the Scheduler could not deliver has neither. What is missing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Capacity, Status
from steadyspot.contract.states import JobState
from steadyspot.deploy.runs.chain import Link
from steadyspot.deploy.runs.history import Launch, Moment, Story
from steadyspot.deploy.runs.items import attempt_of
from steadyspot.deploy.runs.records import UNREADABLE, RunRecord
from steadyspot.deploy.runs.traces import RunTrace
from steadyspot.statemachines.causes import rows
from steadyspot.statemachines.causes.row import Cause

if TYPE_CHECKING:
    from steadyspot.deploy.money.true_bill import Billed

_ROWS: Mapping[str, Cause] = {cause.name: cause for cause in rows()}


@dataclass(frozen=True)
class Stop:
    """Why one attempt ended: the row of the cause table, and what AWS or the worker said."""

    attempt: int
    cause: str
    cause_class: str
    stopped_reason: str


@dataclass(frozen=True)
class Explanation:
    """A run's story, ready to be shown; ``next_step`` is empty only while it runs.

    ``deadline`` and ``latest_spot_start`` are aware UTC, None where there is none or nobody knows;
    ``under_way`` is the attempt that has not ended; ``chain`` are the runs of the same time that it
    comes after, and that come after it; ``entered`` are the states that were entered, in order;
    ``trace`` is None where none is sent; ``told`` are the notifications and whom they are for;
    ``billed`` is what AWS bills, but for logs, None of a run without attempts.
    """

    outcome: str
    next_step: str
    run: RunRecord | None
    execution: str
    moments: tuple[Moment, ...]
    stops: tuple[Stop, ...]
    deadline: datetime | None = None
    latest_spot_start: datetime | None = None
    under_way: Launch | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shards: tuple[RunRecord, ...] = ()
    chain: tuple[Link, ...] = ()
    entered: tuple[str, ...] = ()
    trace: RunTrace | None = None
    told: tuple[str, ...] = ()
    billed: Billed | None = None


def explain(
    *,
    run: RunRecord | None,
    execution: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]],
    waits: str = "",
    name: str = "",
    parameters: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    shards: tuple[RunRecord, ...] = (),
) -> Explanation:
    """Put a story together; pure.

    ``execution`` is what ``DescribeExecution`` said, None where AWS no longer knows; ``waits`` is
    why a message about the run lies in the dead-letter queue, empty where none does; ``name`` is
    how commands name the run, such as ``night 20261124T020000Z``; ``parameters`` are values of the
    job's own. Without ``now`` it is not said whether a deadline has passed.
    """
    teller = Story()
    moments = tuple(teller.tell(events))
    if run:
        name = f"{run.job} {run.run_key}"
        run = _with_those_of(teller, run)
    stops = tuple(_stops(run))
    outcome, step = _verdict(run, execution, events, waits, name)
    if moments and execution and execution["status"] == "RUNNING":
        outcome = f"{outcome.removesuffix('.')}: {_at_present(run, teller, moments[-1], now)}."
    return Explanation(
        outcome=outcome,
        next_step=step,
        run=run,
        execution=execution["executionArn"] if execution else (run.execution if run else ""),
        moments=moments,
        stops=stops,
        deadline=teller.deadline,
        latest_spot_start=teller.latest_spot_start,
        under_way=_not_in(run, teller.under_way),
        parameters=parameters or {},
        shards=shards,
        entered=tuple(
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if event["type"].endswith("StateEntered")
        ),
    )


def _not_in(run: RunRecord | None, launch: Launch | None) -> Launch | None:
    """Return an attempt that the run's record does not have, else None."""
    known = {attempt.attempt for attempt in run.attempts} if run else set()
    return None if launch is None or launch.number in known else launch


def with_ended(run: RunRecord, events: Sequence[Mapping[str, Any]]) -> RunRecord:
    """Add the attempts that have ended and are not written down yet, such as refusals; pure.

    ``events`` are those of the execution that the record names.
    """
    teller = Story()
    for _ in teller.tell(events):
        pass
    return _with_those_of(teller, run)


def _with_those_of(teller: Story, run: RunRecord) -> RunRecord:
    last = max((attempt.attempt for attempt in run.attempts), default=0)
    more = tuple(attempt_of(row) for row in teller.attempts if row["attempt"] > last)
    return run if run.status != Status.RUNNING else replace(run, attempts=run.attempts + more)


def _at_present(run: RunRecord | None, teller: Story, last: Moment, now: datetime | None) -> str:
    """Return what a run is at: its attempt, how far that is, and its deadline; or its last step."""
    launch = _not_in(run, teller.under_way)
    if launch is None or not launch.task:
        return last.text
    on = "Spot" if launch.capacity == Capacity.SPOT else launch.capacity
    told = [f"attempt {launch.number} on {on} since {launch.at:%H:%M:%S}"]
    if run and run.units_done:
        told.append(
            f"{run.units_done}{f' of {run.units_total}' * bool(run.units_total)} units done"
        )
    if teller.deadline:
        passed = now is not None and now >= teller.deadline
        told.append(f"{'was due' if passed else 'due'} by {teller.deadline:%H:%M:%S}")
    return ", ".join(told)


def _stops(run: RunRecord | None) -> Iterator[Stop]:
    for attempt in run.attempts if run else ():
        row = _ROWS.get(attempt.cause)
        if attempt.cause not in ("", "finished"):
            yield Stop(
                attempt.attempt,
                attempt.cause,
                row.cause_class.value if row else "unknown",
                attempt.stopped_reason,
            )


def _verdict(
    run: RunRecord | None,
    execution: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]],
    waits: str,
    name: str,
) -> tuple[str, str]:
    """Return how it ended and what to do."""
    status = execution["status"] if execution else ""
    if run is None:
        return _without_record(status, events, waits, name)
    if run.status == UNREADABLE:
        return run.unreadable, (
            "Look who has changed it (DynamoDB console); without it the run can be started anew."
        )
    if run.complete:
        return "The run is complete and its outputs are published.", "Nothing to do."
    if run.status == Status.UNFINISHED:
        cause = _cause(run)
        step = step_after(run)
        why = _filled(_told(events).removesuffix(step).rstrip(), run, cause, status)
        why = why or sentence_of(run, status)
        return why, f"{step} To redrive it: steadyspot redrive {name}."
    if run.status == Status.SKIPPED:
        row = _ROWS[_cause(run)]
        return row.sentence.replace("{other}", run.skipped_for), step_after(run)
    if status == "RUNNING":
        return (
            "The run is under way.",
            f"Follow it: steadyspot watch {name}.",
        )
    return (
        f"The record says {run.status}, but its execution ended ({status.lower() or 'gone'}).",
        f"Redrive it (steadyspot redrive {name}), or wait: the next start of it takes it over.",
    )


def step_after(run: RunRecord) -> str:
    """Return what to do about a run that ended without being complete, by its record."""
    row = _ROWS.get(_cause(run))
    return row.next_step if row else "If it is still wanted, redrive the run."


def sentence_of(run: RunRecord, status: str = "") -> str:
    """Return why a run ended unfinished, by its record; ``status`` is that of its execution."""
    cause = _cause(run)
    row = _ROWS.get(cause)
    said = f"It ended unfinished: {row.sentence}" if row else ""
    return _filled(said or f"The run ended unfinished ({cause or 'stopped'}).", run, cause, status)


def _cause(run: RunRecord) -> str:
    stops = [attempt.cause for attempt in run.attempts if attempt.cause not in ("", "finished")]
    return run.cause or (stops[-1] if stops else "")


def _without_record(
    status: str, events: Sequence[Mapping[str, Any]], waits: str, name: str
) -> tuple[str, str]:
    if waits:
        return waits, f"Mend what it names, then run it again: steadyspot redrive {name}."
    if status == "RUNNING" and _waits_for_its_turn(events):
        return (
            "The run waits for its turn: another run of the job is under way.",
            f"Look which: steadyspot runs {name.partition(' ')[0]}.",
        )
    if status == "RUNNING":
        return "The execution has not claimed a run yet.", f"Follow it: steadyspot watch {name}."
    if status == "SUCCEEDED":
        return (
            "The execution was a duplicate: another one worked this time off.",
            "Nothing to do.",
        )
    if status:
        why = _told(events) or f"The execution ended as {status} before it had claimed a run."
        return why, "Correct its input, or what the text names; then start it again."
    return (
        "Neither the run table nor Step Functions knows this run.",
        f"Look which there are: steadyspot runs {name.partition(' ')[0]}. "
        "Histories are kept for 90 days.",
    )


def _waits_for_its_turn(events: Sequence[Mapping[str, Any]]) -> bool:
    entered = (event.get("stateEnteredEventDetails", {}).get("name") for event in events)
    return JobState.WAIT_FOR_TURN in entered


def _told(events: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence with which an execution failed."""
    for event in reversed(events):
        details = event.get("executionFailedEventDetails") or event.get(
            "executionAbortedEventDetails"
        )
        if details and details.get("cause"):
            return str(details["cause"])
    return ""


def _filled(sentence: str, run: RunRecord, cause: str, status: str) -> str:
    """Return a sentence of the table with what it leaves open, from the attempt that it is of."""
    last = run.attempts[-1] if run.attempts else None
    ended = status.lower() or "gone"
    return (
        sentence.replace("{exit_code}", str(last.exit_code) if last else "?")
        .replace("{stopped_reason}", last.stopped_reason if last and last.cause == cause else ended)
        .replace("{how_ended}", ended)
        .replace("{error}", ended)
        .replace("{shards} shards {left}", f"{run.shards} shards some")
        .replace(": {which}", ".")
        .replace("{memory_gb} GB", "its memory's size")
    )
