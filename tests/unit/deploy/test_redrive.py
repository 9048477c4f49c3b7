"""The messages of a dead-letter queue, whoever wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from steadyspot.deploy.runs.redrive import Redrive, run_key_in, waiting_of
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Clock, refusal

PARKED = {
    "version": 1,
    "job": "night",
    "runKey": "20261124T020000Z",
    "sentence": "The job ended with exit code 3.",
    "request": {"scheduledTime": "2026-11-24T02:00:00Z", "redrive": True},
}
INPUT = {"scheduledTime": "2026-11-24T02:00:00Z"}


def message(body: Any, **attributes: str) -> dict[str, Any]:
    return {
        "MessageId": "m1",
        "ReceiptHandle": "r1",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "MessageAttributes": {name: {"StringValue": text} for name, text in attributes.items()},
    }


def test_a_parked_run_waits_with_its_own_request_and_sentence() -> None:
    waiting = waiting_of(message(PARKED))
    assert waiting.run_key == "20261124T020000Z"
    assert waiting.request == PARKED["request"]
    assert waiting.why == "The job ended with exit code 3."


@pytest.mark.parametrize(
    "body",
    [INPUT, {"StateMachineArn": "arn", "Input": json.dumps(INPUT)}, {"input": json.dumps(INPUT)}],
    ids=["the target's input", "the whole request", "the whole request in camel case"],
)
def test_both_bodies_that_the_scheduler_may_write_give_the_same_run(body: Any) -> None:
    waiting = waiting_of(
        message(body, SCHEDULED_TIME="2026-11-24T02:00:00Z", ERROR_MESSAGE="no such machine")
    )
    assert waiting.run_key == "20261124T020000Z"
    assert waiting.request == {"scheduledTime": "2026-11-24T02:00:00Z", "redrive": True}
    assert waiting.why.endswith("no such machine")


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"request": 1}', '"text"'])
def test_a_strangers_message_is_left_where_it_is(body: str) -> None:
    with pytest.raises(Trouble, match="m1"):
        waiting_of(message(body))


def test_a_request_that_does_not_fit_is_named_with_its_message() -> None:
    body = {**PARKED, "request": {"environment": {"A": "b"}}}
    with pytest.raises(Trouble, match="m1 cannot be redriven"):
        waiting_of(message(body))


def test_the_run_key_of_an_input() -> None:
    assert run_key_in('{"scheduledTime": "2026-11-24T02:00:00Z"}') == "20261124T020000Z"
    assert run_key_in('{"runKey": "by-hand"}') == "by-hand"
    assert run_key_in("{}") == run_key_in("[") == run_key_in("[]") == ""


class Queue:
    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": self.messages}

    def change_message_visibility(self, **_: Any) -> None:
        """Nothing hides here."""

    def delete_message(self, **_: Any) -> None:
        self.messages.clear()


class Machine:
    def __init__(self, status: str, refuse: str = "") -> None:
        self.status = status
        self.refuse = refuse
        self.started: list[str] = []
        self.machines: list[str] = []
        self.names: list[str] = []

    def start_execution(self, **request: Any) -> dict[str, str]:
        if self.refuse:
            raise refusal(self.refuse, operation="StartExecution")
        self.machines.append(request["stateMachineArn"])
        self.names.append(request.get("name", ""))
        self.started.append(request["input"])
        return {"executionArn": "new"}

    def describe_execution(self, **_: Any) -> dict[str, str]:
        return {"status": self.status}


class Runs:
    """Answers with one record after the other, the last one for ever."""

    def __init__(self, *records: Any) -> None:
        self.records = list(records)

    def get(self, _job: str, _key: str) -> Any:
        return self.records.pop(0) if len(self.records) > 1 else self.records[0]


class Record:
    def __init__(self, execution: str, status: str) -> None:
        self.execution, self.status = execution, status
        self.complete = status == "complete"


def redrive(queue: Queue, machine: Machine, runs: Runs) -> Redrive:
    clock = Clock()
    return Redrive(
        sqs=queue,  # type: ignore[arg-type]
        sfn=machine,  # type: ignore[arg-type]
        runs=runs,  # type: ignore[arg-type]
        job="night",
        queue="q",
        machine="m",
        pause=clock.pause,
        clock=clock,
    )


def test_a_message_goes_only_once_the_record_names_the_new_execution() -> None:
    queue, machine = Queue(message(PARKED)), Machine("RUNNING")
    old, new = Record("old", "unfinished"), Record("new", "running")
    (done,) = redrive(queue, machine, Runs(old, old, new)).run()
    assert (done.execution, done.good) == ("new", True)
    assert queue.messages == []


def test_a_run_that_nobody_claims_keeps_its_message_and_is_trouble() -> None:
    queue = Queue(message(PARKED))
    with pytest.raises(Trouble, match="not claimed yet"):
        list(redrive(queue, Machine("RUNNING"), Runs(Record("old", "unfinished"))).run())
    assert len(queue.messages) == 1


def test_a_run_that_is_complete_is_not_started_again() -> None:
    queue, machine = Queue(message(PARKED)), Machine("SUCCEEDED")
    (done,) = redrive(queue, machine, Runs(Record("old", "complete"))).run()
    assert "complete already" in done.note
    assert (machine.started, queue.messages) == ([], [])


@pytest.mark.parametrize("status", ["running", "committing"])
def test_a_run_that_is_under_way_keeps_its_message(status: str) -> None:
    queue, machine = Queue(message(PARKED)), Machine("RUNNING")
    (done,) = redrive(queue, machine, Runs(Record("old", status))).run()
    assert not done.good
    assert (machine.started, len(queue.messages)) == ([], 1)


def test_a_strangers_message_stops_neither_listing_nor_redriving() -> None:
    queue = Queue(message("no json"))
    redriving = redrive(queue, Machine("RUNNING"), Runs(None))
    assert "none that can be redriven" in redriving.waiting()[0].why
    (done,) = redriving.run()
    assert not done.good
    assert len(queue.messages) == 1


AFTER = "arn:aws:states:eu-central-1:123456789012:stateMachine:shop-after-the-end"
ENDED = "arn:aws:states:eu-central-1:123456789012:execution:shop-night:by-hand"
EVENT = {
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail": {"executionArn": ENDED, "input": json.dumps(INPUT), "status": "ABORTED"},
}
RESHAPED = {"detail": {"executionArn": ENDED}, "job": "night", "queue": "its URL"}
"""As the rule's InputTransformer makes it; which of the two lies in the queue is not known."""


