"""Calls that more than one state makes, and what they assign."""

from __future__ import annotations

from typing import Any

from steadyspot.contract import columns, variables
from steadyspot.statemachines.composing import Expression, expression, variable
from steadyspot.statemachines.states import Retry, Task

CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
EXECUTION = variable("$states.context.Execution.Id")
KEY = {columns.JOB: {"S": variable("$job.name")}, columns.RUN_KEY: {"S": variable("$run.key")}}
CALL_SECONDS = 60
"""TimeoutSeconds of a short call."""


def patient(*never: str) -> list[Retry]:
    """Return retriers for a call that may fail for a moment, but not with the errors ``never``."""
    return [
        Retry(error_equals=[*never, "States.QueryEvaluationError"], max_attempts=0),
        Retry(
            error_equals=["States.ALL"],
            max_attempts=5,
            max_delay_seconds=20,
            jitter_strategy="FULL",
        ),
    ]


def short_call(
    state_id: str, resource: str, *never: str, comment: str | None = None, **fields: Any
) -> Task:
    """Return a Task with one short call, tried again but for the errors ``never``."""
    return Task(
        state_id,
        comment=comment,
        resource=f"arn:aws:states:::{resource}",
        timeout_seconds=CALL_SECONDS,
        retry=patient(*never),
        **fields,
    )


def table_call(state_id: str, action: str, arguments: dict[str, Any], **fields: Any) -> Task:
    """Return a Task with one call on the run's item; ``status`` is a reserved word there."""
    return short_call(
        state_id,
        f"dynamodb:{action}",
        CONDITION_FAILED,
        arguments={
            "TableName": variable("$job.table"),
            "Key": KEY,
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            **arguments,
        },
        output={},
        **fields,
    )


def states_entered(more: int = 1) -> dict[str, Expression]:
    """Return the assignment that counts so many states as entered."""
    return {variables.STATES_ENTERED: expression("statesEnteredNow", more=more)}
