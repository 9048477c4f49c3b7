"""Runs of a job that meet, with real tasks: skipped, queued, replaced, as its overlap says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steadyspot.contract import Overlap, Status, columns
from steadyspot.contract.columns import turn_partition
from tests.local.runs import Place, Work, eventually

FIRST, SECOND = "2026-11-24T02:00:00Z", "2026-11-24T03:00:00Z"
KEYS = {FIRST: "20261124T020000Z", SECOND: "20261124T030000Z"}


def works(work: Work, key: str) -> bool:
    run = work.target.runs.get(work.name, key)
    return run is not None and run.fence > 0


def two(place: Place, overlap: Overlap, *command: str) -> tuple[Work, str, str]:
    """A job, and two of its runs, of which the second begins while the first one works."""
    work = place.job(*command, overlap=overlap)
    first = work.start(scheduledTime=FIRST)
    eventually(lambda: works(work, KEYS[FIRST]))
    return work, first, work.start(scheduledTime=SECOND)


def turn(work: Work) -> dict[str, Any]:
    return work._item(turn_partition(work.name), columns.TURN)


SLOW = ("python", "-c", "import time; time.sleep(8)")


def test_a_run_is_skipped_while_another_one_works(place: Place) -> None:
    work, first, second = two(place, Overlap.SKIP, *SLOW)
    shown = work.ended(second)
    assert json.loads(shown["output"]) == {"outcome": "skipped", "runKey": KEYS[SECOND]}
    assert work.states_entered(second)[-1] == "Skipped"
    assert work.record(KEYS[SECOND]).status == Status.SKIPPED
    assert work.succeeded(first, KEYS[FIRST]).complete
    assert len(work.states_entered(first)) == 4
    work.mail(lambda mail: "was skipped" in mail.subject)
    assert columns.TAKEN_BY not in turn(work)


def test_a_run_waits_in_the_queue_until_the_other_is_done(place: Place) -> None:
    work, first, second = two(place, Overlap.QUEUE, *SLOW)
    eventually(lambda: columns.QUEUED in turn(work))
    one = work.succeeded(first, KEYS[FIRST])
    other = work.succeeded(second, KEYS[SECOND])
    assert other.attempts[0].started_at > one.attempts[0].ended_at
    assert not {columns.TAKEN_BY, columns.QUEUED} & turn(work).keys()


@pytest.mark.timeout(180)
def test_a_newer_run_replaces_the_older_one_which_is_parked(place: Place) -> None:
    work, first, second = two(place, Overlap.REPLACE, *SLOW)
    assert work.ended(first)["status"] == "ABORTED"
    assert work.succeeded(second, KEYS[SECOND]).complete
    replaced = work.record(KEYS[FIRST])
    assert (replaced.status, replaced.cause) == (Status.UNFINISHED, "replaced")
    work.mail(lambda mail: f"{KEYS[FIRST]} was replaced" in mail.subject)
    assert columns.TAKEN_BY not in turn(work)
