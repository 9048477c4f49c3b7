"""The messages of a dead-letter queue, whoever wrote them: each names a run and nothing more."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from steadyspot.contract.keys import run_key_of, scheduled_time_from
from steadyspot.deploy.cli.main import main
from steadyspot.deploy.runs.executions import run_key_in
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.redrive import Deployed, Redrive, Waiting, named_by, redrive_of
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Clock, recorded, refusal

KEY, TIME = "20261124T020000Z", "2026-11-24T02:00:00Z"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:shop-night"
AFTER = f"{MACHINE}-AfterTheEnd"
EXECUTIONS = MACHINE.replace(":stateMachine:", ":execution:")
ENDED = f"{EXECUTIONS}:by-hand"
OLD, NEW = f"{EXECUTIONS}:old", f"{EXECUTIONS}:new"
PLANTED = {
    "scheduledTime": "2020-01-01T00:00:00Z",
    "redrive": True,
    "command": ["curl", "https://evil.example"],
    "capacity": "on-demand-only",
}
PARKED = {
    "version": 1,
    "job": "night",
    "runKey": KEY,
    "execution": f"{EXECUTIONS}:another",
    "sentence": "Nothing to see here.",
    "request": PLANTED,
}
INPUT = {"scheduledTime": TIME, "expectedMinutes": 5}
OLD_KEY = "20261109T020000Z"
SCHEDULE_INPUT = '{"scheduledTime":"<aws.scheduler.scheduled-time>"}'


def message(body: Any, **attributes: str) -> dict[str, Any]:
    return {
        "MessageId": "m1",
        "ReceiptHandle": "r1",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "MessageAttributes": {name: {"StringValue": text} for name, text in attributes.items()},
    }


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        "{}",
        '"text"',
        '{"runKey": 1e999}',
        '{"runKey": "a b"}',
        '{"runKey": "../x"}',
        f'{{"runKey": "{"x" * 81}"}}',
        "[" * 5000,
        "null",
        '{"runKey": null}',
        '{"runKey": true}',
        '{"runKey": ["20261124T020000Z"]}',
        '{"runKey": {"S": "20261124T020000Z"}}',
        '{"runKey": "20261124T020000Z\\n"}',
        '{"runKey": "20261124T020000Z\\u202e"}',
        '{"runKey": "\\ud800"}',
        '{"runKey": "٢٠٢٦"}',
        '{"RunKey": "20261124T020000Z"}',
        '{"detail": {"executionArn": "arn:x"}}',
        "9" * 5000,
    ],
)
def test_a_strangers_message_names_nothing(body: str) -> None:
    with pytest.raises(Trouble, match="m1"):
        named_by(message(body))


@pytest.mark.parametrize("time", ["soon", "2026-13-01T00:00:00Z", "", "20261124T020000Z\n"])
def test_a_time_of_no_calendar_names_nothing(time: str) -> None:
    with pytest.raises(Trouble, match="m1"):
        named_by(message("{}", SCHEDULED_TIME=time))


def test_what_a_stranger_says_steers_no_terminal() -> None:
    said = named_by(
        message("{}", SCHEDULED_TIME=TIME, ERROR_MESSAGE="\x1b]0;owned\x07 \u202e" + "x" * 999)
    ).said
    assert said.isprintable()
    assert len(said.removeprefix("The Scheduler could not start it: ")) == 300


@pytest.mark.parametrize(("length", "is_one"), [(1, True), (80, True), (81, False), (0, False)])
def test_a_run_key_has_at_most_80_characters(length: int, is_one: bool) -> None:
    def named() -> str:
        try:
            return named_by(message({"runKey": "k" * length})).run_key
        except Trouble:
            return ""

    assert named() == ("k" * length if is_one else "")


REQUEST = {"StateMachineArn": MACHINE, "Input": json.dumps(INPUT)}


@pytest.mark.parametrize(
    "body",
    [
        REQUEST,
        {name[0].lower() + name[1:]: value for name, value in REQUEST.items()},
        INPUT,
        {**REQUEST, "Name": "night-1"},
        {"Input": "<aws.scheduler.scheduled-time>"},
    ],
    ids=["request", "lower-case", "input", "with-name", "not-filled-in"],
)
def test_whatever_the_scheduler_puts_into_the_body_its_attribute_names_the_run(body: Any) -> None:
    attributes = {"SCHEDULED_TIME": TIME, "ERROR_CODE": "ThrottlingException"}
    named = named_by(message(body, **attributes))
    assert (named.run_key, named.said) == (
        KEY,
        "The Scheduler could not start it: ThrottlingException",
    )


def test_a_body_that_the_scheduler_cut_is_left_and_named() -> None:
    with pytest.raises(Trouble, match="m1"):
        named_by(message(json.dumps(REQUEST)[:-9], SCHEDULED_TIME=TIME))


def test_the_run_key_of_an_input() -> None:
    assert run_key_in('{"scheduledTime": "2026-11-24T02:00:00Z"}') == KEY
    assert run_key_in('{"runKey": "by-hand"}') == "by-hand"
    assert run_key_in("{}") == run_key_in("[") == run_key_in("[]") == ""


def test_a_run_key_of_a_time_can_be_read_again() -> None:
    assert scheduled_time_from(run_key_of(TIME)) == TIME
    for key in ("by-hand", "", "20261324T020000Z", "20261124T020000", "2026112 T020000Z"):
        assert scheduled_time_from(key) == ""


class Queue:
    """What was received is hidden until it is made visible again or deleted."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.hidden: set[str] = set()

    def receive_message(self, **_: Any) -> dict[str, Any]:
        found = [one for one in self.messages if one["ReceiptHandle"] not in self.hidden]
        self.hidden |= {one["ReceiptHandle"] for one in found}
        return {"Messages": found}

    def change_message_visibility(self, **asked: Any) -> None:
        assert asked["VisibilityTimeout"] == 0
        self.hidden.remove(asked["ReceiptHandle"])

    def delete_message(self, **asked: Any) -> None:
        receipt = asked["ReceiptHandle"]
        self.hidden.remove(receipt)
        self.messages = [one for one in self.messages if one["ReceiptHandle"] != receipt]


