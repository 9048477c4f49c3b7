"""Schedules on the embedded AWS: they fire, retry, dead-letter, and deliver twice when told to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.scheduler import Firing, SchedulerClock
from tests.local.bench import until

WAIT_SECONDS = 15.0
SCHEDULED_TIME = '{"scheduledTime":"<aws.scheduler.scheduled-time>"}'
ECHO = json.dumps({"StartAt": "Echo", "States": {"Echo": {"Type": "Pass", "End": True}}})


class Desk:
    """A state machine, a queue, a role that may start the one, and schedules for it."""

    def __init__(self, aws: LocalAws, clients: dict[str, Any]) -> None:
        self.name = f"s-{uuid.uuid4().hex[:8]}"
        self.clock: SchedulerClock = aws.scheduler
        self.sfn = clients["stepfunctions"]
        self.sqs = clients["sqs"]
        self.scheduler = clients["scheduler"]
        self.iam = clients["iam"]
        self.role = self.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument="{}")["Role"][
            "Arn"
        ]
        self.machine = self.sfn.create_state_machine(
            name=self.name, definition=ECHO, roleArn=self.role
        )["stateMachineArn"]
        self.allow(self.machine)
        self.queue_url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.queue = self.sqs.get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]

    def allow(self, resource: str) -> None:
        statement = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": resource}
        self.iam.put_role_policy(
            RoleName=self.name,
            PolicyName="start",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def schedule(
        self, expression: str | None = None, *, window_minutes: int = 0, **changes: Any
    ) -> datetime:
        """A schedule that is due now, unless told otherwise; comes back with that time."""
        now = datetime.now(UTC).replace(microsecond=0)
        target = {
            "Arn": self.machine,
            "RoleArn": self.role,
            "Input": SCHEDULED_TIME,
            "DeadLetterConfig": {"Arn": self.queue},
            "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
            **changes.pop("target", {}),
        }
        self.scheduler.create_schedule(
            Name=self.name,
            ScheduleExpression=expression or f"at({now:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow=window(window_minutes),
            Target=target,
            **changes,
        )
        return now

    def settled(self, count: int = 1) -> list[Firing]:
        """The outcomes of this desk's schedule, once there are so many."""
        return until(
            lambda: (
                found
                if len(
                    found := [
                        o for o in self.clock.outcomes() if o.schedule_arn.endswith(self.name)
                    ]
                )
                >= count
                else []
            )
        )

    def inputs(self) -> list[Any]:
        """What the executions so far were started with."""
        shown = self.sfn.list_executions(stateMachineArn=self.machine)["executions"]
        return [
            json.loads(self.sfn.describe_execution(executionArn=item["executionArn"])["input"])
            for item in shown
        ]

    def dead_letter(self) -> tuple[Any, dict[str, Any]]:
        """Body and attributes of the one message in the queue."""
        messages = until(
            lambda: self.sqs.receive_message(
                QueueUrl=self.queue_url, MessageAttributeNames=["All"], VisibilityTimeout=0
            ).get("Messages")
        )
        assert len(messages) == 1
        return json.loads(messages[0]["Body"]), messages[0]["MessageAttributes"]


@pytest.fixture(scope="module")
def own_clients(local_aws: LocalAws) -> dict[str, Any]:
    session = local_aws.session()
    services = ("stepfunctions", "sqs", "scheduler", "iam")
    return {service: session.client(service) for service in services}


@pytest.fixture
def desk(local_aws: LocalAws, own_clients: dict[str, Any]) -> Iterator[Desk]:
    desk = Desk(local_aws, own_clients)
    yield desk
    for schedule in desk.scheduler.list_schedules(NamePrefix=desk.name)["Schedules"]:
        desk.scheduler.delete_schedule(Name=schedule["Name"])


