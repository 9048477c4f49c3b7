"""Scheduled times whose runs do not finish, on the embedded AWS with its clock: who is told.

Looks come a second after the time instead of more than an hour, or are started by hand once a run
has ended; all else is as deployed.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from steadyspot.contract import messages
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.down import remove_stack
from steadyspot.deploy.stacks.parts import with_parts
from tests.local.runs import NEVER_MEANWHILE, Place, Work, eventually

FAILS, WORKS = ("sh", "-c", "exit 3"), ("true",)
OWN_STATE = """State: !If [IsPaused, DISABLED, !Ref ScheduleState]
      Target:
        Arn: !Ref StateMachine
"""
"""Of the job's own schedule, in the template."""
DISABLED = OWN_STATE.replace("!If [IsPaused, DISABLED, !Ref ScheduleState]", "DISABLED")
GONE = OWN_STATE.replace("!Ref StateMachine", '!Sub "${StateMachine}-gone"')


def soon() -> tuple[str, str]:
    """A schedule that is due as soon as it is there, and the time that it names."""
    at = datetime.now(UTC).replace(microsecond=0)
    return f"at({at:%Y-%m-%dT%H:%M:%S})", scheduled_time_of(at)


def unstarted(place: Place, expression: str, own: str) -> Work:
    """A job with ``missed = "auto"``; ``own``: of its own schedule, in the template."""
    settings = {"schedule": expression, "missed": "auto"}
    job = Job(name="any", image="any", **settings)  # type: ignore[arg-type]

    def edited(text: str) -> str:
        assert text.count(OWN_STATE) == 1
        whole, times = re.subn(r'(lookAfterMinutes\\": )\d+', r"\g<1>0.02", with_parts(job, text))
        assert times == 1
        return whole.replace(OWN_STATE, own)

    return place.job(*WORKS, template=edited, launch_minutes=0, **settings)


def look(work: Work, time: str) -> str:
    """Look for the run of a time that has ended; the state before the last."""
    looking = work.sfn.start_execution(
        stateMachineArn=work.outputs["AfterItsTime"],
        input=json.dumps({messages.SCHEDULED_TIME: time, messages.LOOK_AFTER_MINUTES: 0}),
    )["executionArn"]
    assert work.ended(looking)["status"] == "SUCCEEDED"
    return work.states_entered(looking)[-2]


@pytest.mark.parametrize("own", [DISABLED, GONE], ids=["disabled by hand", "its target is gone"])
def test_a_run_that_was_not_started_is_told_with_its_time_and_the_line_to_type(
    place: Place, own: str
) -> None:
    expression, time = soon()
    work = unstarted(place, expression, own)
    mail = work.mail(lambda mail: mail.attributes.get("outcome") == "missed")
    assert "was missed: no run was started" in mail.subject
    assert f"  steadyspot redrive {work.name} --from {time} --to {time}" in mail.body
    assert not work.executions()


def test_a_run_that_fails_is_missed_whatever_a_duplicate_beside_it_says(place: Place) -> None:
    expression, time = soon()
    work = place.job(*FAILS, schedule=expression, missed="auto", launch_minutes=0)
    assert eventually(work.executions)
    place.aws.scheduler.deliver_again(work.name)
    assert eventually(lambda: len(work.executions()) == 2)
    ends = sorted(work.ended(one)["status"] for one in work.executions())
    assert ends == ["FAILED", "SUCCEEDED"]
    assert look(work, time) == "Tell people it was missed"
    mail = work.mail(lambda mail: mail.attributes.get("outcome") == "missed")
    assert "ended unfinished" in mail.body
    assert f"  steadyspot redrive {work.name} {run_key_of(time)}" in mail.body


def test_a_run_that_finishes_is_not_missed(place: Place) -> None:
    expression, time = soon()
    work = place.job(*WORKS, schedule=expression, missed="auto", launch_minutes=0)
    (execution,) = eventually(work.executions)
    work.ended(execution)
    assert look(work, time) == "What became of it?"
    assert not [mail for mail in work.mails() if mail.attributes.get("outcome") == "missed"]


def test_what_rests_is_not_looked_at_nor_a_time_before_there_was_a_job(place: Place) -> None:
    once, often = NEVER_MEANWHILE, "cron(0/20 5 1 1 ? 2099)"
    work = place.job(*WORKS, schedule=once, timezone="Europe/Berlin", missed="auto")
    groups = [work.target.platform[name] for name in ("ScheduleGroup", "LookGroup")]
    scheduler = work.target.client("scheduler")

    def seen() -> list[tuple[str, str, str]]:
        found = (scheduler.get_schedule(Name=work.name, GroupName=group) for group in groups)
        names = ("ScheduleExpression", "ScheduleExpressionTimezone", "State")
        return [(one[names[0]], one[names[1]], one[names[2]]) for one in found]

    assert seen() == [(once, "Europe/Berlin", "ENABLED")] * 2
    work.deploy(schedule=often, timezone="UTC", enabled=False)
    assert seen() == [(often, "UTC", "DISABLED"), ("cron(0 5 1 1 ? 2099)", "UTC", "DISABLED")]
    looks = work.sfn.list_executions(stateMachineArn=work.outputs["AfterItsTime"])
    assert looks["executions"] == []


def test_what_waits_is_ended_before_its_machine_is_taken_away(place: Place) -> None:
    work = place.job(*WORKS, schedule=NEVER_MEANWHILE, missed="auto", finish_within_minutes=99)
    ended: list[str] = []

    def note(model: Any, params: Any, **_: Any) -> None:
        if model.name == "StopExecution":
            ended.append(json.loads(params["body"])["executionArn"])

    def waiting(machine: str, **given: Any) -> str:
        started = work.sfn.start_execution(
            stateMachineArn=work.outputs[machine], input=json.dumps(given)
        )
        return str(started["executionArn"])

    later = {messages.SCHEDULED_TIME: "2026-11-24T02:00:00Z", messages.LOOK_AFTER_MINUTES: 9e6}
    events = place.target().client("stepfunctions").meta.events
    events.register("before-call.sfn", note, unique_id="missed")
    try:
        looking = waiting("AfterItsTime", **later)
        late = waiting("AtTheDeadline", startDate=9e12, input="{}", name="x", executionArn="x")
        work.deploy(missed=0)
        assert ended == [looking]
        assert "AfterItsTime" not in work.outputs
        remove_stack(work.target, work.target.config.job_stack(work.job), place.screen)
        assert ended == [looking, late]
    finally:
        events.unregister("before-call.sfn", unique_id="missed")
