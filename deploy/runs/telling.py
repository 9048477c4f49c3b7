"""Who is told of runs, who was of one, and a message that tries each way and says it is a test.

That goes to the platform's topic, as all that people are told does, once for each choice of job,
outcome and severity that is needed for every entry to be told at least once. Heartbeats come from
runs alone, and are tried by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steadyspot.contract import messages
from steadyspot.deploy.stacks.config import Config
from steadyspot.deploy.stacks.notify import Notify

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

_SENTENCE = "This is a test of who is told: nothing happened."
_NEXT_STEP = "Nothing to do."
_CHOSEN_BY = (messages.JOB, messages.OUTCOME, messages.SEVERITY)
_TEST = "test"
"""In the place of the run's key, its cause and its execution."""


@dataclass(frozen=True)
class Trial:
    """What a test pretends to be about."""

    job: str
    outcome: str
    severity: str


def all_told(config: Config, job: str | None = None) -> list[Notify]:
    """Return who is told of all jobs or of one, the platform's mail first."""
    mail = config.platform.mail
    entries = [*([Notify(mail=mail)] if mail else []), *config.notify]
    return [one for one in entries if job is None or not one.jobs or job in one.jobs]


def told_by(events: Iterable[Mapping[str, Any]], entries: Sequence[Notify]) -> Iterator[str]:
    """Yield of each notification in an execution's history what it said, and whom it is for.

    That is what the configuration says now; whether a mail was read nobody knows.
    """
    sent: Mapping[str, str] = {}
    for event in events:
        if event["type"] == "TaskScheduled":
            sent = _attributes_of(event.get("taskScheduledEventDetails", {}))
        elif event["type"] == "TaskSucceeded" and sent:
            job, outcome, severity = (sent.get(key, "") for key in _CHOSEN_BY)
            whom = [
                f"{one.way} {one.whom}" for one in entries if one.is_told(job, outcome, severity)
            ]
            yield f"{outcome} ({severity}): {', '.join(whom) or 'nobody'}"
            sent = {}


def _attributes_of(scheduled: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that a call publishes with; none of another call, or a cut one."""
    if scheduled.get("resourceType") != "sns":
        return {}
    try:
        given = json.loads(scheduled["parameters"])["MessageAttributes"]
        return {name: str(value["StringValue"]) for name, value in given.items()}
    except (KeyError, TypeError, ValueError):
        return {}


def trials_of(entries: Iterable[Notify], jobs: Iterable[str]) -> list[Trial]:
    """Return the tests by which each entry is told at least once; ``jobs`` are all there are."""
    found: list[Trial] = []
    for entry in entries:
        if entry.heartbeat or any(entry.is_told(t.job, t.outcome, t.severity) for t in found):
            continue
        found.append(
            Trial(
                job=next(iter(entry.jobs or jobs)),
                outcome=next(iter(entry.outcomes or ("failed",))),
                severity=next(iter(entry.severities or ("error",))),
            )
        )
    return found


def try_all(target: Target, entries: Iterable[Notify]) -> Iterator[Trial]:
    """Publish the tests; yields each that AWS has taken."""
    topic, sns = target.platform["Topic"], target.client("sns")
    for trial in trials_of(entries, target.config.jobs):
        chosen = {
            messages.JOB: trial.job,
            messages.OUTCOME: trial.outcome,
            messages.SEVERITY: trial.severity,
        }
        title = f"Steadyspot: a test of who is told of {trial.outcome} ({trial.severity})"
        sns.publish(
            TopicArn=topic,
            Subject=title,
            MessageStructure="json",
            Message=_message(title, chosen),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in chosen.items()
            },
        )
        yield trial


def _message(title: str, chosen: dict[str, str]) -> str:
    """Return what a run's own state publishes, of no run."""
    notification = {
        messages.VERSION: 1,
        **chosen,
        messages.RUN_KEY: _TEST,
        messages.CAUSE: _TEST,
        messages.SENTENCE: _SENTENCE,
        messages.NEXT_STEP: _NEXT_STEP,
        messages.EXECUTION: _TEST,
    }
    chat = {
        "version": "1.0",
        "source": "custom",
        "content": {"title": title, "description": _SENTENCE, "nextSteps": [_NEXT_STEP]},
    }
    return json.dumps(
        {
            "default": json.dumps(notification),
            "email": f"{_SENTENCE}\n\nSomebody typed: steadyspot notify --test",
            "https": json.dumps(chat),
        }
    )
