"""Hears what a topic tells while a drill lasts: a queue of its own, subscribed and removed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from steadyspot.deploy.drills.undisturbed import undisturbed
from steadyspot.deploy.target import Target


@dataclass(frozen=True)
class Message:
    """One message of the topic; ``body`` is what machines receive, parsed where it is JSON."""

    subject: str
    body: Any


class Ear:
    """The messages that came so far."""

    def __init__(self, sqs: Any, queue: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._sqs = sqs
        self._queue = queue
        self._clock = clock
        self._heard: list[Message] = []

    def wait_for(self, wanted: Callable[[Message], bool], seconds: float) -> Message | None:
        """Return the first message that is wanted, waiting up to ``seconds`` for it."""
        end = self._clock() + seconds
        while True:
            found = next((told for told in self._heard if wanted(told)), None)
            left = end - self._clock()
            if found or left <= 0:
                return found
            self._listen(min(5, max(1, int(left))))

    def _listen(self, seconds: int) -> None:
        received = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=seconds
        )
        for message in received.get("Messages", []):
            envelope = json.loads(message["Body"])
            self._heard.append(Message(envelope.get("Subject", ""), _parsed(envelope["Message"])))
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def listening(target: Target) -> Iterator[Ear]:
    """Subscribe a new queue to the platform's topic; remove both whatever happens."""
    sqs, sns = target.client("sqs"), target.client("sns")
    topic = target.platform["Topic"]
    queue = subscription = ""
    try:
        with undisturbed():
            name = f"steadyspot-drill-{uuid.uuid4().hex[:8]}"
            queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        sqs.set_queue_attributes(
            QueueUrl=queue, Attributes={"Policy": json.dumps(_only_from(topic, arn))}
        )
        subscription = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        yield Ear(sqs, queue)
    finally:
        with undisturbed():
            if subscription:
                sns.unsubscribe(SubscriptionArn=subscription)
            if queue:
                sqs.delete_queue(QueueUrl=queue)


def _only_from(topic: str, queue: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
