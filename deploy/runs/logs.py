"""What the attempts of a run print, from CloudWatch Logs, as lines for a person.

A task's stream is named after it. The worker's own lines are JSON and are shown as sentences; the
job's are shown as they are. One call a look covers all streams of a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from steadyspot.contract import logs

_PREFIX = "run/worker/"
_METRICS = f'{{"{logs.METRICS}"'


@dataclass(frozen=True)
class LogLine:
    """One line; ``task`` is the id of the task that printed it, ``at`` aware UTC.

    ``more`` is what an event of the worker's adds to each line's keys.
    """

    at: datetime
    task: str
    text: str
    more: Mapping[str, Any] = field(default_factory=dict)


def line_of(event: dict[str, Any]) -> LogLine:
    """Return an event of CloudWatch Logs as a line; pure."""
    text, more = _read(event["message"].rstrip("\n"))
    return LogLine(
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        task=event.get("logStreamName", "").rsplit("/", 1)[-1],
        text=text,
        more=more,
    )


def _read(message: str) -> tuple[str, dict[str, Any]]:
    if not message.startswith("{"):
        return message, {}
    try:
        parsed = json.loads(message)
    except json.JSONDecodeError:
        return message, {}
    if not isinstance(parsed, dict) or list(parsed)[:4] != list(logs.EVERY_LINE[:4]):
        return message, {}
    level = "" if parsed[logs.LEVEL] == "info" else f"{parsed[logs.LEVEL]}: "
    more = {name: value for name, value in parsed.items() if name not in logs.EVERY_LINE}
    shown = "".join(f" {name}={value}" for name, value in more.items())
    return f"worker: {level}{parsed[logs.MESSAGE]}{shown}", more


def tasks_in(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of the tasks that an execution started, from its history, in order; pure."""
    found = []
    for event in events:
        details = event.get("taskSubmittedEventDetails", {})
        if details.get("resourceType") == "ecs":
            try:
                tasks = json.loads(details.get("output", "{}")).get("Tasks") or []
            except json.JSONDecodeError:
                continue
            found += [task["TaskArn"].rsplit("/", 1)[-1] for task in tasks]
    return found


class RunLog:
    """The log of a run's tasks, read from where it was left."""

    def __init__(self, client: Any, group: str) -> None:
        self._client = client
        self._group = group
        self._since = 0
        self._seen: set[str] = set()

    def begin_at(self, moment: datetime) -> None:
        """Show nothing that was printed before."""
        self._since = int(moment.timestamp() * 1000)

    def news(self, tasks: Sequence[str] = ()) -> Iterator[LogLine]:
        """Yield what was printed since the last look, by the given tasks or, without any, by all.

        An event may appear some seconds late, hence with a time that was passed already: the last
        ten seconds are always read again, and what was seen is left out.
        """
        names = [_PREFIX + task.rsplit("/", 1)[-1] for task in tasks]
        which: dict[str, Any] = (
            {"logStreamNames": names} if names else {"logStreamNamePrefix": _PREFIX}
        )
        try:
            pages = self._client.get_paginator("filter_log_events").paginate(
                logGroupName=self._group, startTime=max(0, self._since - 10_000), **which
            )
            events = [event for page in pages for event in page["events"]]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return  # A stream is there once its task has printed something.
            raise
        for event in events:
            if event["eventId"] not in self._seen and not event["message"].startswith(_METRICS):
                self._seen.add(event["eventId"])
                self._since = max(self._since, event["timestamp"])
                yield line_of(event)
