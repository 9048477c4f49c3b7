"""What the attempts of a run print, from CloudWatch Logs, as lines for a person.

A task's stream is named after it, and an attempt is a task. The worker's own lines are JSON and are
shown as sentences; the job's are shown as they are, also where they are JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from steadyspot.contract import logs, variables
from steadyspot.contract.states import JobState
from steadyspot.deploy.forms import shown
from steadyspot.deploy.runs.history import assigned_by
from steadyspot.deploy.trouble import USAGE, Trouble

_PREFIX = "run/worker/"
_METRICS = f'{{"{logs.METRICS}"'
_LAUNCHES = (JobState.RUN_ON_SPOT, JobState.RUN_ON_DEMAND)
_LATE_SECONDS = 10
"""AWS: a line may appear some seconds after its time, when later ones were shown already."""
_BEFORE_THE_RUN = (logs.AT, logs.LEVEL, logs.EVENT, logs.MESSAGE)
_AT = re.compile(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z")
_AGO = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class LogLine:
    """One line: the task's id and the number of its attempt, 0 if unknown; ``at`` aware UTC.

    ``sentence`` is the worker's own, empty in a line of the job's, and ``more`` is what its event
    adds to each line's keys.
    """

    at: datetime
    attempt: int
    task: str
    text: str
    sentence: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return the line for machines."""
        return {
            "at": f"{self.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "attempt": self.attempt,
            "task": self.task,
            "text": self.text,
        }


def since_of(text: str) -> datetime:
    """Return a moment given as so long ago (``90s``, ``10m``, ``2h``, ``1d``), or as a time.

    Raises
    ------
    Trouble
        When it is neither.
    """
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Trouble(
            f"--since {shown(text)} is no time.",
            "Write it as 10m, 2h or 1d, or as 2026-11-24T02:00:00Z.",
            USAGE,
        ) from None


def line_of(event: Mapping[str, Any], attempt: int = 0) -> LogLine:
    """Return an event of CloudWatch Logs as a line; pure."""
    text, sentence, more = _read(event["message"].rstrip("\n"))
    return LogLine(
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        attempt=attempt,
        task=event.get("logStreamName", "").rsplit("/", 1)[-1],
        text=text,
        sentence=sentence,
        more=more,
    )


def _read(message: str) -> tuple[str, str, dict[str, Any]]:
    if not message.startswith("{"):
        return message, "", {}
    try:
        parsed = json.loads(message)
    except json.JSONDecodeError:
        return message, "", {}
    if not isinstance(parsed, dict) or not _is_of_the_worker(parsed):
        return message, "", {}
    level = "" if parsed[logs.LEVEL] == "info" else f"{parsed[logs.LEVEL]}: "
    more = {name: value for name, value in parsed.items() if name not in logs.EVERY_LINE}
    added = "".join(f" {name}={value}" for name, value in more.items())
    sentence = parsed[logs.MESSAGE]
    return f"worker: {level}{sentence}{added}", sentence, more


def _is_of_the_worker(line: Mapping[str, Any]) -> bool:
    """Return whether a line has the worker's keys; one about options that are wrong names no run.

    Jobs write JSON lines as well, with some of the same keys.
    """
    every, first = list(logs.EVERY_LINE), len(_BEFORE_THE_RUN)
    keys = list(line)
    names_it = keys[: len(every)] == every
    names_none = keys[:first] == every[:first] and not set(keys) & set(every[first:])
    return (names_it or names_none) and bool(_AT.fullmatch(str(line[logs.AT])))


