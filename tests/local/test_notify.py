"""Who is told beside the platform's mail: on the embedded AWS, to a service of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from steadyspot.deploy.runs.evidence import explanation_of
from steadyspot.deploy.runs.telling import all_told, try_all
from steadyspot.deploy.stacks.notify import Notify
from steadyspot.deploy.stacks.up import platform_of
from tests.local.receiver import Call, Receiver, receiving
from tests.local.runs import Place, Work, eventually, faults

KEY = "hush-2718281828"
SCHEDULED = "2026-11-24T02:00:00Z"
RUN = "20261124T020000Z"
SENDER = "steadyspot@mails.example.com"
FAILS = ("sh", "-c", "exit 3")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as called:
        yield called


@pytest.fixture(scope="module")
def secret(platform: Place, receiver: Receiver) -> Iterator[str]:
    """The ARN of a secret with what each service wants."""
    holds = {"key": KEY, "url": f"{receiver.url}/slack/{KEY}"}
    secrets = platform.session.client("secretsmanager")
    made = secrets.create_secret(
        Name=f"{platform.platform.name}-services", SecretString=json.dumps(holds)
    )
    yield str(made["ARN"])
    secrets.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)


@pytest.fixture(scope="module")
def told(platform: Place, receiver: Receiver, secret: str) -> Iterator[Place]:
    """The platform, with services that are told of failures, and two mails that are not of all."""
    failed = ("failed", "stopped")
    platform.notify = (
        Notify(mail="errors@example.com", severities=("error",)),
        Notify(mail="warnings@example.com", severities=("warning",)),
        Notify(webhook="slack", secret=secret, outcomes=failed),
        Notify(webhook="json", url=f"{receiver.url}/json", secret=secret, outcomes=failed),
        Notify(webhook="json", url=f"{receiver.url}/late", secret=secret, outcomes=("late",)),
        Notify(webhook="json", url=f"{receiver.url}/no", secret=secret, outcomes=failed),
    )
    receiver.answers = {"/json": [503, 429], "/no": [400]}
    platform.bring(platform_of(platform.target()))
    yield platform
    platform.notify = ()
    platform.bring(platform_of(platform.target()))


@pytest.fixture(scope="module")
def failed(told: Place, receiver: Receiver) -> tuple[Work, str]:
    """A job whose run has failed, and the execution; everybody has been told of it."""
    work = told.job(*FAILS)
    execution = work.start(scheduledTime=SCHEDULED)
    work.failed(execution)
    eventually(lambda: len(receiver.at("/json")) >= 3)
    eventually(lambda: receiver.at(f"/slack/{KEY}") and receiver.at("/no"))
    return work, execution


def about(execution: str, calls: list[Call]) -> list[Call]:
    """The calls that tell of an execution; a test of who is told makes others."""
    return [call for call in calls if execution in json.dumps(call.body)]


def untold(work: Work) -> Callable[[], list[Any]]:
    """What looks at all that lies in the platform's queue of what nobody took."""
    resources = work.target.stacks.resources(work.target.platform_stack)
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}

    def look() -> list[Any]:
        found = work.sqs.receive_message(
            QueueUrl=ids["Untold"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
        )
        return list(found.get("Messages", []))

    return look


def test_a_webhook_gets_what_machines_are_told_with_its_key_in_a_header(
    failed: tuple[Work, str], receiver: Receiver
) -> None:
    """It answers 503 and 429 at first, and is tried again until it takes it; then no more."""
    work, execution = failed
    calls = about(execution, receiver.at("/json"))
    assert len(calls) == 3
    for call in calls:
        assert call.headers["authorization"] == KEY
        assert (call.body["job"], call.body["execution"]) == (work.name, execution)
        assert not faults("notification", call.body)


def test_slack_gets_its_form_at_the_address_that_is_secret(
    failed: tuple[Work, str], receiver: Receiver
) -> None:
    work, execution = failed
    (call,) = about(execution, receiver.at(f"/slack/{KEY}"))
    assert call.body["text"] == f"Steadyspot: {work.name} failed (error), run {RUN}"
    assert [one["text"] for one in call.body["attachments"]][2] == execution


def test_who_chose_another_outcome_hears_nothing_and_mails_are_chosen_by_severity(
    failed: tuple[Work, str], receiver: Receiver
) -> None:
    work, execution = failed

    def told() -> set[str]:
        return {mail.to for mail in work.mails() if execution in mail.body}

    both = {"oncall@example.com", "errors@example.com"}
    eventually(lambda: told() >= both)
    assert told() == both
    assert about(execution, receiver.at("/late")) == []


def test_what_nobody_takes_lies_in_a_queue_that_rings(failed: tuple[Work, str]) -> None:
    work, _ = failed
    look = untold(work)
    (message,) = eventually(lambda: [one for one in look() if work.name in one["Body"]])
    assert json.loads(message["Body"])["detail"]["job"] == work.name
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "HTTP400"
    assert KEY not in json.dumps(message)


def test_no_secret_stands_in_what_people_and_machines_can_read(
    failed: tuple[Work, str], told: Place
) -> None:
    work, _ = failed
    cloudformation = work.target.client("cloudformation")
    for stack in (told.platform.name, work.family):
        assert KEY not in json.dumps(
            cloudformation.get_template(StackName=stack)["TemplateBody"], default=str
        )
        assert KEY not in json.dumps(cloudformation.describe_stacks(StackName=stack), default=str)
    assert KEY not in "".join(mail.body for mail in told.aws.outbox.mails())


def test_a_test_says_that_it_is_one_and_reaches_who_chose_what_seldom_happens(
    failed: tuple[Work, str], receiver: Receiver
) -> None:
    work, _ = failed
    target, place = work.target, work.place
    place.notify = target.config.notify  # Other tests may have brought others since.
    place.bring(platform_of(place.target()))
    trials = list(try_all(target, all_told(target.config)))
    assert {one.outcome for one in trials} == {"failed", "late"}
    (late,) = eventually(lambda: receiver.at("/late"))
    assert late.body["sentence"] == "This is a test of who is told: nothing happened."
    assert not faults("notification", late.body)

    def told_of() -> set[str]:
        return {m.to for m in work.place.aws.outbox.mails() if "a test of" in m.subject}

    eventually(lambda: {"errors@example.com", "warnings@example.com"} <= told_of())


def test_explain_says_who_was_told(failed: tuple[Work, str]) -> None:
    work, _ = failed
    (said,) = explanation_of(work.target, work.job, RUN).told
    assert said.startswith("failed (error): mail oncall@example.com, mail errors@example.com, ")
    assert "warnings@example.com" not in said
    assert KEY not in said


HTML = "html@example.com"


def alarm_of(work: Work) -> str:
    """The alarm that tells of a parked run."""
    return f"{work.family}-parked"


def rang(receiver: Receiver, work: Work) -> list[Call]:
    return [one for one in receiver.at("/all") if one.body.get("AlarmName") == alarm_of(work)]


@pytest.fixture(scope="module")
def by_ses(platform: Place, receiver: Receiver, secret: str) -> Iterator[Work]:
    """A job whose run has failed and is parked, with mails by SES and a webhook for everything."""
    platform.notify = (
        Notify(mail=HTML, sender=SENDER, severities=("error",)),
        Notify(mail="nobody@example.com", sender="unknown@example.org", outcomes=("failed",)),
        Notify(webhook="json", url=f"{receiver.url}/all", secret=secret),
    )
    ses, domain = platform.session.client("sesv2"), SENDER.split("@")[1]
    ses.create_email_identity(EmailIdentity=domain)
    platform.bring(platform_of(platform.target()))
    work = platform.job(*FAILS)
    work.failed(work.start(scheduledTime=SCHEDULED))
    # Other tests may bring others who are told, once these have been told.
    eventually(lambda: rang(receiver, work))
    work.mail(lambda mail: mail.to == HTML and RUN in mail.subject)
    work.mail(lambda mail: mail.to == HTML and alarm_of(work) in mail.subject)
    yield work
    platform.notify = ()
    platform.bring(platform_of(platform.target()))
    ses.delete_email_identity(EmailIdentity=domain)


def test_a_mail_with_a_sender_comes_by_ses_as_html_with_the_attempts_as_a_table(
    by_ses: Work,
) -> None:
    mail = by_ses.mail(lambda mail: mail.to == HTML and RUN in mail.subject)
    assert mail.subject == f"Steadyspot: {by_ses.name} failed (error), run {RUN}"
    assert mail.body.startswith("<!DOCTYPE html>")
    assert "<tr><td>1</td><td>spot</td>" in mail.body
    assert "<td>job-failed</td></tr>" in mail.body
    assert f"you are told of failed (error) of {by_ses.name}" in mail.body


def test_a_mail_that_ses_does_not_send_lies_in_the_queue_that_rings(by_ses: Work) -> None:
    look = untold(by_ses)
    (message,) = eventually(lambda: [one for one in look() if "to" in json.loads(one["Body"])])
    kept = json.loads(message["Body"])
    assert (kept["to"], kept["detail"]["job"]) == ("nobody@example.com", by_ses.name)
    why = message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert "not verified unknown@example.org" in why


def test_an_alarm_reaches_webhooks_and_mails_by_ses_that_take_errors_of_everything(
    by_ses: Work, receiver: Receiver
) -> None:
    name = alarm_of(by_ses)
    (call,) = rang(receiver, by_ses)
    assert call.body["NewStateValue"] == "ALARM"
    mail = by_ses.mail(lambda mail: mail.to == HTML and name in mail.subject)
    assert mail.subject == f"Steadyspot: alarm {name}"
    assert f"steadyspot redrive {by_ses.name}" in mail.body


HEARTBEATS: tuple[tuple[Any, str, str, str], ...] = (
    ("healthchecks", "/start", "/0", "/fail"),
    ("cronitor", "?state=run", "?state=complete", "?state=fail"),
    ("sentry", "?status=in_progress", "?status=ok", "?status=error"),
)


@pytest.fixture
def beating(platform: Place, receiver: Receiver) -> Iterator[Work]:
    """A job whose runs send each heartbeat; who else is told is told again when it ends."""
    work, before = platform.job("true"), platform.notify
    platform.notify = tuple(
        Notify(heartbeat=kind, url=f"{receiver.url}/{kind}/{work.name}", jobs=(work.name,))
        for kind, *_ in HEARTBEATS
    )
    yield work
    platform.notify = before


def test_a_heartbeat_comes_at_the_start_of_each_run_and_at_its_end(
    beating: Work, receiver: Receiver
) -> None:
    """It costs the run no state: a quiet one enters four."""
    work = beating
    work.deploy()
    quiet = work.start(scheduledTime=SCHEDULED)
    work.succeeded(quiet, RUN)
    assert len(work.states_entered(quiet)) == 4

    def ends(kind: str) -> list[str]:
        place = f"/{kind}/{work.name}"
        return [one.path.removeprefix(place) for one in receiver.calls if place in one.path]

    def came(kind: str, times: int) -> bool:
        return len(ends(kind)) == times

    for kind, start, success, _ in HEARTBEATS:
        eventually(partial(came, kind, 2))
        assert sorted(ends(kind)) == sorted([start, success])
    work.deploy(command=FAILS)
    work.failed(work.start(scheduledTime="2026-11-25T02:00:00Z"))
    for kind, start, success, fail in HEARTBEATS:
        eventually(partial(came, kind, 4))
        assert sorted(ends(kind)) == sorted([start, success, start, fail])
    body = next(one.body for one in receiver.calls if one.path.endswith("/fail"))
    assert body["stopDate"] >= body["startDate"]
    assert body["status"] == "FAILED"
