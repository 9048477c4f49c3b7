"""Stacks of somebody else beside ours, in the places where a name leads to them: none is touched.

Each attack is a stack that is there before the verbs come, or something that was put into ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.marks import TAG, Mark, with_mark
from steadyspot.deploy.stacks.templates import platform_template
from tests.local.runs import NEVER_MEANWHILE, ROOT
from tests.local.shop import Shop

NETWORK = """
Parameters: {Platform: {Type: String, Default: cli}, Job: {Type: String, Default: night}}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.9.0.0/16}}
  Queue: {Type: AWS::SQS::Queue}
"""
"""Somebody's network, with the logical ids and parameters that ours have, too."""


@pytest.fixture(scope="module")
def account(local_aws: LocalAws) -> Any:
    return local_aws.session().client("cloudformation")


@pytest.fixture
def theirs(account: Any) -> Iterator[Any]:
    """Makes stacks of somebody else, and removes them in the end."""
    made: list[str] = []

    def make(name: str, template: str = NETWORK, tag: str = "") -> Any:
        tags = [{"Key": TAG, "Value": tag}] if tag else []
        account.create_stack(
            StackName=name, TemplateBody=template, Tags=tags, Capabilities=["CAPABILITY_IAM"]
        )
        made.append(name)
        return seen(account, name)

    yield make
    for name in made:
        account.delete_stack(StackName=name)


def seen(account: Any, name: str) -> Any:
    """A stack as it is: its state, what it is made of, its tags and its template."""
    (stack,) = account.describe_stacks(StackName=name)["Stacks"]
    resources = account.list_stack_resources(StackName=name)["StackResourceSummaries"]
    made = sorted((one["LogicalResourceId"], one["PhysicalResourceId"]) for one in resources)
    body = account.get_template(StackName=name)["TemplateBody"]
    return stack["StackId"], stack["StackStatus"], made, stack["Tags"], json.dumps(body)


@pytest.fixture
def net(tmp_path: Any, local_aws: LocalAws) -> Shop:
    """A configuration whose platform is called as somebody's stack is."""
    shop = Shop(tmp_path, local_aws)
    shop.write('name = "cli"', 'name = "net"')
    return shop


COPIED = with_mark(NETWORK, Mark("net"))
FOREIGN = {
    "neither tag nor metadata": (NETWORK, ""),
    "the tag, but no metadata": (NETWORK, "net"),
    "the metadata, but no tag": (COPIED, ""),
    "the mark of another platform": (with_mark(NETWORK, Mark("shop")), "shop"),
    "the mark of a job": (with_mark(NETWORK, Mark("n", "et")), "n/et"),
    "the tag of another": (COPIED, "shop"),
    "metadata that is no mapping": (f"Metadata: {{Steadyspot: [net]}}\n{NETWORK}", "net"),
    "metadata that is empty": (f"Metadata: {{Steadyspot: {{}}}}\n{NETWORK}", "net"),
}


@pytest.mark.parametrize(("template", "tag"), FOREIGN.values(), ids=FOREIGN.keys())
def test_no_verb_touches_a_stack_that_does_not_bear_the_mark(
    net: Shop, theirs: Any, account: Any, template: str, tag: str
) -> None:
    before = theirs("net", template, tag)
    for words in (
        ("up", "--yes"),
        ("up", "--json"),
        ("diff",),
        ("down", "--yes", "--delete-data"),
    ):
        assert "The stack net is not this platform's" in net.verb(*words, code=1)
    for words in (("down", "night", "--yes"), ("drill", "bad-image", "--yes"), ("run",)):
        net.verb(*words, code=0 if words[0] == "down" else 1)
    findings = [one for one in net.json("check", code=1) if one["level"] == "BAD"]
    assert [one["about"] for one in findings] == ["stacks"]
    assert "another name" in findings[0]["what_to_do"]
    assert seen(account, "net") == before


@pytest.mark.parametrize("tag", ["", "cli/report"], ids=["no tag", "the tag of a job"])
def test_parameters_of_ours_do_not_make_a_strangers_stack_a_job(
    shop: Shop, theirs: Any, account: Any, tag: str
) -> None:
    before = theirs("cli-report", NETWORK, tag)
    elsewhere = theirs("their-report", with_mark(NETWORK, Mark("cli", "report")), "cli/report")
    assert shop.target.stacks.of_platform() == ["cli-night"]
    shop.write("[jobs.night]", "[jobs.report]")
    try:
        said = shop.verb("up", "--yes", code=1)
        assert "The stack cli-report is not this platform's" in said
        assert "The stack cli-report is not" in shop.verb("down", "report", "--yes", code=1)
    finally:
        shop.write()
    assert (seen(account, "cli-report"), seen(account, "their-report")) == (before, elsewhere)


def test_two_platforms_whose_names_can_meet_are_refused(
    shop: Shop, account: Any, tmp_path: Any, local_aws: LocalAws
) -> None:
    before = seen(account, "cli"), seen(account, "cli-night")
    for name in ("cli-night", "cli-eu"):
        (tmp_path / name).mkdir()
        other = Shop(tmp_path / name, local_aws)
        other.write('name = "cli"', f'name = "{name}"')
        said = other.verb("up", "--yes", code=1)
        assert "cli-night is not this" in said or "stacks of the same name" in said
        assert any(one["level"] == "BAD" for one in other.json("check", code=1))
        if name == "cli-night":
            other.verb("down", "--yes", code=1)
    assert (seen(account, "cli"), seen(account, "cli-night")) == before
    with pytest.raises(Exception, match="does not exist"):
        account.describe_stacks(StackName="cli-eu")


