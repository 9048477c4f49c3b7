"""The mails that the local target delivers, kept in memory where tests and people read them.

moto drops what goes to mail subscriptions of SNS. Here each publish is delivered to every one whose
filter policy it meets, with the text that AWS would send; a subscription needs no confirmation. A
topic can be made to refuse, and a subject that SNS would not take is not taken. What SES sends is
delivered, too: as HTML where it has that, and only from an identity that was created.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, ClassVar

from moto.core.exceptions import ServiceException
from moto.ses import urls as urls_of_ses
from moto.ses.models import Message, SESBackend, ses_backends
from moto.sns import urls
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend, sns_backends

_DEFAULT_SUBJECT = "AWS Notification Message"
_LONGEST_SUBJECT = 100


@dataclass(frozen=True)
class Mail:
    """A mail as it would reach a person. ``attributes`` are the message attributes, as text.

    One that SES sends has no topic.
    """

    topic_arn: str
    to: str
    subject: str
    body: str
    attributes: dict[str, str] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class AuthorizationError(ServiceException):
    """What SNS answers to a publish that is not allowed."""

    code = "AuthorizationError"
    status_code = 403


class Outbox:
    """All mails since the start, and the switch that lets topics refuse."""

    def __init__(self) -> None:
        self._mails: list[Mail] = []
        self._refusing: set[str] = set()
        self._arrived = threading.Condition()

    def start(self) -> Outbox:
        """Take the mails of every topic that is made from now on, and those of SES."""
        LocalSns.outbox = LocalSes.outbox = self
        sns_backends.backend = LocalSns
        ses_backends.backend = LocalSes
        return self

    def stop(self) -> None:
        """Take no more mails; those that came can still be read."""
        LocalSns.outbox = LocalSes.outbox = None

    def mails(self) -> list[Mail]:
        """What was delivered so far, oldest first."""
        with self._arrived:
            return list(self._mails)

    def as_json(self) -> list[dict[str, Any]]:
        """The mails as JSON, for the control endpoint."""
        return [{**asdict(mail), "at": f"{mail.at:%Y-%m-%dT%H:%M:%S.%f}Z"} for mail in self.mails()]

    def wait_for(self, predicate: Callable[[Mail], bool], timeout_seconds: float) -> Mail:
        """The first mail that the predicate is true for, as soon as it is there.

        Raises
        ------
        TimeoutError
            It did not come in time; the message lists the subjects of those that did.
        """

        def look() -> Mail | None:
            return next((mail for mail in self._mails if predicate(mail)), None)

        with self._arrived:
            if self._arrived.wait_for(look, timeout_seconds):
                mail = look()
                assert mail is not None
                return mail
            subjects = [mail.subject for mail in self._mails]
        raise TimeoutError(f"No such mail within {timeout_seconds} s. There were: {subjects}")

    def clear(self) -> None:
        """Forget all mails, and let every topic accept again."""
        with self._arrived:
            self._mails.clear()
            self._refusing.clear()

    def refuse(self, topic_arn: str) -> None:
        """Let a topic answer every publish with AuthorizationError, until ``accept``."""
        with self._arrived:
            self._refusing.add(topic_arn)

    def accept(self, topic_arn: str) -> None:
        """Let a topic accept again."""
        with self._arrived:
            self._refusing.discard(topic_arn)

    def refuses(self, topic_arn: str | None) -> bool:
        """Whether a topic refuses now."""
        with self._arrived:
            return topic_arn in self._refusing

    def deliver(self, mail: Mail) -> None:
        """Put a mail into the outbox."""
        with self._arrived:
            self._mails.append(mail)
            self._arrived.notify_all()


def complaint_about(subject: str | None) -> str | None:
    """What SNS has against a subject: it wants up to 100 printable ASCII characters in one line."""
    if subject is None:
        return None
    plain = subject.isascii() and subject.isprintable() and not subject.startswith(" ")
    if not subject or len(subject) > _LONGEST_SUBJECT or not plain:
        return "Invalid parameter: Subject"
    return None


def body_for_mail(message: str, structure: str | None) -> str:
    """The text of a mail; with MessageStructure json the one for ``email``, or the default."""
    if structure != "json":
        return message
    texts = json.loads(message)
    return str(texts.get("email") or texts["default"])


class LocalSns(SNSBackend):
    """moto's SNS, which also delivers mails. moto makes it, so the outbox hangs on the class."""

    outbox: ClassVar[Outbox | None] = None

    @property
    def _url_module(self) -> ModuleType:
        """Where moto looks for the addresses of the API: beside the backend's class, it thinks."""
        return urls

    def publish(
        self,
        message: str,
        arn: str | None,
        phone_number: str | None = None,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> str:
        outbox = self.outbox
        if outbox is not None and outbox.refuses(arn):
            raise AuthorizationError(
                f"User is not authorized to perform: SNS:Publish on resource: {arn}"
            )
        if complaint := complaint_about(subject):
            raise SNSInvalidParameter(complaint)
        message_id = super().publish(
            message, arn, phone_number, subject, message_attributes, *args, **kwargs
        )
        if outbox is not None and arn is not None:
            structure = kwargs.get("message_structure")
            for address in self._addresses(arn, message, message_attributes):
                outbox.deliver(
                    Mail(
                        topic_arn=arn,
                        to=address,
                        subject=subject or _DEFAULT_SUBJECT,
                        body=body_for_mail(message, structure),
                        attributes={
                            key: str(value.get("Value"))
                            for key, value in (message_attributes or {}).items()
                        },
                    )
                )
        return message_id

    def _addresses(self, arn: str, message: str, attributes: dict[str, Any] | None) -> list[str]:
        return [
            subscription.endpoint
            for subscription in list(self.subscriptions.values())
            if subscription.topic_arn == arn
            and subscription.protocol in ("email", "email-json")
            and (
                subscription._filter_policy_matcher is None
                or subscription._filter_policy_matcher.matches(attributes, message)
            )
        ]


class LocalSes(SESBackend):
    """moto's SES, which also delivers mails."""

    outbox: ClassVar[Outbox | None] = None

    @property
    def _url_module(self) -> ModuleType:
        """Where moto looks for the addresses of the API, as of its SNS."""
        return urls_of_ses

    def send_email(
        self, source: str, subject: str, body: str, destinations: dict[str, list[str]]
    ) -> Message:
        sent = super().send_email(source, subject, body, destinations)
        if self.outbox is not None:
            for address in (one for addresses in destinations.values() for one in addresses):
                self.outbox.deliver(Mail("", address, subject, body))
        return sent
