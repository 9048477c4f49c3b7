"""``keep_runs_days``: a complete run's record names its end; any other is kept."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from steadyspot.contract import columns
from tests.unit.statemachines.test_after_the_end import EXECUTION, EndWorld, ends, running
from tests.unit.statemachines.test_random_outcomes import START
from tests.virtual.defaults import job_definition
from tests.virtual.machine import Ended, Machine
from tests.virtual.world import Offer, RunWorld

DAY = 86_400
RECLAIMED = Offer(ends_after=600.0)
NO_IMAGE = Offer(error=("ECS.ClientException", "TaskDefinition is inactive"))


@cache
def machine(days: int) -> Machine:
    return Machine(job_definition(KeepRunsDays=str(days)))


def run(days: int, *offers: Offer, **faults: Any) -> tuple[Ended, RunWorld]:
    left = list(offers)
    world = RunWorld(now=START, work_seconds=3_600.0, market=lambda *_: left.pop(0))
    world.faults = {state.replace("_", " "): errors for state, errors in faults.items()}
    return machine(days).run(world, {}, name="night"), world


def days_kept(world: RunWorld) -> list[float]:
    """Days from now on that the workflow's and the worker's item are kept."""
    items = (world.item, world.worker)
    return [(int(item[columns.DELETE_AT]["N"]) - world.now) / DAY for item in items]


def test_a_quiet_run_names_the_end_of_both_items_in_the_call_that_closes_it() -> None:
    ended, world = run(30, Offer())

    assert ended.states_entered[-1] == "Close the run"
    assert len(ended.states_entered) == 4
    assert days_kept(world) == pytest.approx([37, 30], abs=0.001)


def test_a_run_that_had_trouble_names_it_in_that_call_too_before_people_are_told() -> None:
    ended, world = run(30, RECLAIMED, Offer())

    assert ended.states_entered[-4:] == [
        *("Close the run", "What has it done?", "Tell people it finished", "Finished"),
    ]
    assert days_kept(world) == pytest.approx([37, 30], abs=0.001)
    assert int(world.item["money"]["M"]["transitions"]["N"]) == len(ended.states_entered)


def test_a_run_that_could_not_be_closed_names_it_once_people_are_told() -> None:
    ended, world = run(30, Offer(), Close_the_run=[("States.Timeout", "")])

    assert ended.states_entered[-3:] == [
        *("Is the run complete?", "Add it to the totals", "Finished"),
    ]
    assert days_kept(world) == pytest.approx([37, 30], abs=0.001)
    assert int(world.item["money"]["M"]["transitions"]["N"]) == len(ended.states_entered)


def test_a_table_that_does_not_answer_then_makes_no_run_fail() -> None:
    faults = {name: [("States.Timeout", "")] for name in ("Close_the_run", "Add_it_to_the_totals")}
    ended, world = run(30, RECLAIMED, Offer(), **faults)

    assert ended.status == "SUCCEEDED"
    assert columns.DELETE_AT not in {*world.item, *world.worker}


def test_a_run_that_is_parked_is_kept_until_it_is_complete() -> None:
    ended, world = run(30, NO_IMAGE, Offer())
    assert (ended.status, len(world.parked)) == ("FAILED", 1)
    assert columns.DELETE_AT not in {*world.item, *world.worker}

    again = machine(30).run(world, {"runKey": "night", "redrive": True}, name="again")
    assert again.status == "SUCCEEDED"
    assert days_kept(world) == pytest.approx([37, 30], abs=0.001)


def test_records_are_kept_for_ever_unless_somebody_says_otherwise() -> None:
    _, world = run(0, Offer())
    # DynamoDB deletes nothing whose time lies more than five years in the past.
    assert world.item[columns.DELETE_AT] == world.worker[columns.DELETE_AT] == {"N": "0"}

    ended, world = run(0, RECLAIMED, Offer())
    assert ended.states_entered[-2:] == ["Tell people it finished", "Finished"]
    assert world.item.get(columns.DELETE_AT, {"N": "0"}) == {"N": "0"}


@pytest.mark.parametrize(("status", "days"), [("complete", [37, 30]), ("running", [])])
def test_after_the_end_names_it_for_what_is_complete_only(status: str, days: list[int]) -> None:
    world = EndWorld(running(), Input="{}")
    world.worker = {"status": {"S": status}, "execution": {"S": EXECUTION}}
    ends(world)

    if days:
        assert days_kept(world) == pytest.approx(days, abs=0.001)
    else:
        assert columns.DELETE_AT not in {*world.item, *world.worker}
