"""The checkpoint's folder as people have it: modes, links, times, attributes, what is no file."""

from __future__ import annotations

import itertools
import mmap
import os
import random
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pytest

from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.checkpoint import Damaged
from steadyspot.worker.keeping.contents import PAGE_BYTES, fill
from steadyspot.worker.keeping.folders import NO_FILE, CheckpointFolder
from steadyspot.worker.keeping.listing import Block, File, Listing, Piece
from steadyspot.worker.keeping.packing import DATA_BYTES, SMALL_BYTES
from steadyspot.worker.keeping.restoring import restore
from steadyspot.worker.keeping.scanning import Tree
from steadyspot.worker.keeping.sending import Sender
from steadyspot.worker.options import Options
from tests.unit.worker.fakes import FakeBucket, World

NOWHERE: Any = None
"""A bucket that is not asked, since all bytes lie in the entries."""

POOL = ThreadPoolExecutor(4)


def nothing() -> Tree:
    """There is no folder for outputs."""
    return Tree({}, {})


class Kept:
    """A folder and the bucket that it is saved in."""

    def __init__(self, root: Path, tmp_path: Path, pool: Executor = POOL) -> None:
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        self.world = World()
        self.calls: list[str] = []
        self.bucket = FakeBucket(self.world, self._gate)
        self.root = root
        self.back = tmp_path / "back"
        self.pauses = 0
        self.mapped: set[str] = set()
        self.look: Callable[[], Tree] = nothing
        self.folder = CheckpointFolder(
            str(root), str(spool), self._pause, lambda: None, dict, lambda: self.mapped
        )
        self.pool = pool
        self.sender = Sender(self.bucket, pool, lambda digest: f"blocks/{digest}")

    def _gate(self, name: str, call: Any) -> Any:
        self.calls.append(name)
        return call()

    def _pause(self) -> None:
        self.pauses += 1

    def save(self, running: bool = True) -> Listing:
        captured, _ = self.folder.capture(running, self.look, self.pool)
        captured = self.sender.send(captured, self.folder.known, self.folder.left_out)
        self.folder.clear_spool()
        listing = Listing(one.file for one in captured)
        self.folder.keep(captured, listing)
        return listing

    def content(self, listing: Listing, path: str) -> bytes:
        """A file's bytes as the bucket has them."""
        (file,) = [file for file in listing.files if file.path == path]
        return b64decode(file.data) + b"".join(
            self.world.objects[piece.block.key][0][piece.start : piece.start + piece.size]
            for piece in file.pieces
        )

    def restore(self, listing: Listing) -> Path:
        again = CheckpointFolder(str(self.back), "", lambda: None, lambda: None, dict, set)
        assert again.restore(Listing.read(listing.body), self.bucket, POOL)
        return self.back


def _there_and_back(root: Path, tmp_path: Path) -> Path:
    kept = Kept(root, tmp_path)
    return kept.restore(kept.save())


def _restore(root: Path, files: list[File], bucket: Any = NOWHERE) -> bool:
    return restore(str(root), files, bucket, POOL, lambda: False)


def _file(path: str, content: bytes = b"x", **changed: Any) -> File:
    data = b64encode(content).decode()
    return File(path, "file", 0o644, len(content), 10**18, data=data)._replace(**changed)


BLOCK = Block("some-object", "0" * 64, 8)


def _in_block(path: str, size: int, block: Block, start: int = 0) -> File:
    return File(path, "file", 0o644, size, 10**18, pieces=(Piece(block, start, size),))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def test_folders_keep_their_modes_and_times(root: Path, tmp_path: Path) -> None:
    for name, mode in (("pgdata", 0o700), (".gnupg", 0o700), ("shared", 0o2775), ("ro", 0o555)):
        folder = root / name
        folder.mkdir()
        (folder / "file").write_text("kept")
        folder.chmod(mode)
        os.utime(folder, ns=(10**18, 10**18 + 7))

    back = _there_and_back(root, tmp_path)

    for name, mode in (("pgdata", 0o700), (".gnupg", 0o700), ("shared", 0o2775), ("ro", 0o555)):
        found = (back / name).stat()
        assert (name, oct(stat.S_IMODE(found.st_mode))) == (name, oct(mode))
        assert found.st_mtime_ns == 10**18 + 7
        assert (back / name / "file").read_text() == "kept"


