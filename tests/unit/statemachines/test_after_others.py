"""*After others* in virtual time: a run begins once all before it have finished, and never else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.contract.states import AfterOthersState as State
from steadyspot.statemachines.render import definition
from tests.virtual.machine import Ended, Machine, TaskFailed, substituted

KEY, TIME = "20261124T020000Z", "2026-11-24T02:00:00Z"
NAMES = {"After": "one,other", "Table": "runs", "StateMachine": "arn:machine", "Queue": "queue"}


def starting_definition() -> Any:
    """The definition, with names filled in."""
    return substituted(json.dumps(definition("after-others")), tuple(NAMES.items()))


MACHINE = Machine(starting_definition())


class Table:
    """The run table with what became of the time in each job, what is started, and the queue."""

    now = 1_790_000_000.0

    def __init__(self, *statuses: str, failing: str = "") -> None:
        self.statuses, self.failing = statuses, failing
        self.asked: list[Any] = []
        self.started: list[Any] = []
        self.parked: list[Any] = []

    def call(self, resource: str, arguments: Any, _timeout_seconds: int, state: str) -> Any:
        if state == self.failing:
            raise TaskFailed("Sfn.SfnException", "not now")
        if resource.endswith("transactGetItems"):
            self.asked = [one["Get"]["Key"] for one in arguments["TransactItems"]]
            return {
                "Responses": [
                    {"Item": {"status": {"S": status}}} if status else {}
                    for status in self.statuses
                ]
            }
        if resource.endswith("startExecution"):
            self.started.append((arguments["StateMachineArn"], json.loads(arguments["Input"])))
            return {"ExecutionArn": "arn"}
        self.parked.append(json.loads(arguments["MessageBody"]))
        return {}


def finished(table: Table, key: str = KEY, machine: Machine = MACHINE) -> Ended:
    """A run of one of the others has finished."""
    output = json.dumps({"outcome": "finished", "scheduleKept": "on-schedule", "runKey": key})
    return machine.run(table, {"output": output, "status": "SUCCEEDED"}, name="x")


def test_once_all_are_complete_the_run_begins_with_the_same_time() -> None:
    table = Table("complete", "complete")
    assert finished(table).states_entered[-1] == State.DONE
    assert table.started == [("arn:machine", {"scheduledTime": TIME})]
    assert table.asked == [{"job": {"S": job}, "run_key": {"S": KEY}} for job in ("one", "other")]


@pytest.mark.parametrize("status", ["", "running", "committing", "unfinished", "skipped"])
def test_while_one_is_not_complete_nothing_begins(status: str) -> None:
    table = Table("complete", status)
    assert finished(table).states_entered[-1] == State.NOT_YET
    assert (table.started, table.parked) == ([], [])


@pytest.mark.parametrize("key", ["by-hand", "drill-1", "finished", "20261324T020000Z"])
def test_a_run_of_no_scheduled_time_starts_nothing(key: str) -> None:
    table = Table("complete", "complete")
    assert finished(table, key).states_entered[-1] == State.NOT_YET
    assert (table.started, table.parked) == ([], [])


@pytest.mark.parametrize("failing", [State.HAVE_ALL_FINISHED, State.START])
def test_a_start_that_aws_refuses_waits_in_the_queue_as_the_scheduler_would_leave_it(
    failing: str,
) -> None:
    table = Table("complete", "complete", failing=failing)
    assert finished(table).states_entered[-2:] == [State.PARK, State.DONE]
    assert table.parked == [{"scheduledTime": TIME}]


def test_an_end_that_nobody_can_read_ends_in_the_open() -> None:
    ended = MACHINE.run(Table(), {"output": "no JSON"}, name="x")
    assert ended.status == "FAILED"