def window(minutes: int) -> dict[str, Any]:
    if not minutes:
        return {"Mode": "OFF"}
    return {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_one_time_schedule_starts_one_execution_with_its_scheduled_time(desk: Desk) -> None:
    due = desk.schedule()
    outcome = desk.settled()[0]
    assert outcome.execution_arn is not None
    assert outcome.scheduled_time == due
    assert desk.inputs() == [{"scheduledTime": text(due)}]


def test_a_schedule_in_the_near_future_fires_when_it_is_due(desk: Desk) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    desk.schedule(f"at({due:%Y-%m-%dT%H:%M:%S})")
    desk.settled()
    assert datetime.now(UTC) >= due


def test_schedules_of_one_time_are_spread_over_their_window_and_keep_their_time(
    local_aws: LocalAws, own_clients: dict[str, Any]
) -> None:
    desks = [Desk(local_aws, own_clients) for _ in range(12)]
    # Minutes pass here in 0.6 s.
    dues = [desk.schedule(window_minutes=4) for desk in desks]
    started = []
    for desk, due in zip(desks, dues, strict=True):
        (outcome,) = desk.settled()
        assert outcome.scheduled_time == due
        assert desk.inputs() == [{"scheduledTime": text(due)}]
        shown = desk.sfn.describe_execution(executionArn=outcome.execution_arn)
        started.append((shown["startDate"] - due).total_seconds())
        desk.scheduler.delete_schedule(Name=desk.name)
    assert min(started) >= 0
    assert max(started) - min(started) > 0.5


def test_a_disabled_schedule_fires_only_once_it_is_enabled(
    desk: Desk, local_aws: LocalAws, own_clients: dict[str, Any]
) -> None:
    desk.schedule(State="DISABLED")
    shown = desk.scheduler.get_schedule(Name=desk.name)
    # The clock goes through the schedules in order: once a later one fired, this one was passed by.
    witness = Desk(local_aws, own_clients)
    witness.schedule()
    witness.settled()
    assert not [o for o in desk.clock.outcomes() if o.schedule_arn == shown["Arn"]]
    desk.scheduler.update_schedule(
        Name=desk.name,
        ScheduleExpression=shown["ScheduleExpression"],
        FlexibleTimeWindow=shown["FlexibleTimeWindow"],
        Target=shown["Target"],
        State="ENABLED",
    )
    assert len(desk.settled()) == 1


def test_a_schedule_can_delete_itself_when_it_is_done(desk: Desk) -> None:
    desk.schedule(ActionAfterCompletion="DELETE")
    desk.settled()
    assert until(lambda: not desk.scheduler.list_schedules(NamePrefix=desk.name)["Schedules"])


def test_a_rate_fires_at_once(desk: Desk) -> None:
    desk.schedule("rate(1 hour)")
    assert len(desk.settled()) == 1


def test_a_target_that_is_gone_is_dead_lettered_at_once_with_the_documented_attributes(
    desk: Desk,
) -> None:
    gone = f"{desk.machine}-gone"
    desk.allow(gone)
    due = desk.schedule(target={"Arn": gone})
    assert desk.settled()[0].attempts == 1
    body, attributes = desk.dead_letter()
    assert body == {
        "StateMachineArn": gone,
        "Input": json.dumps({"scheduledTime": text(due)}, separators=(",", ":")),
    }
    assert {value["DataType"] for value in attributes.values()} == {"String"}
    told = {key: value["StringValue"] for key, value in attributes.items()}
    assert told.pop("ERROR_MESSAGE")
    assert len(told.pop("EXECUTION_ID")) == 16
    assert told == {
        "ERROR_CODE": "StateMachineDoesNotExist",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": text(due),
        "SCHEDULE_ARN": desk.scheduler.get_schedule(Name=desk.name)["Arn"],
        "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
    }


def test_a_role_that_may_not_start_the_target_is_refused_for_good(desk: Desk) -> None:
    desk.iam.delete_role_policy(RoleName=desk.name, PolicyName="start")
    desk.schedule()
    assert desk.settled()[0].error_code == "AccessDeniedException"
    _, attributes = desk.dead_letter()
    assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes


def test_a_throttled_start_is_tried_again_until_it_works(desk: Desk) -> None:
    desk.clock.deny(desk.name, "ThrottlingException", times=2)
    desk.schedule()
    outcome = desk.settled()[0]
    assert (outcome.attempts, outcome.error_code) == (3, None)
    assert len(desk.inputs()) == 1


def test_a_start_that_stays_throttled_is_dead_lettered_when_the_retries_are_used_up(
    desk: Desk,
) -> None:
    desk.clock.deny(desk.machine, "ThrottlingException", times=9)
    desk.schedule()
    assert desk.settled()[0].attempts == 3
    _, attributes = desk.dead_letter()
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumRetryAttempts"
    assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "2"
    assert attributes["ERROR_CODE"]["StringValue"] == "ThrottlingException"


def test_a_start_that_gets_too_old_is_dead_lettered_for_its_age(desk: Desk) -> None:
    desk.clock.deny(desk.name, "ServiceUnavailable", times=99)
    policy = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 60}
    desk.schedule(target={"RetryPolicy": policy})
    _, attributes = desk.dead_letter()
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumEventAgeInSeconds"


