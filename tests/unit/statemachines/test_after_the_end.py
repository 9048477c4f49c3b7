"""*After the end* in virtual time: it marks, parks and tells once, whatever the run was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steadyspot.contract import columns
from steadyspot.contract.keys import run_key_of
from steadyspot.contract.records import BrokenOffColumn
from steadyspot.statemachines.calls import CANCELED
from steadyspot.statemachines.composing import FOLDER
from steadyspot.statemachines.render import definition
from tests.virtual.machine import Ended, Machine, TaskFailed, iso, substituted
from tests.virtual.world import CLUSTER, TASK, Offer, RunWorld, canceled

START = 1_790_000_000.0
LIMIT = 262_144
NAME = "drill-1"
EXECUTION = f"arn:aws:states:us-east-1:123456789012:execution:shop-night:{NAME}"
ITS_EXECUTIONS = "arn:aws:states:us-east-1:123456789012:execution:job"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/night"
TIME = "2026-11-24T02:00:00Z"
AFTER_THE_END = substituted(
    json.dumps(definition("after-the-end")),
    (
        ("KeepRunsDays", "30"),
        ("Region", "us-east-1"),
        ("Table", "runs"),
        ("Topic", "arn:topic"),
    ),
)
MACHINE = Machine(AFTER_THE_END)
END = {"detail": {"executionArn": EXECUTION}, "job": "night", "queue": QUEUE}
"""What a job's rule makes of the event."""

PARKED = Draft202012Validator(
    json.loads((FOLDER.parent / "schemas" / "parked-run.schema.json").read_text("utf-8"))
)


class EndWorld(RunWorld):
    """The world after the end of an execution; ``described`` is what Step Functions says of it."""

    def __init__(self, item: dict[str, Any], **described: Any) -> None:
        super().__init__(now=START, work_seconds=1.0, market=lambda *_: Offer())
        self.item = item
        self._described = {"ExecutionArn": EXECUTION, "Name": NAME, "Status": "ABORTED"} | described

    def call(self, resource: str, arguments: Any, timeout_seconds: int, state: str) -> Any:
        if resource.endswith("describeExecution"):
            return self._described
        assert len(json.dumps(arguments)) < LIMIT
        if self.faults.get(state):
            raise TaskFailed(*self.faults[state].pop(0))
        return super().call(resource, arguments, timeout_seconds, state)


def running() -> dict[str, Any]:
    return {"status": {"S": "running"}, "execution": {"S": EXECUTION}}


def ends(world: EndWorld, name: str = "x") -> Ended:
    ended = MACHINE.run(world, END, name=name)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return ended


def parked_by(request: Any, **described: Any) -> dict[str, Any]:
    """Return the only message that is parked for an execution with this input."""
    text = request if isinstance(request, str) else json.dumps(request)
    world = EndWorld(running(), Input=text, **described)
    ends(world)
    (message,) = world.parked
    assert [*PARKED.iter_errors(message)] == []
    assert world.item["run_key"] == {"S": message["runKey"]}
    assert world.item["status"] == {"S": "unfinished"}
    assert len(world.mails) == 1
    return message


def test_a_run_that_was_stopped_is_parked_as_it_was_asked_for() -> None:
    message = parked_by({"scheduledTime": TIME, "expectedMinutes": 20})
    assert message["runKey"] == run_key_of(TIME)
    assert message["request"] == {"scheduledTime": TIME, "expectedMinutes": 20, "redrive": True}


def test_an_input_of_200_kb_is_left_out_of_what_is_parked() -> None:
    message = parked_by({"scheduledTime": TIME, "command": ['say "it"\n' * 18_000]})
    assert message["runKey"] == run_key_of(TIME)
    assert message["request"] == {"leftOut": "more than 20000 characters", "redrive": True}


@pytest.mark.parametrize(
    "request_",
    [
        *({"runKey": key} for key in ("a/b", "..", "", "x" * 81, 7, None, ["a", "b"], {"a": 1})),
        *({"scheduledTime": time} for time in ("soon", "2026-02-30T02:00:00Z", 7, None, [TIME])),
        *("null", "7", '"text"', "[1, 2]", "{}"),
    ],
)
def test_an_input_that_names_no_run_is_parked_under_the_executions_name(request_: Any) -> None:
    message = parked_by(request_)
    assert (message["runKey"], message["scheduledTime"]) == (NAME, "")
    assert message["request"]["runKey"] == NAME


