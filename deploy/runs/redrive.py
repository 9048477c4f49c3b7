"""Takes up again what waits in a job's dead-letter queue.

Three kinds of messages lie there: runs that the workflow parked, starts that the Scheduler could
not deliver (body: the target's input; attribute ``SCHEDULED_TIME``), and ends of executions that
the rule could not deliver to *After the end* (body: the event; attributes ``RULE_ARN``,
``TARGET_ARN``). A message is deleted only once the run's record names the new execution or says
complete, or what the rule should have started has started, so that nothing is lost when this is
interrupted; doing it twice is safe, since a run is claimed once.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadyspot.contract import Status
from steadyspot.contract.keys import run_key_of
from steadyspot.deploy.runs.executions import check_request, start
from steadyspot.deploy.runs.records import RunTable
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class Waiting:
    """One message of the queue. ``run_key`` is empty where the start will make it.

    ``undelivered_to`` is the state machine that a rule could not start with ``request``, an event.
    """

    run_key: str
    why: str
    request: Mapping[str, Any]
    receipt: str
    undelivered_to: str = ""


@dataclass(frozen=True)
class Redriven:
    """What became of a message; ``execution`` is empty where none was started."""

    run_key: str
    execution: str
    note: str
    good: bool = True


def waiting_of(message: Mapping[str, Any]) -> Waiting:
    """Return a message of SQS as what waits; pure.

    Raises
    ------
    Trouble
        When neither the workflow nor the Scheduler nor the rule can have written it.
    """
    try:
        body = json.loads(message["Body"])
    except json.JSONDecodeError:
        raise _unknown(message) from None
    attributes = {
        name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()
    }
    error = attributes.get("ERROR_MESSAGE") or attributes.get("ERROR_CODE", "")
    if "RULE_ARN" in attributes and _ended_in(body):
        return Waiting(
            run_key=_run_key_of_event(body),
            why=f"Its end could not be told to what parks it: {error}",
            request={"detail": {"executionArn": _ended_in(body)}},
            receipt=message["ReceiptHandle"],
            undelivered_to=attributes.get("TARGET_ARN", ""),
        )
    if isinstance(body, dict) and isinstance(body.get("request"), dict) and "runKey" in body:
        request, key = body["request"], str(body["runKey"])
        why = str(body.get("sentence", ""))
    elif isinstance(body, dict) and "SCHEDULED_TIME" in attributes:
        key = run_key_of(attributes["SCHEDULED_TIME"])
        request = {
            **_input_of(body),
            "scheduledTime": attributes["SCHEDULED_TIME"],
            "redrive": True,
        }
        why = f"The Scheduler could not start it: {error}"
    else:
        raise _unknown(message)
    try:
        check_request(request)
    except Trouble as trouble:
        raise Trouble(
            f"The message {message.get('MessageId', '')} cannot be redriven: {trouble.what}",
            "Start that run yourself with a request that fits, then delete the message.",
        ) from None
    return Waiting(run_key=key, why=why, request=request, receipt=message["ReceiptHandle"])


def _ended_in(body: Any) -> str:
    """Return the execution whose end an event tells, whether the rule has reshaped it or not."""
    detail = body.get("detail") if isinstance(body, dict) else None
    return str(detail.get("executionArn", "")) if isinstance(detail, dict) else ""


def _run_key_of_event(event: Mapping[str, Any]) -> str:
    detail = event["detail"]
    return run_key_in(detail.get("input") or "{}") or _ended_in(event).rsplit(":", 1)[-1]


def _input_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the input, whether the body is that or the whole request to the target."""
    text = body.get("Input", body.get("input"))
    if not isinstance(text, str):
        return {name: value for name, value in body.items() if name != "scheduledTime"}
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return dict(parsed) if isinstance(parsed, dict) else {}


def run_key_in(text: str) -> str:
    """Return the run key that an input names, empty where the execution's name is it."""
    try:
        request = json.loads(text)
    except json.JSONDecodeError:
        return ""
    if not isinstance(request, dict):
        return ""
    time_of_it = request.get("scheduledTime")
    return run_key_of(time_of_it) if isinstance(time_of_it, str) else str(request.get("runKey", ""))


def _readable(message: Mapping[str, Any]) -> Waiting:
    """Return a message as what waits, also one that cannot be redriven."""
    try:
        return waiting_of(message)
    except Trouble as trouble:
        return Waiting("", str(trouble), {}, message["ReceiptHandle"])


