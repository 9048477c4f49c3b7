"""Versions of outputs, and a table that nobody can delete: keys of the platform, and their end."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from steadyspot.contract import columns
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.cli.many_stacks import remove_all
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config import Config, Platform
from steadyspot.deploy.stacks.down import inventory, remove
from steadyspot.deploy.stacks.up import platform_of
from steadyspot.deploy.target import Target
from steadyspot.deploy.trouble import Trouble
from tests.local.runs import Place, parts


def test_protected_table_is_refused_before_anything_goes_and_versions_go_with_the_bucket(
    local_aws: LocalAws,
) -> None:
    place = Place(local_aws)

    def changed(**more: object) -> Target:
        platform = Platform(name=place.platform.name, **more)  # type: ignore[arg-type]
        place.platform = platform
        target = Target(Config(place.target().config.path, platform, {}), place.session)
        place.bring(platform_of(target))
        return target

    target = changed(version_days=30, protect_table=True)
    bucket, table = target.platform["Bucket"], target.platform["Table"]
    s3, dynamodb = target.client("s3"), target.client("dynamodb")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    for body in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="outputs/night/k/a", Body=body)
    s3.delete_object(Bucket=bucket, Key="outputs/night/k/a")
    with pytest.raises(Trouble, match="protect_table = false"):
        list(remove(target, inventory(target), place.screen, remove_all, data=True))
    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"]
    assert target.stacks.exists(target.platform_stack)

    target = changed()
    gone = list(remove(target, inventory(target), place.screen, remove_all, data=True))
    assert {bucket, table} <= set(gone)


def test_locked_outputs_are_refused_before_anything_goes_and_stay_with_the_bucket(
    local_aws: LocalAws,
) -> None:
    place = Place(local_aws)
    place.platform = replace(place.platform, lock_days=30)
    place.bring(platform_of(place.target()))
    work = place.job(*parts(), shards=2)
    run = work.succeeded(work.start())
    target, s3 = place.target(), place.target().client("s3")
    bucket = target.platform["Bucket"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    shard = work.record(shard_key(run.run_key, 1))
    assert run.completion is not None
    assert shard.completion is not None
    for key in (shard.completion["key"], run.completion["key"]):
        version = s3.head_object(Bucket=bucket, Key=key)
        assert version["ObjectLockMode"] == "GOVERNANCE"
        left = version["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < left < timedelta(days=30)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=run.completion["key"], VersionId=version["VersionId"])

    with pytest.raises(Trouble, match="locked, so that nobody can delete them yet"):
        list(remove(target, inventory(target), place.screen, remove_all, data=True))
    assert target.stacks.exists(target.platform_stack)
    list(remove(target, inventory(target), place.screen, remove_all))
    assert s3.head_object(Bucket=bucket, Key=run.completion["key"])["VersionId"]


def test_the_record_of_a_complete_run_names_when_it_may_go_and_logs_are_kept_as_long_as_asked(
    local_aws: LocalAws,
) -> None:
    place = Place(local_aws)
    dynamodb, table = place.target().client("dynamodb"), place.target().platform["Table"]

    def deletes() -> str:
        described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        return str(described["TimeToLiveStatus"])

    assert deletes() == "DISABLED"
    place.platform = replace(place.platform, keep_runs_days=30)
    place.bring(platform_of(place.target()))
    assert deletes() == "ENABLED"

    work = place.job(*parts())
    groups = (f"/steadyspot/{place.platform.name}/", "/aws/vendedlogs/states/")

    def kept() -> list[int | None]:
        found = [work.logs.describe_log_groups(logGroupNamePrefix=one) for one in groups]
        return [
            group.get("retentionInDays")
            for one in found
            for group in one["logGroups"]
            if work.name in group["logGroupName"]
        ]

    assert kept() == [None, None]
    begun = time.time()
    run = work.succeeded(work.start())
    took = time.time() - begun
    items = (work.item(run.run_key), work.worker_item(run.run_key))
    for item, days in zip(items, (37, 30), strict=True):
        assert -1 < int(item[columns.DELETE_AT]["N"]) - begun - days * 86_400 < took + 1
    work.deploy(keep_logs=7)
    assert kept() == [7, 7]
