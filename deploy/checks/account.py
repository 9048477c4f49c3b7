"""What `check` looks at in the account: who asks, with what rights, roles and quotas.

None of it is made by a deployment; who administers the account can change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from steadyspot.contract import Capacity
from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged

ROLE = "AWSServiceRoleForECS"
SPOT_QUOTA, ON_DEMAND_QUOTA, VPC_QUOTA = "L-36FBB829", "L-3032A538", "L-F678F1CE"
"""Codes of Service Quotas: Fargate Spot vCPU, Fargate On-Demand vCPU, VPCs per region."""
ACTIONS = (
    "cloudformation:CreateChangeSet",
    "cloudformation:ExecuteChangeSet",
    "iam:CreateRole",
    "iam:PassRole",
    "ecs:RegisterTaskDefinition",
    "states:CreateStateMachine",
    "scheduler:CreateSchedule",
    "s3:CreateBucket",
    "dynamodb:CreateTable",
    "sns:CreateTopic",
    "sqs:CreateQueue",
)
"""One action of each kind that ``up`` needs; who may do these may do the others as a rule."""
_SERVICE = "cloudformation.amazonaws.com"
_MAKE_ROLE = "Make it now: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"


def identity(looks: Looks) -> Iterator[Finding]:
    """Yield who is asking, and where."""
    who = looks.client("sts").get_caller_identity()
    region = looks.target.session.region_name
    yield Finding("account", Level.GOOD, f"{who['Account']} in {region}, as {who['Arn']}")


def permissions(looks: Looks) -> Iterator[Finding]:
    """Yield what `up` needs and the caller may not do."""
    arn = looks.client("sts").get_caller_identity()["Arn"]
    if ":assumed-role/" in arn:
        account, role = arn.split(":")[4], arn.split("/")[1]
        arn = f"arn:aws:iam::{account}:role/{role}"
    if looks.local:
        yield Finding("permissions", Level.NOTE, "the embedded AWS does not ask for any")
        return
    found = looks.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=list(ACTIONS)
    )
    denied = [
        result["EvalActionName"]
        for result in found["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]
    yield judged(
        "permissions",
        not denied,
        f"you may not: {', '.join(denied)}." if denied else "enough to deploy",
        "Ask for them, or use another --profile.",
    )


def linked_role(looks: Looks) -> Iterator[Finding]:
    """Yield whether ECS's own role is there."""
    try:
        looks.client("iam").get_role(RoleName=ROLE)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        yield Finding(
            "role of ECS",
            Level.NOTE,
            f"{ROLE} is not there yet; the first cluster makes it, if you may",
            "" if looks.local else _MAKE_ROLE,
        )
    else:
        yield Finding("role of ECS", Level.GOOD, f"{ROLE} is there")


def terms(looks: Looks) -> Iterator[Finding]:
    """Yield whether the boundary and the service role that the file names are there."""
    platform, iam = looks.target.config.platform, looks.client("iam")
    if platform.permissions_boundary:
        found = _found(iam.get_policy, PolicyArn=platform.permissions_boundary)
        yield judged(
            "boundary",
            found is not None,
            f"{platform.permissions_boundary} is there"
            if found
            else f"there is no policy {platform.permissions_boundary}.",
            "Create it, or correct permissions_boundary in steadyspot.toml.",
        )
    if platform.service_role:
        name = platform.service_role.rpartition("/")[2]
        found = _found(iam.get_role, RoleName=name)
        trusted = _SERVICE in str(found and found["Role"].get("AssumeRolePolicyDocument"))
        yield judged(
            "service role",
            trusted,
            f"CloudFormation works in {name}"
            if trusted
            else f"there is no role {name} that trusts {_SERVICE}.",
            "Create it with that trust, or correct service_role in steadyspot.toml.",
        )


def _found(look: Callable[..., Any], **named: str) -> Any:
    """Return what IAM says of something, None where it is not there."""
    try:
        return look(**named)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        return None


def quotas(looks: Looks) -> Iterator[Finding]:
    """Yield whether the quotas of Fargate and of VPCs leave room."""
    if looks.local:
        yield Finding("quotas", Level.NOTE, "the embedded AWS has none")
        return
    quotas = looks.client("service-quotas")
    wants = max((job.vcpu for job in looks.jobs), default=0)
    for name, code in (("Spot", SPOT_QUOTA), (Capacity.ON_DEMAND, ON_DEMAND_QUOTA)):
        value = quotas.get_service_quota(ServiceCode="fargate", QuotaCode=code)["Quota"]["Value"]
        yield judged(
            "quotas",
            value >= wants,
            f"{value:g} vCPUs of Fargate {name} at a time; the largest job takes {wants:g}",
            "Ask for more: aws service-quotas request-service-quota-increase --service-code "
            f"fargate --quota-code {code} --desired-value {max(16, 4 * wants):g}",
        )
    new = not looks.target.stacks.exists(looks.target.platform_stack)
    if new and looks.target.config.platform.vpc is None:
        most = quotas.get_service_quota(ServiceCode="vpc", QuotaCode=VPC_QUOTA)["Quota"]["Value"]
        there = len(looks.client("ec2").describe_vpcs()["Vpcs"])
        yield judged(
            "quotas",
            there < most,
            f"{there} of {most:g} VPCs are in use",
            "Raise that quota, or name vpc and subnets in steadyspot.toml.",
        )