def _unknown(message: Mapping[str, Any]) -> Trouble:
    return Trouble(
        f"The message {message.get('MessageId', '')} in the queue is none that can be redriven.",
        "Look at it in the SQS console; it is left where it is.",
    )


class Redrive:
    """Redrives the messages of one job's queue.

    Parameters
    ----------
    pause
        Called with seconds between two looks at a run's record.
    clock
        Monotonic seconds.
    """

    def __init__(
        self,
        *,
        sqs: SQSClient,
        sfn: SFNClient,
        runs: RunTable,
        job: str,
        queue: str,
        machine: str,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sqs = sqs
        self._sfn = sfn
        self._runs = runs
        self._job = job
        self._queue = queue
        self._machine = machine
        self._pause = pause
        self._clock = clock

    def waiting(self) -> list[Waiting]:
        """Return what waits, without taking it: messages are visible again at once."""
        messages = list(self._receive())
        for message in messages:
            self._show_again(message["ReceiptHandle"])
        return [_readable(message) for message in messages]

    def run(self) -> Iterator[Redriven]:
        """Start each run that waits, and take its message away once the run is in good hands."""
        for message in self._receive():
            try:
                entry = waiting_of(message)
            except Trouble as trouble:
                yield Redriven("", "", str(trouble), good=False)
            else:
                yield self._deliver(entry) if entry.undelivered_to else self._redrive(entry)

    def drop(self, run_key: str) -> None:
        """Delete the messages about a run; all others are visible again at once."""
        for message in list(self._receive()):
            entry = _readable(message)
            if entry.run_key == run_key:
                self._forget(entry)
            else:
                self._show_again(entry.receipt)

    def _receive(self) -> Iterator[Any]:
        seen: set[str] = set()
        while True:
            found = self._sqs.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                VisibilityTimeout=HIDDEN_SECONDS,
            ).get("Messages", [])
            fresh = [message for message in found if message["MessageId"] not in seen]
            if not fresh:
                return
            seen.update(message["MessageId"] for message in fresh)
            yield from fresh

    def _redrive(self, entry: Waiting) -> Redriven:
        before = self._runs.get(self._job, entry.run_key)
        if before is not None and before.status in _ALIVE and self._lives(before.execution):
            return Redriven(
                entry.run_key, "", "is under way already; its message stays", good=False
            )
        if before is not None and before.complete:
            self._forget(entry)
            return Redriven(entry.run_key, "", "is complete already")
        execution = start(self._sfn, self._machine, entry.request)
        end = self._clock() + CLAIM_SECONDS
        while self._clock() < end:
            record = self._runs.get(self._job, entry.run_key)
            if record is not None and (record.execution == execution or record.complete):
                self._forget(entry)
                return Redriven(entry.run_key, execution, "is started again")
            if self._status(execution) == "SUCCEEDED":
                note = "is held by another execution; its message stays"
                return Redriven(entry.run_key, execution, note, good=False)
            self._pause(0.3)
        raise Trouble(
            f"Run {entry.run_key} was started as {execution}, but is not claimed yet.",
            "Its message stays in the queue; look at that execution, then redrive again.",
        )

    def _deliver(self, entry: Waiting) -> Redriven:
        """Start what the rule could not; named by what ended, it starts once however often."""
        execution = ""
        try:
            execution = self._sfn.start_execution(
                stateMachineArn=entry.undelivered_to,
                name=str(uuid.uuid5(uuid.NAMESPACE_URL, _ended_in(entry.request))),
                input=json.dumps({**entry.request, "job": self._job, "queue": self._queue}),
            )["executionArn"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
        self._forget(entry)
        return Redriven(entry.run_key, execution, "is parked now; redrive it next if it is wanted")

    def _lives(self, execution: str) -> bool:
        return self._status(execution) == "RUNNING"

    def _status(self, execution: str) -> str:
        try:
            return self._sfn.describe_execution(executionArn=execution)["status"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
                return ""
            raise

    def _show_again(self, receipt: str) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._queue, ReceiptHandle=receipt, VisibilityTimeout=0
        )

    def _forget(self, entry: Waiting) -> None:
        self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=entry.receipt)


def redrive_of(
    target: Target, job: Job, outputs: Mapping[str, str], **pace: Callable[..., Any]
) -> Redrive:
    """Return what redrives a job's queue, by its stack's outputs; ``pace``: a pause and a clock."""
    return Redrive(
        sqs=target.client("sqs"),
        sfn=target.client("stepfunctions"),
        runs=target.runs,
        job=job.name,
        queue=outputs["Queue"],
        machine=outputs["StateMachine"],
        **pace,
    )
