"""What `up --plan` has shown is what `up FILE` makes, and nothing else, on the embedded AWS."""

from __future__ import annotations

import json
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.cli.screen import silent
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.up import bring, stack_of
from tests.local.runs import ROOT
from tests.local.shop import Shop

LATER = ("expected_minutes = 1\n", "expected_minutes = 2\n")


@pytest.fixture
def changed(shop: Shop) -> Iterator[Path]:
    """A plan for a change of the job's stack, made; the configuration is as before again."""
    path = shop.folder / "night.plan.json"
    shop.write(*LATER)
    shop.verb("up", "--plan", str(path))
    yield path
    path.unlink()
    shop.write()
    shop.verb("up", "--yes")


def expected_minutes(shop: Shop) -> str:
    return shop.target.stacks.parameters("cli-night")["ExpectedMinutes"]


def change_sets(shop: Shop) -> list[Any]:
    client = shop.target.client("cloudformation")
    return list(client.list_change_sets(StackName="cli-night")["Summaries"])


def edited(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_plan_changes_nothing_and_then_exactly_that_is_made(shop: Shop, changed: Path) -> None:
    assert expected_minutes(shop) == "1"
    assert not [one for one in change_sets(shop) if one["ExecutionStatus"] == "AVAILABLE"]
    assert stat.S_IMODE(changed.stat().st_mode) == 0o600
    plan = json.loads(changed.read_text())
    assert [one["stack"] for one in plan["stacks"]] == ["cli-night"]

    shop.write("memory", "memory")  # the configuration may say something else by now
    shown = shop.verb("up", str(changed), "--yes")

    assert "ExpectedMinutes: 1 -> 2" in shown
    assert expected_minutes(shop) == "2"
    assert "no longer what it was" in shop.verb("up", str(changed), "--yes", code=1)


def test_a_plan_is_not_made_where_a_stack_has_changed_since(shop: Shop, changed: Path) -> None:
    shop.write("expected_minutes = 1\n", "expected_minutes = 3\n")
    shop.verb("up", "--yes")

    refused = shop.verb("up", str(changed), "--yes", code=1)

    assert "The stack cli-night is no longer what it was" in refused
    assert "Make it again" in refused
    assert expected_minutes(shop) == "3"


def test_that_a_job_was_paused_since_does_not_matter(shop: Shop, changed: Path) -> None:
    shop.verb("pause")
    try:
        shop.verb("up", str(changed), "--yes")
        assert shop.target.stacks.parameters("cli-night")["Paused"] == "true"
        assert expected_minutes(shop) == "2"
    finally:
        shop.verb("resume")


def test_a_plan_is_not_made_where_aws_would_do_something_else(shop: Shop, changed: Path) -> None:
    (stack,) = json.loads(changed.read_text())["stacks"]
    fewer = stack["changes"][1:]
    edited(changed, stacks=[{**stack, "changes": fewer}])

    refused = shop.verb("up", str(changed), "--yes", code=1)

    assert "would now change cli-night in another way" in refused
    assert expected_minutes(shop) == "1"
    assert not [one for one in change_sets(shop) if one["ExecutionStatus"] == "AVAILABLE"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"account": "210987654321"}, "for the account 210987654321, but this is 123456789012"),
        ({"region": "eu-west-9"}, "for the region eu-west-9"),
        ({"platform": "prod"}, "for the platform prod, but this is cli"),
        ({"service_role": "arn:x"}, "for the service role arn:x, but this is (none)"),
        ({"plan": 2}, "plan is 2, but must be 1"),
        ({"more": 1}, "has no key"),
        ({"stacks": 3}, "stacks is 3, but must be a list of stacks"),
        ({"definitions": {"definitions/x": "a"}}, "names another definition"),
        ({"definitions": {}}, "is missing"),
    ],
)
def test_a_plan_of_another_place_or_form_does_nothing(
    shop: Shop, changed: Path, changes: dict[str, Any], sentence: str
) -> None:
    edited(changed, **changes)
    assert sentence in shop.verb("up", str(changed), "--yes", code=1)
    assert expected_minutes(shop) == "1"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stack": "net"}, "names net, which is no stack of the configuration"),
        ({"tags": {"team": "other"}}, "other tags for cli-night"),
    ],
)
def test_a_plan_names_stacks_of_the_configuration_alone(
    shop: Shop, changed: Path, changes: dict[str, Any], sentence: str
) -> None:
    (stack,) = json.loads(changed.read_text())["stacks"]
    edited(changed, stacks=[{**stack, **changes}])
    assert sentence in shop.verb("up", str(changed), "--yes", code=1)


def test_ctrl_c_at_the_question_leaves_no_change_set(shop: Shop) -> None:
    def asked(_: object) -> bool:
        raise KeyboardInterrupt

    shop.write(*LATER)
    try:
        with pytest.raises(KeyboardInterrupt):
            bring(shop.target, stack_of(shop.target, shop.target.config.job()), silent(), asked)
    finally:
        shop.write()
    assert not [one for one in change_sets(shop) if one["ExecutionStatus"] == "AVAILABLE"]


def test_what_is_no_plan_is_said_and_stays_as_it_is(shop: Shop) -> None:
    assert "There is no file ./nothing.json" in shop.verb("up", "./nothing.json", code=2)
    assert "it is no JSON" in shop.verb("up", str(shop.path), code=1)
    assert "is no plan of Steadyspot" in shop.verb("up", "--plan", str(shop.path), code=1)
    assert shop.path.read_text().lstrip().startswith("[platform]")
    assert "no --image" in shop.verb("up", str(shop.path), "--image", "x", code=2)
    assert "--json" in shop.verb("up", "--plan", "a.json", "--json", code=2)


def test_with_nothing_to_change_the_plan_is_empty_and_does_nothing(shop: Shop) -> None:
    path = shop.folder / "empty.json"
    shop.verb("up", "--plan", str(path))
    assert json.loads(path.read_text())["stacks"] == []
    assert "Nothing to change" in shop.verb("up", str(path), "--yes")


def test_a_first_deployment_is_planned_and_made(
    local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = Shop(tmp_path_factory.mktemp("first"), local_aws)
    first.write('name = "cli"', 'name = "first"')
    path = first.folder / "plan.json"
    shown = first.verb("up", "--plan", str(path))
    assert "new, once its platform is there" in shown
    assert not first.target.stacks.exists("first")
    try:
        first.verb("up", str(path), "--yes")
        assert first.target.stacks.of_platform() == ["first-night"]
    finally:
        first.verb("down", "--yes", "--delete-data")


def test_what_the_page_about_pipelines_says_to_type_works(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "how-to" / "pipelines.md").read_text("utf-8")
    typed = [
        shlex.split(line, comments=True)[1:]
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
        if line.startswith(("steadyspot check", "steadyspot diff", "steadyspot up"))
    ]
    assert len(typed) == 5
    monkeypatch.chdir(shop.folder)
    shop.write(*LATER)
    try:
        ended = {" ".join(words): shop.verb(*words, code="diff" in words and 3) for words in typed}
    finally:
        shop.write()
        shop.verb("up", "--yes")
    assert "ExpectedMinutes: 1 -> 2" in ended["diff --exit-code"]
    assert "up to date" in ended["up --yes"]
    assert "Written to night.plan.json" in ended["up --plan night.plan.json"]
