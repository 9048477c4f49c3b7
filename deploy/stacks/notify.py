"""Who is told of runs, beside ``platform.mail``: the entries of ``[[notify]]``; pure.

An entry names one way (a mail, a topic, a chat, a webhook, a heartbeat) and what is told by it.
What becomes of it in the stacks is the business of ``notify_parts``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from steadyspot.deploy.forms import unknown

WAYS = ("mail", "topic", "chat", "webhook", "heartbeat")
_NEEDS_SECRET = ("slack", "pagerduty", "opsgenie")
"""Webhooks whose service says where it is called; what is secret of them stands in ``secret``."""


@dataclass(frozen=True)
class Notify:
    """One entry: one of the ways, and which runs it is told of; what is left out is all.

    Attributes
    ----------
    sender
        From whom a mail comes, an address that SES may send from: it is HTML and text then. Without
        one, SNS sends it, as text.
    chat
        A channel of Slack (workspace, channel) or of Teams (tenant, team, channel), by their ids.
    url, secret
        Where a webhook or a heartbeat is called; what nobody may read of that is the secret's: a
        JSON object of Secrets Manager with ``key``, for Slack and heartbeats with ``url``.
    """

    mail: str | None = None
    sender: str | None = None
    topic: str | None = None
    chat: Mapping[str, str] = field(default_factory=dict)
    webhook: Literal["slack", "pagerduty", "opsgenie", "json"] | None = None
    heartbeat: Literal["healthchecks", "cronitor", "sentry"] | None = None
    url: str | None = None
    secret: str | None = None
    jobs: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()

    @property
    def way(self) -> str:
        """The way that the entry names."""
        return next(way for way in WAYS if getattr(self, way))

    @property
    def whom(self) -> str:
        """Who or what is told, without anything secret."""
        if self.chat:
            return "/".join(self.chat.values())
        return str(getattr(self, self.way))

    @property
    def identity(self) -> str:
        """Letters and digits that stay the same as long as the same one is told."""
        chat = sorted(self.chat.items())
        named: list[Any] = [self.way, self.whom, chat, self.url, self.secret]
        if self.heartbeat:
            named.append(self.jobs)
        if self.sender:
            named.append(self.sender)
        return self.way.title() + hashlib.sha256(repr(named).encode()).hexdigest()[:8]

    @property
    def secret_key(self) -> str:
        """The entry that the secret must have."""
        return "url" if self.heartbeat or self.webhook == "slack" else "key"

    @property
    def takes_alarms(self) -> bool:
        """Whether it is told of alarms, which are of no outcome, and count as errors."""
        return not (self.heartbeat or self.jobs or self.outcomes) and (
            not self.severities or "error" in self.severities
        )

    def is_told(self, job: str, outcome: str, severity: str) -> bool:
        """Return whether it is told of a run of a job that came to an outcome."""
        chosen = ((self.jobs, job), (self.outcomes, outcome), (self.severities, severity))
        return all(not names or name in names for names, name in chosen)


def entries_of(tables: Iterable[Mapping[str, Any]]) -> tuple[Notify, ...]:
    """Return the entries of a configuration's tables, which have the right form."""

    def values(table: Mapping[str, Any]) -> dict[str, Any]:
        return {key: tuple(one) if isinstance(one, list) else one for key, one in table.items()}

    return tuple(Notify(**values(table)) for table in tables)


def faults_of_entries(
    tables: Iterable[Mapping[str, Any]], jobs: Mapping[str, Mapping[str, Any]], mail: str | None
) -> Iterator[tuple[int, str]]:
    """Yield the place of an entry and the rest of a sentence that begins with it.

    ``jobs`` are the tables of all jobs, ``mail`` is ``platform.mail``.
    """
    seen = set[str]()
    for place, table in enumerate(tables):
        faults = [*_faults_of(table, jobs, mail)]
        yield from ((place, fault) for fault in faults)
        if faults:
            continue
        (entry,) = entries_of([table])
        same = entry.mail or entry.identity
        if same in seen:
            yield place, f"tells the same {entry.way} as another entry: let one name all its jobs"
        seen.add(same)


def _faults_of(
    table: Mapping[str, Any], jobs: Mapping[str, Mapping[str, Any]], mail: str | None
) -> Iterator[str]:
    named = [way for way in WAYS if way in table]
    if len(named) != 1:
        said = " and ".join(named) or "none of them"
        yield f"must name one of {', '.join(WAYS)}, but names {said}"
        return
    (way,) = named
    yield from (
        f"has no job {unknown(job, jobs)}" for job in table.get("jobs", ()) if job not in jobs
    )
    if way == "mail" and table["mail"] == mail:
        yield "names platform.mail, which is told of everything already"
    if way == "chat" and {"jobs", "outcomes", "severities"} & set(table):
        yield (
            "can't choose for a chat, which Amazon Q Developer shows all of a topic: a webhook "
            'can, such as webhook = "slack"'
        )
    if way == "webhook":
        yield from _faults_of_webhook(table)
    elif way == "heartbeat":
        yield from _faults_of_heartbeat(table, jobs)
    else:
        needless = [key for key in ("url", "secret") if key in table]
        yield from (f"has no {key}, which is for webhook and heartbeat" for key in needless)
    if way != "mail" and "sender" in table:
        yield "has no sender, which is for mail"


def _faults_of_webhook(table: Mapping[str, Any]) -> Iterator[str]:
    kind = table["webhook"]
    if "secret" not in table:
        key = "url" if kind == "slack" else "key"
        yield f"needs secret: the ARN of a JSON object of Secrets Manager with {key}"
    if kind == "slack" and "url" in table:
        yield "can't have url: Slack's is secret, and stands in the secret's url"
    if kind not in _NEEDS_SECRET and "url" not in table:
        yield "needs url, where it is called"


def _faults_of_heartbeat(
    table: Mapping[str, Any], jobs: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    if ("url" in table) == ("secret" in table):
        yield "needs url, or secret with a url in it, and not both"
    if len(table.get("jobs", ())) != 1:
        yield "needs jobs with one job: who waits for heartbeats waits for those of one job"
    for job in table.get("jobs", ()):
        if jobs.get(job, {}).get("encrypt_history"):
            yield f"can't be told of {job}, which has encrypt_history: its events say nothing"
    for key in ("outcomes", "severities"):
        if key in table:
            yield f"has no {key}: a heartbeat tells of each start, success and failure"
