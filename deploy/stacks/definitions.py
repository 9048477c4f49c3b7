"""The definitions of jobs in the platform's bucket: brought there, and removed once unused.

They are named by their content, so uploading one twice is harmless and the jobs of a platform share
it. One that a stack names must stay: CloudFormation reads it again when a later update is rolled
back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from steadyspot.deploy.stacks.buckets import bucket_of
from steadyspot.deploy.stacks.templates import PREFIX, Template

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

FRESH = timedelta(hours=1)
"""So old a definition must be before it is removed: somebody else may be about to deploy it."""


def upload(target: Target, template: Template) -> None:
    """Bring a template's definitions where CloudFormation will look for them."""
    for machine, key in template.keys.items():
        target.client("s3").put_object(
            Bucket=bucket_of(target)[0],
            Key=key,
            Body=template.definitions[machine].encode(),
            ContentType="application/yaml",
        )


def tidy(target: Target, now: datetime | None = None) -> list[str]:
    """Remove the definitions that no stack of the platform names; return their keys.

    While a stack is under way or broken, all stay: it may go back to what it named before.
    """
    s3, (bucket, below) = target.client("s3"), bucket_of(target)
    before = (now or datetime.now(UTC)) - FRESH
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below + PREFIX)
    old = [
        item["Key"]
        for page in pages
        for item in page.get("Contents", [])
        if item["LastModified"] < before
    ]
    if not old:
        return []
    stacks = target.stacks
    names = [target.platform_stack, *stacks.of_platform()]
    if not all(stacks.is_settled(name) for name in names):
        return []
    named = "\n".join(stacks.template(name) for name in names)
    unused = [key for key in old if key not in named]
    for key in unused:
        s3.delete_object(Bucket=bucket, Key=key)
    return unused
