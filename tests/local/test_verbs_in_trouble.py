"""Accounts in trouble, met as a user meets them: a sentence, a next step, an exit code.

Every verb is called against an endpoint that answers as AWS would; nothing of ours is replaced.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from click.testing import CliRunner, Result

from steadyspot.deploy.aws.refusals import trouble_of
from steadyspot.deploy.aws.sessions import PATIENCE, Patience
from steadyspot.deploy.cli.main import main
from steadyspot.deploy.stacks.config import Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.parameters import of_platform
from steadyspot.deploy.stacks.templates import platform_template
from steadyspot.deploy.target import on_aws
from tests.local.answers import Refuse, answering, page, silence
from tests.local.runs import ROOT
from tests.unit.deploy.fakes import CloudFormation, refusal

CONFIG = '[platform]\nname = "shop"\n[jobs.night]\nimage = "night:1"\nschedule = "rate(1 hour)"\n'
VERBS = (
    ["check"],
    ["diff"],
    ["up", "--yes"],
    ["run"],
    ["watch"],
    ["logs"],
    ["runs"],
    ["explain"],
    ["drill", "interrupt", "--yes"],
    ["redrive"],
    ["redrive", "--from", "2026-01-01"],
    ["cost"],
    ["down", "--yes"],
)


def environment(folder: Path, endpoint: str) -> dict[str, str | None]:
    return {
        **dict.fromkeys((name for name in os.environ if name.startswith("AWS_")), None),
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ENDPOINT_URL": endpoint,
    }


def steadyspot(folder: Path, endpoint: str, *words: str, **more: str) -> Result:
    (folder / "steadyspot.toml").write_text(CONFIG)
    arguments = [*words, "--config", str(folder / "steadyspot.toml")]
    return CliRunner(env={**environment(folder, endpoint), **more}).invoke(main, arguments)


def said(result: Result) -> str:
    """What was printed; that it ended as a user's error must."""
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == 1, result.output
    text = " ".join(result.output.split())
    assert "Error: " in text or '{"error": {"what": ' in text
    return text


EXPIRED = ("ExpiredToken", "The security token is expired", "have expired", "Sign in again")
THROTTLED = ("Throttling", "Rate exceeded", "throttled", "Wait a minute")


