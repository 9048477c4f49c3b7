"""An attempt: the task on Spot or on-demand, and what is read and written down once it has ended.

Timeouts and what the worker is told stand in ``expressions/``; what stopped it is judged elsewhere.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import WORKER_CONTAINER, Capacity, Status, columns, messages, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    EXECUTION,
    EXPIRES,
    EXPIRES_OWN,
    EXPIRES_WORKERS,
    KEY,
    TABLE,
    TURN_BACK,
    TURN_KEY,
    WORKER_KEY,
    add_to_totals,
    change,
    ledger,
    short_call,
    states_entered,
    table_call,
    transaction,
)
from steadyspot.statemachines.composing import Expression, expression, named, variable
from steadyspot.statemachines.states import (
    Task,
)

CLOSED = {"cause": "finished", "class": "finished"}
"""The verdict on the attempt of a run that is closed."""


def launch(
    state_id: str,
    capacity: Capacity,
    *,
    placement: dict[str, Any],
    environment: str,
    timeout: str,
    comment: str,
) -> Task:
    """Return the Task that runs the container once and waits for its end."""
    return Task(
        state_id,
        comment=comment,
        resource="arn:aws:states:::ecs:runTask.sync",
        timeout_seconds=expression(timeout),
        arguments={
            "Cluster": variable("$job.cluster"),
            "TaskDefinition": variable("$job.taskDefinition"),
            # The role may follow and stop what bears the job's name.
            "PropagateTags": "TASK_DEFINITION",
            "EnableExecuteCommand": expression("isDebugged"),
            **placement,
            "NetworkConfiguration": {"AwsvpcConfiguration": variable("$job.network")},
            "Overrides": {
                "ContainerOverrides": [
                    {"Name": WORKER_CONTAINER, "Environment": expression(environment)}
                ]
            },
        },
        assign=attempted("lastSucceeded", capacity, expression("statesOfEnded")),
        output={},
    )


def attempted(last: str, capacity: Capacity, states: Expression) -> dict[str, Any]:
    """Return what the end of an attempt assigns; ``states`` are those entered until then."""
    return {
        variables.ATTEMPTS: expression("allAttempts"),
        variables.LAST: expression(last, capacity=capacity.value),
        variables.STATES_ENTERED: states,
    }


def on_spot() -> Task:
    """Run the task on Spot, all subnets offered."""
    return launch(
        JobState.RUN_ON_SPOT,
        Capacity.SPOT,
        placement={"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]},
        environment="workerOnSpot",
        timeout="timeoutOnSpot",
        comment="All zones are offered; the worker stops itself in time for on-demand to finish.",
    )


def on_demand() -> Task:
    """Run the task on on-demand Fargate."""
    return launch(
        JobState.RUN_ON_DEMAND,
        Capacity.ON_DEMAND,
        placement={"LaunchType": "FARGATE"},
        environment="workerOnDemand",
        timeout="timeoutOnDemand",
        comment="Resumes behind the work that is already durable.",
    )


def close() -> Task:
    """Close a run whose work is complete, if there is nothing in its record to tell people of.

    A quiet run ends so. Any other one fails on purpose once it is closed, and goes on to be told.
    """
    to_come = named("statesToClose")
    return transaction(
        JobState.CLOSE,
        change(
            f"SET #status = :complete, attempts = :attempts, money = :money, {EXPIRES}"
            " REMOVE is_open, open_as",
            "execution = :me AND #status = :running",
            {
                **EXPIRES_OWN,
                ":complete": {"S": Status.COMPLETE.value},
                ":running": {"S": Status.RUNNING.value},
                ":me": {"S": EXECUTION},
                **ledger(to_come, verdict=CLOSED),
            },
        ),
        change(
            f"SET {EXPIRES}",
            "#status = :complete AND execution = :me"
            " AND attribute_not_exists(completion.left_behind)"
            " AND attribute_not_exists(warnings)",
            {
                **EXPIRES_WORKERS,
                ":complete": {"S": Status.COMPLETE.value},
                ":me": {"S": EXECUTION},
            },
            key=WORKER_KEY,
        ),
        add_to_totals(to_come, verdict=CLOSED),
        TURN_BACK,
        comment="No success without the record. A run with trouble behind it goes on, to be told.",
        assign={variables.STATES_ENTERED: expression("statesEnteredIfUntold", more=1)},
        output=finished_output(),
    )


def finished_output() -> dict[str, Any]:
    """Return the output of an execution that finished its run, for what comes after it."""
    return {
        messages.OUTCOME: "finished",
        messages.SCHEDULE_KEPT: expression("keptSchedule"),
        messages.RUN_KEY: variable("$run.key"),
        "attempts": variable("$last.attempt"),
        "outputs": expression("outputs"),
    }


def what_is_done() -> Task:
    """Read what a run that was closed has done, which people are told.

    It is an error, which is caught, that the run is not closed.
    """
    return short_call(
        JobState.WHAT_IS_DONE,
        "aws-sdk:dynamodb:transactGetItems",
        comment="It had trouble, was late, or each run is told.",
        arguments={
            "TransactItems": [
                {"Get": {"TableName": TABLE, "Key": key}} for key in (KEY, WORKER_KEY)
            ]
        },
        assign={
            **found(),
            variables.STATES_ENTERED: expression("statesEnteredIfClosed", more=1),
        },
        output={},
    )


def found() -> dict[str, Any]:
    """Return what the worker's item tells of the attempt that ended last."""
    return {
        variables.CAUSE: expression("causeRecorded"),
        variables.WORK: expression("workNow"),
        variables.LAST: expression("lastRecorded"),
    }


def how_far() -> Task:
    """Read what the worker wrote, and find what stopped the attempt."""
    return table_call(
        JobState.HOW_FAR,
        "getItem",
        comment="Complete all the same? How far did it get, and what stopped it?",
        arguments={"Key": WORKER_KEY, "ConsistentRead": True},
        assign={
            **found(),
            variables.SPOT_REFUSED: expression("spotRefusedNow"),
            **states_entered(),
        },
    )


def record() -> Task:
    """Write the attempt down, with what stopped it; and the run as complete, if its work is.

    It is an error, which is caught, that the run time is to be learned next.
    """
    return table_call(
        JobState.RECORD_ATTEMPT,
        "updateItem",
        comment="Also one whose worker never started.",
        arguments={
            "Key": KEY,
            "UpdateExpression": expression("recordChange"),
            "ConditionExpression": "execution = :me AND attribute_exists(#status)",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":me": {"S": EXECUTION},
                ":status": {"S": expression("statusNow")},
                **ledger(6),
            },
        },
        assign={variables.STATES_ENTERED: expression("statesEnteredIfLearned", more=1)},
    )


def give_back() -> Task:
    """Give the turn back after a run that was not quiet; it is written down as complete."""
    return table_call(
        JobState.GIVE_BACK,
        "updateItem",
        comment="Before people are told, so that the next run need not wait for that.",
        arguments={
            "Key": TURN_KEY,
            "UpdateExpression": "DELETE taken_by :mine",
            "ExpressionAttributeValues": {":mine": {"SS": [variable("$run.key")]}},
        },
        assign=states_entered(),
    )
