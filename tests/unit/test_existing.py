"""What an account has already, as its keys change the two templates: image, cluster, topic."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.checks.findings import Level
from steadyspot.deploy.stacks.config import ConfigError, Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from tests.unit.deploy.fakes import Calls, refusal
from tests.unit.deploy.test_checks import account, findings
from tests.unit.resolving import job_resources, platform_resources

OTHER = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/tools/night"
HOME = '[platform]\nname = "shop"\nregion = "eu-central-1"\naccount = "123456789012"\n'


def policies(resources: dict[str, dict[str, Any]], role: str) -> dict[str, dict[str, Any]]:
    """The statements of a role's own policies, by Sid."""
    given = resources[role]["Properties"].get("Policies", [])
    return {s["Sid"]: s for policy in given for s in policy["PolicyDocument"]["Statement"]}


# --- an image in another account ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "names"),
    [
        (f"{OTHER}:1", ["eu-west-1:210987654321:repository/tools/night"]),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/night:1", []),
        ("210987654321.dkr.ecr.eu-central-1.amazonaws.com/shop-repository-x1:1", []),
        ("public.ecr.aws/tools/night:1", []),
    ],
    ids=["another account", "this one", "the platform's own", "public"],
)
def test_an_image_of_another_account_or_region_may_be_pulled_and_no_more(
    image: str, names: list[str]
) -> None:
    resources = job_resources(parse(f'{HOME}[jobs.night]\nimage = "{image}"'))
    pull = policies(resources, "ExecutionRole").get("Images", {"Resource": []})
    ends = [one["Fn::Sub"].partition(":ecr:")[2] for one in pull["Resource"]]
    assert ends == names


def test_a_job_holds_no_repository_of_the_platform_that_a_key_would_replace() -> None:
    resources = job_resources(parse(f'{HOME}[jobs.night]\nimage = "public.ecr.aws/night:1"'))
    assert "-Repository" not in json.dumps(resources["ExecutionRole"])


def test_whose_repository_it_is_and_what_its_policy_must_say_is_told(tmp_path: Path) -> None:
    home = Platform(mail="a@b.example", region="eu-central-1", account="123456789012")
    image = OTHER.replace("eu-west-1", "eu-central-1")
    found = findings(account(), tmp_path, platform=home, image=f"{image}:1")
    told = [one for one in found if one.about == "night: image"]
    assert [one.level for one in told] == [Level.GOOD, Level.NOTE]
    assert "account 210987654321" in told[1].text
    assert "arn:aws:iam::123456789012:root" in told[1].what_to_do


# --- cluster, topic, log group ------------------------------------------------------------------

TOPIC = "arn:aws:sns:eu-central-1:123456789012:on-call"
JOB = '[jobs.night]\nimage = "x:1"\n'
GIVEN = parse(
    f'{HOME}cluster = "jobs"\ntopic = "{TOPIC}"\nmail = "a@b.example"\n{JOB}'
    'log_group = "/company/night"\nsidecars = { beside = { image = "y:1" } }\n'
)
MADE = parse(f'{HOME}mail = "a@b.example"\n{JOB}')


def test_a_given_cluster_takes_the_place_of_the_one_that_is_made() -> None:
    given, made = platform_resources(GIVEN), platform_resources(MADE)
    assert set(made) - set(given) == {"Cluster", "Topic", "TopicPolicy"}
    for name in ("WorkflowPolicy", "BeforeTheStartRole", "Launches"):
        assert "/jobs" in json.dumps(given[name]) or '"Cluster": "jobs"' in json.dumps(given[name])
        assert '{"Ref": "Cluster"}' not in json.dumps(given[name])


def test_in_a_cluster_of_others_only_tasks_of_this_platform_are_followed_and_stopped() -> None:
    tag = '"aws:ResourceTag/Platform": {"Ref": "AWS::StackName"}'
    for name in ("WorkflowPolicy", "BeforeTheStartRole"):
        assert tag in json.dumps(platform_resources(GIVEN)[name])
        assert tag not in json.dumps(platform_resources(MADE)[name])
    tags = job_resources(GIVEN)["TaskDefinition"]["Properties"]["Tags"]
    assert {"Key": "Platform", "Value": "shop"} in tags


