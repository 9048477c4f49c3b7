"""Single files of JSONata by their name, against what Python says of the same values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steadyspot.contract import Status
from steadyspot.deploy.local.expressions import evaluate
from steadyspot.statemachines.composing import expression
from tests.unit.statemachines.test_causes import judged, read, stopped

NUMBERS = st.tuples(
    *(st.integers(low, high) for low, high in ((0, 13), (0, 32), (0, 24), (0, 60), (0, 60)))
)


def named(name: str, **constants: Any) -> str:
    """A value as JSONata, with what it needs before it."""
    return expression(name, **constants).removeprefix("{%").removesuffix("%}").strip()


IS_TIME = named("isTime")


def is_time(text: str) -> bool:
    return bool(evaluate(f"({IS_TIME})($text)", {"text": text}))


def is_in_the_calendar(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@given(st.integers(2001, 2099), NUMBERS)
@example(2028, (2, 29, 0, 0, 0))
@example(2026, (2, 29, 0, 0, 0))
@example(2027, (2, 28, 23, 59, 59))
@example(2026, (4, 30, 23, 59, 59))
@example(2026, (4, 31, 0, 0, 0))
@example(2026, (1, 31, 0, 60, 0))
@example(2026, (12, 31, 24, 0, 0))
@example(2026, (12, 31, 0, 0, 60))
@example(2026, (13, 1, 0, 0, 0))
@example(2026, (0, 1, 0, 0, 0))
@example(2026, (1, 0, 0, 0, 0))
def test_a_time_is_one_of_the_calendar(year: int, rest: tuple[int, ...]) -> None:
    text = "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(year, *rest)
    assert is_time(text) == is_in_the_calendar(text)


PULL = "CannotPullContainerError: pull access denied, repository does not exist or "


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("form", ["unexpected status code {}", "API error ({})"])
def test_answers_of_a_registry_that_pass_count_more_than_what_lasts(code: int, form: str) -> None:
    said = stopped("TaskFailedToStart", PULL + form.format(code))
    assert judged(said, "")["class"] == "infrastructure"


@pytest.mark.parametrize("code", [400, 499, 501])
@pytest.mark.parametrize("form", ["unexpected status code {}", "API error ({})"])
def test_other_answers_of_a_registry_do_not(code: int, form: str) -> None:
    said = stopped("TaskFailedToStart", PULL + form.format(code))
    assert judged(said, "")["class"] == "misconfigured"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ('{"Failures":[{"Arn":"arn","Reason":"RESOURCE:\\"ENI\\""}],"Tasks":[]}', 'RESOURCE:"ENI"'),
        ("Rate exceeded", "Rate exceeded"),
    ],
)
def test_what_aws_says_of_a_call_that_failed_is_its_reason_or_the_whole_text(
    cause: str, reason: str
) -> None:
    assert read("AmazonECS.Unknown", cause)["stopped_reason"] == reason


def test_the_subject_of_an_end_is_one_that_is_delivered() -> None:
    """SNS takes fewer than 100 characters."""
    text = named("endedSubject", isParked=True)
    given = {
        "jobName": "night",
        "ended": {"status": "ABORTED", "error": ""},
        "row": {"outcome": "stopped"},
    }
    short = evaluate(text, {**given, "key": "by-hand"})
    assert short == "Steadyspot: night by-hand was stopped, parked for redrive"
    long = evaluate(text, {**given, "key": "x" * 80})
    assert long == short.replace(" by-hand", "")
    assert len(long) < 100


@pytest.mark.parametrize(
    ("value", "noted"),
    [(3, {"N": "3"}), (0.5, {"N": "0.5"}), (True, {"BOOL": True}), ("x", {"S": "x"})],
)
def test_a_flat_object_is_written_as_dynamodb_notes_it(value: object, noted: object) -> None:
    row = {"one": value, "other": "text"}
    found = evaluate(f"({named('inTableNotation')})($row)", {"row": row})
    assert found == {"one": noted, "other": {"S": "text"}}


def test_of_a_run_whose_shards_are_complete_nothing_is_left() -> None:
    work = evaluate(named("workOfShards"), {"shards": {"of": 4, "warned": False}})
    assert (work["status"], work["done"], work["total"]) == (Status.COMPLETE, 4, 4)
    assert (work["fraction"], work["left"], work["warned"]) == (1, 0, False)


def recorded_last(
    progress: dict[str, str], *, before: dict[str, float], error: str = "States.TaskFailed"
) -> dict[str, Any]:
    """What is known of an attempt once the record is read; its worker took no fence."""
    worker = {
        "execution": {"S": "arn"},
        "fence": {"N": "10001"},
        "progress": {"M": {name: {"N": number} for name, number in progress.items()}},
    }
    last = {"attempt": 2, "error": error, "capacity": "spot", "seconds": 90, "started": True}
    found = evaluate(
        named("lastRecorded"),
        {
            "states": {"result": {"Item": worker}, "context": {"Execution": {"Id": "arn"}}},
            "run": {"claims": 1, "earlierAttempts": 0},
            "job": {"launchMinutes": 0},
            "last": {**last, "exit_code": 143, "stopped_reason": ""},
            "work": before,
        },
    )
    return dict(found)


@pytest.mark.parametrize(
    ("progress", "before", "gained"),
    [
        ({"units_done": "2"}, {"fraction": 0, "done": 0}, True),
        ({"units_done": "2"}, {"fraction": 0, "done": 2}, False),
        ({"fraction": "0.4"}, {"fraction": 0.2, "done": 0}, True),
        ({"fraction": "0.2"}, {"fraction": 0.2, "done": 0}, False),
        ({"units_done": "3", "units_total": "4"}, {"fraction": 0.5, "done": 2}, True),
        ({"units_done": "2", "units_total": "4"}, {"fraction": 0.5, "done": 2}, False),
    ],
)
def test_an_attempt_has_gained_what_became_durable_in_units_or_as_a_share(
    progress: dict[str, str], before: dict[str, float], gained: bool
) -> None:
    assert recorded_last(progress, before=before)["gained"] is gained


def test_a_launch_that_no_worker_began_has_run_for_no_time() -> None:
    nothing: dict[str, float] = {"fraction": 0, "done": 0}
    began = recorded_last({}, before=nothing)
    assert (began["started"], began["seconds"], began["lost_seconds"]) == (True, 90, 90)
    waited = recorded_last({}, before=nothing, error="States.Timeout")
    assert (waited["started"], waited["seconds"], waited["lost_seconds"]) == (False, 0, 0)


@pytest.mark.parametrize(("total", "shown"), [(0, "12"), (40, "12/40")])
def test_a_line_of_an_attempt_shows_its_units_of_how_many_where_that_is_known(
    total: int, shown: str
) -> None:
    attempt = {
        **{"attempt": 3, "capacity": "spot", "zone": "us-east-1a", "seconds": 754},
        **{"started_at": "2026-11-24T02:00:00Z", "ended_at": "2026-11-24T02:12:34Z"},
        **{"units_done": 12, "cause": "reclaimed"},
    }
    given = {"attempt": attempt, "work": {"total": total}}
    line = evaluate(f"({named('attemptLine')})($attempt)", given)
    assert line == f"  3 spot      us-east-1a     02:00-02:12   754 s {shown:>7}  reclaimed"


@pytest.mark.parametrize(
    ("text", "row"),
    [("no space left on device", "disk-full"), ("KmsException: key is gone", "key-unusable")],
)
def test_what_keeps_a_task_from_starting_is_no_cause_of_one_that_ran(text: str, row: str) -> None:
    assert judged(stopped("TaskFailedToStart", text), "")["name"] == row
    ran = stopped("EssentialContainerExited", text, StartedAt=1_790_000_000_000)
    assert judged(ran, "", exit_code=3)["name"] != row


@pytest.mark.parametrize("text", ["x" * 300, "a  b" * 99, "für", 'It\'s "so"'])
def test_a_text_is_put_before_an_expression_as_it_is(text: str) -> None:
    written = named("trouble", isComplete=False, cause={"name": text})
    assert evaluate(written, {"attempts": []}) == text
    assert "'" in text or f"'{text}'" in written


@pytest.mark.parametrize(
    ("is_complete", "attempts", "told"),
    [
        (False, [{"cause": "reclaimed"}], "job-failed"),
        (True, [{"cause": "no-capacity"}, {"cause": "reclaimed"}], "reclaimed"),
        (True, [], "job-failed"),
    ],
)
def test_of_a_complete_run_people_are_told_what_stopped_its_last_attempt_if_any(
    is_complete: bool, attempts: list[Any], told: str
) -> None:
    given = {"attempts": attempts, "cause": {"name": "job-failed"}}
    assert evaluate(named("trouble", isComplete=is_complete), given) == told


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        ({"class": "failed", "parked": True}, "Steadyspot.JobExit3"),
        ({"class": "failed", "parked": False}, "Steadyspot.NotParked"),
        ({"class": "out-of-memory", "parked": False}, "Steadyspot.NotParked"),
        ({"class": "out-of-memory", "parked": True}, "Steadyspot.OutOfMemory"),
        ({"class": "unknown"}, "Steadyspot.Unknown"),
    ],
)
def test_a_run_fails_under_the_name_of_what_ended_it(cause: dict[str, Any], name: str) -> None:
    assert evaluate(named("failureName"), {"cause": cause, "last": {"exit_code": 3}}) == name


@pytest.mark.parametrize(
    ("command", "override", "may"),
    [([], "false", True), (["a"], "false", False), (["a"], "true", True), ([], "true", True)],
)
def test_an_input_may_have_a_command_only_where_the_job_allows_it(
    command: list[str], override: str, may: bool
) -> None:
    text = named("mayCommand", parameters={"commandOverride": override})
    assert evaluate(f"({text})($command)", {"command": command}) is may


def begun(**fields: Any) -> dict[str, str]:
    """What the container of the next attempt is told beside what ``own`` says."""
    run = {"key": "k", "scheduledTime": "t", "finishBy": 0, "parameters": {}, "command": []}
    given = {
        **{"run": {**run, **fields}, "last": {"attempt": 1}},
        "states": {"context": {"Execution": {"Id": "arn"}}},
    }
    pairs = evaluate(f"({named('environmentOf', fence=10_001)})({{'CAPACITY': 'spot'}})", given)
    return {pair["Name"].removeprefix("STEADYSPOT_"): pair["Value"] for pair in pairs}


def test_a_container_is_told_only_what_its_run_has() -> None:
    always = {
        **{"RUN_KEY": "k", "EXECUTION": "arn", "FENCE": "10002", "ATTEMPT": "2"},
        **{"CAPACITY": "spot", "SCHEDULED_TIME": "t"},
    }
    assert begun() == always
    assert begun(command=["a"], parameters={"n": 1}, shard={"number": 0, "of": 2}, finishBy=1) == {
        **{**always, "COMMAND": '["a"]', "PARAMETERS": '{"n":1}', "SHARD": "0", "SHARDS": "2"},
        "DEADLINE": "1970-01-01T00:00:00.001Z",
    }


def test_an_attempt_begins_without_seconds_and_without_an_end() -> None:
    attempt = evaluate(
        named("attemptBegun"),
        {
            **{"last": {"attempt": 1}, "capacity": "spot", "work": {"done": 3}},
            "states": {"context": {"State": {"EnteredTime": "2026-11-24T02:00:00Z"}}},
        },
    )
    assert attempt["started_at"] == "2026-11-24T02:00:00.000Z"
    numbers = {name: value for name, value in attempt.items() if type(value) is int}
    assert numbers == {
        **{"attempt": 2, "units_done": 3, "exit_code": -1},
        **{"seconds": 0, "lost_seconds": 0, "billed_seconds": 0},
    }
    assert not attempt["started"]
    assert not attempt["gained"]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ([], 86_400),
        ([{"name": "STEADYSPOT_ATTEMPT", "value": "1"}], 86_400),
        ([{"name": "STEADYSPOT_START_BY", "value": "2020-01-01T00:00:00Z"}], 0),
    ],
)
def test_a_launch_is_given_up_at_the_time_that_it_names_else_after_a_day(
    environment: list[Any], seconds: int
) -> None:
    overrides = {"containerOverrides": [{"environment": environment}]}
    given = {"states": {"input": {"overrides": overrides}}}
    assert evaluate(named("secondsForStart"), given) == seconds


@pytest.mark.parametrize(
    ("finish_by", "latest"),
    [(0, 5_000 + 60_000 * 7), (10_000_000, 10_000_000 - 1_000 * (30 + 200 * 0.75))],
)
def test_spot_may_be_taken_until_on_demand_needs_the_time_that_is_left(
    finish_by: int, latest: float
) -> None:
    given = {
        "run": {"finishBy": finish_by, "reserve": 30, "expected": 200},
        **{"work": {"fraction": 0.25}, "job": {"maximumWaitMinutes": 7}},
    }
    assert evaluate(f"({named('latestSpotStart')})(5000)", given) == latest


@pytest.mark.parametrize(
    ("capacity", "finish_by", "waits"), [("spot", 1, False), ("on-demand", 1, True)]
)
def test_after_other_trouble_nothing_waits_for_spot_whose_time_is_over(
    capacity: str, finish_by: int, waits: bool
) -> None:
    attempt = {"attempt": 1, "class": "infrastructure", "capacity": capacity}
    job = {"backoffSeconds": 120, "backoffCapSeconds": 3_600, "maximumWaitMinutes": 60}
    seconds = evaluate(
        named("secondsForAllElse", allAttempts=[attempt]),
        {
            "run": {"finishBy": finish_by, "reserve": 0, "expected": 0, "earlierAttempts": 0},
            **{"cause": {"class": "infrastructure"}, "last": attempt, "job": job},
            **{"work": {"fraction": 0}, "refusedSince": 0},
        },
    )
    assert 40 <= seconds <= 120 if waits else seconds == 0


HELD = {"execution": "arn:other", "isStranger": False, "status": "running"}


@pytest.mark.parametrize(
    ("holder", "is_redrive", "handed_over", "is_to"),
    [
        ({**HELD, "execution": ""}, False, {}, True),
        ({**HELD, "isStranger": True}, False, {}, True),
        (HELD, True, {}, False),
        ({**HELD, "status": "unfinished"}, True, {}, True),
        ({**HELD, "status": "skipped"}, True, {}, True),
        ({**HELD, "status": "unfinished"}, False, {}, False),
        (HELD, False, {"execution": "arn:other"}, True),
        ({**HELD, "status": "complete"}, False, {"execution": "arn:other"}, False),
    ],
)
def test_a_run_is_taken_over_without_a_question_where_nobody_else_is_at_it(
    holder: dict[str, Any], is_redrive: bool, handed_over: dict[str, str], is_to: bool
) -> None:
    text = named("isToTakeOver", isRedrive=is_redrive, handedOver=handed_over)
    assert bool(evaluate(text, {"holder": holder})) is is_to


def test_the_words_that_an_execution_was_stopped_with_are_shown_from_the_first_letter() -> None:
    result = {"ExecutionArn": "arn", "Name": "one", "StopDate": "then", "Cause": "No. " + "x" * 900}
    told = evaluate(
        named("executionEnded"), {"states": {"result": {**result, "Status": "ABORTED"}}}
    )
    assert told["words"] == "No. " + "x" * 496
    failed = {**result, "Status": "FAILED", "Error": "E"}
    ended = evaluate(named("executionEnded"), {"states": {"result": failed}})
    assert (ended["words"], ended["error"], ended["at"]) == ("", "E", "then")


def test_a_finished_run_is_counted_in_the_column_of_its_day() -> None:
    assert evaluate(named("totalsDay", day="finished_", dayOfRun="2026-11-24"), {}) == "finished_24"


def test_the_execution_in_which_a_run_goes_on_is_one_of_the_same_machine() -> None:
    execution = {"Id": "arn:aws:states:r:1:execution:job:one", "Name": "one"}
    found = evaluate(
        named("executionOfNext", nameOfNext="two"),
        {"states": {"context": {"Execution": execution}}},
    )
    assert found == "arn:aws:states:r:1:execution:job:two"
