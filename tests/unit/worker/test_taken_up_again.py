"""What an attempt may still write after its execution ended, and what the next execution finds."""

from __future__ import annotations

import json

import pytest

from steadyspot.contract import Reason
from steadyspot.worker.errors import FenceLost
from steadyspot.worker.options import Options
from tests.unit.worker.fakes import Crash, CrashAt, World
from tests.unit.worker.runs import EXECUTION, attempt, new_world, stage, work


def test_an_attempt_whose_execution_was_stopped_by_hand_still_saves_and_says_its_word() -> None:
    world = new_world()
    one = attempt(world, 10_001)
    one.open()
    world.item["status"] = "unfinished"

    output = stage(one, "a")
    one.ledger.mark("a", [output], [{}])
    one.save(one.ledger.snapshot())
    one.leave(Reason.INTERRUPTED, 143, "Interrupted.")

    assert world.item["progress"]["units_done"] == 1
    assert world.item["stop_report"]["reason"] == "interrupted"
    assert world.item["status"] == "unfinished"


def test_it_may_not_once_another_execution_has_taken_the_run_up() -> None:
    world = new_world()
    one = attempt(world, 10_001)
    one.open()
    world.item |= {"status": "running", "execution": EXECUTION + "-redriven"}

    with pytest.raises(FenceLost):
        one.leave(Reason.INTERRUPTED, 143, "Interrupted.")


@pytest.mark.parametrize(("gone", "units"), [(0, 2), (1, 1), (2, 0)])
def test_where_the_newest_checkpoint_is_gone_the_one_before_it_counts(
    gone: int, units: int
) -> None:
    world = new_world()
    saved: list[str] = []
    work(attempt(world, 10_001), ["a", "b"], lambda _: saved.append(newest(world)))
    world.item |= {"status": "running", "execution": EXECUTION + "-redriven"}
    del world.item["commit"], world.item["completion"]
    for key in saved[::-1][:gone]:
        del world.objects[key]

    again = attempt(world, 20_001, execution=EXECUTION + "-redriven")
    again.open()
    assert len(list(again.ledger.history.units())) == units


def newest(world: World) -> str:
    """The key of the manifest that counts."""
    return str(world.item["checkpoint"]["key"])


def test_a_commit_that_broke_off_is_finished_by_the_next_execution_that_claims_the_run() -> None:
    world = broken_off_in_the_commit()
    world.item |= {"status": "running", "execution": EXECUTION + "-redriven"}

    done = attempt(world, 20_001, execution=EXECUTION + "-redriven").open()

    assert done
    assert world.item["status"] == "complete"
    assert world.completed == 1


def broken_off_in_the_commit() -> World:
    """A run whose first attempt crashed after its list of outputs was written down."""
    for call in range(1, 100):
        world = new_world()
        try:
            work(attempt(world, 10_001, CrashAt(call, after=True)), ["a", "b"])
        except Crash:
            if world.item.get("status") == "committing":
                return world
    raise AssertionError("no crash hit the commit")


def test_a_configured_command_goes_before_the_image_s() -> None:
    image = ["python", "from-the-image.py"]

    def command(configured: str) -> list[str]:
        return Options(image, {"STEADYSPOT_COMMAND": configured}).command

    assert command(json.dumps(["python", "configured.py"])) == ["python", "configured.py"]
    assert command("[]") == image
    assert command("") == image