def test_people_are_told_by_the_topic_that_is_given_whose_policy_is_left_alone() -> None:
    given = platform_resources(GIVEN)
    assert given["MailSubscription"]["Properties"]["TopicArn"] == TOPIC
    statements = given["WorkflowPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (tells,) = (one for one in statements if one["Sid"] == "TellPeople")
    assert tells["Resource"] == TOPIC


def test_a_given_log_group_is_written_to_and_read_and_none_is_made() -> None:
    resources = job_resources(GIVEN)
    assert "Log" not in resources
    for container in resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]:
        assert container["LogConfiguration"]["Options"]["awslogs-group"] == "/company/night"
    for role in ("ExecutionRole", "StateMachineRole"):
        tags = resources[role]["Properties"]["Tags"]
        assert {"Key": "LogGroup", "Value": "/company/night"} in tags
    named = "log-group:${!aws:PrincipalTag/LogGroup}:"
    for policy in ("StartPolicy", "WorkflowPolicy"):
        assert named in json.dumps(platform_resources(GIVEN)[policy])


def test_who_reads_looks_at_tasks_of_the_cluster_that_is_given() -> None:
    given = json.dumps(policy_for(Purpose.READ, GIVEN.platform))
    assert ":cluster/jobs" in given
    assert ":cluster/shop" not in given
    of_logs = policy_for(Purpose.OPERATE, GIVEN.platform, ["/company/night"])
    assert ":log-group:/company/night" in json.dumps(of_logs)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (
            f'[platform]\ncluster = "jobs"\ncontainer_insights = "enabled"\n{JOB}',
            "platform.container_insights is for the cluster that is made",
        ),
        (
            f'[platform]\nregion = "us-east-1"\ntopic = "{TOPIC}"\n{JOB}',
            "platform.topic lies in eu-central-1, but platform.region is us-east-1",
        ),
        (f'[platform]\ntopic = "{TOPIC}.fifo"\n{JOB}', "an SNS topic that is no FIFO topic"),
        (f'{JOB}log_group = "/a"\nkeep_logs = 7', "jobs.night.keep_logs is for the log group that"),
        (
            f'{JOB}log_group = "/a"\n[jobs.noon]\nimage = "x:1"\nlog_group = "/a"',
            "jobs.noon.log_group is that of night, too: rights go by group",
        ),
    ],
    ids=["insights", "region", "fifo", "retention", "shared group"],
)
def test_what_does_not_go_with_what_is_there_is_a_sentence(file: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(file)


def of_topic(tmp_path: Path, **attributes: str) -> list[tuple[Level, str]]:
    """What is found of a topic with some attributes; with none, it is not there."""

    def get_topic_attributes(**_: Any) -> Any:
        if not attributes:
            raise refusal("NotFound")
        return {"Attributes": attributes}

    sns = Calls(get_topic_attributes=get_topic_attributes)
    platform = Platform(mail="a@b.example", topic=TOPIC)
    found = findings(account(sns=sns), tmp_path, platform=platform)
    return [(one.level, one.text) for one in found if one.about == "topic"]


def test_a_topic_that_alarms_and_workflows_cannot_publish_to_is_found(tmp_path: Path) -> None:
    open_to_both = "cloudwatch.amazonaws.com events.amazonaws.com"
    assert [level for level, _ in of_topic(tmp_path)] == [Level.BAD]
    assert {level for level, _ in of_topic(tmp_path, Policy=open_to_both)} == {Level.GOOD}
    (_, (level, text)) = of_topic(tmp_path, Policy="events.amazonaws.com")
    assert (level, "does not let cloudwatch.amazonaws.com publish" in text) == (Level.BAD, True)
    encrypted = of_topic(tmp_path, Policy=open_to_both, KmsMasterKeyId="alias/aws/sns")
    assert encrypted[-1][0] is Level.BAD


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ([], Level.BAD),
        ([{"status": "ACTIVE", "capacityProviders": ["FARGATE"]}], Level.BAD),
        ([{"status": "ACTIVE", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}], Level.GOOD),
    ],
    ids=["none", "no Spot", "both"],
)
def test_a_given_cluster_must_be_there_with_spot(
    tmp_path: Path, found: list[dict[str, Any]], level: Level
) -> None:
    ecs = Calls(describe_clusters=lambda **_: {"clusters": found})
    platform = Platform(mail="a@b.example", cluster="jobs")
    told = findings(account(ecs=ecs), tmp_path, platform=platform)
    (one,) = (one for one in told if one.about == "capacity")
    assert one.level is level


