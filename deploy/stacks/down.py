"""Takes jobs and the platform away again, and only what is theirs.

The jobs' stacks go first, whoever deployed them: the platform's exports are in use as long as one
is there. What the templates retain (outputs, checkpoints, records of runs) outlives the stacks
unless its deletion was asked for; revisions of task definitions that earlier deployments left are
deregistered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from steadyspot.contract import OUTPUTS, Env
from steadyspot.deploy.stacks.buckets import empty
from steadyspot.deploy.stacks.kept import BUCKET, TABLE, Kept, measured
from steadyspot.deploy.stacks.side_by_side import AT_ONCE, in_order
from steadyspot.deploy.stacks.templates import PREFIX
from steadyspot.deploy.stacks.waits import end_waits
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_s3.client import S3Client

    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target

T = TypeVar("T")
_KEPT = {"AWS::S3::Bucket": BUCKET, "AWS::DynamoDB::Table": TABLE}
_TYPES = {what: kind for kind, what in _KEPT.items()}


@dataclass(frozen=True)
class Inventory:
    """What ``down`` would remove: stacks in the order of removal, and what lies or runs in them.

    ``foreign`` is what in them no template of ours has brought, by stack and logical id.
    """

    stacks: tuple[str, ...]
    foreign: tuple[str, ...]
    resources: int
    kept: tuple[Kept, ...]
    running: int
    parked: int

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to remove."""
        return not self.stacks


def inventory(target: Target, jobs: Sequence[str] | None = None) -> Inventory:
    """List what is there; ``jobs`` are stacks of jobs, None means all and the platform."""
    stacks, platform = target.stacks, target.platform_stack
    theirs = stacks.of_platform() if jobs is None else [j for j in jobs if stacks.exists(j)]
    there = jobs is None and stacks.exists(platform)
    names = [*theirs, *([platform] if there else [])]
    listed = _of_each(stacks.resources, names)
    added = _of_each(stacks.added, names)
    every = [resource for resources in listed.values() for resource in resources]
    return Inventory(
        stacks=tuple(listed),
        foreign=tuple(f"{name}: {one}" for name in names for one in added[name]),
        resources=len(every),
        kept=tuple(
            measured(target, _KEPT[resource["ResourceType"]], resource["PhysicalResourceId"])
            for resource in every
            if resource["ResourceType"] in _KEPT and resource.get("PhysicalResourceId")
        ),
        running=sum(_running(target, one) for one in _ids(every, "StateMachine")),
        parked=sum(_parked(target, one) for one in _ids(every, "Queue")),
    )


def _of_each(look: Callable[[str], list[T]], names: Sequence[str]) -> dict[str, list[T]]:
    """Look at each stack, some at a time."""
    found = in_order({name: partial(look, name) for name in names}, AT_ONCE)
    for one in found:
        if one.trouble:
            raise one.trouble
    return {one.stack: one.result or [] for one in found}


def _ids(resources: Sequence[dict[str, Any]], logical: str) -> Iterator[str]:
    return (
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["LogicalResourceId"] == logical and resource.get("PhysicalResourceId")
    )


def _running(target: Target, machine: str) -> int:
    found = target.client("stepfunctions").list_executions(
        stateMachineArn=machine, statusFilter="RUNNING"
    )
    return len(found["executions"])


def _parked(target: Target, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    found = target.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(found["Attributes"][name])


def remove_stack(target: Target, stack: str, screen: Screen) -> None:
    """Remove one stack, whatever state it is in.

    Raises
    ------
    Trouble
        When it cannot be removed; names the resource.
    """
    screen.heading(f"Stack {stack}")
    target.stacks.settle(stack, screen.stack_event, with_added=True)
    end_waits(target, stack)
    target.stacks.remove(stack, screen.stack_event)
    screen.say("  removed")


def remove(
    target: Target,
    there: Inventory,
    screen: Screen,
    remove_jobs: Callable[[Target, Sequence[str], Screen], Iterator[str]],
    *,
    data: bool = False,
) -> Iterator[str]:
    """Remove what is there; with ``data`` what the templates retain, too. Yields what is gone.

    ``remove_jobs`` removes the stacks of jobs, and yields those that are gone.

    Raises
    ------
    Trouble
        Before anything is removed, when the table is protected or outputs are locked. When a stack
        cannot be removed; names the resource. What was removed before it stays removed.
    """
    if data:
        _check_unprotected(target, there)
    platform = [stack for stack in there.stacks if stack == target.platform_stack]
    jobs = [stack for stack in there.stacks if stack not in platform]
    yield from remove_jobs(target, jobs, screen)
    for stack in platform:
        remove_stack(target, stack, screen)
        yield stack
    for stack in there.stacks:
        revisions = _deregister(target, stack)
        if revisions:
            screen.say(f"Deregistered {revisions} older revisions of the task definition {stack}.")
    for kept in there.kept:
        if data:
            _delete(target, kept)
            screen.say(f"Deleted the {kept.what} {kept.name}.")
            yield kept.name
        else:
            if kept.what == BUCKET:  # No state machine is left that needs its definition.
                empty(target.client("s3"), kept.name, PREFIX)
            screen.say(f"Kept: {_TYPES[kept.what]} {kept.name}; {kept.bill}.{kept.way_out}")


def _deregister(target: Target, family: str) -> int:
    """Deregister the revisions that updates retained for executions that were under way.

    Another family may have the name of a job's, so only those go whose worker is told of that job.
    """
    job = family.removeprefix(f"{target.platform_stack}-")
    ecs = target.client("ecs")
    pages = ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=family, status="ACTIVE"
    )
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    mine = [
        arn
        for arn in arns
        if arn.rsplit("/", 1)[-1].rsplit(":", 1)[0] == family
        and {"name": Env.JOB, "value": job} in _environment(ecs, arn)
    ]
    for arn in mine:
        ecs.deregister_task_definition(taskDefinition=arn)
    return len(mine)


def _environment(ecs: ECSClient, revision: str) -> list[Any]:
    """Return the variables of a revision's containers."""
    shown = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    return [
        variable
        for container in shown["containerDefinitions"]
        for variable in container.get("environment", [])
    ]


def _check_unprotected(target: Target, there: Inventory) -> None:
    """Refuse to begin with what could not be brought to its end."""
    for kept in there.kept:
        if kept.what == BUCKET and _holds_locked(target.client("s3"), kept.name):
            raise Trouble(
                f"The bucket {kept.name} holds outputs that are locked, so that nobody can delete "
                "them yet.",
                "Leave --delete-data out; once the locks are over, in lock_days at most: "
                f"{kept.command}.",
            )
        if kept.what == TABLE:
            shown = target.client("dynamodb").describe_table(TableName=kept.name)["Table"]
            if shown.get("DeletionProtectionEnabled"):
                raise Trouble(
                    f"The run table {kept.name} is protected, so that nobody can delete it.",
                    "Set protect_table = false, run steadyspot up, and then this again.",
                )


def _holds_locked(s3: S3Client, bucket: str) -> bool:
    """Return whether a bucket locks its objects and has any that are published."""
    try:
        s3.get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    found = s3.list_object_versions(Bucket=bucket, Prefix=OUTPUTS, MaxKeys=1)
    return bool(found.get("Versions"))


def _delete(target: Target, kept: Kept) -> None:
    if kept.what == TABLE:
        target.client("dynamodb").delete_table(TableName=kept.name)
        return
    s3 = target.client("s3")
    empty(s3, kept.name)
    s3.delete_bucket(Bucket=kept.name)
