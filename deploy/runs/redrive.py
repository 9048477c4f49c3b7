"""Takes up again what waits in a job's dead-letter queue, and believes nothing that lies in it.

Three kinds of messages lie there: runs that the workflow parked (body: ``runKey``), starts that the
Scheduler could not deliver (attribute ``SCHEDULED_TIME``), and ends of executions that the rule
could not deliver to *After the end* (attribute ``RULE_ARN``; body: the event). A message only names
a run. What is started comes from the execution that the run's record names, else from the schedule;
for an end it is the platform's own *After the end*. A message is deleted only once the record names
the new execution or says complete, or *After the end* has started, so that nothing is lost when
this is interrupted; doing it twice is safe, since a run is claimed once.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadyspot.contract import Status, messages
from steadyspot.contract.keys import (
    LONGEST_RUN_KEY,
    RUN_KEY_CHARACTERS,
    SCHEDULED_TIME_ATTRIBUTE,
    run_key_of,
    scheduled_time_from,
)
from steadyspot.deploy.plain import plain
from steadyspot.deploy.runs.backfill import due_at
from steadyspot.deploy.runs.executions import (
    ENDED,
    described,
    execution_arn,
    request_of,
    run_key_in,
    start,
)
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.story import sentence_of
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target

HIDDEN_SECONDS = 120
"""How long a message is hidden from others while it is redriven."""
CLAIM_SECONDS = 60.0
"""How long the new execution may take to claim the run."""
_ALIVE = (Status.RUNNING, Status.COMMITTING)
"""Of a run in one of these an execution may still be at work."""
_SAID_CHARACTERS = 300


@dataclass(frozen=True)
class Named:
    """A message as far as it is believed: the run that it names, or the execution that ended.

    ``said`` is what it says went wrong, for people to read and for nothing else.
    """

    run_key: str
    receipt: str
    said: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Waiting:
    """What a message comes to, by what is known beside the queue.

    ``request`` is what its run would be started with. ``ended`` is the execution whose end would be
    told to *After the end* instead. ``note`` is there where nothing is to be started.
    """

    run_key: str
    why: str
    receipt: str
    request: Mapping[str, Any] | None = None
    ended: str = ""
    note: str = ""
    complete: bool = False


@dataclass(frozen=True)
class Redriven:
    """What became of a message; ``execution`` is empty where none was started.

    ``stays``: the message is left, since its run has not begun yet.
    """

    run_key: str
    execution: str
    note: str
    good: bool = True
    stays: bool = False


@dataclass(frozen=True)
class Deployed:
    """What is deployed for a job, on which no message has a say.

    ``after_the_end`` is the platform's machine of that name, the only one that a rule's message can
    start. ``schedule_input`` returns the input with which the job's schedule that was due at a time
    starts a run, None where there is none.
    """

    job: str
    queue: str
    machine: str
    after_the_end: str
    schedule_input: Callable[[datetime], str | None]


def named_by(message: Mapping[str, Any]) -> Named:
    """Return what a message of SQS names; pure.

    Raises
    ------
    Trouble
        When neither the workflow nor the Scheduler nor the rule can have written it.
    """
    attributes = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    try:
        body = json.loads(message["Body"])
    except (ValueError, RecursionError):
        raise _unknown(message) from None
    receipt = message["ReceiptHandle"]
    said = _plain(attributes.get("ERROR_MESSAGE") or attributes.get("ERROR_CODE", ""))
    if "RULE_ARN" in attributes:
        ended = _ended_in(body)
        if ended:
            return Named(ended.rsplit(":", 1)[-1], receipt, said, ended)
    elif "SCHEDULED_TIME" in attributes:
        key = run_key_of(attributes["SCHEDULED_TIME"])
        if scheduled_time_from(key):
            return Named(key, receipt, f"The Scheduler could not start it: {said}")
    else:
        named = body.get(messages.RUN_KEY) if isinstance(body, dict) else None
        if isinstance(named, str) and _is_run_key(named):
            return Named(named, receipt)
    raise _unknown(message)


def _is_run_key(text: str) -> bool:
    return 0 < len(text) <= LONGEST_RUN_KEY and RUN_KEY_CHARACTERS.issuperset(text)


def _plain(text: str) -> str:
    """Return a text of a stranger as one short line without what steers a terminal."""
    return plain(text)[:_SAID_CHARACTERS]


def _ended_in(body: Any) -> str:
    """Return the execution whose end an event tells, whether the rule has reshaped it or not."""
    detail = body.get("detail") if isinstance(body, dict) else None
    found = detail.get("executionArn") if isinstance(detail, dict) else None
    return found if isinstance(found, str) else ""


def _unknown(message: Mapping[str, Any]) -> Trouble:
    return Trouble(
        f"The message {message.get('MessageId', '')} in the queue is none that can be redriven.",
        "Look at it in the SQS console; it is left where it is.",
    )


class Redrive:
    """Redrives the messages of one job's queue.

    Parameters
    ----------
    deployed
        The job whose queue it is.
    pause
        Called with seconds between two looks at a run's record.
    clock
        Monotonic seconds.
    now
        The time of day, in UTC.
    """

    def __init__(
        self,
        *,
        sqs: SQSClient,
        sfn: SFNClient,
        runs: RunTable,
        deployed: Deployed,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sqs = sqs
        self._sfn = sfn
        self._runs = runs
        self._deployed = deployed
        self._job = deployed.job
        self._pause = pause
        self._clock = clock
        self._now = now

    def waiting(self) -> list[Waiting]:
        """Return what waits, without taking it: messages are visible again at once."""
        messages = list(self._receive(set()))
        for message in messages:
            self._show_again(message["ReceiptHandle"])
        return [self._looked_at(message) for message in messages]

    def run(
        self, show: Callable[[Waiting], None] = lambda _: None, only: str | None = None
    ) -> Iterator[Redriven]:
        """Start each run that waits, and take its message away once the run is in good hands.

        ``show`` is called with what is about to be started, before it is; ``only`` is the key of
        the run that is meant, if it is one. What stays in the queue is visible again at the end; so
        is a run that was started here and has been parked again meanwhile.
        """
        staying: set[str] = set()
        started: set[str] = set()
        try:
            for message in self._receive(staying):
                entry = self._looked_at(message)
                if only not in (None, entry.run_key) or entry.run_key in started:
                    continue
                done = self._done(entry, show)
                if done.execution:
                    started.add(entry.run_key)
                if done.good and not done.stays:
                    staying.remove(entry.receipt)
                yield done
        finally:
            for receipt in staying:
                self._show_again(receipt)

    def _done(self, entry: Waiting, show: Callable[[Waiting], None]) -> Redriven:
        if entry.complete:
            self._forget(entry.receipt)
        if entry.note:
            return Redriven(entry.run_key, "", entry.note, good=entry.complete)
        show(entry)
        return self._deliver(entry) if entry.ended else self._redrive(entry)

    def drop(self, run_key: str) -> None:
        """Delete the messages about a run; all others are visible again at once."""
        for message in list(self._receive(set())):
            try:
                named = named_by(message).run_key
            except Trouble:
                named = ""
            if named == run_key:
                self._forget(message["ReceiptHandle"])
            else:
                self._show_again(message["ReceiptHandle"])

    def _receive(self, hidden: set[str]) -> Iterator[Any]:
        """Yield each message once; ``hidden`` gets the receipts of all that were taken so far."""
        seen: set[str] = set()
        while True:
            found = self._sqs.receive_message(
                QueueUrl=self._deployed.queue,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                VisibilityTimeout=HIDDEN_SECONDS,
            ).get("Messages", [])
            fresh = [message for message in found if message["MessageId"] not in seen]
            if not fresh:
                return
            seen.update(message["MessageId"] for message in fresh)
            hidden.update(message["ReceiptHandle"] for message in fresh)
            yield from fresh

    # --- what a message comes to ---------------------------------------------------------------

    def _looked_at(self, message: Mapping[str, Any]) -> Waiting:
        """Return what a message comes to; of one that cannot be redriven the note says why."""
        key = ""
        try:
            named = named_by(message)
            key = named.run_key
            return self._end_of(named) if named.ended else self._run_of(named)
        except Trouble as trouble:
            return Waiting(key, "", message["ReceiptHandle"], note=str(trouble))

    def _run_of(self, named: Named) -> Waiting:
        key, receipt = named.run_key, named.receipt
        record = self._runs.get(self._job, key)
        if record is not None and record.status in _ALIVE and self._lives(record.execution):
            return Waiting(key, "", receipt, note="is under way already; its message stays")
        if record is not None and record.complete:
            return Waiting(key, "", receipt, note="is complete already", complete=True)
        parked = sentence_of(record) if record else "It ended before the run table knew of it."
        return Waiting(key, named.said or parked, receipt, self._request(key, record))

    def _request(self, key: str, record: RunRecord | None) -> dict[str, Any]:
        """Return what the run is started with, from what is known beside the queue."""
        named_by_key = execution_arn(self._deployed.machine, key)
        execution = self._described(record.execution if record else named_by_key)
        if execution is None:
            return {**self._scheduled(key), messages.REDRIVE: True}
        text = execution.get("input", "{}")
        if (run_key_in(text) or execution["name"]) != key:
            raise Trouble(
                f"The execution {execution['name']}, which the record of run {key} names, is "
                "that of another run.",
                "Look who has changed the record, then start the run yourself: steadyspot run.",
            )
        try:
            request = request_of(text)
        except Trouble as trouble:
            raise Trouble(
                f"Run {key} cannot be redriven: {trouble.what}",
                "Start that run yourself with a request that fits, then delete the message.",
            ) from None
        by_hand = {} if messages.SCHEDULED_TIME in request else {messages.RUN_KEY: key}
        return {**request, messages.REDRIVE: True, **by_hand}

    def _scheduled(self, key: str) -> dict[str, Any]:
        """Return what the schedule starts the run of this key with."""
        at = scheduled_time_from(key)
        text = self._deployed.schedule_input(datetime.fromisoformat(at)) if at else None
        if not at or text is None:
            raise Trouble(
                f"Nothing but a message in the queue knows of run {key}.",
                f"If it is wanted, start it yourself: steadyspot run {self._job}.",
            )
        age = self._now() - datetime.fromisoformat(at)
        if age < timedelta():
            raise Trouble(
                f"Run {key} is one of the future, so that it cannot have failed yet.",
                "Look who has written that message; its run comes when it is due.",
            )
        if age > _LONGEST_WAIT:
            raise Trouble(
                f"Run {key} is older than a message in the queue can be.",
                "Look who has written it; if the run is wanted: "
                f"steadyspot redrive {self._job} --from TIME --to TIME.",
            )
        return request_of(text.replace(SCHEDULED_TIME_ATTRIBUTE, at))

    def _end_of(self, named: Named) -> Waiting:
        execution = self._described(named.ended)
        if execution is None or execution["status"] not in _BROKEN:
            raise Trouble(
                f"A message tells of the end of {_plain(named.ended)}, which is no execution of "
                f"{self._job} that ended badly.",
                "Look at it in the SQS console; it is left where it is.",
            )
        key = run_key_in(execution.get("input", "{}")) or execution["name"]
        why = f"Its end could not be told to what parks it: {named.said}"
        return Waiting(key, why, named.receipt, ended=execution["executionArn"])

    def _described(self, execution: str) -> dict[str, Any] | None:
        """Return an execution of this job's workflow; None where it is none, or AWS forgot it."""
        if not execution.startswith(execution_arn(self._deployed.machine, "")):
            return None
        return described(self._sfn, execution)

    def _lives(self, execution: str) -> bool:
        found = self._described(execution)
        return found is not None and found["status"] == "RUNNING"

    # --- starting ------------------------------------------------------------------------------

    def _redrive(self, entry: Waiting) -> Redriven:
        execution = start(self._sfn, self._deployed.machine, entry.request or {})
        end = self._clock() + CLAIM_SECONDS
        while self._clock() < end:
            record = self._runs.get(self._job, entry.run_key)
            if record is not None and (record.execution == execution or record.complete):
                self._forget(entry.receipt)
                return Redriven(entry.run_key, execution, "is started again")
            found = self._described(execution)
            if found is not None and found["status"] == "SUCCEEDED":
                note = "is held by another execution; its message stays"
                return Redriven(entry.run_key, execution, note, good=False)
            if execution.rsplit(":", 1)[-1] in self._runs.queue_of(self._job).values():
                note = "waits for its turn; its message stays until it is complete"
                return Redriven(entry.run_key, execution, note, stays=True)
            self._pause(0.3)
        raise Trouble(
            f"Run {entry.run_key} was started as {execution}, but is not claimed yet.",
            "Its message stays in the queue; look at that execution, then redrive again.",
        )

    def _deliver(self, entry: Waiting) -> Redriven:
        """Start what the rule could not; named by what ended, it starts once however often."""
        execution = ""
        given = {
            "detail": {"executionArn": entry.ended},
            "job": self._job,
            "queue": self._deployed.queue,
        }
        try:
            execution = self._sfn.start_execution(
                stateMachineArn=self._deployed.after_the_end,
                name=str(uuid.uuid5(uuid.NAMESPACE_URL, entry.ended)),
                input=json.dumps(given),
            )["executionArn"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
        self._forget(entry.receipt)
        return Redriven(entry.run_key, execution, "is parked now; redrive it next if it is wanted")

    def _show_again(self, receipt: str) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._deployed.queue, ReceiptHandle=receipt, VisibilityTimeout=0
        )

    def _forget(self, receipt: str) -> None:
        self._sqs.delete_message(QueueUrl=self._deployed.queue, ReceiptHandle=receipt)


