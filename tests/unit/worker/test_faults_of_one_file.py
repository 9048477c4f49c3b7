"""One thing that cannot be read, goes away or has a bad name is named; all else is saved."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steadyspot.worker.errors import Misuse
from steadyspot.worker.keeping.contents import Span, Unreadable, read
from steadyspot.worker.keeping.folders import CheckpointFolder
from steadyspot.worker.keeping.keeper import Keeper
from steadyspot.worker.keeping.listing import Listing
from steadyspot.worker.keeping.scanning import Tree, scan
from tests.unit.worker.fakes import Inline, World
from tests.unit.worker.runs import new_world
from tests.unit.worker.test_checkpoint_folder import POOL, Kept, nothing
from tests.unit.worker.test_keeper import done, keeper_of

LINUX_CAPABILITY_VERSION_3 = 0x20080522
OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root reads everything.


@contextlib.contextmanager
def as_anybody() -> Iterator[None]:
    """Modes mean in this thread, and in those that it starts, what they do for all but root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    before, without = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    for number, value in enumerate(before):
        without[number] = value
    without[0] &= ~OVERRIDES
    assert libc.capset(header, without) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    root = tmp_path / "state"
    (root / "sub").mkdir(parents=True)
    (root / "good").write_text("good")
    (root / "sub" / "file").write_text("file")
    return Kept(root, tmp_path, Inline())  # In this thread, where modes mean what they say.


def names(listing: Listing) -> list[str]:
    return [file.path for file in listing.files if file.path]


@pytest.mark.parametrize("running", [True, False], ids=["running", "ended"])
def test_file_that_cannot_be_read_is_left_out_until_it_can(kept: Kept, running: bool) -> None:
    secret = kept.root / "secret"
    secret.write_text("x" * 20_000)
    os.link(secret, kept.root / "twin")
    secret.chmod(0)
    with as_anybody():
        listing = kept.save(running)

        assert names(listing) == ["good", "sub", "sub/file"]
        assert kept.folder.left_out == dict.fromkeys(["secret", "twin"], "Permission denied")
        assert (kept.restore(listing) / "good").read_text() == "good"
        secret.chmod(0o600)
        assert names(kept.save(running)) == ["good", "secret", "sub", "sub/file", "twin"]
    assert kept.folder.left_out == {}


def test_broken_disk_is_a_trouble_of_its_file_alone() -> None:
    """The memory at 0 reads like a sector that is gone: the file is there and open, and EIO."""
    with pytest.raises(Unreadable, match="Input/output error"):
        read(Span("/proc/self/mem", 0, 8))


@pytest.mark.parametrize("running", [True, False], ids=["running", "ended"])
def test_folder_that_cannot_be_read_is_named(kept: Kept, running: bool) -> None:
    (kept.root / "sub").chmod(0)
    with as_anybody():
        listing = kept.save(running)

    assert names(listing) == ["good", "sub"]
    assert kept.folder.left_out == {"sub": "Permission denied"}


def test_path_that_is_too_long_for_the_system_is_named(kept: Kept) -> None:
    here = os.open(kept.root, os.O_DIRECTORY)
    for _ in range(17):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    listing = kept.save()

    assert {"good", "sub/file"} <= set(names(listing))
    assert set(kept.folder.left_out.values()) == {"File name too long"}


def test_folder_that_cannot_be_read_at_all_is_not_taken_for_an_empty_one(kept: Kept) -> None:
    kept.root.chmod(0)
    with as_anybody(), pytest.raises(PermissionError):
        kept.save()
    kept.root.chmod(0o700)


def _vanish(path: Path) -> None:
    path.unlink()


def _shrink(path: Path) -> None:
    os.truncate(path, 3)


def _become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _become_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("happens", [_vanish, _shrink, _become_a_pipe, _become_a_link])
@pytest.mark.parametrize("size", [20_000, 300_000, 9 << 20], ids=["small", "large", "blocks"])
def test_file_that_changes_while_it_is_sent_is_left_out(
    kept: Kept, size: int, happens: Callable[[Path], None]
) -> None:
    """The job has ended: what it left is read where it lies."""
    (kept.root / "big").write_bytes(os.urandom(size))
    captured, _ = kept.folder.capture(False, nothing, POOL)
    happens(kept.root / "big")
    left_out: dict[str, str] = {}

    listing = Listing(one.file for one in kept.sender.send(captured, {}, left_out))

    assert names(listing) == ["good", "sub", "sub/file"]
    assert left_out == {"big": "it changed while it was read"}
    assert (kept.restore(listing) / "sub" / "file").read_text() == "file"


@pytest.mark.parametrize("happens", [_vanish, _shrink, _become_a_pipe, _become_a_link])
def test_file_that_changes_while_the_job_runs_is_looked_at_again(
    kept: Kept, happens: Callable[[Path], None]
) -> None:
    path = kept.root / "big"
    path.write_bytes(os.urandom(300_000))

    def look() -> Tree:
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 3:
            happens(path)
        return nothing()

    captured, _ = kept.folder.capture(True, look, POOL)
    listing = Listing(one.file for one in kept.sender.send(captured, {}, {}))

    there = {file.path: (file.kind, file.size) for file in listing.files}
    expected = {"_shrink": ("file", 3), "_become_a_link": ("link", 0)}
    assert there.get("big") == expected.get(happens.__name__)