def test_the_same_scheduled_time_can_be_delivered_twice_at_the_same_moment(desk: Desk) -> None:
    desk.clock.deliver_twice(desk.name)
    due = desk.schedule()
    first, second = desk.settled(2)
    assert first.execution_arn != second.execution_arn
    assert desk.inputs() == [{"scheduledTime": text(due)}] * 2


def test_the_same_scheduled_time_can_be_delivered_again_later(desk: Desk) -> None:
    due = desk.schedule()
    desk.settled()
    desk.clock.deliver_again(desk.name)
    desk.settled(2)
    assert desk.inputs() == [{"scheduledTime": text(due)}] * 2


def test_delivering_again_what_was_never_due_is_refused(desk: Desk) -> None:
    with pytest.raises(LookupError, match="no schedule nonesuch"):
        desk.clock.deliver_again("nonesuch")
    desk.schedule("rate(1 hour)", StartDate=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(LookupError, match="not due yet"):
        desk.clock.deliver_again(desk.name)


def test_a_universal_target_starts_an_execution_under_the_name_it_asks_for(desk: Desk) -> None:
    request = {
        "StateMachineArn": desk.machine,
        "Name": "<aws.scheduler.execution-id>",
        "Input": '{"attempt":"<aws.scheduler.attempt-number>"}',
    }
    desk.schedule(
        target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
            "Input": json.dumps(request),
        }
    )
    arn = desk.settled()[0].execution_arn
    assert arn is not None
    assert len(arn.rsplit(":", 1)[-1]) == 16
    assert desk.inputs() == [{"attempt": "1"}]


def test_a_queue_as_target_gets_the_input_as_a_message(desk: Desk) -> None:
    due = desk.schedule(target={"Arn": desk.queue})
    desk.settled()
    message = until(lambda: desk.sqs.receive_message(QueueUrl=desk.queue_url).get("Messages"))[0]
    assert json.loads(message["Body"]) == {"scheduledTime": text(due)}


def test_an_outcome_can_be_waited_for(desk: Desk) -> None:
    desk.schedule()
    found = desk.clock.wait_for(lambda o: o.schedule_arn.endswith(desk.name), WAIT_SECONDS)
    assert found.attempts == 1
    with pytest.raises(TimeoutError):
        desk.clock.wait_for(lambda _: False, 0.01)


@pytest.mark.parametrize(
    "bad",
    [
        {"expression": "cron(*/60 * * * ? *)"},
        {"expression": "cron(0 2 * * *)"},
        {"expression": "rate(0 minutes)"},
        {"expression": "at(2027-02-30T02:00:00)"},
        {"ScheduleExpressionTimezone": "Berlin"},
    ],
)
def test_what_aws_would_not_take_as_a_schedule_is_refused(desk: Desk, bad: dict[str, Any]) -> None:
    refused = desk.scheduler.exceptions.ValidationException
    with pytest.raises(refused, match="Invalid Schedule Expression"):
        desk.schedule(**bad)
    desk.schedule("rate(1 hour)")
    with pytest.raises(refused, match="Invalid Schedule Expression"):
        desk.scheduler.update_schedule(
            Name=desk.name,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": desk.machine, "RoleArn": desk.role},
            **{"ScheduleExpression": bad.get("expression", "rate(1 hour)")},
            **{key: value for key, value in bad.items() if key != "expression"},
        )


@pytest.mark.parametrize("strange", ["rate(999999999 days)", "cron(0 2 30 2 ? *)"])
def test_a_schedule_that_is_never_due_again_does_not_stop_the_others(
    desk: Desk, strange: str
) -> None:
    name = f"{desk.name}-strange"
    desk.scheduler.create_schedule(
        Name=name,
        ScheduleExpression=strange,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": desk.machine, "RoleArn": desk.role},
    )
    desk.schedule("rate(1 hour)")
    assert desk.settled()[0].error_code is None
    desk.scheduler.delete_schedule(Name=name)
