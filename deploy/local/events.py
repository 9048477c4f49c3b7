"""EventBridge of the local target: events of ECS and Step Functions reach the rules' targets.

Rules and their patterns are moto's; moto delivers neither events of AWS services nor anything to a
state machine. Delivery happens in one thread, in order; an event is never lost to a slow target.
What is called by HTTP, or tried again after a failure that may pass, has a thread of its own.
"""

from __future__ import annotations

import copy
import json
import logging
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from moto.cloudwatch.models import cloudwatch_backends
from moto.events.models import EventPattern, Rule, events_backends

from steadyspot.deploy.local.api_destinations import NotTaken, call
from steadyspot.deploy.local.delivery import Failure, RetryPolicy, TryAgain, after_failure
from steadyspot.deploy.local.paths import at_path

_LOG = logging.getLogger(__name__)
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")


class _Pattern(EventPattern):
    """A pattern of moto, which knows no wildcards, and does not look into lists of objects."""

    @staticmethod
    def _flatten_dict(
        node: Any, prefix: str = "", result: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what lies at each path: all that it leads to where a list of objects is on it."""
        found: dict[str, Any] = {} if result is None else result
        for key, value in node.items():
            path = f"{prefix}.{key}" if prefix else key
            objects = (
                [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
            )
            for one in objects:
                for inner, held in _Pattern._flatten_dict(one, path).items():
                    found.setdefault(inner, []).extend(held if isinstance(held, list) else [held])
            if isinstance(value, dict) and value:
                _Pattern._flatten_dict(value, path, found)
            elif not objects:
                found[path] = value
        return found

    @staticmethod
    def _does_item_match_named_filter(item: Any, pattern: dict[str, Any]) -> bool:
        but = pattern.get("anything-but")
        if isinstance(but, dict) and "wildcard" in but:
            return isinstance(item, str) and not _Pattern._does_item_match_named_filter(item, but)
        wildcard = pattern.get("wildcard")
        if wildcard is None:
            return bool(EventPattern._does_item_match_named_filter(item, pattern))
        any_of = wildcard if isinstance(wildcard, list) else [wildcard]
        forms = (".*".join(map(re.escape, one.split("*"))) for one in any_of)
        return isinstance(item, str) and any(re.fullmatch(one, item, re.DOTALL) for one in forms)


def is_matched(event: dict[str, Any], pattern: dict[str, Any]) -> bool:
    """Whether a rule with this pattern is for the event."""
    return _is_for(flattened(event), pattern)


def flattened(event: dict[str, Any]) -> dict[str, Any]:
    """What lies at each path of an event: once for all rules, of which there are many."""
    return _Pattern._flatten_dict(json.loads(json.dumps(event)))


def _is_for(flat: dict[str, Any], pattern: dict[str, Any]) -> bool:
    return _Pattern(None, pattern)._does_event_match(flat, pattern)


class EventBus:
    """The default bus. `session_factory` makes sessions whose clients reach this local AWS."""

    def __init__(
        self, *, account_id: str, region: str, session_factory: Callable[[], boto3.Session]
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._session_factory = session_factory
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._clients: dict[str, Any] = {}
        self._later: set[threading.Timer] = set()

    def start(self) -> None:
        """Begin to deliver."""
        self._thread = threading.Thread(target=self._deliver_all, name="event-bus", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver nothing any more."""
        self._events.put(None)
        for timer in list(self._later):
            timer.cancel()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def emit(self, event: dict[str, Any]) -> None:
        """Put an event on the bus; comes back at once. Missing fields of the envelope are added."""
        self._events.put(copy.deepcopy(event))

    def _deliver_all(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._deliver_one(self._in_envelope(event))
            except Exception:  # the bus goes on, whatever an event did to it
                _LOG.exception("EventBridge stumbled")

    def _deliver_one(self, event: dict[str, Any]) -> None:
        flat = flattened(event)
        for rule in self._rules():
            try:
                self._deliver_by(rule, event, flat)
            except Exception:  # the others are asked all the same
                _LOG.exception("The rule %s stumbled", rule.name)

    def _deliver_by(self, rule: Rule, event: dict[str, Any], flat: dict[str, Any]) -> None:
        if not _is_for(flat, rule.event_pattern.get_pattern()):
            return
        self._count(rule)
        for target in list(rule.targets):
            if ":api-destination/" in target["Arn"]:
                self._deliver_later(0, rule, target, event)
            else:
                self._try_to_deliver(rule, target, event)

    def _in_envelope(self, event: dict[str, Any]) -> dict[str, Any]:
        envelope = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "account": self._account_id,
            "region": self._region,
            "resources": [],
        }
        return {**envelope, **event}

    def _rules(self) -> list[Rule]:
        buses = events_backends[self._account_id][self._region].event_buses
        return [
            rule
            for rule in list(buses["default"].rules.values())
            if rule.state == "ENABLED" and rule.event_pattern.get_pattern()
        ]

    def _count(self, rule: Rule) -> None:
        """Count a match in CloudWatch, as EventBridge does for each rule by its name."""
        metric = {
            "MetricName": "TriggeredRules",
            "Dimensions": [{"Name": "RuleName", "Value": rule.name}],
            "Value": 1,
        }
        cloudwatch_backends[self._account_id][self._region].put_metric_data("AWS/Events", [metric])

    def _deliver_later(self, seconds: float, *arguments: Any) -> None:
        def deliver() -> None:
            self._later.discard(timer)
            self._try_to_deliver(*arguments)

        timer = threading.Timer(seconds, deliver)
        timer.daemon = True
        self._later.add(timer)
        timer.start()

    def _try_to_deliver(
        self,
        rule: Rule,
        target: Mapping[str, Any],
        event: dict[str, Any],
        retries: int = 0,
        since: float | None = None,
    ) -> None:
        """Deliver, or try again later; ``since`` is when it was tried first."""
        since = time.monotonic() if since is None else since
        try:
            self._deliver(target, target_input(target, event))
        except Exception as error:
            age = time.monotonic() - since
            then = after_failure(failure_of(error), retries, age, RetryPolicy.of(target))
            if isinstance(then, TryAgain):
                more = (rule, target, event, retries + 1, since)
                self._deliver_later(then.after_seconds, *more)
            else:
                self._give_up(rule, target, event, error)

    def _give_up(
        self, rule: Rule, target: Mapping[str, Any], event: dict[str, Any], error: Exception
    ) -> None:
        """Put the event into the target's queue, or drop it: as EventBridge does."""
        queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
        try:
            if queue_arn:
                self._dead_letter(queue_arn, rule, target, event, error)
                return
        except Exception as of_queue:
            _LOG.warning("Rule %s could not reach %s: %s", rule.name, queue_arn, of_queue)
        _LOG.warning("Rule %s could not reach %s: %s", rule.name, target["Arn"], error)

    def _deliver(self, target: Mapping[str, Any], text: str) -> None:
        arn = target["Arn"]
        service = arn.split(":")[2]
        if service == "states":
            self._client("stepfunctions").start_execution(stateMachineArn=arn, input=text)
        elif service == "sqs":
            group = (target.get("SqsParameters") or {}).get("MessageGroupId")
            more = {"MessageGroupId": group} if group else {}
            self._client("sqs").send_message(
                QueueUrl=self._queue_url(arn), MessageBody=text, **more
            )
        elif service == "sns":
            self._client("sns").publish(TopicArn=arn, Message=text)
        elif service == "events":
            call(arn, target.get("HttpParameters") or {}, text)
        else:
            raise NotImplementedError(f"No delivery to {service} in the local target.")

    def _dead_letter(
        self,
        queue_arn: str,
        rule: Rule,
        target: Mapping[str, Any],
        event: dict[str, Any],
        error: Exception,
    ) -> None:
        attributes = {
            "RULE_ARN": rule.arn,
            "TARGET_ARN": target["Arn"],
            "ERROR_CODE": failure_of(error).code,
            "ERROR_MESSAGE": str(error),
        }
        self._client("sqs").send_message(
            QueueUrl=self._queue_url(queue_arn),
            MessageBody=json.dumps(event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value or "-"}
                for name, value in attributes.items()
            },
        )

    def _queue_url(self, arn: str) -> str:
        answer = self._client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])
        return str(answer["QueueUrl"])

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session_factory().client(service)  # type: ignore[call-overload]
        return self._clients[service]


def target_input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """What a target gets: its Input, the part at InputPath, a filled template, or all."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(at_path(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        values = {
            name: at_path(event, path)
            for name, path in (transformer.get("InputPathsMap") or {}).items()
        }
        return filled_template(transformer["InputTemplate"], values)
    return json.dumps(event)


def failure_of(error: Exception) -> Failure:
    """What a failed delivery says of itself."""
    if isinstance(error, NotTaken):
        return error.failure
    response = getattr(error, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Failure(response.get("Error", {}).get("Code", type(error).__name__), str(error), status)


def filled_template(template: str, values: Mapping[str, Any]) -> str:
    """An InputTemplate with `<name>` replaced: bare as JSON, inside a string literal as text."""

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        in_string = template.count('"', 0, match.start()) % 2 == 1
        if not in_string:
            return json.dumps(value)
        text = value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text)[1:-1]

    return _PLACEHOLDER.sub(value_of, template)