class Workflows:
    """Step Functions, with executions by ARN: status and input."""

    def __init__(self, refuse: str = "", **executions: tuple[str, Any]) -> None:
        self.refuse = refuse
        self.executions = {f"{EXECUTIONS}:{name}": one for name, one in executions.items()}
        self.executions.setdefault(NEW, ("RUNNING", {}))
        self.started: list[dict[str, Any]] = []

    def start_execution(self, **request: Any) -> dict[str, str]:
        if self.refuse:
            raise refusal(self.refuse, operation="StartExecution")
        self.started.append(request)
        return {"executionArn": NEW}

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        if executionArn not in self.executions:
            raise refusal("ExecutionDoesNotExist")
        status, given = self.executions[executionArn]
        return {
            "executionArn": executionArn,
            "name": executionArn.rsplit(":", 1)[-1],
            "status": status,
            "input": given if isinstance(given, str) else json.dumps(given),
        }

    @property
    def inputs(self) -> list[Any]:
        return [json.loads(one["input"]) for one in self.started]


class Runs:
    """Answers with one record after the other, the last one for ever."""

    def __init__(self, *records: RunRecord | None, waiting: bool = False) -> None:
        self.records = list(records)
        self.waiting = waiting

    def get(self, _job: str, _key: str) -> Any:
        return self.records.pop(0) if len(self.records) > 1 else self.records[0]

    def queue_of(self, _job: str) -> dict[str, str]:
        return {KEY: NEW.rsplit(":", 1)[-1]} if self.waiting else {}


def record(execution: str, status: str, cause: str = "job-failed") -> RunRecord:
    columns = {"execution": execution, "status": status, "cause": cause}
    key = {"job": {"S": "night"}, "run_key": {"S": KEY}}
    return recorded({**key, **{name: {"S": value} for name, value in columns.items()}})


def redrive(
    queue: Queue,
    workflows: Workflows,
    runs: Runs,
    schedule_input: str | None = SCHEDULE_INPUT,
    clock: Clock | None = None,
) -> Redrive:
    clock = clock or Clock()
    return Redrive(
        sqs=queue,  # type: ignore[arg-type]
        sfn=workflows,  # type: ignore[arg-type]
        runs=runs,  # type: ignore[arg-type]
        deployed=Deployed("night", "q", MACHINE, AFTER, lambda _: schedule_input),
        pause=clock.pause,
        clock=clock,
        now=the_day_after,
    )


def the_day_after() -> datetime:
    """Now, to what is redriven: a message is kept for two weeks."""
    return datetime(2026, 11, 25, tzinfo=UTC)


FAILED = Workflows(old=("FAILED", INPUT))
UNFINISHED, CLAIMED = record(OLD, "unfinished"), record(NEW, "running")


