"""What `check` makes of the stops that the records of past runs tell of."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from steadyspot.contract import columns
from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.checks.stops import judge, past_stops
from steadyspot.deploy.runs.items import run_of
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.config import Job


def run(key: str, saving_seconds: str = "") -> RunRecord:
    """A run as the table has it, with a stop if its save took some time."""
    item = {columns.JOB: "night", columns.RUN_KEY: key, columns.EXECUTION: "one"}
    report: dict[str, Any] = {"fence": 1}
    if saving_seconds:
        report |= {"grace_seconds": 120, "grace_saving_seconds": Decimal(saving_seconds)}
    worker = {columns.EXECUTION: "one", columns.STOP_REPORT: report}
    serialized = [
        {name: TypeSerializer().serialize(value) for name, value in one.items()}
        for one in (item, worker)
    ]
    return run_of(*serialized)


@pytest.mark.parametrize(
    ("seconds", "level"),
    [("3", Level.GOOD), ("44.9", Level.GOOD), ("45", Level.NOTE), ("84", Level.BAD)],
)
def test_the_longest_last_save_is_held_against_the_grace(seconds: str, level: Level) -> None:
    found = judge([run("a", "1"), run("b", seconds), run("c")], 120)

    assert found
    assert found[0] is level
    assert f"of run {'b'}, took {float(seconds):.1f} s of stop_timeout = 120" in found[1]


def test_of_a_job_that_was_never_stopped_nothing_is_said() -> None:
    assert judge([], 120) is None
    assert judge([run("a")], 120) is None


def looked(exists: bool, *runs: RunRecord) -> list[Finding]:
    target: Any = SimpleNamespace(
        switches=None,
        platform_stack="shop",
        stacks=SimpleNamespace(exists=lambda _: exists),
        runs=SimpleNamespace(scheduled=lambda job, most: list(runs)),
    )
    return list(past_stops(Looks(target, [Job(name="night", image="image")])))


def test_what_to_do_is_said_where_a_stop_was_nearly_too_short() -> None:
    assert looked(False, run("a", "100")) == []
    (good,) = looked(True, run("a", "10"))
    assert (good.about, good.what_to_do) == ("night: past stops", "")
    (bad,) = looked(True, run("a", "100"))
    assert bad.level is Level.BAD
    assert "Raise stop_timeout" in bad.what_to_do