def test_a_change_set_of_somebody_else_is_left_to_them(net: Shop, account: Any) -> None:
    account.create_change_set(
        StackName="net", ChangeSetName="theirs", ChangeSetType="CREATE", TemplateBody=NETWORK
    )
    try:
        for verb in ("diff", "up"):
            assert "The stack net is not" in net.verb(verb, code=1)
        there = account.list_change_sets(StackName="net")["Summaries"]
        assert [one["ChangeSetName"] for one in there] == ["theirs"]
    finally:
        account.delete_stack(StackName="net")
    net.verb("diff")
    with pytest.raises(ClientError, match="does not exist"):
        account.describe_stacks(StackName="net")


def test_a_stack_without_the_mark_is_adopted_as_the_readme_says_and_changed_in_place(
    tmp_path: Any, local_aws: LocalAws, account: Any
) -> None:
    mine = Shop(tmp_path, local_aws)
    mine.write('name = "cli"', 'name = "early"')
    account.create_stack(
        StackName="early",
        TemplateBody=f"Metadata:\n  Early: {{}}\n{platform_template().text}",
        Capabilities=["CAPABILITY_IAM"],
    )
    kept = dict(seen(account, "early")[2])
    said = " ".join(mine.verb("up", "--yes", code=1).split())
    assert "adopt it as docs/how-to/deploy.md says" in said
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    line = re.search(r"a\\(  Steadyspot: .*)' mine.yaml", page)
    assert line
    text = account.get_template(StackName="early")["TemplateBody"]
    marked = line[1].replace('"Platform": "steadyspot"', '"Platform": "early"')
    account.create_change_set(
        StackName="early",
        ChangeSetName="adopted",
        ChangeSetType="UPDATE",
        TemplateBody=re.sub("^Metadata:$", f"Metadata:\n{marked}", text, flags=re.M),
        Tags=[{"Key": TAG, "Value": "early"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    account.execute_change_set(StackName="early", ChangeSetName="adopted")
    mine.verb("up", "--yes")
    now = dict(seen(account, "early")[2])
    for name in ("Bucket", "RunTable", "Cluster", "Vpc", "Topic", "WorkerPolicy"):
        assert now[name] == kept[name]
    mine.verb("down", "--yes", "--delete-data")


def test_what_somebody_put_into_our_stack_goes_only_if_a_person_says_so(
    shop: Shop, account: Any
) -> None:
    text = account.get_template(StackName="cli-night")["TemplateBody"]
    assert "  Schedule:\n" in text
    theirs = "  Theirs: {Type: AWS::SQS::Queue}\n"
    with_theirs = text.replace("\nResources:\n", f"\nResources:\n{theirs}")
    parameters = [
        {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
        for one in account.describe_stacks(StackName="cli-night")["Stacks"][0]["Parameters"]
    ]

    def change(template: str) -> None:
        account.update_stack(
            StackName="cli-night",
            TemplateBody=template,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )

    change(with_theirs)
    try:
        before = seen(account, "cli-night")
        assert "remove  Theirs" in shop.verb("diff")
        for words in (("up", "--yes"), ("up", "--json"), ("down", "--yes"), ("down", "--json")):
            said = shop.verb(*words, code=1)
            assert "Theirs" in said
            assert "--yes" in said
        assert seen(account, "cli-night") == before
    finally:
        change(text)
    assert "nothing to change" in shop.verb("diff").split("cli-night")[1]


def test_what_the_last_template_of_ours_held_goes_without_a_question(
    shop: Shop, account: Any
) -> None:
    shop.write(f'schedule = "{NEVER_MEANWHILE}"', "")
    try:
        shop.verb("up", "--yes")
        resources = account.list_stack_resources(StackName="cli-night")["StackResourceSummaries"]
        assert "Schedule" not in {one["LogicalResourceId"] for one in resources}
    finally:
        shop.write()
        shop.verb("up", "--yes")


def test_down_leaves_a_strangers_task_definitions_alone(tmp_path: Any, local_aws: LocalAws) -> None:
    other = Shop(tmp_path, local_aws)
    other.write('name = "cli"', 'name = "fam"')
    ecs = other.target.client("ecs")
    theirs = ecs.register_task_definition(
        family="fam-night",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": "theirs"}],
    )["taskDefinition"]["taskDefinitionArn"]
    other.verb("up", "--yes")
    other.verb("down", "--yes", "--delete-data")
    shown = ecs.describe_task_definition(taskDefinition=theirs)["taskDefinition"]
    assert shown["status"] == "ACTIVE"
    ecs.deregister_task_definition(taskDefinition=theirs)


def test_the_mark_stands_in_tag_and_template_with_platform_and_job(
    shop: Shop, account: Any
) -> None:
    for stack, mark in (("cli", Mark("cli")), ("cli-night", Mark("cli", "night"))):
        assert {"Key": TAG, "Value": mark.tag} in seen(account, stack)[3]
        text = account.get_template(StackName=stack)["TemplateBody"]
        line = next(line for line in text.splitlines() if line.startswith("  Steadyspot: "))
        said = yaml.safe_load(line)["Steadyspot"]
        assert (said["Platform"], said["Job"]) == (mark.platform, mark.job)
    assert len(with_mark(platform_template().text, Mark("p" * 32)).encode()) < 51_200
