"""States of machines that tests run on the embedded AWS, and a text that nothing should harm."""

from __future__ import annotations

from typing import Any

NASTY = 'say "hi", \\ ${x} {% y %} \n\tünïcödé ☃ \u2028 $z /re/'


def passing(output: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Output": output, "End": True, **more}


def catching(state: dict[str, Any], *errors: str) -> dict[str, Any]:
    """The Task, and where a Catch of these errors ends: with Error and Cause as the output."""
    catch = [
        {
            "ErrorEquals": list(errors or ("States.ALL",)),
            "Output": "{% $states.errorOutput %}",
            "Next": "Caught",
        }
    ]
    return {
        "Do": {"Type": "Task", "Next": "Done", "Catch": catch, **state},
        "Done": {"Type": "Succeed", "Output": "not caught"},
        "Caught": {"Type": "Succeed"},
    }


def describe_self(**more: Any) -> dict[str, Any]:
    """A Task that works: an execution that looks at itself."""
    return {
        "Resource": "arn:aws:states:::aws-sdk:sfn:describeExecution",
        "Arguments": {"ExecutionArn": "{% $states.context.Execution.Id %}"},
        **more,
    }
