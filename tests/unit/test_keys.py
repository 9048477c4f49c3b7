"""One customer key: what it encrypts in the two templates, who may use it, what its policy says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from steadyspot.deploy.checks.findings import Level
from steadyspot.deploy.cli.main import main
from steadyspot.deploy.stacks.config import ConfigError, Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.keys import key_policy
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from tests.unit.deploy.fakes import Calls, refusal
from tests.unit.deploy.test_checks import account, findings
from tests.unit.resolving import job_resources, platform_resources
from tests.unit.templates import ROLES, TEMPLATES

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000"
JOB = '[jobs.night]\nimage = "x:1"\nschedule = "cron(0 2 * * ? *)"\nmissed = "auto"\n'
PLAIN = parse(JOB)
WITH_KEY = parse(f'[platform]\nkey = "{KEY}"\n{JOB}')
ENCRYPTED = parse(f'[platform]\nkey = "{KEY}"\n{JOB}encrypt_history = true\n')

PLACES = {
    "AWS::S3::Bucket": ("BucketEncryption",),
    "AWS::DynamoDB::Table": ("SSESpecification",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::ECR::Repository": ("EncryptionConfiguration",),
    "AWS::StepFunctions::StateMachine": ("EncryptionConfiguration",),
}
"""Where each type of resource that keeps something names the key that it is encrypted with."""


def keyed(resources: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """Whether each resource that keeps something names the key."""
    return {
        name: KEY in json.dumps([body["Properties"].get(place) for place in PLACES[body["Type"]]])
        for name, body in resources.items()
        if body["Type"] in PLACES
    }


def test_the_key_encrypts_all_that_the_platform_and_its_jobs_keep() -> None:
    found = keyed(platform_resources(WITH_KEY))
    assert set(found) >= {"Bucket", "RunTable", "Topic", "Nobody", "MachinesLog", "Repository"}
    assert all(found.values())
    of_job = keyed(job_resources(WITH_KEY))
    assert {name for name, is_keyed in of_job.items() if is_keyed} == {"Queue", "Log", "StatesLog"}


def test_without_a_key_nothing_names_one_and_queues_have_that_of_sqs() -> None:
    for resources in (platform_resources(PLAIN), job_resources(PLAIN)):
        assert not any(keyed(resources).values())
        queues = [one for one in resources.values() if one["Type"] == "AWS::SQS::Queue"]
        assert [one["Properties"]["SqsManagedSseEnabled"] for one in queues] == [True]


def test_a_workflow_s_history_is_encrypted_where_the_job_says_so() -> None:
    machines = {
        name: body["Properties"]["EncryptionConfiguration"]
        for name, body in job_resources(ENCRYPTED).items()
        if body["Type"] == "AWS::StepFunctions::StateMachine"
    }
    assert {"StateMachine", "AtTheDeadline", "AfterTheEnd", "AfterItsTime"} <= set(machines)
    expected = {"Type": "CUSTOMER_MANAGED_KMS_KEY", "KmsKeyId": KEY}
    assert all(one == expected for one in machines.values())


def test_every_role_but_the_one_that_only_starts_may_use_the_key_by_way_of_services() -> None:
    having = {
        name
        for resources in (platform_resources(WITH_KEY), job_resources(WITH_KEY))
        for name, body in resources.items()
        if "KeyPolicy" in json.dumps(body.get("Properties", {}).get("ManagedPolicyArns", ()))
    }
    assert having == set(ROLES) - {"RuleRole", "ExecutionRole"}
    document = platform_resources(WITH_KEY)["KeyPolicy"]["Properties"]["PolicyDocument"]
    for statement in document["Statement"]:
        assert statement["Resource"] == KEY
        assert statement["Condition"]
        assert "kms:*" not in statement["Action"]
    assert "KeyPolicy" not in platform_resources(PLAIN)
    assert not [name for name, body in job_resources(PLAIN).items() if "KeyPolicy" in str(body)]


def test_a_workflow_s_role_decrypts_the_history_of_its_own_job_alone() -> None:
    """No job's name has capitals, so that what stands behind the hyphen is no other job's."""
    document = platform_resources(WITH_KEY)["KeyPolicy"]["Properties"]["PolicyDocument"]
    own = next(one for one in document["Statement"] if one["Sid"] == "OwnHistory")
    (names,) = own["Condition"]["StringLike"].values()
    ends = [one["Fn::Sub"].rpartition(":stateMachine:")[2] for one in names]
    job = "${AWS::StackName}-${!aws:PrincipalTag/Job}"
    assert ends == [job, f"{job}-A*"]
    tags = {tag["Key"]: tag["Value"] for tag in ROLES["BeforeTheStartRole"]["Tags"]}
    machine = TEMPLATES["platform"]["Resources"]["BeforeTheStart"]["Properties"]
    name = machine["StateMachineName"]["Fn::Sub"]
    assert name == f"${{AWS::StackName}}-{tags['Job']}"


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (
            f'[platform]\nkey = "arn:aws:kms:eu-central-1:123456789012:alias/all"\n{JOB}',
            "IAM and CloudWatch Logs take no alias",
        ),
        (
            f'[platform]\nregion = "us-east-1"\nkey = "{KEY}"\n{JOB}',
            "platform.key lies in eu-central-1, but platform.region is us-east-1",
        ),
        (f"{JOB}encrypt_history = true", "jobs.night.encrypt_history needs platform.key"),
        (
            f'[platform]\nkey = "{KEY}"\n{JOB}encrypt_history = true\nfinish_within_minutes = 90',
            "encrypt_history can't be together with finish_within_minutes",
        ),
        (
            f'[platform]\nkey = "{KEY}"\n[jobs.night]\nimage = "x:1"\nmissed = 26\n'
            "encrypt_history = true",
            "can't be together with hours in missed",
        ),
        (
            f'[platform]\nkey = "{KEY}"\n{JOB}encrypt_history = true\n'
            '[jobs.later]\nimage = "x:1"\nafter = "night"',
            "jobs.later.after can't name night, which has encrypt_history",
        ),
    ],
    ids=["alias", "region", "no key", "deadline", "missed", "after"],
)
def test_what_a_key_cannot_do_is_a_sentence(file: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(file)


POLICY = key_policy(Platform(key=KEY))


def of_key(tmp_path: Path, policy: Any = POLICY, **meta: str) -> list[tuple[Level, str, str]]:
    """What is found of a key with a policy, or whose policy is refused with a code."""
    shown = {"KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}

    def get_key_policy(**_: Any) -> dict[str, str]:
        if isinstance(policy, str):
            raise refusal(policy)
        return {"Policy": json.dumps(policy)}

    kms = Calls(
        describe_key=lambda **_: {"KeyMetadata": {**shown, **meta}}, get_key_policy=get_key_policy
    )
    found = findings(account(kms=kms), tmp_path, platform=Platform(mail="a@b.example", key=KEY))
    return [(one.level, one.text, one.what_to_do) for one in found if one.about == "key"]


def test_a_key_whose_policy_is_the_one_that_is_printed_is_good(tmp_path: Path) -> None:
    assert {level for level, _, _ in of_key(tmp_path)} == {Level.GOOD}


@pytest.mark.parametrize("missing", [one["Sid"] for one in POLICY["Statement"]])
def test_whom_the_policy_of_a_key_keeps_out_is_named(tmp_path: Path, missing: str) -> None:
    (gone,) = (one for one in POLICY["Statement"] if one["Sid"] == missing)
    rest = [one for one in POLICY["Statement"] if one is not gone]
    *_, (level, text, mend) = of_key(tmp_path, {**POLICY, "Statement": rest})
    (principals,) = gone["Principal"].values()
    assert level is Level.BAD
    assert all(one in text for one in ([principals] if isinstance(principals, str) else principals))
    assert "steadyspot permissions key" in mend


def test_a_policy_that_cannot_be_read_is_not_known_and_a_key_that_rests_is_bad(
    tmp_path: Path,
) -> None:
    *_, (level, text, mend) = of_key(tmp_path, "AccessDeniedException")
    assert (level, "it is not known whether" in text) == (Level.NOTE, True)
    assert "steadyspot permissions key" in mend
    levels = [level for level, _, _ in of_key(tmp_path, KeyState="Disabled")]
    assert Level.BAD in levels


@pytest.mark.parametrize("purpose", Purpose)
def test_people_use_the_key_by_way_of_services_alone(purpose: Purpose) -> None:
    given = policy_for(purpose, Platform(key=KEY))["Statement"]
    of_key = [one for one in given if one["Resource"] == [KEY]]
    assert of_key
    assert all("kms:ViaService" in json.dumps(one["Condition"]) for one in of_key)
    grants = [one for one in of_key if "kms:CreateGrant" in one["Action"]]
    assert bool(grants) is (purpose in (Purpose.DEPLOY, Purpose.STACKS))


@pytest.mark.parametrize("purpose", ["key", "stacks", "deploy", "operate", "read"])
def test_permissions_prints_a_policy_for_a_purpose_or_for_the_key(
    tmp_path: Path, purpose: str
) -> None:
    file = tmp_path / "steadyspot.toml"
    file.write_text(f'[platform]\nkey = "{KEY}"\n{JOB}')
    shown = CliRunner().invoke(main, ["permissions", purpose, "--config", str(file)])
    assert shown.exit_code == 0, shown.output
    policy = json.loads(shown.output)
    assert policy["Statement"]
    assert (policy == POLICY) is (purpose == "key")
