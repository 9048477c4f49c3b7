"""EventBridge Scheduler of the local target: a clock that makes moto's schedules fire.

One thread reads moto's schedules, calls the targets that are due and repeats what failed for now,
by the schedule's own policy. When something is due and what comes after a failure is decided in
``deploy.schedules.calendar`` and ``delivery``; this file waits, calls and remembers.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.scheduler import urls
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from steadyspot.deploy.local.delivery import (
    START_EXECUTION,
    BadTarget,
    Failure,
    GiveUp,
    Invocation,
    RetryPolicy,
    after_failure,
    dead_letter,
    request,
)
from steadyspot.deploy.local.permissions import allows
from steadyspot.deploy.schedules.calendar import Timing, next_due
from steadyspot.deploy.schedules.expressions import BadExpression, read, zone_of

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
_NO_RETRIES = Config(retries={"total_max_attempts": 1})


@dataclass(frozen=True)
class Firing:
    """What became of one scheduled time: delivered, or put aside with an error.

    ``execution_arn`` is that of the execution which was started, None where none was.
    """

    schedule_arn: str
    scheduled_time: datetime
    attempts: int
    execution_arn: str | None = None
    error_code: str | None = None


@dataclass
class _Watched:
    """What the clock knows of a schedule since it was made or last changed.

    ``timing`` is None where the schedule cannot be read.
    """

    timing: Timing | None
    last: datetime | None
    due: datetime | None
    seen: tuple[Any, ...]


class SchedulerClock:
    """Makes schedules fire. A context manager; ``start`` and ``stop`` may be called twice.

    Parameters
    ----------
    session_factory
        Gives a session whose clients reach the local target.
    retry_scale
        How much faster than AWS's the back-off passes, 0.01 being a hundred times: the numbers of a
        retry policy keep their meaning, and 24 hours of retries end within the demo. A flexible
        window passes as fast.
    """

    def __init__(
        self,
        session_factory: Callable[[], boto3.Session],
        region: str,
        account_id: str,
        *,
        retry_scale: float = 0.01,
    ) -> None:
        self._session_factory = session_factory
        self._region = region
        self._account_id = account_id
        self._retry_scale = retry_scale
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._clients: dict[str, Any] = {}
        self._watched: dict[str, _Watched] = {}
        self._waiting: list[tuple[float, int, Invocation]] = []
        self._count = itertools.count()
        self._denials: list[tuple[str, str, int]] = []
        self._twice: set[str] = set()
        self._outcomes: list[Firing] = []

    def start(self) -> SchedulerClock:
        """Begin to look at schedules."""
        if self._thread is None:
            scheduler_backends.backend = LocalScheduler
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Fire nothing any more. What waited for a retry is forgotten."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> SchedulerClock:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def deny(self, name_or_arn: str, error_code: str, times: int = 1) -> None:
        """Let the next calls for a schedule or to a target fail with an error code of AWS.

        ``AccessDeniedException`` and ``StateMachineDoesNotExist`` are permanent; throttles and
        server errors (``ThrottlingException``, ``ServiceUnavailable``) are retried by the policy.
        """
        with self._changed:
            self._denials.append((name_or_arn, error_code, times))

    def deliver_twice(self, name_or_arn: str) -> None:
        """Let the next time that a schedule is due reach the target twice at the same moment."""
        with self._changed:
            self._twice.add(name_or_arn)

    def deliver_again(self, name_or_arn: str, scheduled_time: datetime | None = None) -> None:
        """Deliver a scheduled time now, the last one unless given: Scheduler is at-least-once.

        Raises
        ------
        LookupError
            There is no such schedule, or it was not due yet and no time is given.
        """
        schedule = next(
            (item for item in self._schedules() if name_or_arn in (item.name, item.arn)), None
        )
        if schedule is None:
            raise LookupError(f"There is no schedule {name_or_arn}.")
        with self._changed:
            watched = self._watched.get(schedule.arn)
            at = scheduled_time or (watched.last if watched else None)
            if at is None:
                raise LookupError(f"The schedule {name_or_arn} was not due yet.")
            self._enqueue(self._invocation(schedule, at), 0)

    def outcomes(self) -> list[Firing]:
        """What became of every scheduled time so far, in the order in which it was settled."""
        with self._changed:
            return list(self._outcomes)

    def wait_for(self, predicate: Callable[[Firing], bool], timeout_seconds: float) -> Firing:
        """The first outcome that the predicate is true for.

        Raises
        ------
        TimeoutError
            There was none in time.
        """
        found: list[Firing] = []

        def look() -> bool:
            found[:] = [outcome for outcome in self._outcomes if predicate(outcome)]
            return bool(found)

        with self._changed:
            if not self._changed.wait_for(look, timeout_seconds):
                raise TimeoutError(f"No such outcome within {timeout_seconds} s.")
            return found[0]

    # The thread.

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._fire(datetime.now(UTC))
                self._deliver_waiting()
            except Exception:  # the clock goes on, whatever one schedule did to it
                _LOG.exception("Scheduler stumbled")
            with self._changed:
                if not self._stopping:
                    self._changed.wait(self._idle_seconds(datetime.now(UTC)))

    def _idle_seconds(self, now: datetime) -> float:
        dues = [item.due for item in self._watched.values() if item.due is not None]
        soonest = min(((due - now).total_seconds() for due in dues), default=_LOOK_SECONDS)
        if self._waiting:
            soonest = min(soonest, self._waiting[0][0] - time.monotonic())
        return min(max(soonest, 0.0), _LOOK_SECONDS)

    def _schedules(self) -> Iterator[Schedule]:
        backend = scheduler_backends[self._account_id][self._region]
        for group in list(backend.schedule_groups.values()):
            yield from list(group.schedules.values())

    def _fire(self, now: datetime) -> None:
        there = set()
        for schedule in self._schedules():
            there.add(schedule.arn)
            watched = self._watch(schedule)
            if watched is None or watched.timing is None:
                continue
            if watched.due is None or watched.due > now:
                continue
            due, watched.last = watched.due, watched.due
            watched.due = next_due(watched.timing, due)
            with self._changed:
                twice = bool({schedule.arn, schedule.name} & self._twice)
                self._twice -= {schedule.arn, schedule.name}
                for _ in range(2 if twice else 1):
                    self._enqueue(self._invocation(schedule, due), self._after_seconds(schedule))
            if watched.due is None and schedule.action_after_completion == "DELETE":
                self._delete(schedule)
        for arn in set(self._watched) - there:
            del self._watched[arn]

    def _watch(self, schedule: Schedule) -> _Watched | None:
        """What is known of a schedule, anew if it was changed; None while it rests."""
        if schedule.state != "ENABLED":
            self._watched.pop(schedule.arn, None)
            return None
        seen = (
            schedule.last_modified_date,
            schedule.schedule_expression,
            schedule.schedule_expression_timezone,
        )
        watched = self._watched.get(schedule.arn)
        if watched is None or watched.seen != seen:
            try:
                timing = _timing(schedule)
                due = next_due(timing, None)
            except (ValueError, OverflowError) as error:  # it rests; the others go on
                _LOG.warning("%s is never due: %s", schedule.name, error)
                timing, due = None, None
            watched = _Watched(timing, watched.last if watched else None, due, seen)
            self._watched[schedule.arn] = watched
        return watched

    def _delete(self, schedule: Schedule) -> None:
        backend = scheduler_backends[self._account_id][self._region]
        backend.schedule_groups[schedule.group_name].schedules.pop(schedule.name, None)

    def _invocation(self, schedule: Schedule, at: datetime) -> Invocation:
        return Invocation(schedule.arn, dict(schedule.target), at, secrets.token_hex(8))

    def _after_seconds(self, schedule: Schedule) -> float:
        """How long after its time a schedule calls; AWS does not say how it draws that."""
        window = schedule.flexible_time_window
        if window["Mode"] == "OFF":
            return 0
        return 60 * int(window["MaximumWindowInMinutes"]) * random.random() * self._retry_scale

    def _enqueue(self, invocation: Invocation, after_seconds: float) -> None:
        """Remember a call for later. The lock is held."""
        due = time.monotonic() + after_seconds
        heapq.heappush(self._waiting, (due, next(self._count), invocation))
        self._changed.notify_all()

    def _deliver_waiting(self) -> None:
        while not self._stopping:
            with self._changed:
                if not self._waiting or self._waiting[0][0] > time.monotonic():
                    return
                invocation = heapq.heappop(self._waiting)[2]
            self._deliver(invocation)

    def _deliver(self, invocation: Invocation) -> None:
        policy = RetryPolicy.of(invocation.target)
        try:
            call = request(invocation)
        except BadTarget as error:
            call = (str(invocation.target["Arn"]), {"Input": invocation.input()})
            result: str | Failure | None = Failure("ValidationException", str(error), 400)
        else:
            result = self._call(invocation, *call)
        if not isinstance(result, Failure):
            self._settle(invocation, execution_arn=result)
            return
        step = after_failure(result, invocation.retries, invocation.age_seconds, policy)
        if isinstance(step, GiveUp):
            self._put_aside(invocation, call, result, step.exhausted)
            self._settle(invocation, error_code=result.code)
            return
        again = replace(
            invocation,
            # AWS: a unique id for each attempted invocation.
            execution_id=secrets.token_hex(8),
            retries=invocation.retries + 1,
            age_seconds=invocation.age_seconds + step.after_seconds,
        )
        with self._changed:
            self._enqueue(again, step.after_seconds * self._retry_scale)

    def _call(
        self, invocation: Invocation, action: str, parameters: dict[str, Any]
    ) -> str | Failure | None:
        """Call the target in the name of the schedule's role: an execution's ARN, or why not."""
        denied = self._denied(invocation, parameters)
        if denied is not None:
            return denied
        try:
            if action == START_EXECUTION:
                renamed = {key[0].lower() + key[1:]: value for key, value in parameters.items()}
                started = self._client("stepfunctions").start_execution(**renamed)
                return str(started["executionArn"])
            # A templated target names the queue by its ARN, a universal one by its URL.
            queue = str(parameters["QueueUrl"]).rsplit("/", 1)[-1].rsplit(":", 1)[-1]
            self._client("sqs").send_message(**{**parameters, "QueueUrl": self._queue_url(queue)})
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            told = error.response["Error"]
            return Failure(str(told.get("Code")), str(told.get("Message")), status)
        except BotoCoreError as error:
            return Failure(type(error).__name__, str(error), 0)
        return None

    def _denied(self, invocation: Invocation, parameters: dict[str, Any]) -> Failure | None:
        asked = {
            invocation.schedule_arn,
            invocation.schedule_arn.rsplit("/", 1)[-1],
            str(invocation.target["Arn"]),
            str(parameters.get("StateMachineArn", "")),
        }
        with self._changed:
            for index, (name, code, times) in enumerate(self._denials):
                if name in asked and times > 0:
                    self._denials[index] = (name, code, times - 1)
                    return Failure(code, f"{code} (asked for)", 0)
        machine = parameters.get("StateMachineArn")
        role = str(invocation.target.get("RoleArn", ""))
        if machine is None or allows(self._account_id, role, "states:StartExecution", str(machine)):
            return None
        return Failure(
            "AccessDeniedException",
            f"User: {role} is not authorized to perform: states:StartExecution on resource: "
            f"{machine}",
            400,
        )

    def _put_aside(
        self,
        invocation: Invocation,
        call: tuple[str, dict[str, Any]],
        failure: Failure,
        exhausted: str | None,
    ) -> None:
        queue = (invocation.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            _LOG.warning("%s failed and has no queue: %s", invocation.schedule_arn, failure)
            return
        body, attributes = dead_letter(invocation, call, failure, exhausted)
        try:
            self._client("sqs").send_message(
                QueueUrl=self._queue_url(queue.rsplit(":", 1)[-1]),
                MessageBody=body,
                MessageAttributes={
                    key: {"DataType": "String", "StringValue": value or "-"}
                    for key, value in attributes.items()
                },
            )
        except ClientError as error:
            _LOG.warning("The queue of %s took nothing: %s", invocation.schedule_arn, error)

    def _settle(self, invocation: Invocation, **what: str | None) -> None:
        outcome = Firing(
            invocation.schedule_arn,
            invocation.scheduled_time,
            invocation.retries + 1,
            what.get("execution_arn"),
            what.get("error_code"),
        )
        with self._changed:
            self._outcomes.append(outcome)
            self._changed.notify_all()

    def _queue_url(self, name: str) -> str:
        return str(self._client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session_factory().client(  # type: ignore[call-overload]
                service, region_name=self._region, config=_NO_RETRIES
            )
        return self._clients[service]


class LocalScheduler(EventBridgeSchedulerBackend):
    """moto's Scheduler, which takes any text; this one takes what AWS takes."""

    @property
    def _url_module(self) -> ModuleType:
        """Where moto looks for the addresses of the API: beside the backend's class, it thinks."""
        return urls

    def create_schedule(self, *args: Any, **asked: Any) -> Schedule:
        """Make a schedule."""
        _refuse_what_is_none(asked)
        return super().create_schedule(*args, **asked)

    def update_schedule(self, *args: Any, **asked: Any) -> Schedule:
        """Change a schedule."""
        _refuse_what_is_none(asked)
        return super().update_schedule(*args, **asked)


def _refuse_what_is_none(asked: dict[str, Any]) -> None:
    expression = str(asked["schedule_expression"])
    try:
        read(expression)
        zone_of(asked["schedule_expression_timezone"] or "UTC")
    except BadExpression as error:
        raise ValidationException(f"Invalid Schedule Expression {expression}: {error}.") from None


def _timing(schedule: Schedule) -> Timing:
    return Timing(
        schedule.schedule_expression,
        schedule.schedule_expression_timezone,
        datetime.fromtimestamp(schedule.last_modified_date, UTC),
        _moment(schedule.start_date),
        _moment(schedule.end_date),
    )


def _moment(value: Any) -> datetime | None:
    """A start or end: the API brings seconds since 1970, a template text."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    text = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return text if text.tzinfo else text.replace(tzinfo=UTC)