def undelivered(event: Any = EVENT) -> dict[str, Any]:
    return message(event, RULE_ARN="rule", TARGET_ARN=AFTER, ERROR_MESSAGE="throttled")


def test_an_end_that_the_rule_could_not_deliver_is_known_by_its_run() -> None:
    waiting = waiting_of(undelivered())
    assert waiting.run_key == "20261124T020000Z"
    assert "throttled" in waiting.why
    assert waiting_of(undelivered(RESHAPED)).run_key == "by-hand"


@pytest.mark.parametrize("event", [EVENT, RESHAPED])
def test_it_is_delivered_to_its_target_and_deleted_once_that_has_started(event: Any) -> None:
    queue, machine = Queue(undelivered(event)), Machine("RUNNING")
    redriving = redrive(queue, machine, Runs(None))
    (done,) = redriving.run()
    assert (done.good, done.execution, queue.messages) == (True, "new", [])
    assert machine.machines == [AFTER]
    assert json.loads(machine.started[0])["detail"] == {"executionArn": ENDED}
    assert json.loads(machine.started[0]).keys() == {"detail", "job", "queue"}
    again = Machine("RUNNING")
    list(redrive(Queue(undelivered(event)), again, Runs(None)).run())
    assert again.names == machine.names


def test_delivering_it_twice_does_nothing_twice() -> None:
    queue, machine = Queue(undelivered()), Machine("RUNNING", refuse="ExecutionAlreadyExists")
    (done,) = redrive(queue, machine, Runs(None)).run()
    assert (done.good, queue.messages) == (True, [])


def test_it_stays_where_its_target_cannot_be_started() -> None:
    queue, machine = Queue(undelivered()), Machine("RUNNING", refuse="StateMachineDoesNotExist")
    with pytest.raises(ClientError):
        list(redrive(queue, machine, Runs(None)).run())
    assert len(queue.messages) == 1
