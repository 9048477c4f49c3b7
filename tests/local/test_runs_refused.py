"""Runs that cannot start, end with a failure, or are not told about: each in its own class."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.deploy.local.market import ON_DEMAND
from steadyspot.deploy.runs.executions import next_of, start, whole_history
from steadyspot.deploy.stacks.config import Backoff
from steadyspot.statemachines.causes.texts import GIVEN_UP
from steadyspot.statemachines.values import MOST_ATTEMPTS
from tests.local.runs import PART_OUTPUTS, Place, Work, accompanied, eventually, parts

SIDECAR = "sidecar:local"


@pytest.mark.parametrize(
    ("how", "error", "cause"),
    [
        ("failures", "AmazonECS.Unknown", "no-capacity"),
        ("exception", "ECS.AmazonECSException", "no-capacity"),
        ("stopped-before-start", "States.TaskFailed", "reclaimed-before-start"),
    ],
)
def test_a_refusal_waits_and_falls_back_to_on_demand(
    place: Place, how: str, error: str, cause: str
) -> None:
    work = place.job(*parts())
    place.aws.market.refuse(work.family, times=100, how=how)
    execution = work.start()

    run = work.succeeded(execution)
    *refused, last = run.attempts
    assert refused
    assert {(a.capacity, a.cause, a.exit_code, a.seconds) for a in refused} == {
        ("spot", cause, -1, 0.0)
    }
    assert (last.capacity, last.cause) == ("on-demand", "finished")
    assert {name for name, _ in work.causes(execution)} == {error}
    entered = work.states_entered(execution)
    # The last of them comes at the end of the slack, and is not waited for any more.
    waits = entered.count("Wait for capacity") + entered.count("Wait to ask again")
    assert waits == len(refused) - 1
    assert entered.count("Wait a moment") == 1
    assert entered.count("Run on on-demand Fargate") == 1
    assert work.published(run.run_key).keys() == {*PART_OUTPUTS, "merged.txt"}
    mail = work.mail()
    assert mail.attributes["outcome"] == "fell-back"
    assert cause in mail.body
    assert len(work.tasks()) == 1


def test_a_job_that_exits_3_fails_the_run_and_waits_to_be_redriven(
    place: Place, tmp_path: Path
) -> None:
    work = place.job(*parts(tmp_path / "met", at=3, do="exit", code=3))
    execution = work.start()

    assert work.failed(execution)["error"] == "Steadyspot.JobExit3"
    assert "Run on on-demand Fargate" not in work.states_entered(execution)
    run = work.run(execution)
    assert (run.status, run.units_done) == ("unfinished", 2)
    assert [(a.cause, a.exit_code) for a in run.attempts] == [("job-failed", 3)]
    assert "exit code 3" in work.mail(lambda mail: "failed" in mail.subject).body
    parked = work.parked()
    assert (parked["runKey"], parked["cause"]) == (run.run_key, "job-failed")

    (redriven,) = work.redrive()
    work.ended(redriven.execution)
    again = work.record(run.run_key)
    assert again.complete
    assert work.begun(again.attempts[-1].task) == [3, 4, 5, 6, 7, 8]
    assert not work.waiting()


def test_a_task_definition_deregistered_before_the_start_is_told_and_mended_by_deploying_again(
    place: Place,
) -> None:
    work = place.job(*parts())
    work.ecs.deregister_task_definition(taskDefinition=work.outputs["TaskDefinition"])
    execution = work.start()

    assert work.failed(execution)["error"] == "Steadyspot.Misconfigured"
    ((error, text),) = work.causes(execution)
    assert error == "ECS.InvalidParameterException"
    assert "TaskDefinition is inactive" in text
    run = work.run(execution)
    assert [(a.cause, a.exit_code) for a in run.attempts] == [("definition-inactive", -1)]
    assert "Deploy the job again" in work.mail(lambda mail: "failed" in mail.subject).body
    assert work.parked()["cause"] == "definition-inactive"

    inactive = work.outputs["TaskDefinition"]
    work.deploy(memory_gb=3)
    assert work.outputs["TaskDefinition"] != inactive
    (redriven,) = work.redrive()
    work.ended(redriven.execution)
    again = work.record(run.run_key)
    assert again.complete
    assert [a.cause for a in again.attempts] == ["definition-inactive", "finished"]
    assert not work.waiting()


@pytest.mark.parametrize("counts", [True, False])
def test_a_sidecar_that_is_killed_after_the_job_has_finished_does_not_fail_the_run(
    place: Place, counts: bool
) -> None:
    stubborn = "Command: [\"trap '' TERM; sleep 60\"]"
    fields = (f"Image: {SIDECAR}", "Essential: false", "StopTimeout: 2", stubborn)
    place.aws.market.sidecars_count = counts
    place.aws.images.register(SIDECAR, entrypoint=["/bin/sh", "-c"])
    work = place.job(*parts(), template=accompanied(*fields, name="sidecar"))
    execution = work.start()

    run = work.succeeded(execution)
    assert run.complete
    assert [(a.cause, a.exit_code) for a in run.attempts] == [("finished", 0)]
    containers = work.stopped(run.attempts[0].task)["containers"]
    assert {c["name"]: c["exitCode"] for c in containers} == {"worker": 0, "sidecar": 137}
    assert len(work.causes(execution)) == counts


def test_a_topic_that_refuses_does_not_fail_the_run(place: Place) -> None:
    work = place.job(*parts())
    topic = work.target.platform["Topic"]
    place.aws.market.refuse(work.family, times=100, how="failures")
    place.aws.outbox.refuse(topic)
    try:
        execution = work.start()
        run = work.succeeded(execution)
    finally:
        place.aws.outbox.accept(topic)
    assert run.complete
    assert work.states_entered(execution)[-4:] == [
        "Close the run",
        "What has it done?",
        "Tell people it finished",
        "Finished",
    ]
    assert work.mails() == []


def test_a_topic_that_refuses_does_not_keep_a_failed_run_from_being_parked(
    place: Place, tmp_path: Path
) -> None:
    work = place.job(*parts(tmp_path / "met", at=1, do="exit", code=3))
    topic = work.target.platform["Topic"]
    place.aws.outbox.refuse(topic)
    try:
        execution = work.start()
        assert work.failed(execution)["error"] == "Steadyspot.JobExit3"
    finally:
        place.aws.outbox.accept(topic)
    assert work.parked()["cause"] == "job-failed"


def test_an_input_that_is_no_object_is_a_run_with_defaults_that_can_be_parked(
    place: Place, tmp_path: Path
) -> None:
    work = place.job(*parts(tmp_path / "met", at=1, do="exit", code=3))
    execution = start(work.sfn, work.outputs["StateMachine"], cast("Any", 17))
    assert work.failed(execution)["error"] == "Steadyspot.JobExit3"
    assert work.parked()["request"] == {"redrive": True, "runKey": work.key(execution)}


@pytest.mark.parametrize(
    "request_",
    [
        {"scheduledTime": "yesterday"},
        {"scheduledTime": 17},
        {"expectedMinutes": "soon"},
        {"finishWithinMinutes": -1},
        {"budgets": {"interruptions": "many"}},
        {"command": "ls"},
        {"command": [["ls"]]},
        {"runKey": "../other"},
        {"runKey": {"not": "text"}},
        {"capacity": "moon"},
    ],
    ids=json.dumps,
)
def test_a_nonsense_input_is_told_and_parked_once(nonsense: Work, request_: Any) -> None:
    nonsense.empty()
    execution = start(nonsense.sfn, nonsense.outputs["StateMachine"], request_)
    assert nonsense.failed(execution)["error"] == "Steadyspot.Misconfigured"
    assert "Done" in nonsense.states_entered(nonsense.after(execution))
    message = nonsense.parked()
    assert message["execution"] == execution
    assert message["request"]["redrive"] is True
    (mail,) = [mail for mail in nonsense.mails() if execution in mail.body]
    assert mail.attributes["severity"] == "error"
    assert nonsense.tasks() == []


@pytest.fixture(scope="module")
def nonsense(platform: Place) -> Work:
    return platform.job(*parts())


def test_a_run_with_a_deadline_learns_its_run_time_from_the_job_s_records(place: Place) -> None:
    work = place.job(*parts())
    for number in range(5):
        place.aws.session().client("dynamodb").put_item(
            TableName=work.target.platform["Table"],
            Item={
                "job": {"S": work.name},
                "run_key": {"S": f"2026110{number + 1}T020000Z"},
                "status": {"S": "complete"},
                "money": {"M": {"spot_seconds": {"N": f"{number + 20}.5"}}},
            },
        )
    place.aws.market.refuse(work.family, times=1, how="failures")
    execution = work.start(finishWithinMinutes=60)

    run = work.succeeded(execution)
    assert [a.capacity for a in run.attempts] == ["spot", "spot"]
    entered = work.states_entered(execution)
    assert entered.count("Learn how long to wait") == 1
    events = work.sfn.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    (learned,) = [
        json.loads(event["stateExitedEventDetails"]["assignedVariables"]["run"])
        for event in events
        if event.get("stateExitedEventDetails", {}).get("name") == "Learn how long to wait"
    ]
    assert (learned["learned"], learned["expected"]) == (True, 24.5)
    transitions = work.item(run.run_key)["money"]["M"]["transitions"]["N"]
    # Before the start watched the launch that was accepted, At the deadline the execution.
    assert int(transitions) == len(entered) + 2 + 2


def test_a_launch_on_spot_that_never_starts_is_given_up_and_on_demand_finishes_the_run(
    place: Place,
) -> None:
    # On-demand has as long for its first launch, on a machine that may be busy.
    work = place.job(*parts(), launch_minutes=0.08)
    place.aws.market.refuse(work.family, times=100, how="slow")
    execution = work.start()

    run = work.succeeded(execution)
    *hung, last = run.attempts
    assert {(a.capacity, a.cause, a.exit_code, a.seconds) for a in hung} == {
        ("spot", "launch-given-up", -1, 0.0)
    }
    assert (last.capacity, last.cause) == ("on-demand", "finished")
    assert work.published(run.run_key).keys() == {*PART_OUTPUTS, "merged.txt"}
    mail = work.mail()
    assert mail.attributes["outcome"] == "fell-back"
    assert "launch-given-up" in mail.body
    assert "expected_minutes" not in mail.body
    stopped = work.task(hung[0].task)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", GIVEN_UP)
    assert len(work.tasks()) == 1


def test_a_launch_that_starts_in_time_is_left_alone_and_costs_two_states(place: Place) -> None:
    work = place.job(*parts(), launch_minutes=0.1)
    execution = work.start()
    run = work.succeeded(execution)
    assert work.states_entered(execution)[-1] == "Close the run"
    assert len(work.states_entered(execution)) == 4
    assert work.states_entered(work.before_the_start(run.attempts[0].task)) == [
        "Wait for the start",
        "Has it started?",
    ]


def test_on_demand_that_is_refused_is_told_at_the_first_refusal(place: Place) -> None:
    work = place.job(*parts(), capacity="on-demand-only", backoff=Backoff(seconds=1, cap_seconds=1))
    place.aws.market.refuse(work.family, times=1000, how="failures", capacity=ON_DEMAND)
    execution = work.start()

    waiting = work.mail(lambda mail: mail.attributes["outcome"] == "waiting")
    assert "waits for on-demand capacity" in waiting.subject
    assert work.run(execution).status == "running"
    eventually(lambda: work.states_entered(execution).count("Wait a moment") >= 3)
    place.aws.market.clear()
    assert work.succeeded(execution).complete
    told = [mail.attributes["outcome"] for mail in work.mails()]
    assert told == ["waiting", "finished"]


def test_a_job_that_needs_more_memory_than_it_has_stops_and_says_so(place: Place) -> None:
    work = place.job(
        "python",
        "-c",
        "import time; held = b'x' * (600 << 20); time.sleep(60)",
        vcpu=0.25,
        memory_gb=0.5,
    )
    execution = work.start()
    shown = work.failed(execution)
    assert shown["error"] == "Steadyspot.OutOfMemory"
    assert "ran out of its memory (0.5 GB)" in shown["cause"]
    work.mail(lambda mail: "Give the job more memory" in mail.body)


def test_a_run_goes_on_in_a_new_execution_once_one_carries_enough_along(place: Place) -> None:
    work = place.job(*parts(), missed=26)
    machine = work.outputs["StateMachine"]
    text = work.sfn.describe_state_machine(stateMachineArn=machine)["definition"]
    most = f"$mostAttempts := {MOST_ATTEMPTS};"
    assert most in text
    fewer = text.replace(most, "$mostAttempts := 2;")
    work.sfn.update_state_machine(stateMachineArn=machine, definition=fewer)
    place.aws.market.refuse(work.family, times=3, how="failures")
    time = scheduled_time_of(datetime.now(UTC))
    first = work.start(finishWithinMinutes=60, scheduledTime=time)

    assert work.ended(first)["status"] == "SUCCEEDED"
    assert work.states_entered(first)[-1] == "Go on in a new execution"
    second = next_of(work.sfn, first)
    run = work.succeeded(second, run_key=run_key_of(time))
    assert [(a.capacity, a.cause) for a in run.attempts] == [
        *[("spot", "no-capacity")] * 3,
        ("spot", "finished"),
    ]
    assert run.complete
    assert next_of(work.sfn, second) == ""
    events = whole_history(work.sfn, work.sfn.describe_execution(executionArn=second))
    entered = [
        event["stateEnteredEventDetails"]["name"] for event in events if "Entered" in event["type"]
    ]
    assert entered == [*work.states_entered(first), *work.states_entered(second)]
    # Both executions succeeded, but only one of them finished a run.
    assert eventually(lambda: runs_that_finished(work)) == 1
    told = [mail.attributes for mail in work.mails() if "outcome" in mail.attributes]
    assert [mail["outcome"] for mail in told] == ["finished"]
    own = sum(len(work.states_entered(one)) for one in (first, second))
    # Before the start watched the launch that was accepted, At the deadline both executions.
    assert run.transitions == own + 2 + 2 * 2


def runs_that_finished(work: Work) -> float:
    """What the alarm for a missed run counts."""
    cloudwatch = work.target.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(
        AlarmNames=[f"{work.place.platform.name}-{work.name}-missed"]
    )["MetricAlarms"]
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        **{key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions")},
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=10_800,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))
