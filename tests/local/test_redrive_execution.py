"""RedriveExecution on the embedded AWS: an execution that ended badly goes on where it failed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.bench import Bench

LOOK_UP = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
    "Arguments": {"QueueName": "{% $name %}"},
    "Output": "{% $states.input.kept & ' ' & $split($states.result.QueueUrl, '/')[-1] %}",
    "End": True,
}


def states() -> dict[str, Any]:
    return {
        "Keep": {
            "Type": "Pass",
            "Assign": {"name": "{% $states.input.queue %}"},
            "Output": {"kept": "{% 'once ' & $string($random() >= 0) %}"},
            "Next": "Look",
        },
        "Look": LOOK_UP,
    }


def entered(bench: Bench, execution: str) -> list[str]:
    """Names of the states entered, in order."""
    return [
        event["stateEnteredEventDetails"]["name"]
        for event in bench.history(execution)
        if "stateEnteredEventDetails" in event
    ]


def test_it_goes_on_at_the_state_that_failed_with_its_input_and_variables(bench: Bench) -> None:
    execution = bench.start(bench.machine(states()), queue=bench.name)
    assert bench.ended(execution)["redriveStatus"] == "REDRIVABLE"
    bench.sqs.create_queue(QueueName=bench.name)
    redriven = bench.sfn.redrive_execution(executionArn=execution)["redriveDate"]
    ended = bench.ended(execution)
    assert (ended["status"], json.loads(ended["output"])) == (
        "SUCCEEDED",
        f"once true {bench.name}",
    )
    assert (ended["redriveCount"], ended["redriveDate"]) == (1, redriven)
    assert ended["redriveStatus"] == "NOT_REDRIVABLE"
    assert "error" not in ended
    assert entered(bench, execution) == ["Keep", "Look", "Look"]
    history = bench.history(execution)
    assert [event["id"] for event in history] == list(range(1, len(history) + 1))
    kinds = [event["type"] for event in history]
    assert kinds.index("ExecutionFailed") + 1 == kinds.index("ExecutionRedriven")
    assert kinds[-1] == "ExecutionSucceeded"


def test_it_can_fail_again_and_be_redriven_again(bench: Bench) -> None:
    execution = bench.start(bench.machine(states()), queue=bench.name)
    bench.ended(execution)
    for count in (1, 2):
        bench.sfn.redrive_execution(executionArn=execution)
        ended = bench.ended(execution)
        assert (ended["status"], ended["redriveCount"]) == ("FAILED", count)
    assert entered(bench, execution) == ["Keep", "Look", "Look", "Look"]


def test_one_that_was_stopped_goes_on_too(bench: Bench) -> None:
    machine = bench.machine(
        {"Wait": {"Type": "Wait", "Seconds": "{% $states.input.s %}", "End": True}}
    )
    execution = bench.start(machine, s=3)
    bench.sfn.stop_execution(executionArn=execution)
    assert bench.ended(execution)["status"] == "ABORTED"
    bench.sfn.redrive_execution(executionArn=execution)
    assert bench.ended(execution)["status"] == "SUCCEEDED"


def test_what_runs_or_has_succeeded_cannot_be_redriven(bench: Bench) -> None:
    execution = bench.start(bench.machine({"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}))
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            bench.sfn.redrive_execution(executionArn=execution)
        assert refused.value.response["Error"]["Code"] == "ExecutionNotRedrivable"
        bench.ended(execution)
