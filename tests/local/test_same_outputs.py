"""The drill that compares what a job publishes with a stop and without.

On jobs as people write them.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from steadyspot.deploy.drills import Observation, Stage
from steadyspot.deploy.drills.same_outputs import compared, same_outputs
from steadyspot.deploy.trouble import Trouble
from tests.local.runs import Place

HEAD = """
import time
from steadyspot import current_run
run = current_run()
"""
ON_ITS_OWN = """
for unit in run.remaining(range(16)):
    time.sleep(0.1)
    with run.output(f"{unit}.txt") as path: path.write_text(str(unit))
"""
IN_MEMORY = """
total = 0
for unit in run.remaining(range(16)):
    time.sleep(0.1)
    total += unit
with run.output("total.txt") as path: path.write_text(str(total))
"""
BY_ATTEMPT = """
for unit in run.remaining(range(16)):
    time.sleep(0.1)
    with run.output(f"{unit}.txt") as path: path.write_text(str(run.attempt))
"""
BEGINNING = [
    "the run that was left alone ended as SUCCEEDED",
    "the one that was stopped ended as SUCCEEDED",
    "its first attempt was stopped as reclaimed",
]


def found(place: Place, tmp_path: Path, job: str) -> list[Observation]:
    (tmp_path / "job.py").write_text(HEAD + job)
    work = place.job("python", str(tmp_path / "job.py"))
    return list(same_outputs(Stage(place.target(), work.job, lambda _: None, soon)))


def soon(seconds: float) -> None:
    """Wait as a drill does, but not as long as AWS needs."""
    time.sleep(min(seconds, 0.5))


def test_a_job_whose_units_stand_alone_goes_on_and_publishes_the_same(
    place: Place, tmp_path: Path
) -> None:
    drilled = found(place, tmp_path, ON_ITS_OWN)
    *texts, went_on, same = [one.text for one in drilled]
    assert texts == BEGINNING
    assert re.fullmatch(r"it went on behind \d+ units? already done", went_on)
    assert same == "outputs that are the same, byte for byte: 16"
    assert all(one.good for one in drilled)


def test_what_a_job_keeps_in_memory_is_told_before_a_reclaim_does(
    place: Place, tmp_path: Path
) -> None:
    drilled = found(place, tmp_path, IN_MEMORY)
    *texts, anew, why, same = [one.text for one in drilled]
    assert texts == BEGINNING
    assert anew == "it began anew, so that a stop costs all that was done before"
    assert re.match(
        r"since 'total.txt' would lack what \d+ units done before had left in 'total'", why
    )
    assert same == "outputs that are the same, byte for byte: 1"
    assert all(one.good for one in drilled)


def test_a_job_that_makes_something_else_after_a_stop_is_not_ok(
    place: Place, tmp_path: Path
) -> None:
    *before, differ = found(place, tmp_path, BY_ATTEMPT)
    assert all(one.good for one in before)
    assert not differ.good
    assert re.match(r"outputs other than without the stop: \d+, the first is ", differ.text)


def test_a_job_that_publishes_nothing_runs_once(place: Place, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="publishes nothing, so that there is nothing to compare"):
        found(place, tmp_path, "")


def test_what_is_missing_and_what_is_more_is_named_by_its_first() -> None:
    alone, stopped = {"a": "1", "b": "2", "c": "3"}, {"b": "2", "d": "4"}
    assert [(one.text, one.good) for one in compared(alone, stopped)] == [
        ('outputs missing after the stop: 2, the first is "a"', False),
        ('outputs there only after the stop: 1, the first is "d"', False),
    ]
