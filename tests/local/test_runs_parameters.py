"""Runs that know for when they are, by when they must be done, and what they were given."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from steadyspot.contract import Env
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.runs.evidence import explanation_of
from steadyspot.deploy.stacks.config import Parameter
from tests.local.runs import Place, Work

SHOWS = """
import json, os, sys
from steadyspot import current_run
run = current_run()
told = {key: os.environ.get(key) for key in ("STEADYSPOT_SCHEDULED_TIME", "STEADYSPOT_DEADLINE")}
print("SEEN", json.dumps([sys.argv[1:], run.parameters, str(run.scheduled_time),
    str(run.deadline), told]))
"""
PARAMETERS = {
    "day": Parameter("date", "{scheduled_time:%Y-%m-%d}"),
    "part": Parameter("integer", 1),
    "dry": Parameter("boolean", False),
}


def seen(work: Work) -> list[Any]:
    """What the job saw, each time that it ran."""
    events = work.logs.filter_log_events(logGroupName=work.outputs["LogGroup"])["events"]
    lines = [event["message"] for event in events if event["message"].startswith("SEEN ")]
    return [json.loads(line.removeprefix("SEEN ")) for line in lines]


def test_a_run_knows_its_time_its_deadline_and_its_parameters_and_has_them_in_its_command(
    place: Place,
) -> None:
    words = ("{scheduled_time:%d.%m.}", "{run_key}", "day={day}", "{part}", "${part}", "{other}")
    work = place.job(
        *("python", "-c", SHOWS, *words), parameters=PARAMETERS, finish_within_minutes=30
    )
    time = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    text = scheduled_time_of(time)
    execution = work.start(scheduledTime=text, parameters={"part": 3})
    key = run_key_of(text)
    work.succeeded(execution, key)
    ((arguments, parameters, scheduled, deadline, told),) = seen(work)
    day = time.date().isoformat()
    filled = [time.strftime("%d.%m."), key, f"day={day}", "3", "${part}", "{other}"]
    assert arguments == filled
    assert parameters == {"day": day, "part": 3, "dry": False}
    assert explanation_of(work.target, work.job, key).parameters == parameters
    assert datetime.fromisoformat(scheduled) == time
    assert datetime.fromisoformat(deadline) == time + timedelta(minutes=30)
    assert told[Env.SCHEDULED_TIME] == text


def test_what_a_job_does_not_declare_stops_the_run_as_a_mistake_and_a_redrive_keeps_what_was_given(
    place: Place,
) -> None:
    work = place.job("python", "-c", SHOWS, "{part}", parameters=PARAMETERS)
    execution = work.start(parameters={"part": "three"})
    assert work.failed(execution)["error"] == "Steadyspot.Misconfigured"
    events = work.logs.filter_log_events(logGroupName=work.outputs["LogGroup"])["events"]
    assert any("The parameter part must be a whole number." in one["message"] for one in events)
    assert work.parked()["request"]["parameters"] == {"part": "three"}
    work.deploy(parameters={**PARAMETERS, "part": Parameter("text", "")})
    (redriven,) = work.redrive()
    work.succeeded(redriven.execution, work.key(execution))
    ((arguments, parameters, *_),) = seen(work)
    assert (arguments, parameters["part"]) == (["three"], "three")