def test_folder_itself_keeps_its_mode(root: Path, tmp_path: Path) -> None:
    root.chmod(0o700)
    (root / "PG_VERSION").write_text("18")

    back = _there_and_back(root, tmp_path)

    assert stat.S_IMODE(back.stat().st_mode) == 0o700


def test_hard_links_stay_one_file(root: Path, tmp_path: Path) -> None:
    (root / "z").mkdir()
    (root / "z" / "first").write_text("one")
    os.link(root / "z" / "first", root / "also")

    back = _there_and_back(root, tmp_path)

    assert (back / "also").samefile(back / "z" / "first")
    assert (back / "also").read_text() == "one"


@pytest.mark.parametrize("running", [True, False])
def test_sparse_file_takes_no_more_room_than_it_did(
    root: Path, tmp_path: Path, running: bool
) -> None:
    """Neither in the folder that it comes back to, nor as a copy of a save."""
    large, small, empty = root / "large", root / "small", root / "empty"
    with large.open("wb") as file:
        file.truncate(40 << 20)
        for at, data in ((9 << 20, b"within"), ((20 << 20) - 3, b"across"), ((40 << 20) - 1, b"!")):
            file.seek(at)
            file.write(data)
    with small.open("wb") as file:
        file.write(b"begin")
        file.truncate(100_000)
    empty.touch(0o640)
    os.truncate(empty, 50_000)
    large.chmod(0o604)
    os.utime(large, (1e9, 1e9))
    os.link(large, root / "name")
    kept = Kept(root, tmp_path)
    captured, _ = kept.folder.capture(running, nothing, POOL)
    for copies in (tmp_path / "spool").iterdir():
        assert copies.stat().st_blocks * 512 < 1 << 20
    kept.sender.send(captured, {}, {})

    back = kept.restore(kept.save(running))
    for before, after in ((path, back / path.name) for path in (large, small, empty)):
        assert after.read_bytes() == before.read_bytes()
        assert after.stat().st_blocks <= before.stat().st_blocks + 16  # For what describes it.
        assert after.stat().st_mode == before.stat().st_mode
        assert after.stat().st_mtime == before.stat().st_mtime
    assert (back / "name").samefile(back / "large")


@pytest.mark.parametrize("at", [0, 1, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1])
def test_bytes_and_zeros_stand_where_they_are_to(tmp_path: Path, at: int) -> None:
    """Whatever pages of the file they fill, in part or whole."""
    chance = random.Random(at)
    for size in (0, 1, 7, PAGE_BYTES - 1, PAGE_BYTES, 2 * PAGE_BYTES + 1, 20 * PAGE_BYTES):
        data = bytearray(size)
        for _ in range(chance.randrange(4)):
            start = chance.randrange(size or 1)
            data[start : start + 1] = b"x" * min(1, size)
        with (tmp_path / "file").open("wb") as file:
            file.truncate(at + size + 5)
            fill(file.fileno(), memoryview(data), at)
        assert (tmp_path / "file").read_bytes() == bytes(at) + data + bytes(5)


def test_links_are_kept_as_they_are_and_not_followed(root: Path, tmp_path: Path) -> None:
    (root / "latest").symlink_to("step-7")
    (root / "away").symlink_to("/nonexistent/elsewhere")

    back = _there_and_back(root, tmp_path)

    assert str((back / "latest").readlink()) == "step-7"
    assert str((back / "away").readlink()) == "/nonexistent/elsewhere"


