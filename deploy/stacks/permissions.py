"""Policies of IAM for people and pipelines: who deploys, compares, operates or only reads; pure.

They are made of ``rights``. Resources are the platform's own wherever AWS knows a resource: all
names begin with its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

from steadyspot.deploy.stacks.config import Platform
from steadyspot.deploy.stacks.rights import COMPARE, DEPLOY, OF_TYPES, OPERATE, READ, Right


class Purpose(StrEnum):
    """For what somebody has the rights; ``STACKS`` is for the service role of CloudFormation."""

    DEPLOY = "deploy"
    COMPARE = "compare"
    STACKS = "stacks"
    OPERATE = "operate"
    READ = "read"


def policy_for(
    purpose: Purpose,
    platform: Platform,
    log_groups: Sequence[str] = (),
    secrets: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the policy with which somebody can do what ``purpose`` says, and nothing else.

    ``log_groups`` are those that jobs name in the file, beside the ones that are made; ``secrets``
    are the ARNs that ``[[notify]]`` names, which CloudFormation reads for connections.

    With a service role the deployer only hands that to CloudFormation; what it needs is ``stacks``.
    """
    made = [right for rights in OF_TYPES.values() for right in rights]
    rights: Sequence[Right] = {
        Purpose.READ: READ,
        Purpose.OPERATE: OPERATE,
        Purpose.STACKS: made,
        Purpose.COMPARE: COMPARE,
        Purpose.DEPLOY: [*DEPLOY, *([] if platform.service_role else made)],
    }[purpose]
    statements = list(_statements([*rights, *_of_given_logs(purpose, log_groups)], platform))
    hands_over = purpose in (Purpose.DEPLOY, Purpose.COMPARE)
    if hands_over and platform.service_role:
        statements.append(
            {
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": [platform.service_role],
                "Condition": {
                    "StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}
                },
            }
        )
    if platform.key is not None:
        statements += _of_key(purpose, platform.key)
    makes = purpose is Purpose.STACKS or (purpose is Purpose.DEPLOY and not platform.service_role)
    if makes and (arns := sorted(set(secrets))):
        action = ["secretsmanager:GetSecretValue"]
        statements.append({"Effect": "Allow", "Action": action, "Resource": arns})
    return {"Version": "2012-10-17", "Statement": statements}


_MAKING = (Purpose.DEPLOY, Purpose.STACKS)
_OF_KEY = {
    Purpose.READ: ("Decrypt",),
    Purpose.COMPARE: ("Decrypt",),
    Purpose.OPERATE: ("Decrypt", "GenerateDataKey"),
    **dict.fromkeys(_MAKING, ("Decrypt", "DescribeKey", "GenerateDataKey")),
}


def _of_key(purpose: Purpose, key: str) -> Iterator[dict[str, Any]]:
    """Yield what the platform's key is needed for, and that only by way of services of AWS.

    Tables and repositories use it by grants, which who makes them gives.
    """
    by_services = {"StringLike": {"kms:ViaService": f"*.{key.split(':')[3]}.amazonaws.com"}}
    given = {"Effect": "Allow", "Resource": [key]}
    actions = [f"kms:{action}" for action in _OF_KEY[purpose]]
    yield {**given, "Action": actions, "Condition": by_services}
    if purpose in _MAKING:
        for_services = {**by_services, "Bool": {"kms:GrantIsForAWSResource": "true"}}
        yield {**given, "Action": ["kms:CreateGrant"], "Condition": for_services}


def _of_given_logs(purpose: Purpose, log_groups: Sequence[str]) -> Iterator[Right]:
    if log_groups and purpose in (Purpose.READ, Purpose.OPERATE):
        places = tuple(f"log-group:{name}" for name in log_groups)
        yield Right("logs", ("FilterLogEvents", "GetLogEvents"), places)


def _statements(rights: Sequence[Right], platform: Platform) -> Iterator[dict[str, Any]]:
    """Yield a statement for all actions on the same resources."""
    together: dict[tuple[Any, ...], list[str]] = {}
    for right in rights:
        bounded = bool(platform.permissions_boundary) and "CreateRole" in right.actions
        for action in right.actions:
            key = (right.service if "*" not in right.resources else "", right.resources, bounded)
            name = f"{right.service}:{action}"
            actions = together.setdefault(key, [])
            if name not in actions:
                actions.append(name)
    for (service, resources, bounded), actions in together.items():
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": [_arn(service, one, platform) for one in resources],
        }
        if bounded:
            within = {"iam:PermissionsBoundary": platform.permissions_boundary}
            statement["Condition"] = {"StringEquals": within}
        yield statement


def _arn(service: str, resource: str, platform: Platform) -> str:
    if resource == "*":
        return "*"
    cluster = platform.cluster or platform.name
    end = resource.format(
        name=platform.name,
        path=platform.role_path,
        cluster=cluster,
        topic=platform.topic.rpartition(":")[2] if platform.topic else f"{platform.name}-Topic-*",
        bucket=platform.bucket or f"{platform.name}-bucket-*",
        below=f"/{platform.below}".rstrip("/"),
    )
    account = platform.account or "*"
    if service == "s3":
        return f"arn:aws:s3:::{end}"
    if service == "iam":
        return f"arn:aws:iam::{account}:{end}"
    return f"arn:aws:{service}:{platform.region or '*'}:{account}:{end}"