_LONGEST_WAIT = timedelta(days=15)
"""A day at most that Scheduler tries to start a run, and 14 days in the queue."""

_BROKEN = frozenset(ENDED.values()) - {"SUCCEEDED"}
"""How an execution ends that *After the end* speaks for."""


def redrive_of(
    target: Target, job: Job, outputs: Mapping[str, str], **pace: Callable[..., Any]
) -> Redrive:
    """Return what redrives a job's queue, by its stack's outputs; ``pace``: a pause and clocks."""

    def schedule_input(at: datetime) -> str | None:
        name = outputs.get("Schedule")
        if job.schedules:
            name = job.scheduled_as(due_at(job.all_schedules, at))
        if name is None:
            return None
        scheduler: EventBridgeSchedulerClient = target.client("scheduler")
        group = target.platform["ScheduleGroup"]
        shown = scheduler.get_schedule(Name=name, GroupName=group)
        return shown["Target"].get("Input")

    return Redrive(
        sqs=target.client("sqs"),
        sfn=target.client("stepfunctions"),
        runs=target.runs,
        deployed=Deployed(
            job=job.name,
            queue=outputs["Queue"],
            machine=outputs["StateMachine"],
            after_the_end=outputs["AfterTheEnd"],
            schedule_input=schedule_input,
        ),
        **pace,
    )
