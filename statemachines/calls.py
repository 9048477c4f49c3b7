"""Calls that more than one state makes, and what they read from a run's record."""

from __future__ import annotations

from typing import Any

from steadyspot.statemachines.jsonata import Retry, Task, expression

CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
EXECUTION = "{%$states.context.Execution.Id%}"
KEY = {"job": {"S": "${Job}"}, "run_key": {"S": "{%$run.key%}"}}
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


def table_call(state_id: str, action: str, arguments: dict[str, Any], **fields: Any) -> Task:
    """Return a Task with one call on the run's item; ``status`` is a reserved word there."""
    return Task(
        state_id,
        resource=f"arn:aws:states:::dynamodb:{action}",
        timeout_seconds=CALL_SECONDS,
        retry=patient(CONDITION_FAILED),
        arguments={
            "TableName": "${Table}",
            "Key": KEY,
            "ExpressionAttributeNames": {"#status": "status"},
            **arguments,
        },
        output={},
        **fields,
    )


WORK = """
( $p := $item.progress.M; $done := $sum([$number($p.units_done.N)]);
  $total := $sum([$number($p.units_total.N)]);
  { 'status': $item.status.S & '', 'done': $done, 'total': $total,
    'fraction': $exists($p.fraction.N) ? $number($p.fraction.N) : $total > 0 ? $done / $total : 0,
    'word': WORD } )
"""

NO_WORK: dict[str, Any] = {"status": "", "word": "", "done": 0, "total": 0, "fraction": 0}


def of_item(text: str) -> str:
    """Return an expression on ``$item``, the record that a call brought back."""
    return expression(f"( $item := $states.result.Attributes; {text} )")
