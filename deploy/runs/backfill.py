"""Works off a window of scheduled times: those that have no complete run, a few at a time.

Which times there were is told by the schedule's own expression. Doing it twice is safe: a time
that is complete or under way is left out, and a run is claimed once whatever is started.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract import Status, messages
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.runs.executions import start
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.schedules.expressions import Rate, read
from steadyspot.deploy.stacks.config import Schedule
from steadyspot.deploy.trouble import Trouble

MOST_TIMES = 1000
"""Scheduled times that one command works off; a greater window is more likely a slip."""
_LOOK_SECONDS = 10.0
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?"
)


@dataclass(frozen=True)
class Due:
    """One scheduled time of the window; ``note`` says why it is left out, if it is.

    ``parameters`` are those that its schedule gives.
    """

    scheduled_time: str
    run_key: str
    again: bool
    note: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """A time that was started, or was left out."""

    run_key: str
    execution: str
    note: str


_FIRST_YEAR = 2000
"""Of run keys."""


def moment_of(text: str, option: str) -> datetime:
    """Return a moment given as ``2026-11-24`` or ``2026-11-24T02:00:00Z``, or with an offset.

    Raises
    ------
    Trouble
        When it is none of these, of no calendar, or of a century before this one, of which no
        run can be.
    """
    if _MOMENT.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
            if moment.year >= _FIRST_YEAR:
                return moment
        except (ValueError, OverflowError):  # of no calendar, or beyond the first year in UTC
            pass
    raise Trouble(
        f"{option} {text} is no time.", "Write it as 2026-11-24 or 2026-11-24T02:00:00Z, in UTC."
    )


def times(
    expression: str, zone: str, *, first: datetime, last: datetime, anchor: datetime
) -> list[datetime]:
    """Return the times at which a schedule was due from ``first`` to ``last``, both included; pure.

    ``anchor`` is a time at which a ``rate`` was due.

    Raises
    ------
    Trouble
        When there are more than :data:`MOST_TIMES`.
    """
    found: list[datetime] = []
    begun, form = first, read(expression)
    if isinstance(form, Rate):
        begun = anchor - max(0, (anchor - first) // form.step) * form.step
    timing = Timing(expression, zone, begun)
    due = next_due(timing, None)
    while due is not None and due <= last:
        if due >= first:
            found.append(due)
        if len(found) > MOST_TIMES:
            raise Trouble(
                f"There are more than {MOST_TIMES:,} scheduled times between these two.",
                "Name a smaller window with --from and --to.",
            )
        due = next_due(timing, due)
    return found


def times_of_all(
    schedules: Mapping[str, Schedule],
    *,
    first: datetime,
    last: datetime,
    anchor: Callable[[str], datetime],
) -> dict[datetime, Mapping[str, Any]]:
    """Return the times of all schedules of a job, in order, with the parameters that each gives.

    ``anchor`` returns a time at which the schedule of a name, a rate, was due.

    Raises
    ------
    Trouble
        As :func:`times`.
    """
    found: dict[datetime, Mapping[str, Any]] = {}
    for name, one in schedules.items():
        at = anchor(name) if isinstance(read(one.schedule), Rate) else first
        for moment in times(one.schedule, one.timezone, first=first, last=last, anchor=at):
            found.setdefault(moment, one.parameters)
    return dict(sorted(found.items()))


def due_at(schedules: Mapping[str, Schedule], at: datetime) -> str:
    """Return the name of the schedule that was due at a time, of those that there are; pure.

    A rate may be due at any time, so one is meant where no other was due; else the first.
    """
    rates = []
    for name, one in schedules.items():
        if isinstance(read(one.schedule), Rate):
            rates.append(name)
        elif at in times(one.schedule, one.timezone, first=at, last=at, anchor=at):
            return name
    return next(iter([*rates, *schedules]))


def due_of(moments: Sequence[datetime], runs: Sequence[RunRecord]) -> list[Due]:
    """Return what is to be done about each time, given the runs that there are; pure."""
    known = {run.run_key: run for run in runs}
    return [_due(scheduled_time_of(moment), known) for moment in moments]


def _due(text: str, known: dict[str, RunRecord]) -> Due:
    key = run_key_of(text)
    run = known.get(key)
    if run is None:
        return Due(text, key, again=False, note="")
    if run.complete:
        return Due(text, key, again=True, note="is complete already")
    if run.status in (Status.UNFINISHED, Status.SKIPPED):
        return Due(text, key, again=True, note="")
    return Due(text, key, again=True, note="is under way")


class Backfill:
    """Starts runs of scheduled times, never more at once than wanted.

    Parameters
    ----------
    at_once
        Executions of this command that may run at the same time.
    request
        What each is asked for beside its time, such as its capacity and parameters.
    takes_turns
        Runs of the job must not overlap: what this starts waits for its turn and is never skipped,
        since it is asked for as a redrive is.
    pause
        Called with seconds between two looks.
    """

    def __init__(
        self,
        *,
        sfn: Any,
        runs: RunTable,
        job: str,
        machine: str,
        at_once: int,
        request: Mapping[str, Any],
        takes_turns: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sfn = sfn
        self._runs = runs
        self._job = job
        self._machine = machine
        self._at_once = at_once
        self._given = request
        self._takes_turns = takes_turns
        self._pause = pause

    def due(self, moments: Mapping[datetime, Mapping[str, Any]]) -> list[Due]:
        """Return what is to be done about each time, with the parameters of its schedule."""
        keys = [run_key_of(scheduled_time_of(moment)) for moment in moments]
        dues = due_of([*moments], self._runs.several(self._job, keys))
        return [
            replace(one, parameters=given)
            for one, given in zip(dues, moments.values(), strict=True)
        ]

    def run(self, due: Sequence[Due]) -> Iterator[Started]:
        """Start what is to be run, oldest first; returns once the last is started."""
        running: list[str] = []
        for one in due:
            if one.note:
                yield Started(one.run_key, "", one.note)
                continue
            while len(running := self._still(running)) >= self._at_once:
                self._pause(_LOOK_SECONDS)
            request = {
                messages.SCHEDULED_TIME: one.scheduled_time,
                # A deadline counts from the scheduled time, so it has as a rule passed long ago.
                messages.FINISH_WITHIN_MINUTES: 0,
                **self._given,
                **self._parameters(one),
                **({messages.REDRIVE: True} if one.again or self._takes_turns else {}),
            }
            execution = start(self._sfn, self._machine, request)
            running.append(execution)
            yield Started(one.run_key, execution, "is started")

    def _parameters(self, one: Due) -> dict[str, Any]:
        """Return what its schedule gives, in which what was typed takes the place."""
        values = {**one.parameters, **self._given.get(messages.PARAMETERS, {})}
        return {messages.PARAMETERS: values} if values else {}

    def _still(self, executions: Sequence[str]) -> list[str]:
        if len(executions) < self._at_once:
            return list(executions)
        return [
            arn
            for arn in executions
            if self._sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"
        ]


def anchor_of(runs: Sequence[RunRecord], made: datetime) -> datetime:
    """Return a time at which a rate was due: its latest run's, else when it was made."""
    scheduled = [run.scheduled_time for run in runs if run.scheduled_time]
    if not scheduled:
        return made.astimezone(UTC).replace(microsecond=0)
    return datetime.fromisoformat(max(scheduled)).astimezone(UTC)