@pytest.mark.parametrize(
    "planted",
    [
        message(PARKED),
        message({**PARKED, **INPUT, "Input": json.dumps(PLANTED)}, SCHEDULED_TIME=TIME),
        message(json.dumps(PLANTED), SCHEDULED_TIME=TIME, TARGET_ARN="arn:evil"),
    ],
    ids=["parked", "the Scheduler's whole request", "the target's input"],
)
def test_the_request_is_that_of_the_execution_which_the_record_names(
    planted: dict[str, Any],
) -> None:
    queue, workflows = Queue(planted), Workflows(old=("FAILED", INPUT))
    shown: list[Waiting] = []
    (done,) = redrive(queue, workflows, Runs(UNFINISHED, CLAIMED)).run(shown.append)
    assert done.good
    assert workflows.inputs == [{**INPUT, "redrive": True}]
    assert [one["stateMachineArn"] for one in workflows.started] == [MACHINE]
    assert [one.request for one in shown] == workflows.inputs
    assert "Nothing to see" not in shown[0].why


def test_a_run_that_nobody_recorded_is_started_as_its_schedule_says() -> None:
    for planted in (message(PARKED), message(PLANTED, SCHEDULED_TIME=TIME)):
        workflows = Workflows()
        list(redrive(Queue(planted), workflows, Runs(None, CLAIMED)).run())
        assert workflows.inputs == [{"scheduledTime": TIME, "redrive": True}]


def test_a_run_by_hand_that_was_not_claimed_is_started_as_its_execution_was() -> None:
    workflows = Workflows()
    workflows.executions[ENDED] = ("FAILED", {"expectedMinutes": 7})
    planted = message({**PARKED, "runKey": "by-hand"})
    list(redrive(Queue(planted), workflows, Runs(None, CLAIMED)).run())
    assert workflows.inputs == [{"expectedMinutes": 7, "redrive": True, "runKey": "by-hand"}]


@pytest.mark.parametrize(
    ("planted", "workflows", "runs", "schedule", "why"),
    [
        (message({**PARKED, "runKey": "invented"}), FAILED, None, SCHEDULE_INPUT, "Nothing but"),
        (message(PARKED), FAILED, None, None, "Nothing but a message"),
        (message({}, SCHEDULED_TIME="2026-11-26T02:00:00Z"), FAILED, None, SCHEDULE_INPUT, "futur"),
        (
            message({**PARKED, "runKey": OLD_KEY}),
            FAILED,
            None,
            SCHEDULE_INPUT,
            "older than a message",
        ),
        (message({}, SCHEDULED_TIME="1999-12-31T02:00:00Z"), FAILED, None, SCHEDULE_INPUT, "older"),
        (
            message(PARKED),
            Workflows(old=("FAILED", {"scheduledTime": "2026-11-23T02:00:00Z"})),
            UNFINISHED,
            SCHEDULE_INPUT,
            "another run",
        ),
        (
            message(PARKED),
            Workflows(old=("FAILED", {**INPUT, "environment": {}})),
            UNFINISHED,
            SCHEDULE_INPUT,
            "environment",
        ),
    ],
    ids=[
        "invented",
        "no schedule",
        "of the future",
        "too old",
        "of another century",
        "a record of another run",
        "bad request",
    ],
)
def test_what_nothing_beside_the_queue_vouches_for_is_not_started(
    planted: dict[str, Any],
    workflows: Workflows,
    runs: RunRecord | None,
    schedule: str | None,
    why: str,
) -> None:
    queue = Queue(planted)
    redriving = redrive(queue, workflows, Runs(runs), schedule)
    (done,) = redriving.run()
    (waits,) = redriving.waiting()
    assert (done.good, workflows.started, len(queue.messages)) == (False, [], 1)
    assert why in done.note
    assert waits.note == done.note


def test_a_record_that_names_the_execution_of_another_job_is_not_believed() -> None:
    elsewhere = f"{EXECUTIONS}-other:old"
    workflows = Workflows()
    workflows.executions[elsewhere] = ("FAILED", {**INPUT, "command": ["evil"]})
    runs = Runs(record(elsewhere, "unfinished"), CLAIMED)
    list(redrive(Queue(message(PARKED)), workflows, runs).run())
    assert workflows.inputs == [{"scheduledTime": TIME, "redrive": True}]


def test_a_message_goes_only_once_the_record_names_the_new_execution() -> None:
    queue = Queue(message(PARKED))
    runs = Runs(UNFINISHED, UNFINISHED, CLAIMED)
    (done,) = redrive(queue, Workflows(old=("FAILED", INPUT)), runs).run()
    assert (done.execution, done.good) == (NEW, True)
    assert queue.messages == []


