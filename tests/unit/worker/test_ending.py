"""What is said while a killed job is still being taken apart, and what has to wait for its end."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from steadyspot.contract import Reason
from steadyspot.worker.errors import FenceLost
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from steadyspot.worker.supervising.ending import Ending, Parts
from steadyspot.worker.supervising.grace import Grace
from steadyspot.worker.traces import Trace
from tests.unit.worker.fakes import FakeAws, IdleJob, World
from tests.unit.worker.runs import ENVIRONMENT, new_world


def stopped(
    world: World, folder: Path, *options: str, lost: FenceLost | None = None, **more: Any
) -> tuple[Ending, Keeper]:
    """An attempt whose job was killed at a stop and has not ended yet."""
    asked = Options([*options, "true"], ENVIRONMENT)
    assert asked.identity
    keeper = Keeper(
        asked,
        asked.identity,
        Log(descriptor=-1),
        print,
        IdleJob(),
        str(folder),
        connect=lambda *_: FakeAws(world),
    )
    keeper.start()
    grace = Grace(20.0, 0.0, None)
    grace.begin("SIGTERM", 0.0, Reason.INTERRUPTED)
    parts = SimpleNamespace(
        options=asked,
        environ={},
        log=Log(descriptor=-1),
        job=SimpleNamespace(trouble=lost, held=set(), began=0.0, ended=0.0),
        grace=grace,
        loop=None,
        telling=None,
        keeper=keeper,
        finished=lambda: False,
        rhythm=None,
        began=0.0,
        ooms=0,
        trace=Trace("", {}),
    )
    vars(parts).update(more)
    return Ending(cast(Parts, parts)), keeper


def settled(keeper: Keeper) -> None:
    """All that was asked of the keeper is done."""
    keeper.submit(lambda: None).result(20)


def test_last_word_does_not_wait_for_the_end_of_a_killed_job(tmp_path: Path) -> None:
    world = new_world()
    ending, keeper = stopped(world, tmp_path)
    number, path = keeper.requests.output("half-made", os.getpid())
    Path(path).write_text("x")
    keeper.requests.stage(number)

    ending.begin()
    settled(keeper)

    assert world.item["stop_report"]["reason"] == "interrupted"
    assert world.item["stop_report"]["exit_code"] == 143
    assert world.uploads == {}


@pytest.mark.parametrize(
    ("options", "more"),
    [
        (["--on-stop", "true"], {}),
        ([], {"rhythm": object()}),
        ([], {"finished": lambda: True}),
        ([], {"lost": FenceLost("Another attempt has it.")}),
    ],
    ids=["command for the stop", "folders", "job was through", "fence lost"],
)
def test_nothing_is_said_before_what_may_still_change_it(
    tmp_path: Path, options: list[str], more: dict[str, Any]
) -> None:
    world = new_world()
    ending, keeper = stopped(world, tmp_path, *options, **more)

    ending.begin()
    settled(keeper)

    assert "stop_report" not in world.item
