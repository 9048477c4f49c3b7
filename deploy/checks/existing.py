"""What `check` looks at in what the account has already and the file names: topic, log groups.

None of it is made or removed by a deployment; what must be changed there, somebody else changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from steadyspot.deploy.checks.findings import Finding, Level, Looks, judged
from steadyspot.deploy.stacks.parameters import of_platform

_FIRST = "us-east-1"
"""AWS: the region whose buckets name none."""
_PARKED_DAYS = 15
"""Longer than a parked run can wait for its redrive: its uploads are open until then."""
PUBLISHERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com")
FIXED = {"ClusterName": "cluster", "TopicArn": "topic", "BucketPlace": "bucket"}
"""What jobs import from the platform, and so hold: parameters, and the keys that they come from."""


def topic(looks: Looks) -> Iterator[Finding]:
    """Yield whether the topic of the file is there, and lets alarms and rules publish."""
    arn = looks.target.config.platform.topic
    if arn is None:
        return
    try:
        shown = looks.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NotFound", "NotFoundException"):
            raise
        yield Finding("topic", Level.BAD, f"there is no {arn}.", "Create it, or correct topic.")
        return
    yield Finding("topic", Level.GOOD, f"{arn} is there; it is left as it is")
    policy = shown.get("Policy", "")
    out = [one for one in PUBLISHERS if one not in policy]
    yield judged(
        "topic",
        not out,
        f"its policy does not let {', '.join(out)} publish: alarms and rules tell nobody."
        if out
        else "alarms and rules may publish",
        "Let them sns:Publish in the topic's policy, for aws:SourceAccount.",
    )
    key = shown.get("KmsMasterKeyId", "")
    named = looks.target.config.platform.key or ""
    if key and not (named and named.endswith(key.rpartition("/")[2])):
        yield Finding(
            "topic",
            Level.BAD,
            f"it is encrypted with {key}, which workflows and alarms may not use.",
            "Encrypt it with the key of steadyspot.toml (key), or name another topic.",
        )


def bucket(looks: Looks) -> Iterator[Finding]:
    """Yield whether the bucket of the file is there, and its rules let what is kept stay."""
    platform = looks.target.config.platform
    if platform.bucket is None:
        return
    s3 = looks.client("s3")
    try:
        region = s3.get_bucket_location(Bucket=platform.bucket)["LocationConstraint"] or _FIRST
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
        text = f"there is no bucket {platform.bucket}."
        yield Finding("bucket", Level.BAD, text, "Create it, or correct bucket in the file.")
        return
    here = looks.target.session.region_name
    yield judged(
        "bucket",
        region == here,
        f"{platform.bucket} is there; it is left as it is"
        if region == here
        else f"{platform.bucket} lies in {region}, but the platform in {here}.",
        "Name a bucket of that region: bucket in steadyspot.toml.",
    )
    yield _rules(looks, platform.bucket, platform.below)


def _rules(looks: Looks, name: str, below: str) -> Finding:
    try:
        found = looks.client("s3").get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        found = []
    on = [one for one in found if one["Status"] == "Enabled"]
    aborts = [
        one["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        for one in on
        if "AbortIncompleteMultipartUpload" in one
    ]
    early = [days for days in aborts if days < _PARKED_DAYS]
    return judged(
        "bucket",
        bool(aborts) and not early,
        f"a rule ends uploads after {early[0]} days, but a parked run's are open for 14."
        if early
        else f"no rule ends uploads that nobody completes below {below or 'it'}"
        if not aborts
        else "a rule ends uploads that nobody completes, late enough",
        f"Rules are the bucket's owner's: AbortIncompleteMultipartUpload after {_PARKED_DAYS} "
        f"days, and Expiration of {below}checkpoints/ after 30.",
        Level.BAD if early else Level.NOTE,
    )


def log_groups(looks: Looks) -> Iterator[Finding]:
    """Yield whether the log groups that jobs name are there."""
    for job in looks.jobs:
        if job.log_group is None:
            continue
        found = looks.client("logs").describe_log_groups(logGroupNamePrefix=job.log_group)
        there = any(one["logGroupName"] == job.log_group for one in found["logGroups"])
        yield judged(
            f"{job.name}: logs",
            there,
            f"{job.log_group} is there; how long it keeps lines, it says itself"
            if there
            else f"there is no log group {job.log_group}: no task of the job could start.",
            "Create it, or correct log_group in steadyspot.toml.",
        )


def moved(looks: Looks) -> Iterator[Finding]:
    """Yield what of a platform cannot be changed as long as jobs hold it."""
    target = looks.target
    if not target.stacks.exists(target.platform_stack) or not target.stacks.of_platform():
        return
    before, wanted = (
        target.stacks.parameters(target.platform_stack),
        of_platform(target.config.platform),
    )
    for parameter, key in FIXED.items():
        if before.get(parameter, "") != wanted[parameter]:
            yield Finding(
                key,
                Level.BAD,
                f"{key} cannot be changed as long as a job of the platform is deployed.",
                "Remove the jobs first, steadyspot down JOB; outputs and records stay. Then up.",
            )
