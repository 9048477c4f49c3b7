"""Jobs that come after others: what the file may say, what is deployed, checked and explained."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from steadyspot.contract import OUTPUTS, Env
from steadyspot.deploy.checks.findings import Level, Looks
from steadyspot.deploy.checks.timing import chains
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.runs.chain import Link, chain_of
from steadyspot.deploy.runs.evidence import show
from steadyspot.deploy.runs.story import Explanation
from steadyspot.deploy.stacks.config import Config, ConfigError, Job, Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.templates import job_template
from steadyspot.deploy.stacks.up import stack_of
from steadyspot.deploy.target import Target
from tests.unit.resolving import job_resources

FILE = """
[jobs.extract]
image = "x:1"
schedule = "cron(0 2 * * ? *)"
[jobs.clean]
image = "x:1"
after = "extract"
[jobs.report]
image = "x:1"
after = ["extract", "clean"]
"""


def config(text: str = FILE) -> Config:
    return parse(text)


def test_one_job_or_several_are_named() -> None:
    jobs = config().jobs
    assert [job.after for job in jobs.values()] == [(), ("extract",), ("extract", "clean")]


@pytest.mark.parametrize(
    ("before", "instead", "said"),
    [
        ('after = "extract"', 'after = "extrakt"', 'has no job "extrakt" (did you mean extract?)'),
        ('after = "extract"', 'after = "clean"', "jobs.clean.after leads back to itself"),
        ('after = "extract"', 'after = "report"', "jobs.report.after leads back to itself"),
        ('after = "extract"', 'after = "extract"\nschedule = "rate(1 hour)"', "with a schedule"),
        ('after = "extract"', 'after = "extract"\nmissed = "auto"', "give it hours"),
        ('after = "extract"', "after = []", "jobs.clean.after"),
    ],
)
def test_circles_unknown_jobs_and_two_kinds_of_start_are_refused(
    before: str, instead: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=r"after|missed") as refused:
        config(FILE.replace(before, instead))
    assert said in str(refused.value)


def resources(name: str) -> dict[str, Any]:
    return job_resources(config(), name)


def test_a_rule_starts_the_machine_for_what_the_others_finished_and_no_other_job_has_it() -> None:
    made = resources("report")
    rule = made["OthersFinished"]["Properties"]
    detail = rule["EventPattern"]["detail"]
    assert detail["status"] == ["SUCCEEDED"]
    assert detail["output"] == [{"wildcard": '*"finished"*'}]
    machines = [str(one).partition("stateMachine:")[2] for one in detail["stateMachineArn"]]
    assert [one[: one.index("'")] for one in machines] == [
        "steadyspot-extract",
        "steadyspot-clean",
    ]
    machine = made["AfterOthers"]["Properties"]
    assert machine["DefinitionSubstitutions"]["After"] == "extract,clean"
    plain = resources("extract")
    assert not {"OthersFinished", "AfterOthers"} & plain.keys()
    assert Env.AFTER not in json.dumps(plain)


def test_the_definition_of_the_machine_is_brought_along() -> None:
    target = Target(config(), None)  # type: ignore[arg-type]
    template = stack_of(target, config().jobs["report"]).template
    assert template.keys["AfterOthers"] in template.text
    assert template.graph("AfterOthers")["StartAt"] == "Have all finished?"
    assert "AfterOthers" not in job_template().keys


def test_the_roles_may_read_what_the_others_made_and_whether_they_have_finished() -> None:
    made = resources("report")
    read = made["TaskRole"]["Properties"]["Policies"][-1]["PolicyDocument"]["Statement"]
    assert [one["Action"] for one in read] == ["s3:GetObject"]
    assert [f"{OUTPUTS}{job}/*" in str(read[0]["Resource"]) for job in ("extract", "clean")] == [
        True,
        True,
    ]
    seen = made["StateMachineRole"]["Properties"]["Policies"][-1]["PolicyDocument"]["Statement"]
    assert [one["Action"] for one in seen] == ["dynamodb:GetItem"]
    keys = seen[0]["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
    assert keys == ["extract", "clean"]


def test_the_job_is_told_where_the_others_publish() -> None:
    made = resources("report")
    (worker,) = made["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    (places,) = (one["Value"] for one in worker["Environment"] if one["Name"] == Env.AFTER)
    assert json.loads(places["Fn::Sub"][0]) == {
        "extract": "s3://${Bucket}/outputs/extract/",
        "clean": "s3://${Bucket}/outputs/clean/",
    }


# --- check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        (FILE, Level.GOOD, "begins once extract, clean have finished"),
        (FILE + "finish_within_minutes = 180", Level.GOOD, "begins once"),
        (FILE + "finish_within_minutes = 179", Level.BAD, "the runs before it take 120 min of the"),
        (
            FILE.replace("schedule =", "schedules.noon.schedule ="),
            Level.GOOD,
            "begins once",
        ),
        (
            FILE.replace('schedule = "cron(0 2 * * ? *)"', ""),
            Level.BAD,
            "extract has no schedule, so that no run of it is of a time to come after.",
        ),
    ],
)
def test_a_chain_that_never_begins_or_has_no_time_is_found(
    text: str, level: Level, said: str
) -> None:
    whole = config(text)
    target: Any = SimpleNamespace(config=whole, switches=None)
    (found,) = chains(Looks(target, [whole.jobs["report"]]))
    assert (found.about, found.level) == ("report: after", level)
    assert said in found.text


# --- explain -------------------------------------------------------------------------------------


def test_explain_shows_what_a_run_comes_after_and_what_comes_after_it() -> None:
    statuses = {"extract": "complete", "report": None}
    runs = SimpleNamespace(
        get=lambda job, _key: SimpleNamespace(status=statuses[job]) if statuses.get(job) else None
    )
    whole = config()
    target: Any = SimpleNamespace(config=whole, runs=runs)
    links = tuple(chain_of(target, whole.jobs["clean"], "20261124T020000Z"))
    assert links == (Link("extract", False, "complete"), Link("report", True, "not begun"))
    out = io.StringIO()
    story = Explanation("It is under way.", "", None, "arn:x", (), (), chain=links)
    show(Screen(Console(file=out)), story, Job("clean", "x:1"), Platform().prices)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "comes after extract (complete)" in lines
    assert "before report (not begun)" in lines
