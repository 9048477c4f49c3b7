"""What a role allows, asked before the local target acts in its name.

moto lets everybody do everything. So that a start that is refused can be rehearsed with ordinary
calls of IAM, the parts that assume a role (Scheduler) look here. Actions and resources are
matched, a Deny wins; conditions are not read.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.iam.models import iam_backends


def allows(account_id: str, role_arn: str, action: str, resource: str) -> bool:
    """Whether the role exists and its policies let it do this."""
    return permitted(_documents(account_id, role_arn), action, resource)


def permitted(documents: Iterator[Mapping[str, Any]], action: str, resource: str) -> bool:
    """Whether policies allow an action on a resource: some Allow, and no Deny."""
    effects = {
        statement.get("Effect")
        for document in documents
        for statement in _listed(document.get("Statement"))
        if _matches(statement.get("Action"), action.lower(), fold=True)
        and _matches(statement.get("Resource"), resource, fold=False)
    }
    return "Allow" in effects and "Deny" not in effects


def _matches(patterns: Any, value: str, *, fold: bool) -> bool:
    return any(
        fnmatch.fnmatchcase(value, str(pattern).lower() if fold else str(pattern))
        for pattern in _listed(patterns)
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _documents(account_id: str, role_arn: str) -> Iterator[Mapping[str, Any]]:
    backend = iam_backends[account_id]["aws"]
    role = next((role for role in list(backend.roles.values()) if role.arn == role_arn), None)
    if role is None:
        return
    for text in list(role.policies.values()):
        yield json.loads(text)
    for policy in list(role.managed_policies.values()):
        yield from (json.loads(item.document) for item in policy.versions if item.is_default)
