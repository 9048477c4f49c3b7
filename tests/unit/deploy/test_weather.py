"""``steadyspot weather``: what runs wrote down, by hour of the day and zone."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from steadyspot.contract.columns import WEATHER
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.cli.verbs.weather import command
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.runs.weather import Hour, read, weather_of
from steadyspot.deploy.stacks.config import Config, Job, Platform
from tests.unit.deploy.fakes import Calls
from tests.unit.deploy.test_golden import faults_of

NOW = datetime(2026, 12, 1, 5, tzinfo=UTC)
NOVEMBER = {
    "latest_1": {"S": "1795482000000 night/20261124T020000Z"},
    "latest_2": {"S": "1795481000000 day/20261124T020000Z"},
    "refused_02": {"N": "41"},
    "reclaimed_02_eu-central-1a": {"N": "3"},
}
DECEMBER = {"refused_02": {"N": "1"}, "reclaimed_14_eu-central-1b": {"N": "2"}}


def target() -> Any:
    """A platform with jobs of one architecture, whose table has two months."""
    asked: list[Any] = []

    def batch_get_item(RequestItems: Any) -> Any:  # noqa: N803
        asked.append(RequestItems["table"]["Keys"])
        in_order = sorted(asked[-1], key=lambda key: key["run_key"]["S"])
        found = [
            {"job": key["job"], "run_key": key["run_key"], **of_month}
            for key, of_month in zip(in_order, (NOVEMBER, DECEMBER), strict=True)
        ]
        return {"Responses": {"table": found}}

    table = RunTable(Calls(batch_get_item=batch_get_item), "table")  # type: ignore[arg-type]
    jobs = {name: Job(name, "x:1") for name in ("night", "day")}
    config = Config(Path("steadyspot.toml"), Platform("shop"), jobs)
    return SimpleNamespace(config=config, runs=table, asked=asked)


def test_months_are_summed_up_by_hour_and_zone_in_one_call() -> None:
    where = target()
    (found,) = read(where, NOW)
    assert (found.architecture, found.zones) == ("x86_64", ["eu-central-1a", "eu-central-1b"])
    assert found.hours == (Hour(2, 42, {"eu-central-1a": 3}), Hour(14, 0, {"eu-central-1b": 2}))
    assert found.last_refused == datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    (keys,) = where.asked
    assert {key["job"]["S"] for key in keys} == {WEATHER}
    assert [key["run_key"]["S"] for key in keys] == ["X86_64/2026-11", "X86_64/2026-12"]


def test_it_is_shown_as_a_table_and_for_machines() -> None:
    callback: Any = command.callback
    verb = callback.__wrapped__
    shown, machine = io.StringIO(), io.StringIO()
    verb(target(), Screen(Console(file=shown, width=100)), machine=False)
    lines = shown.getvalue().splitlines()
    assert "refused last 11-24 01:00" in lines[0]
    assert lines[1].split() == [
        "hour",
        "refused",
        "taken",
        "in",
        "eu-central-1a",
        "taken",
        "in",
        "eu-central-1b",
    ]
    assert [line.split() for line in lines[2:]] == [
        ["02:00", "42", "3", "0"],
        ["14:00", "0", "0", "2"],
    ]
    verb(target(), Screen(Console(file=machine)), machine=True)
    assert faults_of("weather", json.loads(machine.getvalue())) == []


def test_no_trouble_is_said() -> None:
    found = weather_of("arm64", [])
    assert (found.hours, found.last_refused) == ((), None)
