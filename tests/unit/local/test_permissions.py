"""What policies of a role allow."""

from __future__ import annotations

from typing import Any

import pytest

from steadyspot.deploy.local.permissions import permitted

ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:night-report"


def policy(effect: str, action: Any, resource: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([], False),
        ([policy("Allow", "states:StartExecution", ARN)], True),
        ([policy("Allow", ["s3:GetObject", "states:*"], [ARN])], True),
        ([policy("Allow", "STATES:startexecution", "*")], True),
        ([policy("Allow", "states:StartExecution", f"{ARN}-after")], False),
        ([policy("Allow", "states:DescribeExecution", ARN)], False),
        ([policy("Allow", "states:*", ARN), policy("Deny", "*", "*")], False),
        ([{"Statement": policy("Allow", "*", "*")["Statement"][0]}], True),
    ],
)
def test_an_action_needs_an_allow_and_no_deny(documents: list[Any], expected: bool) -> None:
    assert permitted(iter(documents), "states:StartExecution", ARN) is expected
