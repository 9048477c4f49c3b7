"""What `check` says of a schedule that is due before the run before it can be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from steadyspot.contract import Overlap
from steadyspot.deploy.checks.findings import Finding, Level
from tests.unit.deploy.test_checks import account, findings

OFTEN, SOMETIMES = "rate(30 minutes)", "cron(0,30 2 * * ? *)"


def said(folder: Path, schedule: str, overlap: Overlap, minutes: float = 45) -> list[Finding]:
    found = findings(
        account(), folder, schedule=schedule, overlap=overlap, expected_minutes=minutes
    )
    return [one for one in found if "than" in one.text or "after the time before" in one.text]


@pytest.mark.parametrize(
    ("schedule", "overlap", "level", "becomes"),
    [
        (OFTEN, Overlap.ALLOW, Level.WARN, "at once"),
        (OFTEN, Overlap.SKIP, Level.NOTE, "are skipped"),
        (OFTEN, Overlap.QUEUE, Level.BAD, "longer and longer"),
        (OFTEN, Overlap.REPLACE, Level.BAD, "stopped before they are done"),
        (SOMETIMES, Overlap.QUEUE, Level.NOTE, "wait for those before"),
        (SOMETIMES, Overlap.REPLACE, Level.NOTE, "stopped before"),
    ],
)
def test_what_cannot_ever_work_is_bad_and_the_rest_is_noted(
    tmp_path: Path, schedule: str, overlap: Overlap, level: Level, becomes: str
) -> None:
    (finding,) = said(tmp_path, schedule, overlap)
    assert finding.level is level
    assert becomes in finding.text
    assert "due 30 min after" in finding.text


def test_a_warning_tells_how_runs_take_turns_and_fails_no_check(tmp_path: Path) -> None:
    (finding,) = said(tmp_path, OFTEN, Overlap.ALLOW)
    assert "overlap = skip or queue" in finding.what_to_do
    (noted,) = said(tmp_path, OFTEN, Overlap.SKIP)
    assert "overlap =" not in noted.what_to_do


def test_a_run_that_is_done_before_the_next_one_is_not_mentioned(tmp_path: Path) -> None:
    assert said(tmp_path, OFTEN, Overlap.ALLOW, minutes=20) == []
