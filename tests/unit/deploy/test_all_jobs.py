"""What a verb does of all jobs: the trouble of one stops no other, and each line names its job."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from steadyspot.deploy.cli.of_all import of_all
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.cli.verbs import cost, logs, redrive, runs
from steadyspot.deploy.runs.items import run_of
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Calls, Pages
from tests.unit.deploy.fleets import items_of

NIGHT, DAY = Job("night", "image"), Job("day", "image")
JOBS = {"night": NIGHT, "day": DAY}


def printed(verb: Any, target: Any, **options: Any) -> str:
    out = io.StringIO()
    inner = getattr(verb.command.callback, "__wrapped__")  # noqa: B009  # behind its options
    inner(target, Screen(Console(file=out, width=200)), **options)
    return out.getvalue()


class Groups:
    """What each job has printed, by its log group."""

    def get_paginator(self, name: str) -> Any:
        assert name == "filter_log_events"

        def paginate(**asked: Any) -> Iterator[Any]:
            at = {"night": 2000, "day": 1000}[asked["logGroupName"]]
            assert asked["logStreamNamePrefix"] == "run/worker/"
            event = {"timestamp": at, "message": "hello", "logStreamName": "run/worker/t"}
            yield {"events": [{**event, "eventId": "1"}, {**event, "message": '{"_aws": 1}'}]}

        return SimpleNamespace(paginate=paginate)


@pytest.mark.parametrize("machine", [True, False])
def test_logs_since_without_a_job_are_those_of_all_in_the_order_of_time(machine: bool) -> None:
    target = SimpleNamespace(
        config=Config(Path("s.toml"), Platform("shop"), JOBS),
        client=lambda _: Groups(),
        job=lambda job: {"LogGroup": job.name},
    )
    options = {"job": None, "run": None, "follow": False, "tail": None, "attempt": None}
    since = datetime(1970, 1, 1, tzinfo=UTC)
    text = printed(logs, target, machine=machine, since=since, **options)
    lines = text.splitlines()
    if machine:
        assert [json.loads(line)["job"] for line in lines] == ["day", "night"]
    else:
        assert [line.split()[2] for line in lines] == ["day:", "night:"]


RUNS = {
    name: run_of(*items_of(name, datetime(2026, 11, day, 2, tzinfo=UTC)))
    for day, name in enumerate(JOBS, 24)
}


def many() -> Any:
    """Two jobs with a finished run each."""
    services = Calls(
        list_executions=lambda **_: {"executions": []},
        receive_message=lambda **_: {},
        get_paginator=lambda _: Pages(),
    )
    return SimpleNamespace(
        config=Config(Path("s.toml"), Platform("shop"), JOBS),
        client=lambda _: services,
        platform_stack="shop",
        job=lambda _: {"Queue": "q", "StateMachine": "m:stateMachine:x", "AfterTheEnd": "a"},
        runs=SimpleNamespace(
            scheduled=lambda job, _most: [RUNS[job]],
            since=lambda job, _since: [RUNS[job]],
            several=lambda _job, _keys: [],
        ),
        platform={"ScheduleGroup": "g"},
    )


def test_runs_without_a_job_are_those_of_all_newest_first() -> None:
    lines = printed(runs, many(), job=None, most=20, machine=False).splitlines()
    assert [line.split()[0] for line in lines] == ["job", "day", "night"]
    told = json.loads(printed(runs, many(), job=None, most=1, machine=True))
    assert [(one["job"], one["run_key"]) for one in told] == [("day", "20261125T020000Z")]


def test_cost_without_a_job_is_that_of_all() -> None:
    options = {"job": None, "days": 31, "as_csv": False, "refresh": False, "machine": True}
    told = json.loads(printed(cost, many(), each=False, **options))
    assert [(one["job"], one["complete"]) for one in told["bills"]] == [("night", 1), ("day", 1)]
    each = json.loads(printed(cost, many(), each=True, **options))
    assert [one["when"] for one in each["bills"]] == [run.run_key for run in RUNS.values()]


def test_redrive_all_goes_on_where_one_job_is_in_trouble(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def outputs(job: Job) -> dict[str, str]:
        if job is NIGHT:
            raise Trouble("There is no stack shop-night.", "Deploy first.")
        return {"Queue": "q", "StateMachine": "m:stateMachine:x", "AfterTheEnd": "a"}

    services = Calls(receive_message=lambda **_: {}, get_paginator=lambda _: Pages())
    target = SimpleNamespace(
        config=Config(Path("s.toml"), Platform("shop"), JOBS),
        client=lambda _: services,
        job=outputs,
        runs=None,
        platform={"ScheduleGroup": "g"},
    )
    options = {"job": None, "run": None, "first": None, "last": None, "machine": False}
    out = io.StringIO()
    inner = getattr(redrive.command.callback, "__wrapped__")  # noqa: B009
    with pytest.raises(SystemExit) as ended:
        inner(
            target,
            Screen(Console(file=out, width=200)),
            **{
                **options,
                "every": True,
                "at_once": 1,
                "capacity": None,
                "given": (),
                "dry_run": True,
            },
        )
    assert ended.value.code == 1
    assert out.getvalue().splitlines() == ["night  There is no stack shop-night."]


@pytest.mark.parametrize("machine", [False, True])
def test_runs_of_all_are_listed_where_one_job_is_in_trouble(machine: bool) -> None:
    target, deployed = many(), many().job
    target.job = lambda job: _trip() if job is NIGHT else deployed(job)
    out = io.StringIO()
    inner = getattr(runs.command.callback, "__wrapped__")  # noqa: B009  # behind its options
    screen = Screen(Console(file=out, width=200))
    with pytest.raises(Trouble, match="no stack shop-night"):
        inner(target, screen, job=None, most=20, machine=machine)
    assert "20261125T020000Z" in out.getvalue()
    assert "20261124T020000Z" not in out.getvalue()


def test_what_was_found_of_all_comes_with_the_trouble_of_some() -> None:
    found, trouble = of_all(JOBS.values(), lambda job: [job.name] if job is not NIGHT else _trip())
    assert found == ["day"]
    assert trouble is not None
    assert trouble.what == "There is no stack shop-night."
    assert of_all(JOBS.values(), lambda job: [job.name]) == (["night", "day"], None)


def _trip() -> Any:
    raise Trouble("There is no stack shop-night.", "Deploy first.")