def test_a_run_that_the_table_does_not_know_is_marked_and_parked() -> None:
    world = EndWorld({}, Input=json.dumps({"scheduledTime": TIME}))
    ends(world)
    assert [message["runKey"] for message in world.parked] == [run_key_of(TIME)]
    opened = {name: world.item.pop(name)["S"] for name in (columns.IS_OPEN, columns.OPEN_AS)}
    assert opened[columns.IS_OPEN] == columns.OPEN
    assert opened[columns.OPEN_AS].startswith(columns.PARKED_SINCE)
    assert world.item == {
        "job": {"S": "night"},
        "run_key": {"S": run_key_of(TIME)},
        "status": {"S": "unfinished"},
        "execution": {"S": EXECUTION},
        "cause": {"S": "execution-ended"},
        "marked_by": {"S": f"{ITS_EXECUTIONS}:x"},
        columns.BROKEN_OFF: {"M": {}},
    }


@pytest.mark.parametrize(
    ("item", "described"),
    [
        (running(), {}),
        (running(), {"Status": "TIMED_OUT"}),
        (running(), {"Status": "FAILED", "Error": "States.Runtime"}),
        (
            {**running(), "status": {"S": "unfinished"}, "cause": {"S": "no-capacity"}},
            {"Status": "FAILED", "Error": "Steadyspot.NotParked"},
        ),
    ],
)
def test_an_end_that_is_told_twice_is_parked_once(item: Any, described: dict[str, str]) -> None:
    world = EndWorld(item, Input=json.dumps({"scheduledTime": TIME}), **described)
    ends(world)
    ends(world, name="again")
    assert (len(world.parked), len(world.mails)) == (1, 1)


def test_a_run_that_was_handed_over_to_what_ended_before_it_took_it_is_parked() -> None:
    before = "arn:aws:states:us-east-1:123456789012:execution:shop-night:before"
    given = {"scheduledTime": TIME, "goesOn": {"execution": before}}
    world = EndWorld({**running(), "execution": {"S": before}}, Input=json.dumps(given))
    ends(world)
    assert len(world.parked) == 1
    assert world.item["execution"] == {"S": EXECUTION}


@pytest.mark.parametrize(
    ("item", "described"),
    [
        ({**running(), "status": {"S": "complete"}}, {}),
        ({**running(), "execution": {"S": "another"}}, {}),
        ({**running(), "status": {"S": "unfinished"}}, {}),
        (running(), {"Status": "FAILED", "Error": "Steadyspot.Refused"}),
    ],
    ids=["complete", "of-another", "marked", "parked-itself"],
)
def test_a_run_that_is_in_good_hands_is_left_alone(item: Any, described: dict[str, str]) -> None:
    world = EndWorld(dict(item), Input=json.dumps({"scheduledTime": TIME}), **described)
    ends(world)
    assert (world.parked, world.mails, world.item) == ([], [], item)


def test_a_run_whose_work_is_complete_all_the_same_is_closed_and_counted() -> None:
    world = EndWorld(running(), Input=json.dumps({"scheduledTime": TIME}))
    world.worker = {"status": {"S": "complete"}, "execution": {"S": EXECUTION}}
    ends(world)
    assert (world.parked, world.mails) == ([], [])
    assert world.item["status"] == {"S": "complete"}
    assert world.totals[columns.RUN_KEY] == {"S": f"{columns.TOTALS}{TIME[:7]}"}
    assert world.totals[columns.LATEST_RUN] == {"S": run_key_of(TIME)}
    ends(world)
    assert float(world.totals[f"{columns.DAY}{TIME[8:10]}"]["N"]) == 1


# --- the attempt that ended with its execution ----------------------------------------------------


def moment(seconds: float) -> str:
    return iso(START + seconds)


def history(*, environment: str = "", cluster: str = CLUSTER) -> list[dict[str, Any]]:
    """The events of a launch that nothing ended but the execution, newest first."""
    pairs = [
        {"Name": "STEADYSPOT_ATTEMPT", "Value": "3"},
        {"Name": "STEADYSPOT_CAPACITY", "Value": "spot"},
        {"Name": "STEADYSPOT_COMMAND", "Value": environment},
    ]
    parameters = {
        "Overrides": {
            "ContainerOverrides": [
                {"Name": "beside", "Environment": [{"Name": "STEADYSPOT_ATTEMPT", "Value": "9"}]},
                {"Name": "worker", "Environment": pairs},
            ]
        }
    }
    told = {"Failures": [], "Tasks": [{"TaskArn": TASK, "ClusterArn": cluster}]}
    submitted = {"ResourceType": "ecs", "Resource": "runTask.sync", "Output": json.dumps(told)}
    events: list[dict[str, Any]] = [
        {"Type": "ExecutionAborted", "Timestamp": moment(0)},
        {
            "Type": "TaskSubmitted",
            "Timestamp": moment(-900),
            "TaskSubmittedEventDetails": submitted,
        },
        {"Type": "TaskStarted", "Timestamp": moment(-901)},
        {
            "Type": "TaskScheduled",
            "Timestamp": moment(-902),
            "TaskScheduledEventDetails": {"Parameters": json.dumps(parameters)},
        },
        {"Type": "TaskStateEntered", "Timestamp": moment(-902)},
    ]
    return numbered(events)


def numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "Id": 100 - index} for index, event in enumerate(events)]


def broken_off(task: dict[str, Any] | None = None, **described: Any) -> EndWorld:
    """A run whose execution ended while its third attempt ran."""
    asked = json.dumps({"scheduledTime": TIME})
    world = EndWorld(running(), Input=asked, StopDate=moment(0), **described)
    world.history_of = history()
    started = {"StartedAt": moment(-850), "AvailabilityZone": "us-east-1b", "LastStatus": "RUNNING"}
    world.tasks = {TASK: started if task is None else task}
    return world


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_an_attempt_that_ended_with_its_execution_is_written_down_and_told(status: str) -> None:
    world = broken_off(Status=status, Error="States.Runtime")
    ends(world)
    column = world.item["broken_off"]["M"]
    attempt = {name: next(iter(value.values())) for name, value in column.items()}
    assert attempt.keys() == BrokenOffColumn.__annotations__.keys()
    assert (
        attempt
        | {
            "attempt": "3",
            "capacity": "spot",
            "zone": "us-east-1b",
            "started_at": moment(-902),
            "ended_at": moment(0),
            "seconds": "850",
            "cause": "execution-ended",
            "task": TASK,
        }
        == attempt
    )
    mail = json.loads(world.mails[0]["Message"])["email"]
    assert "\nAttempt 3 ended with it, on Spot in us-east-1b, after 850 s.\n" in mail


@pytest.mark.parametrize(
    ("task", "seconds", "told"),
    [
        ({"LastStatus": "PROVISIONING"}, "0", "on Spot, before it had started."),
        (
            {"StartedAt": moment(-850), "StoppedAt": moment(60), "AvailabilityZone": "z"},
            "910",
            "on Spot in z, after 910 s.",
        ),
        ({"StartedAt": moment(5), "AvailabilityZone": "z"}, "0", "in z, before it had started."),
        ({"StartedAt": moment(-7)}, "7", "on Spot, after 7 s."),
    ],
)
def test_what_ecs_knows_of_the_task_is_what_is_counted(
    task: dict[str, Any], seconds: str, told: str
) -> None:
    world = broken_off(task)
    ends(world)
    assert world.item["broken_off"]["M"]["seconds"] == {"N": seconds}
    assert told in json.loads(world.mails[0]["Message"])["email"]


@pytest.mark.parametrize("is_refused", [False, True])
def test_where_ecs_knows_nothing_the_time_since_the_launch_is_counted(is_refused: bool) -> None:
    world = broken_off()
    world.tasks = {}
    if is_refused:
        world.faults = {"How fared its task?": [("Ecs.ServerException", "")]}
    ends(world)
    assert world.item["broken_off"]["M"]["seconds"] == {"N": "902"}
    assert "on Spot, after 902 s." in json.loads(world.mails[0]["Message"])["email"]


ENDED_BEFORE = {"Type": "TaskFailed", "Timestamp": moment(-10)}
CUT = {"ResourceType": "ecs", "Output": '{"Tasks": [{"Task'}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{"Type": "ExecutionAborted", "Id": 1}],
        numbered([ENDED_BEFORE, *history()]),
        numbered([{"Type": "TaskTimedOut"}, *history()]),
        numbered([{"Type": "TaskSubmitted", "TaskSubmittedEventDetails": CUT}]),
        numbered([{"Type": "TaskSubmitted", "TaskSubmittedEventDetails": {}}, *history()]),
    ],
    ids=["none", "waited", "judged", "timed-out", "cut", "not-ecs"],
)
def test_an_execution_that_ran_no_task_ends_without_an_attempt(events: list[Any]) -> None:
    world = broken_off()
    world.history_of = events
    ends(world)
    assert world.item["broken_off"] == {"M": {}}
    assert "ended with it" not in json.loads(world.mails[0]["Message"])["email"]
    assert len(world.parked) == 1