def test_a_run_that_nobody_claims_for_a_minute_keeps_its_message_and_is_trouble() -> None:
    queue, clock = Queue(message(PARKED)), Clock()
    began, workflows = clock(), Workflows(old=("FAILED", INPUT))
    with pytest.raises(Trouble, match="not claimed yet"):
        list(redrive(queue, workflows, Runs(UNFINISHED), clock=clock).run())
    assert len(queue.messages) == 1
    assert 60 <= clock() - began < 60.5


def test_a_run_that_is_complete_is_not_started_again() -> None:
    queue, workflows = Queue(message(PARKED)), Workflows(old=("SUCCEEDED", INPUT))
    (done,) = redrive(queue, workflows, Runs(record(OLD, "complete"))).run()
    assert "complete already" in done.note
    assert (workflows.started, queue.messages) == ([], [])


@pytest.mark.parametrize("status", ["running", "committing"])
def test_a_run_that_is_under_way_keeps_its_message(status: str) -> None:
    queue, workflows = Queue(message(PARKED)), Workflows(old=("RUNNING", INPUT))
    (done,) = redrive(queue, workflows, Runs(record(OLD, status))).run()
    assert not done.good
    assert (workflows.started, len(queue.messages)) == ([], 1)


def test_a_strangers_message_stops_neither_listing_nor_redriving() -> None:
    queue = Queue(message("no json"))
    redriving = redrive(queue, Workflows(), Runs(None))
    assert "none that can be redriven" in redriving.waiting()[0].note
    (done,) = redriving.run()
    assert not done.good
    assert len(queue.messages) == 1


EVENT = {
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail": {"executionArn": ENDED, "input": json.dumps(PLANTED), "status": "ABORTED"},
}
RESHAPED = {"detail": {"executionArn": ENDED}, "job": "other", "queue": "another's URL"}
"""As the rule's InputTransformer makes it; which of the two lies in the queue is not known."""


def undelivered(event: Any = EVENT) -> dict[str, Any]:
    return message(event, RULE_ARN="rule", TARGET_ARN="arn:evil", ERROR_MESSAGE="throttled")


def stopped(refuse: str = "", status: str = "ABORTED") -> Workflows:
    workflows = Workflows(refuse)
    workflows.executions[ENDED] = (status, INPUT)
    return workflows


@pytest.mark.parametrize("event", [EVENT, RESHAPED])
def test_an_end_starts_the_platforms_own_after_the_end_whatever_the_message_names(
    event: Any,
) -> None:
    queue, workflows = Queue(undelivered(event)), stopped()
    (waits,) = redrive(queue, workflows, Runs(None)).waiting()
    assert (waits.run_key, "throttled" in waits.why) == (KEY, True)
    assert named_by(undelivered(event)).run_key == "by-hand"
    (done,) = redrive(queue, workflows, Runs(None)).run()
    assert (done.good, done.execution, queue.messages) == (True, NEW, [])
    (started,) = workflows.started
    assert started["stateMachineArn"] == AFTER
    assert workflows.inputs == [
        {"detail": {"executionArn": ENDED}, "job": "night", "queue": "q"},
    ]
    again = stopped()
    list(redrive(Queue(undelivered(event)), again, Runs(None)).run())
    assert again.started[0]["name"] == started["name"]


@pytest.mark.parametrize(
    ("event", "workflows"),
    [
        ({"detail": {"executionArn": f"{EXECUTIONS}-other:x"}}, stopped()),
        ({"detail": {"executionArn": f"{EXECUTIONS}:unknown"}}, stopped()),
        ({"detail": {"executionArn": ["x"]}}, stopped()),
        (EVENT, stopped(status="RUNNING")),
        (EVENT, stopped(status="SUCCEEDED")),
    ],
    ids=["another job's", "unknown", "no text", "running", "succeeded"],
)
def test_the_end_of_what_did_not_end_badly_here_starts_nothing(
    event: Any, workflows: Workflows
) -> None:
    queue = Queue(undelivered(event))
    (done,) = redrive(queue, workflows, Runs(None)).run()
    assert (done.good, workflows.started, len(queue.messages)) == (False, [], 1)


def test_delivering_it_twice_does_nothing_twice() -> None:
    queue = Queue(undelivered())
    (done,) = redrive(queue, stopped("ExecutionAlreadyExists"), Runs(None)).run()
    assert (done.good, queue.messages) == (True, [])


