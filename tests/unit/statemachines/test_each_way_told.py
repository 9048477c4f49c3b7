"""One publish tells everybody: mail gets a text, chat the form it shows, machines get JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.statemachines.test_after_its_time import Table, look
from tests.unit.statemachines.test_after_the_end import EndWorld, ends, running
from tests.unit.statemachines.test_at_the_deadline import LateWorld, begins
from tests.unit.statemachines.test_mails import FAILS, MACHINE
from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.machine import iso
from tests.virtual.world import Launch, Offer, RunWorld


def of_a_run() -> Any:
    offers = [FAILS]

    def market(_launch: Launch, _left: float) -> Offer:
        return offers.pop(0) if offers else Offer()

    world = RunWorld(now=START, work_seconds=3_600.0, market=market)
    MACHINE.run(world, {"scheduledTime": iso(START)[:-5] + "Z"}, name="x")
    return world.mails[-1]


def of_an_end() -> Any:
    world = EndWorld(running(), Input="{}", Status="ABORTED")
    ends(world)
    return world.mails[-1]


def of_a_time_without_a_run() -> Any:
    table = Table(lambda _: {})
    look(table)
    return table.mails[-1]


def of_a_passed_deadline() -> Any:
    world = LateWorld()
    begins(world)
    return world.mails[-1]


TOLD = {
    "failed": of_a_run,
    "stopped": of_an_end,
    "missed": of_a_time_without_a_run,
    "late": of_a_passed_deadline,
}


@pytest.mark.parametrize("outcome", TOLD)
def test_mail_chat_and_machines_are_told_by_one_publish(outcome: str) -> None:
    mail = TOLD[outcome]()
    texts = json.loads(mail["Message"])
    assert set(texts) == {"default", "email", "https"}
    data = json.loads(texts["default"])
    assert data["outcome"] == outcome

    why = f"Why you get this: you are told of {outcome} ({data['severity']}) of {data['job']}, by"
    assert texts["email"].splitlines()[-1].startswith(why)

    chat = json.loads(texts["https"])
    # All that Amazon Q Developer asks for before it shows a message.
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    content = chat["content"]
    assert content["title"] == mail["Subject"]
    assert content["description"] == data["sentence"]
    assert content["nextSteps"] == [data["nextStep"]]
    assert chat["metadata"]["threadId"] == f"{data['job']}/{data['runKey']}"


def test_the_attempts_stand_in_the_mail_as_a_table() -> None:
    lines = json.loads(of_a_run()["Message"])["email"].splitlines()
    head = next(line for line in lines if "what stopped it" in line)
    attempt = lines[lines.index(head) + 1]
    for column in ("capacity", "zone", "from", "what stopped it"):
        at = head.index(column)
        before, first = attempt[at - 1 : at + 1]
        assert (before, first.isspace()) == (" ", False), (column, head, attempt)
