"""Several environments from one file, of which prod must not be hit by accident."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner

from steadyspot.deploy.cli.main import main
from steadyspot.deploy.stacks.config import Config, ConfigError
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.settings import settings_of
from steadyspot.deploy.target import on_aws
from steadyspot.deploy.trouble import Trouble
from tests.unit.mocked import mocked

FILE = """
[platform]
name = "dev"
mail = "team@example.com"
[jobs.report]
image = "report:local"
command = ["sh", "report.sh"]
environment = { STAGE = "dev", THREADS = "2" }
schedule = "cron(0 2 * * ? *)"
enabled = false
budgets = { failures = 1 }
[jobs.other]
image = "other:local"
[environments.prod.platform]
name = "prod"
account = "123456789012"
[environments.prod.jobs.report]
enabled = true
memory = 4
command = ["sh", "report.sh", "--all"]
environment = { STAGE = "prod" }
budgets.interruptions = 9
"""


def test_an_environment_says_what_is_otherwise_and_nothing_else_changes() -> None:
    dev, prod = parse(FILE), parse(FILE, environment="prod")

    assert (dev.platform.name, dev.environment) == ("dev", None)
    assert (prod.platform.name, prod.platform.mail, prod.environment) == (
        "prod",
        "team@example.com",
        "prod",
    )
    report = prod.job("report")
    assert (report.enabled, report.memory_gb, report.image) == (True, 4, "report:local")
    assert report.command == ("sh", "report.sh", "--all")
    assert report.environment == {"STAGE": "prod", "THREADS": "2"}
    assert (report.budgets.interruptions, report.budgets.failures) == (9, 1)
    assert prod.job("other") == dev.job("other")
    assert not dev.job("report").enabled


def test_one_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r'"prd" \(did you mean prod\?\); allowed: prod'):
        parse(FILE, environment="prd")


@pytest.mark.parametrize("environment", [None, "prod"])
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("cpu = 3", "in environment prod, jobs.report.cpu is 3, but"),
        ("memroy = 4", "in environment prod, jobs.report has no key"),
        ("expected_minutes = 9\nfinish_within_minutes = 5", "in environment prod, jobs.report"),
    ],
)
def test_what_is_wrong_in_any_environment_is_told_with_its_line(
    more: str, told: str, environment: str | None
) -> None:
    text = FILE.replace("memory = 4", more)

    with pytest.raises(ConfigError) as refused:
        parse(text, environment=environment)

    (line,) = str(refused.value).splitlines()
    place, _, sentence = line.partition(": ")
    assert sentence.startswith(told)
    at = text.splitlines()[int(place.rpartition(":")[2]) - 1]
    assert at in more.splitlines()


@pytest.mark.parametrize(
    "wrong",
    [
        "[environments]\nprod = 3",
        "[environments.prod]\njobs = 3",
        "[environments.prod]\nplatfrom = {}",
        "[environments.PROD]",
        "[environments.prod.jobs]\nab = 3",
    ],
)
def test_what_is_no_environment_is_refused_in_a_line(wrong: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(f'[jobs.ab]\nimage = "x"\n{wrong}\n')

    assert len(str(refused.value).splitlines()) == 1


def test_a_job_that_only_one_environment_has_must_be_whole() -> None:
    more = '[environments.prod.jobs.new]\nimage = "new:local"\n'

    assert set(parse(FILE + more, environment="prod").jobs) == {"report", "other", "new"}
    assert set(parse(FILE + more).jobs) == {"report", "other"}
    with pytest.raises(ConfigError, match=r"in environment prod, jobs\.new\.image is missing"):
        parse(FILE + more.replace("image", "disk").replace('"new:local"', "30"))


def config_for(account: str) -> Config:
    return parse(FILE.replace("123456789012", account), environment="prod")


def test_another_account_than_the_one_meant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mocked():
        mine = boto3.client("sts", region_name="us-east-1").get_caller_identity()["Account"]
        assert on_aws(config_for(mine), None, "us-east-1").config.platform.account == mine
        with pytest.raises(
            Trouble, match=r"signed in to account .*, but the .* is for 210987654321"
        ):
            on_aws(config_for("210987654321"), None, "us-east-1")


def test_config_names_the_line_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(FILE)

    done = CliRunner().invoke(main, ["config", "--config", str(path), "--env", "prod", "--json"])

    shown = {(one["table"], one["key"]): one for one in json.loads(done.output)}
    memory = shown["jobs.report", "memory"]
    assert (memory["value"], FILE.splitlines()[memory["line"] - 1]) == (4, "memory = 4")
    image = shown["jobs.report", "image"]
    assert FILE.splitlines()[image["line"] - 1] == 'image = "report:local"'


def test_config_shows_who_is_told_and_on_which_line_that_stands(tmp_path: Path) -> None:
    path = tmp_path / "steadyspot.toml"
    path.write_text(
        '[jobs.night]\nimage = "x"\n[[notify]]\nmail = "a@example.com"\n'
        '[[notify]]\nmail = "b@example.com"\njobs = ["night"]\n'
    )
    shown = [
        (one.table, one.key, one.value, one.line)
        for one in settings_of(path)
        if one.table.startswith("notify")
    ]
    assert shown == [
        ("notify.0", "mail", "a@example.com", 4),
        ("notify.1", "mail", "b@example.com", 6),
        ("notify.1", "jobs", ("night",), 7),
    ]