def test_it_stays_where_its_target_cannot_be_started() -> None:
    queue = Queue(undelivered())
    with pytest.raises(ClientError):
        list(redrive(queue, stopped("StateMachineDoesNotExist"), Runs(None)).run())
    assert len(queue.messages) == 1


class Unknown(Workflows):
    """Step Functions does not know the execution that a record names, or does not tell."""

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        if executionArn == OLD:
            raise refusal(self.code, operation="DescribeExecution")
        return super().describe_execution(executionArn)

    code = ""


def unknown(code: str) -> Unknown:
    workflows = Unknown()
    workflows.code = code
    return workflows


@pytest.mark.parametrize("code", ["ExecutionDoesNotExist", "InvalidArn"])
def test_a_run_whose_execution_is_gone_is_under_way_no_more(code: str) -> None:
    queue, runs = Queue(message(PARKED)), Runs(record(OLD, "running"), CLAIMED)
    (done,) = redrive(queue, unknown(code), runs).run()
    assert (done.execution, done.good, queue.messages) == (NEW, True, [])


def test_a_run_of_which_aws_does_not_tell_is_not_started_a_second_time() -> None:
    queue, workflows = Queue(message(PARKED)), unknown("ThrottlingException")
    with pytest.raises(ClientError):
        list(redrive(queue, workflows, Runs(record(OLD, "running"))).run())
    assert (workflows.started, len(queue.messages)) == ([], 1)


def test_a_run_that_another_execution_holds_keeps_its_message() -> None:
    queue = Queue(message(PARKED))
    workflows = Workflows(old=("FAILED", INPUT), new=("SUCCEEDED", INPUT))
    (done,) = redrive(queue, workflows, Runs(UNFINISHED)).run()
    assert (done.execution, done.good, len(queue.messages)) == (NEW, False, 1)
    assert "held by another execution" in done.note


def test_a_run_that_waits_for_its_turn_keeps_its_message_and_is_no_trouble() -> None:
    queue = Queue(message(PARKED))
    workflows = Workflows(old=("FAILED", INPUT), new=("RUNNING", INPUT))
    (done,) = redrive(queue, workflows, Runs(UNFINISHED, waiting=True)).run()
    assert (done.execution, done.good, len(queue.messages)) == (NEW, True, 1)
    assert "waits for its turn" in done.note


def test_a_strangers_message_does_not_keep_the_next_from_being_redriven() -> None:
    stranger = {**message("no json"), "MessageId": "m0", "ReceiptHandle": "r0"}
    queue = Queue(stranger, message(PARKED))
    workflows = Workflows(old=("FAILED", INPUT))
    bad, good = redrive(queue, workflows, Runs(UNFINISHED, CLAIMED)).run()
    assert (bad.good, good.good, good.execution) == (False, True, NEW)
    assert (queue.messages, queue.hidden) == ([stranger], set())


@pytest.mark.parametrize(
    ("workflows", "runs"),
    [
        (Workflows(old=("RUNNING", INPUT)), Runs(record(OLD, "running"))),
        (Workflows(old=("FAILED", INPUT), new=("SUCCEEDED", INPUT)), Runs(UNFINISHED)),
        (Workflows(old=("FAILED", INPUT)), Runs(UNFINISHED, waiting=True)),
        (unknown("ThrottlingException"), Runs(record(OLD, "running"))),
        (Workflows(old=("FAILED", INPUT)), Runs(UNFINISHED)),
    ],
    ids=["under way", "held by another", "waits for its turn", "AWS is in trouble", "not claimed"],
)
def test_what_stays_is_visible_again_at_once(workflows: Workflows, runs: Runs) -> None:
    after = {**message(PARKED), "MessageId": "m2", "ReceiptHandle": "r2"}
    queue = Queue(message(PARKED), after)
    with suppress(ClientError, Trouble):
        list(redrive(queue, workflows, runs).run())
    assert (len(queue.messages), queue.hidden) == (2, set())


class ParkedAgain(Queue):
    """A queue in which a run lies again as soon as it was taken out."""

    def delete_message(self, **asked: Any) -> None:
        super().delete_message(**asked)
        number = len(self.hidden) + len(asked["ReceiptHandle"])
        name = {"MessageId": f"m{number}", "ReceiptHandle": f"{asked['ReceiptHandle']}+"}
        self.messages.append({**message(PARKED), **name})


