"""Who may put a message into a job's dead-letter queue, by its policy as IAM evaluates it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.templates import TEMPLATES, listed

ACCOUNT = "arn:aws:iam::123456789012"
RULE = "arn:aws:events:eu-central-1:123456789012:rule/shop-night-BrokenEnd"
POLICY = TEMPLATES["job"]["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"]


def named(value: Any) -> str:
    """A value of the template as IAM gets it: what is another resource's, by that one's name."""
    text = json.dumps(value)
    if "BrokenEnd" in text:
        return RULE
    for role in ("StateMachineRole", "SchedulerRole"):
        if role in text:
            return f"{ACCOUNT}:role/{role}"
    return str(value)


def holds(condition: dict[str, dict[str, Any]], context: dict[str, str]) -> bool:
    """Whether all of a condition holds; a negated operator does where its key is missing."""
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            same = context.get(key, "") in [named(one) for one in listed(wanted)]
            if same == ("Not" in operator):
                return False
    return True


def concerns(principal: Any, context: dict[str, str]) -> bool:
    if principal == "*":
        return True
    wanted = [named(one) for kind in principal.values() for one in listed(kind)]
    return context.get("aws:PrincipalArn", context.get("service")) in wanted


def may_send(context: dict[str, str], *, by_its_own_role: bool) -> bool:
    effects = [
        one["Effect"]
        for one in POLICY["Statement"]
        if {"sqs:SendMessage", "sqs:*"} & set(listed(one["Action"]))
        and concerns(one["Principal"], context)
        and holds(one.get("Condition", {}), context)
    ]
    return "Deny" not in effects and ("Allow" in effects or by_its_own_role)


def role(name: str, **more: str) -> dict[str, str]:
    return {"aws:PrincipalArn": f"{ACCOUNT}:role/{name}", "aws:SecureTransport": "true", **more}


def service(name: str, source: str) -> dict[str, str]:
    return {"service": name, "aws:SourceArn": source, "aws:SecureTransport": "true"}


SENDERS = {
    "the workflow": role("StateMachineRole"),
    "the Scheduler": role("SchedulerRole"),
    "the job's rule": service("events.amazonaws.com", RULE),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_who_parks_or_could_not_deliver_may_send(sender: str) -> None:
    assert may_send(SENDERS[sender], by_its_own_role=sender == "the workflow")


@pytest.mark.parametrize(
    "context",
    [
        role("admin"),
        role("TaskRole"),
        {"aws:PrincipalArn": f"{ACCOUNT}:user/somebody", "aws:SecureTransport": "true"},
        {"aws:PrincipalArn": f"{ACCOUNT}:root", "aws:SecureTransport": "true"},
        service("events.amazonaws.com", f"{RULE}-of-another"),
        service("sns.amazonaws.com", "arn:aws:sns:eu-central-1:123456789012:topic"),
        role("StateMachineRole", **{"aws:SecureTransport": "false"}),
    ],
    ids=["admin", "the job", "a user", "root", "another rule", "a topic", "without TLS"],
)
def test_nobody_else_may_send_whatever_their_own_policy_allows(context: dict[str, str]) -> None:
    assert not may_send(context, by_its_own_role=True)