@pytest.mark.parametrize(("name", "level"), [("/a", Level.GOOD), ("/a/b", Level.BAD)])
def test_a_given_log_group_must_be_there(tmp_path: Path, name: str, level: Level) -> None:
    logs = Calls(describe_log_groups=lambda **_: {"logGroups": [{"logGroupName": name}]})
    told = findings(account(logs=logs), tmp_path, log_group="/a")
    (one,) = (one for one in told if one.about == "night: logs")
    assert one.level is level


# --- bucket, and a prefix in it -----------------------------------------------------------------

IN_BUCKET = parse(
    f'{HOME}bucket = "company"\nbucket_prefix = "team/steadyspot"\n{JOB}'
    'after = "noon"\n[jobs.noon]\nimage = "x:1"\n'
)


def test_all_that_jobs_reach_in_a_given_bucket_lies_below_its_prefix() -> None:
    given = platform_resources(IN_BUCKET)
    assert {"Bucket", "BucketPolicy"}.isdisjoint(given)
    for policy in ("WorkerPolicy", "WorkflowPolicy"):
        places = re.findall(r":s3:::([^\"]+)", json.dumps(given[policy]))
        assert places
        assert all(one.startswith("company/team/steadyspot/") for one in places)


def test_definitions_lie_below_the_prefix_and_who_deploys_may_put_them_there_alone() -> None:
    machine = job_resources(IN_BUCKET, "night")["StateMachine"]["Properties"]
    location = machine["DefinitionS3Location"]
    assert location["Key"].startswith("team/steadyspot/definitions/")
    assert location["Bucket"]["Fn::Select"][0] == 0
    deploys = json.dumps(policy_for(Purpose.DEPLOY, IN_BUCKET.platform))
    assert "arn:aws:s3:::company/team/steadyspot/definitions/*" in deploys
    assert "bucket-" not in deploys


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (f'[platform]\nbucket_prefix = "a"\n{JOB}', "bucket_prefix needs platform.bucket"),
        (
            f'[platform]\nbucket = "company"\nkeep_outputs_days = 30\n{JOB}',
            "platform.keep_outputs_days is a rule of the bucket that is made",
        ),
        (f'[platform]\nbucket = "company"\nbucket_prefix = "a/../b"\n{JOB}', "without a slash at"),
    ],
    ids=["prefix alone", "rules", "dots"],
)
def test_what_a_given_bucket_cannot_have_is_a_sentence(file: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(file)


@pytest.mark.parametrize(
    ("location", "rules", "levels"),
    [
        (None, [], [Level.BAD]),
        ("eu-west-1", [], [Level.BAD, Level.NOTE]),
        ("eu-central-1", [], [Level.GOOD, Level.NOTE]),
        ("eu-central-1", [7], [Level.GOOD, Level.BAD]),
        ("eu-central-1", [15], [Level.GOOD, Level.GOOD]),
    ],
    ids=["none", "elsewhere", "no rules", "early", "well"],
)
def test_a_given_bucket_is_looked_at(
    tmp_path: Path, location: str | None, rules: list[int], levels: list[Level]
) -> None:
    def get_bucket_location(**_: Any) -> Any:
        if location is None:
            raise refusal("NoSuchBucket")
        return {"LocationConstraint": location}

    def get_bucket_lifecycle_configuration(**_: Any) -> Any:
        if not rules:
            raise refusal("NoSuchLifecycleConfiguration")
        aborts = ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": n}} for n in rules)
        return {"Rules": [{"Status": "Enabled", **one} for one in aborts]}

    s3 = Calls(
        get_bucket_location=get_bucket_location,
        get_bucket_lifecycle_configuration=get_bucket_lifecycle_configuration,
    )
    platform = Platform(mail="a@b.example", bucket="company")
    told = findings(account(s3=s3), tmp_path, platform=platform)
    assert [one.level for one in told if one.about == "bucket"] == levels
