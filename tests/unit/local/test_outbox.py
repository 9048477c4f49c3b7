"""What SNS takes as a subject, which text a mail gets, and how the outbox is read."""

from __future__ import annotations

import json
import threading

import pytest

from steadyspot.deploy.local.outbox import Mail, Outbox, body_for_mail, complaint_about


@pytest.mark.parametrize("subject", [None, "Run failed", "x" * 100, '(ALARM) "a"'])
def test_a_plain_subject_is_taken(subject: str | None) -> None:
    assert complaint_about(subject) is None


@pytest.mark.parametrize("subject", ["", "x" * 101, "zwei\nZeilen", "für dich", " leading"])
def test_a_subject_that_sns_would_refuse_is_refused(subject: str) -> None:
    assert complaint_about(subject) == "Invalid parameter: Subject"


def test_a_mail_gets_the_text_meant_for_mails() -> None:
    texts = json.dumps({"default": "short", "email": "long"})
    assert body_for_mail(texts, "json") == "long"
    assert body_for_mail(json.dumps({"default": "short"}), "json") == "short"
    assert body_for_mail(texts, None) == texts


def test_a_mail_can_be_waited_for() -> None:
    outbox = Outbox()
    threading.Timer(0.05, outbox.deliver, [Mail("arn:t", "a@b.cd", "late", "text")]).start()
    assert outbox.wait_for(lambda mail: mail.subject == "late", 5).body == "text"


def test_waiting_in_vain_says_what_came() -> None:
    outbox = Outbox()
    outbox.deliver(Mail("arn:t", "a@b.cd", "another", "text"))
    with pytest.raises(TimeoutError, match="another"):
        outbox.wait_for(lambda mail: mail.subject == "late", 0.01)


def test_a_topic_refuses_until_it_accepts_again() -> None:
    outbox = Outbox()
    outbox.refuse("arn:t")
    assert outbox.refuses("arn:t")
    outbox.accept("arn:t")
    assert not outbox.refuses("arn:t")


def test_a_cleared_outbox_is_empty_and_accepts() -> None:
    outbox = Outbox()
    outbox.deliver(Mail("arn:t", "a@b.cd", "s", "text"))
    outbox.refuse("arn:t")
    outbox.clear()
    assert outbox.mails() == []
    assert not outbox.refuses("arn:t")


def test_the_outbox_as_json_names_every_field() -> None:
    outbox = Outbox()
    outbox.deliver(Mail("arn:t", "a@b.cd", "s", "text", {"outcome": "failed"}))
    (shown,) = outbox.as_json()
    assert sorted(shown) == ["at", "attributes", "body", "subject", "to", "topic_arn"]
    assert json.dumps(shown)
