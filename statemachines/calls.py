"""What more than one room of the job's machine needs: calls, what they assign, and rules.

A run has two items in the run table, the workflow's and the worker's, which only the worker's role
may write beside the workflow. What concerns both is one transaction on both.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import columns, variables
from steadyspot.statemachines.composing import Expression, expression, variable
from steadyspot.statemachines.states import Choice, Retry, Rule, State, Task

CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
CANCELED = "DynamoDb.TransactionCanceledException"
"""A condition of a transaction was false; or another call met it, or DynamoDB was throttled."""

EXECUTION = variable("$states.context.Execution.Id")
TURN_KEY = expression("turnItem")
TURN_BACK = expression("turnGivenBack")
"""Item of a transaction that gives the job's turn back."""
TABLE = variable("$job.table")
KEY = {
    columns.JOB: {"S": expression("partitionOfRun")},
    columns.RUN_KEY: {"S": variable("$run.key")},
}
WORKER_KEY = {**KEY, columns.JOB: {"S": expression("workerPartition")}}
UNFINISHED_WORK = (
    "SET #status = :unfinished, execution = if_not_exists(execution, :me)",
    "attribute_not_exists(execution) OR execution <> :me OR #status <> :complete",
)
"""Update of the worker's item when the run ends unfinished, and on what condition; what is no item
of this claim's never stands in the way of it."""

EXPIRES = f"{columns.DELETE_AT} = :delete_at"
"""In an update that completes a run: how long its item is kept."""
EXPIRES_OWN = {":delete_at": expression("deleteOwnAt")}
EXPIRES_WORKERS = {":delete_at": expression("deleteWorkersAt")}

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
        **{"retry": patient(*never), **fields},
    )


def table_call(state_id: str, action: str, arguments: dict[str, Any], **fields: Any) -> Task:
    """Return a Task with one call on the table; ``status`` is a reserved word there."""
    return short_call(
        state_id,
        f"dynamodb:{action}",
        CONDITION_FAILED,
        arguments={"TableName": TABLE, **arguments},
        output={},
        **fields,
    )


def transaction(
    state_id: str, *items: Any, output: dict[str, Any] | None = None, **fields: Any
) -> Task:
    """Return a Task that writes the run's items, all or none of them.

    That it was cancelled may pass, so it is tried again; but not for long, since as a rule it was a
    condition, which a retrier cannot tell. Whoever catches it looks at the record anew, or at what
    the Cause says.
    """
    never, others = patient()
    canceled = Retry(
        error_equals=[CANCELED], interval_seconds=1, max_attempts=2, jitter_strategy="FULL"
    )
    return short_call(
        state_id,
        "aws-sdk:dynamodb:transactWriteItems",
        **{
            "arguments": {"TransactItems": list(items)},
            "retry": [never, canceled, others],
            "output": output or {},
            **fields,
        },
    )


def publishing(
    state_id: str, topic: Any, *, subject: Any, message: Any, attributes: Any, **fields: Any
) -> Task:
    """Return a Task that tells people; a topic that is gone, or refuses, is not asked again."""
    return short_call(
        state_id,
        "sns:publish",
        "SNS.NotFoundException",
        "SNS.AuthorizationErrorException",
        **fields,
        arguments={
            "TopicArn": topic,
            "MessageStructure": "json",
            "Subject": subject,
            "Message": message,
            "MessageAttributes": attributes,
        },
        output={},
    )


def change(
    change: str, condition: str, values: Any, *, key: Any = None, table: str = TABLE
) -> dict[str, Any]:
    """Return an update of a transaction; of the workflow's item unless a key is given."""
    return {
        "Update": {
            "TableName": table,
            "Key": key or KEY,
            "UpdateExpression": change,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": values,
        }
    }


OPEN_AS_PARKED = "is_open = :open, open_as = :open_as"
"""Part of an update by which a run that ended unfinished is found; with these values:"""
PARKED: dict[str, Any] = {
    ":open": {"S": expression("openness")},
    ":open_as": {"S": expression("openParked")},
}


def states_entered(more: int = 1) -> dict[str, Expression]:
    """Return the assignment that counts so many states as entered."""
    return {variables.STATES_ENTERED: expression("statesEnteredNow", more=more)}


def ledger(to_come: Any, **verdict: Any) -> dict[str, Any]:
    """Return the record's columns of attempts and money; so many states follow, this one too."""
    return {
        ":attempts": {"L": expression("attemptsColumn", **verdict)},
        ":money": {"M": expression("moneyColumn", toCome=to_come, **verdict)},
    }


def add_to_totals(to_come: Any, **given: Any) -> Expression:
    """Return the update that adds a complete run to the totals of its month.

    They are there so that a look at all jobs need not look at all runs, and decide nothing: where a
    reply was lost, a run may be counted twice.
    """
    return expression("totalsAdded", toCome=to_come, **given)


def choose(choosing: Choice, *rules: tuple[str, str, State]) -> None:
    """Add rules, each the name of a condition, a comment and what follows."""
    for condition, comment, following in rules:
        rule = Rule(expression(condition), comment=comment, assign=states_entered())
        choosing.add_choice(rule, following)
