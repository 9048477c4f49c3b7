"""*By mail* in virtual time: what SES is given, and what becomes of what it does not take."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from steadyspot.statemachines.render import definition
from tests.virtual.machine import Ended, Machine, TaskFailed, substituted

UNTOLD = "https://sqs/untold"
FINISHED: dict[str, Any] = {
    "version": 1,
    "job": "night",
    "runKey": "20261124T020000Z",
    "outcome": "fell-back",
    "severity": "warning",
    "cause": "complete",
    "sentence": "The run is complete and its outputs are published.",
    "nextStep": "Nothing to do.",
    "execution": "arn:aws:states:eu-central-1:123456789012:execution:shop-night:x",
    "outputs": "s3://bucket/outputs/night/20261124T020000Z/",
    "attempts": [
        {
            "attempt": number,
            "capacity": capacity,
            "zone": "eu-central-1a",
            "from": "2026-11-24T02:00:05.000Z",
            "to": "2026-11-24T02:10:05.000Z",
            "seconds": 600,
            "cause": cause,
            "unitsDone": number,
        }
        for number, capacity, cause in ((1, "spot", "interrupted"), (2, "on-demand", "complete"))
    ],
    "cost": 0.0123,
    "costOnDemandOnly": 0.03,
    "priceDate": "2026-11-01",
}
MISSED = {key: FINISHED[key] for key in FINISHED if key not in ("attempts", "cost", "outputs")}
ALARM = {
    "AlarmName": "shop-night-parked",
    "AlarmDescription": "Runs of night wait. Run them again: steadyspot redrive night.",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint [1.0] was >= the threshold (1.0).",
}


class Post:
    """SES, which may refuse, and the queue of what could not be told."""

    def __init__(self, refusal: str = "") -> None:
        self.now = 0.0
        self.sent: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self._refusal = refusal

    def call(self, resource: str, arguments: Any, _timeout_seconds: int, _state: str) -> Any:
        if resource.endswith("sqs:sendMessage"):
            self.kept.append(arguments)
            return {}
        if self._refusal:
            raise TaskFailed("SesV2.MessageRejectedException", self._refusal)
        self.sent.append(arguments)
        return {"MessageId": "1"}


def mailing_definition() -> Any:
    """The definition, with the queue filled in."""
    return substituted(json.dumps(definition("by-mail")), (("Untold", UNTOLD),))


MACHINE = Machine(mailing_definition())


def post(told: dict[str, Any], refusal: str = "", machine: Machine = MACHINE) -> tuple[Post, Ended]:
    """What became of one mail."""
    world = Post(refusal)
    request = {"to": "a@example.com", "from": "steadyspot@example.com", "told": told}
    return world, machine.run(world, request, name="mail")


def letter(told: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, text and HTML of the one mail that is sent."""
    world, ended = post(told)
    assert (ended.status, world.kept) == ("SUCCEEDED", [])
    (sent,) = world.sent
    assert sent["Destination"] == {"ToAddresses": ["a@example.com"]}
    assert sent["FromEmailAddress"] == "steadyspot@example.com"
    simple = sent["Content"]["Simple"]
    parts = (simple["Subject"], simple["Body"]["Text"], simple["Body"]["Html"])
    assert {part["Charset"] for part in parts} == {"UTF-8"}
    subject, text, html = (part["Data"] for part in parts)
    return subject, text, html


class Page(HTMLParser):
    """The texts of a page by the elements that they stand in; each element is closed again."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1], data))

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


@pytest.mark.parametrize("attempts", [1, 2])
def test_text_and_html_say_the_same_with_the_attempts_as_a_table(attempts: int) -> None:
    told = {**FINISHED, "attempts": FINISHED["attempts"][:attempts]}
    subject, text, html = letter(told)
    page = Page(html)
    assert subject == "Steadyspot: night fell-back (warning), run 20261124T020000Z"
    cells = page.of("td")
    assert len(cells) == 8 * (1 + attempts)
    assert cells[8:16] == [
        *("1", "spot", "eu-central-1a", "02:00:05", "02:10:05", "600", "1", "interrupted")
    ]
    for line in ("1       spot      eu-central-1a  02:00:05", "interrupted"):
        assert line in text
    for said in (*page.of("p"), *page.of("small"), *cells, *page.of("h3")):
        assert said in text
    assert "Cost: $0.0123, on on-demand only $0.0300 (prices of 2026-11-01)" in page.of("p")
    assert page.of("small") == [
        "Why you get this: you are told of fell-back (warning) of night, by [[notify]] in "
        "steadyspot.toml."
    ]


def test_what_had_no_attempts_has_no_table() -> None:
    _, text, html = letter(MISSED)
    assert Page(html).of("td") == []
    assert "Cost" not in text + html
    assert "undefined" not in text + html
    assert "null" not in text + html


def test_an_alarm_is_told_in_cloudwatchs_words() -> None:
    subject, text, html = letter(ALARM)
    assert subject == "Steadyspot: alarm shop-night-parked"
    assert Page(html).of("p") == [ALARM["AlarmDescription"], ALARM["NewStateReason"]]
    assert ALARM["AlarmDescription"] in text
    assert "told of alarms" in text


HOSTILE = '<script src="x">&lt;</td></table>"\' \n\u2028'


def test_what_is_told_never_becomes_a_part_of_the_page() -> None:
    attempt = {**FINISHED["attempts"][0], "cause": HOSTILE, "zone": HOSTILE}
    told = dict.fromkeys(("sentence", "nextStep", "outputs", "execution", "job"), HOSTILE)
    page = Page(letter({**FINISHED, **told, "attempts": [attempt]})[2])
    assert {tag for tag, _ in page.texts} == {"h3", "p", "td", "small"}
    assert "What happened: " + HOSTILE in page.of("p")
    assert page.of("td").count(HOSTILE) == 2
    assert all(tag != "script" for tag, _ in page.texts)


def test_what_ses_does_not_take_lies_in_the_queue_of_what_could_not_be_told() -> None:
    world, ended = post(FINISHED, refusal="Email address is not verified. " * 100)
    assert ended.status == "SUCCEEDED"
    (kept,) = world.kept
    assert kept["QueueUrl"] == UNTOLD
    assert kept["MessageBody"] == {"to": "a@example.com", "detail": FINISHED}
    said = kept["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert said.startswith("SesV2.MessageRejectedException: Email address is not verified. ")
    assert len(said) == 1000