class Tasks:
    """The tasks that an execution started, by their ids, from its history as it comes.

    ``attempts`` gives the number of each one's attempt, in the order of their starts.
    """

    def __init__(self) -> None:
        self.attempts: dict[str, int] = {}
        self._launches = 0

    def tell(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in events, in their order."""
        for event in events:
            entered = event.get("stateEnteredEventDetails", {}).get("name")
            left = event.get("stateExitedEventDetails", {})
            if entered in _LAUNCHES:
                self._launches += 1
            elif left.get("name") in (JobState.CLAIM, JobState.TAKE_OVER):
                run = assigned_by(left).get(variables.RUN, {})
                self._launches = run.get(variables.EARLIER_ATTEMPTS, self._launches)
            for task in _submitted(event.get("taskSubmittedEventDetails", {})):
                self.attempts[task] = self._launches


def _submitted(details: Mapping[str, Any]) -> list[str]:
    if details.get("resourceType") != "ecs":
        return []
    try:
        tasks = json.loads(details.get("output", "{}")).get("Tasks") or []
    except json.JSONDecodeError:
        return []
    return [task["TaskArn"].rsplit("/", 1)[-1] for task in tasks]


class RunLog:
    """The log of tasks of a run, each read from where it was left.

    Parameters
    ----------
    since
        Nothing is shown that was printed before.
    """

    def __init__(self, client: Any, group: str, since: datetime | None = None) -> None:
        self._client = client
        self._group = group
        self._first = int(since.timestamp() * 1000) if since else 0
        self._last: dict[str, int] = {}
        self._seen: set[str] = set()

    def everything(self) -> Iterator[LogLine]:
        """Yield what the tasks of all runs have printed."""
        for event in self._events(0, logStreamNamePrefix=_PREFIX):
            if not event["message"].startswith(_METRICS):
                yield line_of(event)

    def _events(self, begin: int, **of: Any) -> list[Any]:
        try:
            pages = self._client.get_paginator("filter_log_events").paginate(
                logGroupName=self._group, startTime=max(0, self._first, begin), **of
            )
            return [event for page in pages for event in page["events"]]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return []  # A stream is there once its task has printed something.
            raise

    def news(self, task: str, attempt: int = 0) -> Iterator[LogLine]:
        """Yield what a task has printed since the last look; one call, as a rule.

        The last seconds are always read again, and what was seen is left out.
        """
        begin = self._last.get(task, 0) - 1000 * _LATE_SECONDS
        stream = _PREFIX + task.rsplit("/", 1)[-1]
        for event in self._events(begin, logStreamNames=[stream]):
            if event["eventId"] not in self._seen and not event["message"].startswith(_METRICS):
                self._seen.add(event["eventId"])
                self._last[task] = max(self._last.get(task, 0), event["timestamp"])
                yield line_of(event, attempt)

    def last(self, task: str, attempt: int, most: int) -> list[LogLine]:
        """Return the last lines of what a task has printed, so many at most, in one call."""
        stream = _PREFIX + task.rsplit("/", 1)[-1]
        try:
            events = self._client.get_log_events(
                logGroupName=self._group, logStreamName=stream, limit=most, startFromHead=False
            )["events"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return []  # A stream is there once its task has printed something.
            raise
        lines = (event for event in events if not event["message"].startswith(_METRICS))
        return [line_of({**event, "logStreamName": stream}, attempt) for event in lines]


class Printing:
    """What the attempts of one execution print, as they print it.

    Only the attempt that began last is looked at; one before it, once more when it is followed.
    """

    def __init__(self, log: RunLog, only: int | None = None) -> None:
        self.tasks = Tasks()
        self._log = log
        self._only = only
        self._now = ""

    def news(self) -> list[LogLine]:
        """Return what was printed since the last look; one call, two where an attempt began."""
        latest = next(reversed(self.tasks.attempts), "")
        looked_at = dict.fromkeys(task for task in (self._now, latest) if task)
        self._now = latest
        return [line for task in looked_at for line in self._of(task)]

    def all_of(self, tasks: Mapping[str, int]) -> list[LogLine]:
        """Return what these tasks have printed, each with the number of its attempt."""
        self.tasks.attempts = {**tasks, **self.tasks.attempts}
        self._now = next(reversed(self.tasks.attempts), "")
        return [line for task in self.tasks.attempts for line in self._of(task)]

    def _of(self, task: str) -> Iterator[LogLine]:
        attempt = self.tasks.attempts[task]
        if self._only in (None, attempt):
            yield from self._log.news(task, attempt)
