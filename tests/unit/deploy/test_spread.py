"""All schedules of a job start its runs within its window, which they hand to Scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from steadyspot.deploy.stacks.config_file import parse
from tests.unit.resolving import job_resources

JOB = """[jobs.night]
image = "x:1"
schedule = "cron(0 2 * * ? *)"
schedules = { noon = { schedule = "cron(0 12 * * ? *)" } }
"""


@pytest.mark.parametrize(
    ("key", "window"),
    [
        ("", {"Mode": "OFF"}),
        ("spread_minutes = 30", {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": "30"}),
    ],
)
def test_every_schedule_has_the_window_of_the_job(key: str, window: dict[str, Any]) -> None:
    made = job_resources(parse(JOB + key))
    schedules = [one for one in made.values() if one["Type"] == "AWS::Scheduler::Schedule"]
    assert [one["Properties"]["FlexibleTimeWindow"] for one in schedules] == [window] * 2
