"""Whole runs in a cluster, bucket, topic and log group that were there before the platform."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.runs.outputs import made_by
from steadyspot.deploy.stacks.down import inventory, remove, remove_stack
from tests.local.runs import PART_OUTPUTS, Place, parts

PREFIX = "team/spot"
THEIRS = "theirs/report.txt"


@pytest.fixture(scope="module")
def given(local_aws: LocalAws) -> dict[str, str]:
    """What is there, and somebody else's: names by what they are."""
    session, name = local_aws.session(), f"company-{uuid.uuid4().hex[:8]}"
    session.client("ecs").create_cluster(
        clusterName=name, capacityProviders=["FARGATE", "FARGATE_SPOT"]
    )
    topic = session.client("sns").create_topic(Name=name)["TopicArn"]
    session.client("logs").create_log_group(logGroupName=f"/{name}/night")
    session.client("s3").create_bucket(Bucket=name)
    session.client("s3").put_object(Bucket=name, Key=THEIRS, Body=b"theirs")
    return {"cluster": name, "topic": topic, "bucket": name, "log_group": f"/{name}/night"}


@pytest.fixture(scope="module")
def place(local_aws: LocalAws, given: dict[str, str]) -> Place:
    """A platform that uses all of it."""
    return using(local_aws, given)


def using(aws: LocalAws, given: dict[str, str]) -> Place:
    platform: dict[str, Any] = {key: given[key] for key in ("cluster", "topic", "bucket")}
    return Place(aws, bucket_prefix=PREFIX, **platform)


def keys(place: Place) -> list[str]:
    """All keys of the bucket."""
    s3, bucket = place.session.client("s3"), place.platform.bucket
    return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_a_run_that_is_reclaimed_finishes_with_what_is_there_and_leaves_the_rest_alone(
    place: Place, given: dict[str, str], market: Any, tmp_path: Path
) -> None:
    work = place.job(*parts(tmp_path / "met", at=3), log_group=given["log_group"])
    execution = work.start()
    assert place.aws.market.reclaim(work.held())
    run = work.succeeded(execution)
    assert [attempt.cause for attempt in run.attempts] == ["reclaimed", "finished"]
    made = made_by(work.target, work.job, run.run_key)
    assert made.uri == f"s3://{given['bucket']}/{PREFIX}/outputs/{work.name}/{run.run_key}/"
    assert {output.name for output in made.outputs} >= PART_OUTPUTS
    assert {one.split("/")[0] for one in keys(place)} == {"team", "theirs"}
    assert {one.split("/")[2] for one in keys(place) if one.startswith(PREFIX)} >= {
        "checkpoints",
        "definitions",
        "outputs",
    }
    assert made.uri in work.mail(lambda mail: "finished" in mail.subject).body


def test_the_workflow_publishes_what_shards_made_below_the_prefix(
    place: Place, market: Any
) -> None:
    write = "import os, pathlib; pathlib.Path(os.environ['STEADYSPOT_OUTPUT_DIR'], 'a').touch()"
    work = place.job("python", "-c", write, shards=2, output_dir="/work/output")
    run = work.succeeded(work.start())
    made = made_by(work.target, work.job, run.run_key)
    assert "completion.json" in "".join(output.name for output in made.outputs)
    assert f"{PREFIX}/outputs/{work.name}/{run.run_key}/completion.json" in keys(place)


def test_down_takes_away_what_was_made_and_nothing_that_was_there(
    local_aws: LocalAws, given: dict[str, str]
) -> None:
    place = using(local_aws, given)
    work = place.job("true", log_group=given["log_group"])
    kept = f"{PREFIX}/outputs/{work.name}/kept.txt"
    work.s3.put_object(Bucket=given["bucket"], Key=kept, Body=b"kept")
    target = work.target
    there = inventory(target)
    assert [one.what for one in there.kept] == ["run table"]
    screen = Screen(Console(file=io.StringIO()))

    def one_by_one(target: Any, jobs: Any, screen: Screen) -> Iterator[str]:
        for job in jobs:
            remove_stack(target, job, screen)
            yield job

    list(remove(target, there, screen, one_by_one, data=True))
    assert {THEIRS, kept} <= {*keys(place)}
    session = place.session
    (cluster,) = session.client("ecs").describe_clusters(clusters=[given["cluster"]])["clusters"]
    assert cluster["status"] == "ACTIVE"
    assert session.client("sns").get_topic_attributes(TopicArn=given["topic"])
    groups = session.client("logs").describe_log_groups(logGroupNamePrefix=given["log_group"])
    assert groups["logGroups"]
