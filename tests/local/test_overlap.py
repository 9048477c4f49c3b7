"""Runs of a job that meet, with real tasks: skipped, queued, replaced, as its overlap says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from steadyspot.contract import Exit, Overlap, Status, columns, output_prefix
from steadyspot.contract.columns import turn_partition
from steadyspot.deploy.runs.history import Story
from steadyspot.deploy.runs.lookup import Finder
from steadyspot.deploy.runs.stopping import marked, stop
from tests.local.runs import Place, Work, eventually

FIRST, SECOND, THIRD = (f"2026-11-24T0{hour}:00:00Z" for hour in (2, 3, 4))
KEYS = {FIRST: "20261124T020000Z", SECOND: "20261124T030000Z", THIRD: "20261124T040000Z"}


WAITS = """
import sys, time
from pathlib import Path
while not Path(sys.argv[1]).exists(): time.sleep(0.05)
"""
STUBBORN = f"""
import signal
from steadyspot import current_run
run = current_run()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with run.output('answer') as path: path.write_text('42')
{WAITS}
run.finish()
"""
"""It goes on where it is told to stop, and says that it has finished."""


def works(work: Work, key: str) -> bool:
    run = work.target.runs.get(work.name, key)
    return run is not None and run.fence > 0


def two(place: Place, overlap: Overlap, gate: Path, job: str = WAITS) -> tuple[Work, str, str]:
    """A job whose runs work until the gate is there, and two of its runs.

    The second begins while the first one works.
    """
    work = place.job("python", "-c", job, str(gate), overlap=overlap)
    first = work.start(scheduledTime=FIRST)
    eventually(lambda: works(work, KEYS[FIRST]))
    return work, first, work.start(scheduledTime=SECOND)


def turn(work: Work) -> dict[str, Any]:
    return work._item(turn_partition(work.name), columns.TURN)


def test_a_run_is_skipped_while_another_one_works(place: Place, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    work, first, second = two(place, Overlap.SKIP, gate)
    shown = work.ended(second)
    gate.touch()
    assert json.loads(shown["output"]) == {"outcome": "skipped", "runKey": KEYS[SECOND]}
    assert work.states_entered(second)[-1] == "Skipped"
    assert work.record(KEYS[SECOND]).status == Status.SKIPPED
    assert work.succeeded(first, KEYS[FIRST]).complete
    assert len(work.states_entered(first)) == 4
    work.mail(lambda mail: "was skipped" in mail.subject)
    assert columns.TAKEN_BY not in turn(work)


def test_a_run_waits_in_the_queue_until_the_other_is_done(place: Place, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    work, first, second = two(place, Overlap.QUEUE, gate)
    eventually(lambda: columns.QUEUED in turn(work))
    third = work.start(scheduledTime=THIRD)
    stopped_while_it_waits(work, third)
    gate.touch()
    one = work.succeeded(first, KEYS[FIRST])
    other = work.succeeded(second, KEYS[SECOND])
    assert other.attempts[0].started_at > one.attempts[0].ended_at
    assert not {columns.TAKEN_BY, columns.QUEUED} & turn(work).keys()
    told = [moment.text for moment in Story().tell(work.history(second))]
    waits = told.index(f"waits for its turn: run {KEYS[FIRST]} has it")
    assert told[waits + 1].startswith("it is its turn, after 0 min ")
    assert told[waits + 2].startswith(f"run {KEYS[SECOND]} is claimed")


def stopped_while_it_waits(work: Work, execution: str) -> None:
    """A run that waits is found by its key, and ended: marked, parked, told, and passed over."""
    machine = work.outputs["StateMachine"]
    finder = Finder(table=work.target.runs, sfn=work.sfn, job=work.name, machine=machine)
    eventually(lambda: KEYS[THIRD] in work.target.runs.queue_of(work.name))
    found = finder.find(KEYS[THIRD])
    assert found.run is None
    assert found.execution is not None
    assert found.execution["executionArn"] == execution
    assert stop(work.sfn, execution, "no longer wanted")
    ended = marked(lambda: work.target.runs.get(work.name, KEYS[THIRD]), 30)
    assert ended is not None
    assert (ended.status, ended.attempts) == (Status.UNFINISHED, ())
    assert work.parked()["runKey"] == KEYS[THIRD]
    work.mail(lambda mail: KEYS[THIRD] in mail.subject)


@pytest.mark.timeout(180)
def test_a_newer_run_replaces_the_older_one_which_is_parked(place: Place, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    work, first, second = two(place, Overlap.REPLACE, gate, STUBBORN)
    eventually(lambda: works(work, KEYS[SECOND]))
    gate.touch()
    assert work.ended(first)["status"] == "ABORTED"
    assert work.succeeded(second, KEYS[SECOND]).complete
    replaced = work.record(KEYS[FIRST])
    assert (replaced.status, replaced.cause) == (Status.UNFINISHED, "replaced")
    work.mail(lambda mail: f"{KEYS[FIRST]} was replaced" in mail.subject)
    assert columns.TAKEN_BY not in turn(work)
    # The older one's job has said since that it had finished; its worker could not publish that.
    older = work.tasks()[0]
    assert work.exit_code(older) == Exit.FENCE_LOST, work.lines(older)
    assert work.objects(output_prefix(work.name, KEYS[FIRST])) == {}
    assert list(work.published(KEYS[SECOND])) == ["answer"]