@pytest.mark.parametrize("state", ["What did it run?", "How fared its task?"])
@pytest.mark.parametrize("error", ["States.DataLimitExceeded", "Ecs.ServerException"])
def test_what_it_ran_need_not_be_known_to_park_and_tell(state: str, error: str) -> None:
    world = broken_off()
    world.faults = {state: [(error, "")]}
    ends(world)
    assert (len(world.parked), len(world.mails)) == (1, 1)


MARK, CLOSE = "Mark it unfinished", "Close what is complete"
MET = [
    (CANCELED, canceled("TransactionConflict", "None", "None")),
    (CANCELED, canceled("None", "TransactionConflict", "None")),
    (CANCELED, canceled("ThrottlingError", "None", "None")),
    (CANCELED, canceled("ProvisionedThroughputExceeded", "None", "None")),
    (CANCELED, "Transaction cancelled"),
    ("DynamoDb.ProvisionedThroughputExceededException", "The level of throughput was exceeded"),
    ("DynamoDb.InternalServerErrorException", "Internal server error"),
    ("States.Timeout", ""),
]
"""What a write fails with to its last retry, though no condition was false."""


@pytest.mark.parametrize("refusal", MET)
@pytest.mark.parametrize("times", [1, 6])
def test_a_write_that_another_call_met_is_tried_until_the_run_is_parked(
    refusal: tuple[str, str], times: int
) -> None:
    world = EndWorld(running(), Input=json.dumps({"scheduledTime": TIME}))
    world.faults = {MARK: [refusal] * times}
    ends(world)
    assert world.item["status"] == {"S": "unfinished"}
    assert (len(world.parked), len(world.mails)) == (1, 1)


def test_a_run_whose_mark_was_written_but_not_answered_is_parked_once() -> None:
    world = EndWorld(running(), Input=json.dumps({"scheduledTime": TIME}))
    world.unanswered = [MARK]
    ends(world)
    ends(world, name="again")
    assert (len(world.parked), len(world.mails)) == (1, 1)


@pytest.mark.parametrize("refusal", MET)
def test_a_complete_run_is_closed_though_another_call_met_that(refusal: tuple[str, str]) -> None:
    world = EndWorld(running(), Input=json.dumps({"scheduledTime": TIME}))
    world.worker = {"status": {"S": "complete"}, "execution": {"S": EXECUTION}}
    world.faults = {MARK: [refusal], CLOSE: [refusal, refusal]}
    ends(world)
    assert world.item["status"] == {"S": "complete"}
    assert (world.parked, world.mails) == ([], [])


def test_a_table_that_refuses_for_more_than_an_hour_keeps_nobody_from_being_told() -> None:
    world = EndWorld(running(), Input=json.dumps({"scheduledTime": TIME}))
    world.faults = {MARK: [MET[0]] * 1_000}
    ended = ends(world)
    assert 3_600 < world.now - START < 2 * 3_600
    assert len(ended.states_entered) < 80
    assert (len(world.parked), len(world.mails)) == (1, 1)


def test_a_run_that_the_queue_does_not_take_is_told_as_such() -> None:
    world = EndWorld(running(), Input=json.dumps({"scheduledTime": TIME}))
    world.faults = {"Park the run": [("SQS.QueueDoesNotExistException", "")]}
    ends(world)
    (mail,) = world.mails
    text = json.loads(mail["Message"])["email"]
    assert mail["Subject"].endswith(" was stopped, NOT parked")
    assert "The queue did not take it" in text
    assert "steadyspot redrive" not in text
    assert "steadyspot explain" in text


def test_people_who_cannot_be_told_change_nothing() -> None:
    world = EndWorld(running(), Input="{}")
    world.faults = {"Tell people": [("SNS.NotFoundException", "")]}
    ends(world)
    assert len(world.parked) == 1


def test_a_run_that_was_stopped_while_it_waited_gives_up_its_place() -> None:
    key = run_key_of(TIME)
    mine, other = f"{key}/{key}/{NAME}", f"{key}/{key}/another"
    world = EndWorld({}, Input=json.dumps({"scheduledTime": TIME}))
    world.turn = {"job": {"S": "night/turn"}, "queued": {"SS": sorted([mine, other])}}
    world.turn["taken_by"] = {"SS": ["20261124T010000Z"]}
    ends(world)
    assert world.turn["queued"] == {"SS": [other]}
    assert world.turn["taken_by"] == {"SS": ["20261124T010000Z"]}