@pytest.mark.parametrize(
    ("verb", "code", "message", "what", "step"),
    [
        *((verb, *EXPIRED) for verb in VERBS),
        *((verb, *THROTTLED) for verb in VERBS),
        (["up"], "InvalidClientTokenId", "The token is invalid", "does not know", "--profile"),
        (["up"], "OptInRequired", "You are not subscribed", "not enabled", "--region"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_account_that_answers_nothing_else_ends_every_verb_in_two_sentences(
    tmp_path: Path, verb: list[str], code: str, message: str, what: str, step: str
) -> None:
    with answering(Refuse(code, message)) as endpoint:
        text = said(steadyspot(tmp_path, endpoint, *verb))
    assert what in text
    assert step in text


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_region_that_does_not_answer_ends_every_verb_in_two_sentences(
    tmp_path: Path, verb: list[str]
) -> None:
    text = said(steadyspot(tmp_path, "http://127.0.0.1:9", *verb))
    assert "Could not connect" in text
    assert "region's name" in text


@pytest.mark.parametrize("status", [200, 302, 403, 407, 502])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_page_in_place_of_aws_ends_every_verb_in_two_sentences(
    tmp_path: Path, verb: list[str], status: int
) -> None:
    with page(status) as endpoint:
        text = said(steadyspot(tmp_path, endpoint, *verb))
    assert "What answered was not AWS" in text
    assert "Sign in" in text


@pytest.mark.parametrize("service", ["cloudformation", "stepfunctions", "s3"])
def test_an_endpoint_that_never_answers_is_asked_once_and_told_in_two_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    patience = Patience(connect_seconds=0.3, answer_seconds=0.3)
    with silence() as (endpoint, connections):
        for name, value in environment(tmp_path, endpoint).items():
            if value is None or name == "AWS_MAX_ATTEMPTS":
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        target = on_aws(parse(CONFIG), None, None, patience)
        calls = {
            "cloudformation": lambda client: client.describe_stacks(),
            "stepfunctions": lambda client: client.list_state_machines(),
            "s3": lambda client: client.list_buckets(),
        }
        with pytest.raises(ReadTimeoutError) as missed:
            calls[service](target.client(service))
        assert connections() == 1  # botocore would have tried five times, with pauses
    trouble = trouble_of(missed.value)
    assert trouble is not None
    assert "AWS did not answer in time" in trouble.what
    assert "VPN" in trouble.what_to_do


def test_nobody_waits_longer_than_twenty_seconds_for_a_first_answer() -> None:
    assert PATIENCE.connect_seconds <= PATIENCE.answer_seconds < 20


NEED_A_STACK = [verb for verb in VERBS if verb[0] not in ("check", "diff", "up", "down")]


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        *((verb, "ROLLBACK_FAILED") for verb in NEED_A_STACK),
        (["run"], "DELETE_FAILED"),
        (["run"], "CREATE_IN_PROGRESS"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_stack_that_is_not_whole_is_named_with_its_state(
    tmp_path: Path, verb: list[str], state: str
) -> None:
    with answering(Refuse("AccessDenied"), cloudformation=CloudFormation(state)) as endpoint:
        text = said(steadyspot(tmp_path, endpoint, *verb))
    assert f"is {state}" in text
    assert "steadyspot up" in text


def failed(status: str, resource: str, kind: str, reason: str) -> dict[str, str]:
    return {
        "LogicalResourceId": resource,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


CREATED, DELETED = "CREATE_FAILED", "DELETE_FAILED"


@pytest.mark.parametrize(
    ("states", "event", "step"),
    [
        (
            ("", "", "", "ROLLBACK_COMPLETE"),
            (CREATED, "Vpc", "AWS::EC2::VPC", "The maximum number of VPCs has been reached."),
            "Service Quotas",
        ),
        (
            ("", "", "", "ROLLBACK_COMPLETE"),
            (CREATED, "SecurityGroup", "AWS::EC2::SecurityGroup", "No default VPC for this user"),
            "without vpc and subnets a network is made",
        ),
        (
            ("ROLLBACK_FAILED",),
            (DELETED, "Cluster", "AWS::ECS::Cluster", "The Cluster is in use by tasks"),
            "Remove what still uses it",
        ),
        (
            ("DELETE_FAILED",),
            (DELETED, "Bucket", "AWS::S3::Bucket", "The bucket you tried to delete is not empty"),
            "Empty it yourself",
        ),
    ],
    ids=["quota", "no default VPC", "ROLLBACK_FAILED", "DELETE_FAILED, bucket not empty"],
)
def test_up_names_the_resource_the_reason_and_the_next_step(
    tmp_path: Path, states: tuple[str, ...], event: tuple[str, str, str, str], step: str
) -> None:
    cloudformation = CloudFormation(*states, events=[failed(*event)])
    with answering(Refuse("AccessDenied"), cloudformation=cloudformation) as endpoint:
        text = said(steadyspot(tmp_path, endpoint, "up", "--yes"))
    assert f"because of {event[1]} ({event[2]}): {event[3].rstrip('.')}" in text
    assert step in text
    assert "run the same command again" in text


def test_a_stack_that_somebody_else_changes_gives_a_sentence(tmp_path: Path) -> None:
    class Busy(CloudFormation):
        def create_change_set(self, **_: Any) -> None:
            raise refusal("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be")

    with answering(Refuse("AccessDenied"), cloudformation=Busy("UPDATE_COMPLETE")) as endpoint:
        text = said(steadyspot(tmp_path, endpoint, "up", "--yes"))
    assert "Somebody else is changing the stack shop" in text


def platform_up(**more: Any) -> CloudFormation:
    """The platform's stack, as the configuration wants it."""
    template = platform_template().text
    parameters = {**of_platform(Platform("shop")), "Days": "30"}
    return CloudFormation("UPDATE_COMPLETE", parameters=parameters, template=template, **more)


def engine(folder: Path, architecture: str) -> str:
    """A folder with a container engine that has one image, of this architecture."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    image = {"Id": "sha256:0a", "Architecture": architecture, "Config": {}}
    inspected = json.dumps([image])
    program.write_text(f"#!/bin/sh\n[ \"$2\" = ls ] && echo x || echo '{inspected}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def test_an_image_for_the_wrong_architecture_is_refused_before_anything_is_pushed(
    tmp_path: Path,
) -> None:
    with answering(Refuse("AccessDenied"), cloudformation=platform_up()) as endpoint:
        path = engine(tmp_path, "arm64")
        text = said(steadyspot(tmp_path, endpoint, "up", "--yes", PATH=path))
    assert "is for arm64, but night runs on x86_64" in text
    assert "--platform linux/amd64" in text


def test_what_was_done_before_a_failure_is_in_the_json(tmp_path: Path) -> None:
    with answering(Refuse("AccessDenied"), cloudformation=platform_up()) as endpoint:
        path = engine(tmp_path, "arm64")
        result = steadyspot(tmp_path, endpoint, "up", "--json", PATH=path)
    said(result)
    told = json.loads(result.stdout)
    assert told == {"stacks": [{"stack": "shop", "changed": False}], "whole": False}


class Emptied:
    """S3, where somebody writes while the bucket is emptied."""

    def get_bucket(self) -> dict[str, Any]:
        return {}

    def delete_bucket(self) -> None:
        raise refusal("BucketNotEmpty", "The bucket you tried to delete is not empty")


class Doomed(CloudFormation):
    """A platform whose stack goes, with a bucket that was retained."""

    def list_stack_resources(self, **_: Any) -> dict[str, Any]:
        bucket = {
            "LogicalResourceId": "Bucket",
            "PhysicalResourceId": "shop-bucket",
            "ResourceType": "AWS::S3::Bucket",
            "ResourceStatus": "CREATE_COMPLETE",
        }
        return {"StackResourceSummaries": [bucket]}

    def describe_stacks(self, StackName: str = "shop") -> dict[str, Any]:  # noqa: N803
        self.states = ["" if self.deleted else "UPDATE_COMPLETE"]
        return super().describe_stacks(StackName)


class NoTasks:
    def list_task_definitions(self, **_: Any) -> dict[str, Any]:
        return {"taskDefinitionArns": []}


@pytest.mark.parametrize("machine", [False, True], ids=["for people", "for machines"])
def test_a_bucket_that_is_not_empty_is_named_and_what_is_gone_is_told(
    tmp_path: Path, machine: bool
) -> None:
    with answering(
        Refuse("AccessDenied"), cloudformation=Doomed(""), s3=Emptied(), ecs=NoTasks()
    ) as endpoint:
        words = ["down", "--yes", "--delete-data", *(["--json"] if machine else [])]
        result = steadyspot(tmp_path, endpoint, *words)
    text = said(result)
    assert "The bucket is not empty" in text
    assert "run the same command again" in text
    if machine:
        told = json.loads(result.stdout)
        assert (told["removed"], told["whole"]) == (["shop"], False)
        assert [kept["name"] for kept in told["kept"]] == ["shop-bucket"]
    else:
        assert "removed" in text


class Slow(CloudFormation):
    """A stack whose change is under way while Ctrl-C is pressed, and done at the next command."""

    def __init__(self) -> None:
        super().__init__("UPDATE_COMPLETE")
        self.looks = 0
        self.met = threading.Event()

    def describe_stacks(self, StackName: str = "") -> dict[str, Any]:  # noqa: N803
        if "execute_change_set" in self.calls:
            self.looks += 1
            self.states = ["UPDATE_IN_PROGRESS" if self.looks < 3 else "UPDATE_COMPLETE"]
            self.met.set()
        return super().describe_stacks(StackName)


def test_ctrl_c_leaves_a_stack_that_the_next_up_waits_for_and_continues(tmp_path: Path) -> None:
    (tmp_path / "steadyspot.toml").write_text(CONFIG)
    slow = Slow()
    with answering(Refuse("AccessDenied"), cloudformation=slow) as endpoint:
        set_up = environment(tmp_path, endpoint)
        process = subprocess.Popen(
            [sys.executable, "-m", "steadyspot", "up", "--yes"],
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if k not in set_up},
                **{k: v for k, v in set_up.items() if v is not None},
                "PYTHONPATH": str(ROOT),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert slow.met.wait(60)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Stopped by Ctrl-C. What AWS was told goes on" in " ".join(output.split())
        assert "Traceback" not in output
        assert "delete_stack" not in slow.calls
        again = said(steadyspot(tmp_path, endpoint, "up", "--yes"))
    assert slow.looks >= 3
    assert "up to date" in again  # The platform; that its job may not be looked at is its error.


class Expiring(Slow):
    """A stack whose change goes on while the credentials of who follows it expire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__()
        self.refuses: ClientError | None = refusal(code, message, "DescribeStackEvents")

    def describe_stack_events(self, **request: Any) -> dict[str, Any]:
        if self.refuses and self.looks:
            raise self.refuses
        return super().describe_stack_events(**request)


@pytest.mark.parametrize(
    ("code", "message", "what", "step"), [EXPIRED, THROTTLED], ids=["expired", "throttled"]
)
def test_who_can_follow_a_change_no_longer_is_told_that_it_goes_on_and_the_next_up_continues(
    tmp_path: Path, code: str, message: str, what: str, step: str
) -> None:
    expiring = Expiring(code, message)
    with answering(Refuse("AccessDenied"), cloudformation=expiring) as endpoint:
        result = steadyspot(tmp_path, endpoint, "up", "--yes", "--json")
        text = said(result)
        assert what in text
        assert "the stack shop goes on" in text
        assert step in text
        told = json.loads(result.stdout.splitlines()[0])
        assert told == {"stacks": [], "whole": False}
        assert not {"delete_stack", "cancel_update_stack"} & set(expiring.calls)
        expiring.refuses = None
        again = said(steadyspot(tmp_path, endpoint, "up", "--yes"))
    assert expiring.calls.count("execute_change_set") == 2
    assert "up to date" in again  # The platform; that its job may not be looked at is its error.


def test_a_region_without_the_platform_is_named(tmp_path: Path) -> None:
    with answering(Refuse("AccessDenied"), cloudformation=CloudFormation("")) as endpoint:
        text = said(steadyspot(tmp_path, endpoint, "run", "--region", "eu-west-1"))
    assert "There is no stack shop-night in eu-west-1" in text
    assert "--region" in text
