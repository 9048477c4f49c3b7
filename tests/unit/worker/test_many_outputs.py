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

from steadyspot.contract import COMPLETION, Reason
from steadyspot.worker.errors import Denied
from steadyspot.worker.keeping.checkpoint import Ledger, encode, manifest, seal
from steadyspot.worker.keeping.in_hand import InHand
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.keeping.uploads import ALONE, PACK_OUTPUTS, SHARED_BYTES
from steadyspot.worker.log import Log
from steadyspot.worker.options import Options
from tests.unit.worker.fakes import FakeAws, FakeBucket, Gate, IdleJob, World, straight
from tests.unit.worker.runs import ENVIRONMENT, new_world, visible
from tests.unit.worker.test_checkpoint import output

UPLOADS = 4
OUTPUTS = 600
"""Of a unit; the first ones of these are uploaded each by itself, and a pack is filled in part."""


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


def keeper_with(gate: Gate, world: World, folder: Path, *options: str) -> Keeper:
    """A keeper whose run is open, and which has a unit in hand."""
    given = Options(["--uploads", str(UPLOADS), *options, "true"], ENVIRONMENT)
    assert given.identity
    keeper = Keeper(
        given,
        given.identity,
        Log(descriptor=-1),
        print,
        IdleJob(),
        str(folder),
        connect=lambda *_: FakeAws(world, gate),
    )
    keeper.start()
    keeper.opened.result(20)
    keeper.requests.begin("one", os.getpid())
    return keeper


def make(keeper: Keeper, name: str, content: bytes, unit: str = "one") -> None:
    """Write an output of the unit, or with an empty key of none."""
    draft, path = keeper.requests.output(name, os.getpid(), unit)
    Path(path).write_bytes(content)
    keeper.requests.stage(draft)


def published(world: World) -> dict[str, bytes]:
    """What the run's outputs hold, by name."""
    return {name: data for name, data in visible(world).items() if name != COMPLETION}


def test_large_outputs_of_a_unit_take_three_calls_each_side_by_side(tmp_path: Path) -> None:
    calls, world = Calls(), new_world()
    keeper = keeper_with(calls, world, tmp_path)
    before = calls.made.total()
    content = bytes(SHARED_BYTES + 1)
    for number in range(OUTPUTS):
        make(keeper, f"{number}.csv", content)
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


def test_small_outputs_of_a_unit_take_little_more_than_a_call_each(tmp_path: Path) -> None:
    world, made = new_world(), Counter[str]()

    def count(name: str, call: Callable[[], Any]) -> Any:
        made[name] += 1
        return call()

    keeper = keeper_with(count, world, tmp_path)
    made.clear()
    wanted = {f"{number}.csv": str(number).encode() * (number % 9) for number in range(OUTPUTS)}
    for name, content in wanted.items():
        make(keeper, name, content)
    keeper.requests.mark("one", [])
    packs = (OUTPUTS - ALONE) // PACK_OUTPUTS + 1
    assert made.total() <= 2 * ALONE + packs + 4
    assert published(world) == {}
    keeper.commit().result(20)

    assert made.total() <= OUTPUTS + 2 * ALONE + 4 * packs + 16
    assert published(world) == wanted
    assert world.item["completion"]["outputs"] == OUTPUTS
    assert not list((tmp_path / "outputs").iterdir()), "a staged output was left on the disk"


FEW = ALONE + 3
"""Outputs, of which some wait in a pack that nothing fills."""


def mark(keeper: Keeper) -> None:
    keeper.requests.mark("one", [])


def save(keeper: Keeper) -> None:
    keeper.requests.save([])


def set_aside(keeper: Keeper) -> None:
    keeper.requests.set_aside("one")


def leave(keeper: Keeper) -> None:
    """The job ends, and nothing more was said of them."""


@pytest.mark.parametrize(
    ("unit", "end"), [("one", mark), ("one", set_aside), ("", save), ("", mark), ("", leave)]
)
def test_what_waits_for_a_pack_is_not_waited_for_for_ever(
    unit: str, end: Callable[[Keeper], None], tmp_path: Path
) -> None:
    world = new_world()
    keeper = keeper_with(straight, world, tmp_path)
    wanted = {f"{number}.csv": str(number).encode() for number in range(FEW)}
    for name, content in wanted.items():
        make(keeper, name, content, unit)
    end(keeper)
    keeper.commit().result(20)

    assert published(world) == wanted
    assert world.uploads == {}


def test_what_lies_in_the_folder_for_outputs_shares_packs_too(tmp_path: Path) -> None:
    world, folder = new_world(), tmp_path / "out"
    folder.mkdir()
    wanted = {f"{number}.csv": str(number).encode() for number in range(FEW)}
    keeper = keeper_with(straight, world, tmp_path, "--output-dir", str(folder))
    for name, content in wanted.items():
        (folder / name).write_bytes(content)
    keeper.requests.mark("one", [])
    assert len(world.uploads) == ALONE
    keeper.commit().result(20)

    assert published(world) == wanted


def test_one_that_is_made_anew_one_that_is_gone_and_a_broken_off_unit_s_are_left_out(
    tmp_path: Path,
) -> None:
    world = new_world()
    keeper = keeper_with(straight, world, tmp_path)
    keeper.requests.begin("other", os.getpid())
    for number in range(FEW):
        make(keeper, f"other-{number}.csv", b"other", "other")
        make(keeper, f"{number}.csv", b"first")
    make(keeper, f"{FEW - 1}.csv", b"second")
    keeper.requests.break_off("other")
    mark(keeper)
    keeper.commit().result(20)

    wanted = {f"{number}.csv": b"first" for number in range(FEW)}
    assert published(world) == wanted | {f"{FEW - 1}.csv": b"second"}
    assert world.uploads == {}
    assert not list((tmp_path / "outputs").iterdir()), "an output was left on the disk"


def test_a_pack_that_cannot_be_put_fails_the_mark_of_its_unit(tmp_path: Path) -> None:
    world, refusing = new_world(), True

    def refuse(name: str, call: Callable[[], Any]) -> Any:
        if refusing and name == "put":
            raise Denied("The task role may not use the bucket.", "Give it the permission.")
        return call()

    keeper = keeper_with(refuse, world, tmp_path)
    for number in range(FEW):
        make(keeper, f"{number}.csv", b"")
    with pytest.raises(Denied):
        mark(keeper)

    refusing = False
    keeper.requests.begin("one", os.getpid())
    make(keeper, "0.csv", b"again")
    mark(keeper)
    keeper.commit().result(20)
    assert published(world) == {"0.csv": b"again"}
    assert not list((tmp_path / "outputs").iterdir()), "an output was left on the disk"


def test_at_a_stop_what_waits_is_given_up(tmp_path: Path) -> None:
    world = new_world()
    keeper = keeper_with(straight, world, tmp_path)
    for number in range(FEW):
        make(keeper, f"{number}.csv", b"x")
    keeper.withdraw()
    keeper.leave(lambda: (Reason.INTERRUPTED, 143, "Interrupted."), dict).result(20)

    assert world.uploads == {}
    assert not [key for key in world.objects if "packs/" in key]


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