def test_extended_attributes_come_back(root: Path, tmp_path: Path) -> None:
    (root / "file").write_text("kept")
    (root / "folder").mkdir()
    try:
        os.setxattr(root / "file", "user.origin", b"\x00binary")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    os.setxattr(root / "folder", "user.origin", b"folder")

    back = _there_and_back(root, tmp_path)

    assert os.getxattr(back / "file", "user.origin") == b"\x00binary"
    assert os.getxattr(back / "folder", "user.origin") == b"folder"


def test_what_is_no_file_is_left_out_and_named(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "file").write_text("kept")
    kept = Kept(root, tmp_path)

    saved = kept.save()

    assert [file.path for file in saved.files if file.path] == ["file"]
    assert kept.folder.left_out == {"pipe": NO_FILE}


def test_file_that_grows_is_copied_as_far_as_it_was_seen(root: Path, tmp_path: Path) -> None:
    log = root / "log"
    log.write_bytes(b"a" * 100)
    kept = Kept(root, tmp_path)

    def growing() -> Tree:
        with log.open("ab") as file:
            file.write(b"b" * 10)
        return nothing()

    captured, _ = kept.folder.capture(True, growing, POOL)

    captured = kept.sender.send(captured, {}, {})
    content = (kept.restore(Listing(one.file for one in captured)) / "log").read_bytes()
    assert content.startswith(b"a" * 100)
    assert set(content[100:]) <= set(b"b")


@pytest.mark.parametrize("option", ["--checkpoint-dir", "--output-dir"])
@pytest.mark.parametrize("place", ["/proc", "/proc/self/fd", "/sys/kernel", "/dev", "LINK"])
def test_folder_of_the_kernel_is_refused(place: str, option: str, tmp_path: Path) -> None:
    (tmp_path / "LINK").symlink_to("/proc")
    place = place.replace("LINK", str(tmp_path / "LINK"))

    with pytest.raises(SetupError, match=f"{option} names .* which belongs to the system"):
        Options([option, place, "true"], {})


@pytest.mark.parametrize("place", ["/dev/shm/state", "/work/state", "process"])
def test_other_folders_are_taken(place: str) -> None:
    assert Options(["--checkpoint-dir", place, "true"], {}).checkpoint_dir == place


@pytest.mark.parametrize(
    "planted",
    [
        [_file("/etc/cron.d/evil")],
        [_file("../evil")],
        [_file("a/../../evil")],
        [_file("a//b")],
        [_file("./a")],
        [_file("a\0b")],
        [_file("")],
        [File("a", "device", 0o644)],
        [_file("a"), _file("a", b"twice")],
        [_file("a"), _file("a/b")],
        [File("a", "link", 0o777, target="/tmp"), _file("a/evil")],
        [File("a", "hard link", 0o644, target="/etc/shadow")],
        [File("a", "hard link", 0o644, target="../evil")],
        [
            File("link", "link", 0o777, target="/etc/shadow"),
            File("a", "hard link", 0o644, target="link"),
        ],
        [_file("a", size=-1)],
        [_file("a", size=1 << 60)],
        [_file("a", size=2)],
        [_file("a", data="no base64!")],
        [_in_block("a", 8, BLOCK._replace(size=7))],
        [_in_block("a", 8, BLOCK, start=-1)],
        [_in_block("a", 9, BLOCK)._replace(size=8)],
        [_in_block("a", 1, BLOCK._replace(size=1 << 40))],
        [File("a", "link", 0o777, target="b", pieces=(Piece(BLOCK, 0, 8),))],
    ],
    ids=lambda planted: "+".join(f"{file.kind}:{file.path!r}" for file in planted),
)
def test_planted_manifest_is_refused_before_anything_is_written(
    root: Path, tmp_path: Path, planted: list[File]
) -> None:
    (root / "own").write_text("own")

    with pytest.raises(Damaged):
        _restore(root, planted)

    assert [path.name for path in root.iterdir()] == ["own"]
    assert not (tmp_path / "evil").exists()


def test_link_that_lies_in_the_way_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("not ours")
    (root / "a").symlink_to(outside)
    (root / "b").symlink_to(outside / "file")

    assert _restore(root, [_file("a/file"), _file("b")])

    assert (outside / "file").read_text() == "not ours"
    assert (root / "a" / "file").read_bytes() == b"x"
    assert not (root / "b").is_symlink()