def test_folders_that_come_and_go_do_not_hinder_a_save(kept: Kept) -> None:
    """The walk finds names whose folder is gone by then; the job is paused in the end."""
    going, may = threading.Event(), threading.Event()
    may.set()
    tree = kept.root / "tree"

    def churn() -> None:
        while not going.is_set():
            for name in "abc":
                (tree / name / "deep").mkdir(parents=True)
                (tree / name / "deep" / "file").write_text("x")
            shutil.rmtree(tree)
            may.wait()

    folder = CheckpointFolder(
        str(kept.root), str(kept.root.parent / "spool"), may.clear, may.set, dict, set
    )
    kept.folder = folder
    job = threading.Thread(target=churn)
    job.start()
    try:
        listings = [kept.save() for _ in range(5)]
    finally:
        going.set()
        may.set()
        job.join()

    for listing in listings:
        assert {"good", "sub/file"} <= set(names(listing))
        assert (kept.restore(listing) / "good").read_text() == "good"


def test_name_of_no_utf_8_comes_back(kept: Kept) -> None:
    name = os.fsdecode(b"caf\xe9")
    (kept.root / name).write_text("latin")

    assert (kept.restore(kept.save()) / name).read_text() == "latin"


def test_restore_is_stopped_within_a_large_file(kept: Kept) -> None:
    (kept.root / "large").write_bytes(os.urandom(8 << 20))
    listing = kept.save()
    received = 0

    def is_stopped() -> bool:
        return received > 1 << 20

    class Slow:
        """Sends a little at a time."""

        def fetch(self, key: str, sink: object) -> None:
            nonlocal received
            data = kept.world.objects[key][0]
            for start in range(0, len(data), 1 << 16):
                received += 1 << 16
                sink.write(data[start : start + (1 << 16)])  # type: ignore[attr-defined]

    back = CheckpointFolder(str(kept.back), "", lambda: None, lambda: None, dict, set)
    assert not back.restore(listing, Slow(), POOL, is_stopped)  # type: ignore[arg-type]
    assert received < 4 << 20


# The folder for outputs.


def _straight(name: str, call: Callable[[], object]) -> object:
    return call()


@pytest.mark.parametrize("name", ["d\n", os.fsdecode(b"caf\xe9"), "x" * 200 + "/" + "y" * 255 * 3])
def test_output_whose_name_cannot_be_published_stops_no_save_but_the_commit(
    tmp_path: Path, name: str
) -> None:
    name = "/".join(name[i : i + 255] for i in range(0, len(name), 255))
    world = new_world()
    (tmp_path / "good").write_text("good")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("bad")
    keeper = keeper_of(world, tmp_path, _straight)
    done(keeper.save_folders())

    assert world.item["checkpoint"]
    assert [upload[0] for upload in world.uploads.values()] == ["outputs/job/key/good"]
    (said,) = world.item["warnings"]
    assert said.startswith(f"The output {ascii(name)[:20]}")
    with pytest.raises(Misuse, match="cannot be published"):
        done(keeper.commit())
    assert "outputs/job/key/completion.json" not in world.objects


def test_output_that_is_gone_again_when_the_job_ends_was_none(tmp_path: Path) -> None:
    world = new_world()
    (tmp_path / "good").write_text("good")
    (tmp_path / "half\x01").write_text("half")
    keeper = keeper_of(world, tmp_path, _straight)
    done(keeper.save_folders())
    (tmp_path / "half\x01").rename(tmp_path / "whole")

    done(keeper.commit())

    assert world.item["completion"]["outputs"] == 2


def test_output_that_cannot_be_read_is_published_by_a_job_that_mends_it(tmp_path: Path) -> None:
    world = new_world()
    (tmp_path / "good").write_text("good")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(0)
    with as_anybody():
        keeper = keeper_of(world, tmp_path, _straight)
        done(keeper.save_folders())
        assert "Permission denied" in world.item["warnings"][0]
        (tmp_path / "folder").chmod(0o755)
        done(keeper.commit())

    assert world.item["completion"]["outputs"] == 1


def _attempt(world: World, folder: Path) -> Keeper:
    folder.mkdir()
    world.item |= {"fence": 10_000}
    return keeper_of(world, folder, _straight)


@pytest.mark.parametrize("ends", ["publishes", "is killed"])
def test_run_is_never_complete_without_a_file_that_lay_there(tmp_path: Path, ends: str) -> None:
    """The job goes on behind a checkpoint, and never makes that file again."""
    world = new_world()
    first = _attempt(world, tmp_path / "1")
    (tmp_path / "1" / "a").write_text("a")
    (tmp_path / "1" / "b\n").write_text("b")
    first.opened.result(20)
    first.requests.begin("unit", os.getpid())
    first.requests.mark("unit", [])
    done(first.save_folders())
    if ends == "publishes":
        with pytest.raises(Misuse):
            done(first.commit())

    second = _attempt(world, tmp_path / "2")
    second.opened.result(20)
    ledger = second.saving.attempt.ledger
    if ends == "publishes":  # All is done anew, by a job that was mended meanwhile.
        assert (ledger.units_done, list(ledger.history.outputs())) == (0, [])
        (tmp_path / "2" / "c").write_text("c")
        done(second.commit())
        assert world.item["completion"]["outputs"] == 1
    else:
        with pytest.raises(Misuse, match="cannot be published"):
            done(second.commit())
        third = _attempt(world, tmp_path / "3")
        third.opened.result(20)
        assert third.saving.attempt.ledger.units_done == 0


def test_a_second_look_at_many_files_keeps_the_first_ones_entries(kept: Kept) -> None:
    before = scan(str(kept.root))
    (kept.root / "good").write_text("better")
    now = scan(str(kept.root), before.entries.get)

    assert now.entries["sub/file"] is before.entries["sub/file"]
    assert now.entries["good"] == scan(str(kept.root)).entries["good"] != before.entries["good"]
