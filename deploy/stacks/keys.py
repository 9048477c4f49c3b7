"""What the policy of a customer key must say, so that services of AWS can use it; pure.

Roles have their right to the key from IAM, in the templates. Services that act by themselves have
theirs from the key's own policy alone: CloudWatch Logs where it writes a log, alarms, rules and
topics where they send, the delivery of what encrypted workflows log. ``steadyspot permissions key``
prints the policy, and ``check`` holds the key's against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from steadyspot.deploy.stacks.config import Platform

_USE = ("kms:Decrypt", "kms:GenerateDataKey*")
_OF_LOGS = (
    *("kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*"),
    *("kms:GenerateDataKey*", "kms:Describe*"),
)
_TELLING = ("cloudwatch.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com")
_ANY = "*"


def place_of(platform: Platform) -> tuple[str, str]:
    """Return region and account of the platform's key, as far as the file says them."""
    if platform.key is not None:
        _, _, _, region, account, _ = platform.key.split(":", 5)
        return region, account
    return platform.region or _ANY, platform.account or _ANY


def key_policy(platform: Platform) -> dict[str, Any]:
    """Return the policy that a key needs: IAM counts, and some services may use it themselves."""
    region, account = place_of(platform)
    logs = f"arn:aws:logs:{region}:{account}:*"
    of_account = {"StringEquals": {"aws:SourceAccount": account}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ByPoliciesOfTheAccount",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": _ANY,
            },
            {
                "Sid": "Logs",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": list(_OF_LOGS),
                "Resource": _ANY,
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
            },
            {
                "Sid": "WhatTellsAndIsTold",
                "Effect": "Allow",
                "Principal": {"Service": list(_TELLING)},
                "Action": list(_USE),
                "Resource": _ANY,
                "Condition": of_account,
            },
            {
                "Sid": "LogsOfEncryptedWorkflows",
                "Effect": "Allow",
                "Principal": {"Service": "delivery.logs.amazonaws.com"},
                "Action": ["kms:Decrypt"],
                "Resource": _ANY,
                "Condition": of_account,
            },
        ],
    }


def kept_out(platform: Platform, policy: Mapping[str, Any]) -> list[str]:
    """Return the principals that a key's policy lets do less than they need; conditions aside."""
    needed = {
        principal: statement["Action"]
        for statement in key_policy(platform)["Statement"]
        for principals in statement["Principal"].values()
        for principal in _listed(principals)
    }
    return [
        principal
        for principal, actions in needed.items()
        if not all(_allowed(policy, principal, action) for action in _listed(actions))
    ]


def _allowed(policy: Mapping[str, Any], principal: str, action: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and _names(statement.get("Principal", {}), principal)
        and any(fnmatchcase(action, given) for given in _listed(statement.get("Action", ())))
        for statement in _listed(policy["Statement"])
    )


def _names(principals: Any, principal: str) -> bool:
    """Return whether a statement is for a principal; an account is also named by its number."""
    groups = principals.values() if isinstance(principals, Mapping) else [principals]
    given = {one for group in groups for one in _listed(group)}
    account = principal.split(":")[4] if principal.startswith("arn:") else principal
    return bool(given & {principal, account, _ANY})


def _listed(value: Any) -> Iterable[Any]:
    return [value] if isinstance(value, str | Mapping) else value
