"""Many outputs of one unit: few calls for each, side by side, and no more work for the last one."""

from __future__ import annotations

import cProfile
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steadyspot.worker.keeping.checkpoint import Ledger, encode, manifest, seal
from steadyspot.worker.keeping.in_hand import InHand
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from tests.unit.worker.fakes import FakeAws, FakeBucket, IdleJob, World
from tests.unit.worker.runs import ENVIRONMENT, new_world
from tests.unit.worker.test_checkpoint import output

UPLOADS = 4
OUTPUTS = 600


class Calls:
    """Counts calls, and holds those of ``held`` until so many are under way at once."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.most = 0
        self._under_way: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._met: set[str] = set()

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        with self._changed:
            self.made[name] += 1
            self._under_way[name] += 1
            self.most = max(self.most, self._under_way.total())
            if name in ("create", "complete"):
                self._meet(name)
        try:
            return call()
        finally:
            with self._changed:
                self._under_way[name] -= 1

    def _meet(self, name: str) -> None:
        if self._under_way[name] == UPLOADS:
            self._met.add(name)
            self._changed.notify_all()
        assert self._changed.wait_for(lambda: name in self._met, 20), f"{name}: one after another"


def test_many_outputs_of_a_unit_take_three_calls_each_side_by_side(tmp_path: Path) -> None:
    calls, world = Calls(), new_world()
    options = Options(["--uploads", str(UPLOADS), "true"], ENVIRONMENT)
    assert options.identity
    keeper = Keeper(
        options,
        options.identity,
        Log(descriptor=-1),
        print,
        IdleJob(),
        str(tmp_path),
        connect=lambda *_: FakeAws(world, calls),
    )
    keeper.start()
    keeper.opened.result(20)
    before = calls.made.total()
    keeper.requests.begin("one", os.getpid())
    for number in range(OUTPUTS):
        draft, path = keeper.requests.output(f"{number}.csv", os.getpid(), "one")
        Path(path).write_text("x")
        keeper.requests.stage(draft)
    keeper.requests.mark("one", [])
    marked = calls.made.total() - before
    keeper.commit().result(20)

    assert (calls.made["create"], calls.made["part"]) == (OUTPUTS, OUTPUTS)
    assert marked - 2 * OUTPUTS <= 4, "more than a segment, a manifest and what points to it"
    assert calls.made["complete"] == OUTPUTS
    assert calls.made.total() - before - 3 * OUTPUTS <= 12
    assert calls.most <= 2 * UPLOADS
    assert world.item["completion"]["outputs"] == OUTPUTS
    assert not list((tmp_path / "outputs").iterdir()), "a staged output was left on the disk"


def marked(ledger: Ledger, unit: str, outputs: int) -> None:
    """Mark a unit with so many outputs, and save that."""
    ledger.mark(unit, [output(f"{unit}-{number}") for number in range(outputs)], [])
    saved = ledger.snapshot()
    seal(saved, FakeBucket(World()), "p/")
    encode(manifest(saved, {}))
    ledger.settle(saved)


def mark_all(number: int, folder: Path) -> None:
    """One unit with so many outputs."""
    marked(Ledger(), "one", number)


def write_all_at_once(number: int, folder: Path) -> None:
    """So many outputs that are being written at the same time, none of which names its unit."""
    in_hand = InHand(str(folder / str(number)), lambda _: None, lambda *_: None)
    in_hand.begin("one", os.getpid())
    drafts = [
        in_hand.draft(str(which), os.getpid(), in_hand.owner(os.getpid()))
        for which in range(number)
    ]
    for draft in drafts:
        in_hand.finish(draft)
    in_hand.close("one")


def calls_of(work: Callable[..., None], *arguments: Any) -> int:
    """How many calls of functions that takes, which is the same each time."""
    profile = cProfile.Profile()
    profile.runcall(work, *arguments)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("work", [mark_all, write_all_at_once])
def test_twice_as_many_outputs_are_twice_the_work(
    work: Callable[[int, Path], None], tmp_path: Path
) -> None:
    assert calls_of(work, 1_000, tmp_path) / calls_of(work, 500, tmp_path) < 2.2


def test_the_next_mark_costs_the_same_however_many_outputs_the_one_before_had() -> None:
    costs = []
    for outputs in (1, 2_000):
        ledger = Ledger()
        marked(ledger, "one", outputs)
        costs.append(calls_of(marked, ledger, "two", 1))
    assert costs[1] / costs[0] < 1.2