def test_no_bits_of_another_user_come_back(root: Path) -> None:
    assert _restore(root, [_file("tool", mode=0o6755), File("folder", "folder", 0o6755)])

    assert stat.S_IMODE((root / "tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "folder").stat().st_mode) == 0o2755


def test_more_bytes_than_the_manifest_says_are_refused(root: Path) -> None:
    class Endless:
        written = 0

        def fetch(self, key: str, file: IO[bytes]) -> None:
            for self.written in range(1000):
                file.write(b"0" * 1_000_000)

    bucket: Any = Endless()
    with pytest.raises(Damaged):
        _restore(root, [_in_block("a", 1, Block("some-object", "0" * 64, 1))], bucket)

    assert bucket.written < 2
    assert list(root.iterdir()) == []


def test_restore_takes_away_what_was_not_saved(root: Path) -> None:
    (root / "old").mkdir()
    (root / "old" / "file").write_text("old")
    (root / "kept").mkdir()
    (root / "kept" / "file").write_text("old")

    assert _restore(root, [_file("kept"), _file("new/file")])

    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    assert found == ["kept", "new", "new/file"]
    assert (root / "kept").read_bytes() == b"x"


# What is mapped into memory: its times do not tell.


@pytest.fixture
def mapped(root: Path) -> Iterator[mmap.mmap]:
    """A file of the folder, mapped, with its page written and so dirty."""
    path = root / "mapped"
    path.write_bytes(bytes(SMALL_BYTES))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:4] = b"zero"
        yield memory


def test_mapped_file_is_read_anew_until_one_save_after_it_is_mapped_no_more(
    root: Path, tmp_path: Path, mapped: mmap.mmap
) -> None:
    kept = Kept(root, tmp_path)
    for number, is_mapped in enumerate((True, True, False)):
        kept.mapped = {f"{root}/mapped"} if is_mapped else set()
        mapped[:4] = b"%04d" % number
        assert kept.content(kept.save(), "mapped")[:4] == b"%04d" % number
    kept.calls.clear()
    mapped[:4] = b"unseen"[:4]
    kept.save()
    assert kept.calls == []


def test_mapped_file_that_did_not_change_is_not_sent_again(
    root: Path, tmp_path: Path, mapped: mmap.mmap
) -> None:
    (root / "small").write_bytes(os.urandom(DATA_BYTES + 1))
    kept = Kept(root, tmp_path)
    kept.mapped = {f"{root}/mapped", f"{root}/small"}
    first = kept.save()
    kept.calls.clear()
    assert kept.save().files == first.files
    assert kept.calls == []


def looking(change: Callable[[int], None]) -> Callable[[], Tree]:
    """A look at nothing, at which something changes; it is told how many looks there were."""
    looks = itertools.count(1)

    def look() -> Tree:
        change(next(looks))
        return nothing()

    return look


def test_mapped_file_that_changes_while_the_folder_is_copied_is_copied_again(
    root: Path, tmp_path: Path, mapped: mmap.mmap
) -> None:
    kept = Kept(root, tmp_path)
    kept.mapped = {f"{root}/mapped"}

    def change(looks: int) -> None:
        if looks == 2:
            mapped[:4] = b"last"

    kept.look = looking(change)
    assert kept.content(kept.save(), "mapped")[:4] == b"last"
    assert kept.pauses == 0


def test_job_is_paused_where_a_mapped_file_never_stands_still(
    root: Path, tmp_path: Path, mapped: mmap.mmap
) -> None:
    kept = Kept(root, tmp_path)
    kept.mapped = {f"{root}/mapped"}

    def change(looks: int) -> None:
        if not kept.pauses:
            mapped[:4] = b"%04d" % looks

    kept.look = looking(change)
    listing = kept.save()
    assert kept.pauses == 1
    assert kept.content(listing, "mapped")[:4] == mapped[:4]