def test_a_run_that_fails_at_once_is_started_once_by_one_redrive() -> None:
    queue = ParkedAgain(message(PARKED))
    workflows = Workflows(old=("FAILED", INPUT))
    done = list(redrive(queue, workflows, Runs(UNFINISHED, CLAIMED, UNFINISHED)).run())
    assert len(workflows.started) == len(done) == 1
    assert (len(queue.messages), queue.hidden) == (1, set())


def test_listing_and_redriving_one_run_leave_the_others_visible() -> None:
    other = {**message({**PARKED, "runKey": OLD_KEY}), "MessageId": "m2", "ReceiptHandle": "r2"}
    queue = Queue(other, message(PARKED))
    redriving = redrive(queue, Workflows(old=("FAILED", INPUT)), Runs(UNFINISHED, CLAIMED))
    assert [one.run_key for one in redriving.waiting()] == [OLD_KEY, KEY]
    assert queue.hidden == set()
    redriving = redrive(
        queue, Workflows(old=("FAILED", INPUT)), Runs(UNFINISHED, UNFINISHED, CLAIMED)
    )
    assert [one.run_key for one in redriving.run(only=KEY)] == [KEY]
    assert (queue.messages, queue.hidden) == ([other], set())


def test_that_a_run_is_claimed_is_seen_within_a_second() -> None:
    clock = Clock()
    runs = Runs(UNFINISHED, UNFINISHED, UNFINISHED, CLAIMED)
    began = clock()
    (done,) = redrive(
        Queue(message(PARKED)), Workflows(old=("FAILED", INPUT)), runs, clock=clock
    ).run()
    assert done.good
    assert 0 < clock() - began < 1


class Account:
    """A target of which only what the redrive of a job asks for is there."""

    platform: ClassVar = {"ScheduleGroup": "shop"}

    def __init__(self, queue: Queue, workflows: Workflows, runs: Runs) -> None:
        self.runs = runs
        self._clients: dict[str, Any] = {
            "sqs": queue,
            "stepfunctions": workflows,
            "scheduler": self,
        }

    def client(self, service: str) -> Any:
        return self._clients[service]

    def get_schedule(self, **asked: str) -> dict[str, Any]:
        assert asked == {"Name": "night-at-two", "GroupName": "shop"}
        return {"Target": {"Input": SCHEDULE_INPUT}}


@pytest.mark.parametrize("schedule", [{"Schedule": "night-at-two"}, {}], ids=["scheduled", "none"])
def test_what_is_deployed_says_how_a_run_that_nobody_recorded_is_started(
    schedule: dict[str, str],
) -> None:
    workflows = Workflows()
    account: Any = Account(Queue(message(PARKED)), workflows, Runs(None, CLAIMED))
    outputs = {"Queue": "q", "StateMachine": MACHINE, "AfterTheEnd": AFTER, **schedule}
    clock = Clock()
    pace: dict[str, Any] = {"pause": clock.pause, "clock": clock, "now": the_day_after}
    (done,) = redrive_of(account, Job("night", "night:1"), outputs, **pace).run()
    assert done.good is bool(schedule)
    assert workflows.inputs == ([{"scheduledTime": TIME, "redrive": True}] if schedule else [])


# --- what needs no AWS to be refused --------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "2026-01-01"], "--to needs --from"),
        (["--capacity", "spot-only"], "--capacity needs --from"),
        (["--set", "day=1"], "--set needs --from"),
        (["night", "20261124T020000Z", "--from", "2026-01-01"], "not for one run"),
        (["night", "--all"], "--all is for all jobs"),
        (["night", "--from", "2026-01-02", "--to", "2026-01-01"], "ends before it begins"),
        (["night", "--from", "2999-01-01"], "ends before it begins"),
        (["byhand", "--from", "2026-01-01"], "byhand has no schedule"),
        (["night", "--from", "2026-01-01", "--set", "dya=1"], "dya"),
        (["noon"], "noon"),
    ],
)
def test_what_needs_no_aws_to_be_refused_is_refused_without_one(
    tmp_path: Path, words: list[str], told: str
) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(
        '[jobs.night]\nimage = "i:1"\nschedule = "rate(1 hour)"\n[jobs.byhand]\nimage = "i:1"\n'
    )
    nobody = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE")),
        **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    asked = ["redrive", *words, "--region", "eu-central-1", "--config", str(path)]
    result = CliRunner(env=nobody).invoke(main, asked)
    assert result.exit_code != 0
    assert told in result.output
    assert "credentials" not in result.output
