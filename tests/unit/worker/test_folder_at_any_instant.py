"""However a save of a folder breaks off, the next attempt finds it as it was at one of them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from steadyspot.worker.keeping.attempt import Attempt
from steadyspot.worker.keeping.checkpoint import Damaged
from steadyspot.worker.keeping.folders import CheckpointFolder
from steadyspot.worker.keeping.listing import Listing
from steadyspot.worker.keeping.sending import Sender
from tests.unit.worker.fakes import Crash, CrashAt, FakeBucket, Gate, Inline, World, straight
from tests.unit.worker.runs import attempt, new_world
from tests.unit.worker.test_checkpoint_folder import nothing

SAVES = 4


class Disk:
    """The folder of one attempt, and its job, which changes it from save to save."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chance = random.Random(20261124)
        spool = root.parent / f"{root.name}-spool"
        spool.mkdir(parents=True)
        self.folder = CheckpointFolder(str(root), str(spool), lambda: None, lambda: None, dict, set)

    def content(self) -> dict[str, bytes]:
        paths = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}

    def work(self, step: int) -> None:
        """Small files that change, come and go, and a large one in which a byte changes."""
        self.root.mkdir(exist_ok=True)
        for number in range(30):
            if step == 0 or number % SAVES == step:
                (self.root / f"{number}").write_bytes(self.chance.randbytes(5_000))
        (self.root / f"{step}").unlink(missing_ok=True)
        with (self.root / "large").open("a+b" if step else "wb") as large:
            large.write(self.chance.randbytes(300_000 if not step else 10))


def save(one: Attempt, disk: Disk, gate: Gate, world: World, *, tidies: bool = True) -> None:
    """As ``saving`` does it."""
    captured, _ = disk.folder.capture(True, nothing, Inline())
    bucket, prefix = FakeBucket(world, gate), f"{one.checkpoints}blocks/"
    sender = Sender(bucket, Inline(), lambda sha256: f"{prefix}{sha256}-{one.about.fence}")
    captured = sender.send(captured, disk.folder.known, {})
    disk.folder.clear_spool()
    one.ledger.files = listing = Listing(entry.file for entry in captured)
    saved = one.ledger.snapshot()
    one.save(saved)
    one.ledger.settle(saved)
    disk.folder.keep(captured, listing)
    if tidies:
        one.drop_old()


def restored(world: World, fence: int, root: Path) -> tuple[Attempt, Disk]:
    one, disk = attempt(world, fence), Disk(root)
    one.open()
    while True:
        try:
            files = one.ledger.files
            if files is not None:
                assert disk.folder.restore(files, FakeBucket(world), Inline())
            return one, disk
        except Damaged as damaged:
            one.fall_back(damaged)


def states(tmp_path: Path) -> Iterator[dict[str, bytes]]:
    """What the folder holds at each save of an undisturbed run; first, before any."""
    disk = Disk(tmp_path / "undisturbed")
    yield {}
    for step in range(SAVES):
        disk.work(step)
        yield disk.content()


def run(world: World, gate: Gate, root: Path) -> int:
    """An attempt that makes all saves, unless it crashes; how many counted for it."""
    done = 0
    try:
        one, disk = attempt(world, 10_001, gate), Disk(root)
        one.open()
        for step in range(SAVES):
            disk.work(step)
            save(one, disk, gate, world)
            done += 1
    except Crash:
        pass
    return done


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after it"])
def test_a_kill_at_any_call_leaves_the_folder_of_one_save(tmp_path: Path, after: bool) -> None:
    expected = list(states(tmp_path))
    number, done = 0, -1
    while done < SAVES:
        number += 1
        world = new_world()
        root = tmp_path / f"{number}"
        done = run(world, CrashAt(number, after), root)
        one, disk = restored(world, 10_002, tmp_path / f"{number}-again")

        found = disk.content()
        assert found in expected[done : done + 2]
        step = expected.index(found)
        if step < SAVES:
            disk.work(step)
            save(one, disk, straight, world)
            assert disk.content() == restored(world, 10_003, tmp_path / f"{number}-3")[1].content()
        shutil.rmtree(root, ignore_errors=True)


def test_any_object_that_is_lost_costs_one_save_at_most(tmp_path: Path) -> None:
    """Both checkpoints may name it: then all is done anew."""
    expected = list(states(tmp_path))
    world = new_world()
    assert run(world, straight, tmp_path / "1") == SAVES
    allowed = [expected[-1], expected[-2], {}]
    seen = set()
    for number, key in enumerate(sorted(world.objects)):
        lost = world.objects.pop(key)
        found = restored(world, 10_002 + number, tmp_path / f"lost-{number}")[1].content()
        assert found in allowed
        seen.add(allowed.index(found))
        world.objects[key] = lost
        world.item["fence"] = 10_001
    assert seen == {0, 1, 2}


def test_an_attempt_that_was_thought_dead_deletes_nothing_that_counts(tmp_path: Path) -> None:
    """It falls asleep before it deletes bytes that the next attempt comes to need again."""
    world = new_world()
    first, again = bytes(1_200_000), b"x" * 1_200_000
    old, disk = attempt(world, 10_001), Disk(tmp_path / "old")
    old.open()
    disk.root.mkdir()
    for content in (first, again, again + b"y"):
        (disk.root / "file").write_bytes(content)
        save(old, disk, straight, world, tidies=False)
    new, disk = restored(world, 10_002, tmp_path / "new")
    (disk.root / "file").write_bytes(first)
    save(new, disk, straight, world)

    old.drop_old()

    assert restored(world, 10_003, tmp_path / "last")[1].content() == {"file": first}


def test_what_lies_in_the_bucket_is_what_the_last_two_checkpoints_name(tmp_path: Path) -> None:
    world = new_world()
    one, disk = attempt(world, 10_001), Disk(tmp_path / "1")
    one.open()
    sizes: list[int] = []
    for step in range(40):
        disk.work(step % SAVES)
        save(one, disk, straight, world)
        sizes.append(len(world.objects))
    assert max(sizes[10:]) <= max(sizes[:10]) + 25
