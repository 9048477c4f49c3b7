"""Distributed Map on the embedded AWS: children with a history and an execution of their own."""

from __future__ import annotations

from typing import Any

from tests.local.bench import Bench, until

ITEMS = 3


def fanning_out(child: str, **of_map: Any) -> dict[str, Any]:
    """A Map whose items each start an execution of another machine and wait for its end."""
    return {
        "Know": {"Type": "Pass", "Assign": {"known": "parent"}, "Next": "Fan out"},
        "Fan out": {
            "Type": "Map",
            "Label": "Fan",
            "Items": f"{{% [0..{ITEMS - 1}] %}}",
            "MaxConcurrency": 2,
            "ItemSelector": {
                "number": "{% $states.context.Map.Item.Value %}",
                "name": "{% $known & '.' & $states.context.Map.Item.Value %}",
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Start it",
                "States": {
                    "Start it": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::states:startExecution.sync:2",
                        "Arguments": {
                            "StateMachineArn": child,
                            "Name": "{% $states.input.name %}",
                            "Input": {"number": "{% $states.input.number %}"},
                        },
                        "Output": {
                            "gave": "{% $states.result.Output %}",
                            "sees": "{% $exists($known) %}",
                        },
                        "End": True,
                    }
                },
            },
            "End": True,
            **of_map,
        },
    }


def odd_ones_fail(bench: Bench) -> str:
    """A machine that gives back its number, and fails for number 1."""
    states = {
        "Odd?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.number = 1 %}", "Next": "No"}],
            "Default": "Yes",
        },
        "Yes": {"Type": "Succeed", "Output": "{% $states.input.number * 10 %}"},
        "No": {"Type": "Fail", "Error": "Test.Odd"},
    }
    return bench.machine(states)


def test_what_children_give_comes_back_in_order(bench: Bench) -> None:
    states = fanning_out(odd_ones_fail(bench), ToleratedFailurePercentage=50.0)
    output = bench.output(states)
    # No child sees a variable of its parent.
    assert output == [{"gave": 0, "sees": False}, None, {"gave": 20, "sees": False}]


def test_more_failures_than_are_tolerated_end_the_map(bench: Bench) -> None:
    execution = bench.start(bench.machine(fanning_out(odd_ones_fail(bench))))
    assert bench.ended(execution)["error"] == "States.ExceedToleratedFailureThreshold"


def test_a_stop_reaches_what_the_children_have_started(bench: Bench) -> None:
    waiting = bench.machine(
        {"Wait": {"Type": "Wait", "Seconds": 600, "Next": "End"}, "End": {"Type": "Succeed"}}
    )
    execution = bench.start(bench.machine(fanning_out(waiting)))

    def running() -> list[str]:
        listed = bench.sfn.list_executions(stateMachineArn=waiting, statusFilter="RUNNING")
        return [str(one["executionArn"]) for one in listed["executions"]]

    until(lambda: len(running()) == 2)  # as many as MaxConcurrency lets
    kinds = [event["type"] for event in bench.history(execution)]
    assert "MapRunStarted" in kinds
    assert kinds[0] == "ExecutionStarted"
    bench.sfn.stop_execution(executionArn=execution)
    until(lambda: not running())
    assert bench.ended(execution)["status"] == "ABORTED"
    listed = bench.sfn.list_executions(stateMachineArn=waiting)["executions"]
    assert [one["status"] for one in listed] == ["ABORTED"] * 2


def test_a_name_that_is_taken_is_refused_under_its_own_error(bench: Bench) -> None:
    states = fanning_out(
        bench.machine({"End": {"Type": "Succeed"}}),
        ItemSelector={"number": 1, "name": "the-same"},
        ToleratedFailurePercentage=100.0,
    )
    task = states["Fan out"]["ItemProcessor"]["States"]["Start it"]
    task |= {
        "Catch": [
            {
                "ErrorEquals": ["StepFunctions.ExecutionAlreadyExistsException"],
                "Output": "taken",
                "Next": "Taken",
            }
        ]
    }
    states["Fan out"]["ItemProcessor"]["States"]["Taken"] = {"Type": "Succeed"}
    states["Fan out"]["MaxConcurrency"] = 1
    output = bench.output(states)
    assert output[1:] == ["taken", "taken"]
    assert output[0]["sees"] is False
