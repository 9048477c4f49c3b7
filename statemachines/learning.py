"""How long a run takes, learned from the job's own records once there was trouble.

The author's ``expected_minutes`` is a guess; the last safe moment is better taken from what runs
took. One query, at the first trouble of a run that has a deadline; fewer than five finished runs
teach nothing.
"""

from __future__ import annotations

from steadyspot.statemachines.calls import CALL_SECONDS, patient
from steadyspot.statemachines.expressions import entered
from steadyspot.statemachines.jsonata import Task, expression

FEWEST = 5
RECORDS = 50
"""Records that are read; a query brings 1 MB at most, and one record is some KB."""

_LEARNED = f"""
( $seconds := $states.result.Items.completion.M.seconds.N;
  $took := $sort([$map($seconds, function($s) {{ $number($s) }})]);
  $merge([$run, {{ 'learned': true, 'expected': $count($took) < {FEWEST} ? $run.expected
    : $took[$ceil(0.95 * $count($took)) - 1] }}]) )
"""


def learn() -> Task:
    """Read what the latest finished runs of the schedule took; 19 of 20 took no longer."""
    return Task(
        "Learn the run time",
        comment="What 19 of 20 finished runs took at most, in place of expected_minutes.",
        resource="arn:aws:states:::aws-sdk:dynamodb:query",
        timeout_seconds=CALL_SECONDS,
        retry=patient(),
        arguments={
            "TableName": "${Table}",
            "KeyConditionExpression": "job=:job AND run_key BETWEEN :first AND :last",
            "FilterExpression": "attribute_exists(completion)",
            "ProjectionExpression": "completion.#seconds",
            "ExpressionAttributeNames": {"#seconds": "seconds"},
            "ExpressionAttributeValues": {
                ":job": {"S": "${Job}"},
                ":first": {"S": "20000101T000000Z"},
                ":last": {"S": "20991231T235959Z"},
            },
            "ScanIndexForward": False,
            "Limit": RECORDS,
        },
        assign={"run": expression(_LEARNED), **entered()},
        output={},
    )
