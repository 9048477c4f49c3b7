"""What people are mailed of a run, as reviewed: true at its moment, and with commands to paste."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.statemachines.causes import rows
from tests.unit.statemachines.test_after_the_end import EndWorld, ends, running
from tests.unit.statemachines.test_causes import ESSENTIAL
from tests.unit.statemachines.test_random_outcomes import START, stop
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Machine, iso
from tests.virtual.world import REFUSED, Launch, Offer, RunWorld

DROUGHT = Offer(error=REFUSED)
"""Refuses Spot, for as long as it is asked for."""
FAILS = Offer(ends_after=600.0, stop=stop(*ESSENTIAL), exit_code=3, reason="failed")
MACHINE = Machine(job_definition())


def mails(
    *offers: Offer,
    name: str = "x",
    within: float = 0,
    by_hand: bool = False,
    machine: Machine = MACHINE,
    faults: dict[str, list[tuple[str, str]]] | None = None,
) -> list[Any]:
    """The mails of a run that meets these, then peace: subject and text."""
    left = list(offers)

    def market(launch: Launch, _left: float) -> Offer:
        if DROUGHT in left and launch.capacity == "spot":
            return DROUGHT
        return left.pop(0) if left and left[0] is not DROUGHT else Offer()

    world = RunWorld(now=START, work_seconds=3_600.0, market=market)
    world.faults = faults or {}
    scheduled = {} if by_hand else {"scheduledTime": iso(START)[:-5] + "Z"}
    machine.run(world, {**scheduled, "finishWithinMinutes": within}, name=name)
    return [(one["Subject"], json.loads(one["Message"])["email"]) for one in world.mails]


def test_a_run_that_failed_says_what_happened_was_tried_and_is_to_be_done() -> None:
    ((subject, text),) = mails(FAILS, within=200)
    key = subject.split()[2]
    assert subject.startswith("Steadyspot: ")
    assert subject.endswith(" failed: job-failed, parked for redrive")
    assert "What happened: The job ended with exit code 3." in text
    assert "What was tried: 1 attempt: 1 on Spot." in text
    assert "What to do: Read the job's log" in text
    name = subject.split()[1]
    for verb in ("explain", "logs", "redrive"):
        assert f"\n  steadyspot {verb} {name} {key}\n" in text
    due = iso(START + 200 * 60)[:16].replace("T", " ")
    assert f"It is due at {due} UTC." in text
    for untrue in ("in time", "Outputs", "saving", "on on-demand only"):
        assert untrue not in text


def test_a_run_that_its_queue_does_not_take_is_not_told_to_be_redriven() -> None:
    ((subject, text),) = mails(FAILS, faults={"Park the run": [("States.Timeout", "")]})
    assert subject.endswith(" failed: job-failed")
    assert "\n  steadyspot logs " in text
    assert "steadyspot redrive" not in text


def test_a_run_that_fell_back_in_time_says_what_it_saved_and_where_its_outputs_are() -> None:
    ((subject, text),) = mails(DROUGHT, within=80)
    assert subject.endswith(" finished on on-demand after 5 attempts")
    assert "What happened: The run is complete" in text
    assert "It finished in time; it was due at 20" in text
    assert "steadyspot outputs" in text
    assert "What was tried: 5 attempts: 4 on Spot, 1 on on-demand; 4 of them never started." in text
    assert ": saving " in text
    assert "redrive" not in text
    assert "Outputs: s3://" in text


def test_the_mails_of_a_drill_say_drill() -> None:
    ((subject, text),) = mails(FAILS, name="drill-1a2b3c", by_hand=True)
    assert subject.startswith("DRILL: ")
    assert text.startswith(subject)


@pytest.mark.parametrize("key", ["x", "k" * 80])
@pytest.mark.parametrize(
    ("offers", "end"),
    [
        ((FAILS,), " failed: job-failed, parked for redrive"),
        ((DROUGHT,), " finished on on-demand after 5 attempts"),
    ],
)
def test_a_subject_is_never_cut(offers: tuple[Offer, ...], end: str, key: str) -> None:
    long = Machine(job_definition(Job="n" * 32))
    ((subject, text),) = mails(*offers, within=80, name=key, by_hand=True, machine=long)
    assert subject.startswith("Steadyspot: " + "n" * 32)
    assert subject.endswith(end)
    assert len(subject) < 100
    assert (f" {key} " in subject) == (key == "x")
    assert f"steadyspot explain {'n' * 32} {key}\n" in text


def test_the_subject_of_every_row_has_room() -> None:
    for row in rows():
        assert len(f"Steadyspot: {'n' * 32} failed: {row.name}, parked for redrive") < 100


def ended(**described: Any) -> tuple[str, str]:
    """The mail about an execution that could not speak for itself."""
    world = EndWorld(running(), Input="{}", **described)
    ends(world)
    (mail,) = world.mails
    return mail["Subject"], json.loads(mail["Message"])["email"]


def test_who_stopped_a_run_by_hand_and_why_is_told_on_one_line_of_plain_letters() -> None:
    reason = "arn:aws:iam::123456789012:user/anna: not today\n\x1b[31mRedrive\u202e"
    _, text = ended(Status="ABORTED", Cause=reason)
    assert "was stopped before the run had finished. Who stopped it said: arn:aws:iam" in text
    assert "user/anna: not today [31mRedrive \n" in text
    assert "\x1b" not in text


def test_what_a_broken_execution_says_is_not_passed_on() -> None:
    _, text = ended(Status="FAILED", Error="States.Runtime", Cause="PASSWORD=hush")
    assert "hush" not in text
    assert "(States.Runtime)" in text


def test_what_machines_are_told_of_a_broken_execution_says_its_version() -> None:
    world = EndWorld(running(), Input="{}", Status="ABORTED")
    ends(world)
    assert json.loads(json.loads(world.mails[0]["Message"])["default"])["version"] == 1


def test_the_end_of_a_drill_says_drill_and_what_to_type() -> None:
    subject, text = ended(Status="ABORTED")
    assert subject == "DRILL: night drill-1 was stopped, parked for redrive"
    assert "\n  steadyspot redrive night drill-1\n" in text
    assert "Who stopped it" not in text


def test_a_run_that_failed_shows_the_last_ten_lines_of_its_job_without_secrets() -> None:
    offers = [FAILS]
    world = RunWorld(
        now=START, work_seconds=3_600.0, market=lambda *_: offers.pop() if offers else Offer()
    )
    own = json.dumps({"at": "x", "event": "began", "run_key": "x"})
    world.printed = [
        *(f"line {number}" for number in range(20)),
        own,
        '{"_aws": {}}',
        "connect postgres://anna:hush1@db/x",
        "DB_PASSWORD=hush2 retries=3",
        "Authorization: Bearer hush3",
        '{"api_key": "hush4", "rows": 7}',
        "AKIAABCDEFGHIJKLMNOP",
        "\x1b[31mred\u202e " + "x" * 500,
    ]
    MACHINE.run(world, {}, name="x")
    (mail,) = world.mails
    text = json.loads(mail["Message"])["email"]
    _, _, rest = text.partition("The job printed last (what looks like a secret is hidden):\n")
    lines = rest.split("\n\n")[0].split("\n")
    assert lines == [
        *(f"  line {number}" for number in range(16, 20)),
        "  connect postgres://***@db/x",
        "  DB_PASSWORD=*** retries=3",
        "  Authorization: ***",
        '  {"api_key": "***", "rows": 7}',
        "  ***",
        lines[-1],
    ]
    assert len(lines[-1]) <= 162
    assert "\x1b" not in text
    assert "hush" not in mail["Message"]


@pytest.mark.parametrize("error", ["CloudWatchLogs.ResourceNotFoundException", "States.Timeout"])
def test_a_log_that_cannot_be_read_keeps_nobody_from_being_told(error: str) -> None:
    offers = [FAILS]
    world = RunWorld(
        now=START, work_seconds=3_600.0, market=lambda *_: offers.pop() if offers else Offer()
    )
    world.faults = {"Read its log": [(error, "")] * 9}
    ended = MACHINE.run(world, {}, name="x")
    assert ended.error == "Steadyspot.JobExit3"
    (mail,) = world.mails
    assert "printed last" not in mail["Message"]
