"""The checkpoint's folder as people have it: modes, links, times, attributes, what is no file."""

from __future__ import annotations

import os
import stat
import time
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import pytest

from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.checkpoint import Damaged, File
from steadyspot.worker.keeping.folders import CheckpointFolder
from steadyspot.worker.keeping.restoring import restore
from steadyspot.worker.options import Options

NOWHERE: Any = None
"""A bucket that is not asked, since all bytes lie in the entries."""


def _folder(root: Path, spool: Path) -> CheckpointFolder:
    spool.mkdir(exist_ok=True)
    return CheckpointFolder(str(root), str(spool), lambda: None, lambda: None)


def _saved(root: Path, spool: Path) -> list[File]:
    captured, _ = _folder(root, spool).capture(running=True, look=dict)
    return [
        replace(one.file, data=b64encode(Path(one.source).read_bytes()).decode())
        if one.source
        else one.file
        for one in captured
    ]


def _there_and_back(root: Path, tmp_path: Path) -> Path:
    back = tmp_path / "back"
    assert _folder(back, tmp_path / "spool").restore(_saved(root, tmp_path / "spool"), NOWHERE)
    return back


def _file(path: str, content: bytes = b"x", **changed: Any) -> File:
    data = b64encode(content).decode()
    digest = sha256(content).hexdigest()
    file = File(path, "file", 0o644, len(content), digest, data=data, mtime_ns=10**18)
    return replace(file, **changed)


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
    folder = _folder(root, tmp_path / "spool")

    captured, _ = folder.capture(running=True, look=dict)

    assert [one.file.path for one in captured if one.file.path] == ["file"]
    assert folder.left_out == ["pipe"]


def test_file_that_grows_is_copied_as_far_as_it_was_seen(root: Path, tmp_path: Path) -> None:
    log = root / "log"
    log.write_bytes(b"a" * 100)
    folder = _folder(root, tmp_path / "spool")

    class Growing:
        looks = 0

        def __call__(self) -> dict[str, Any]:
            self.looks += 1
            with log.open("ab") as file:
                file.write(b"b" * 10)
            return {}

    captured, _ = folder.capture(running=True, look=Growing())

    source = next(one.source for one in captured if one.file.path == "log")
    content = Path(source).read_bytes()
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
    ],
    ids=lambda planted: "+".join(f"{file.kind}:{file.path!r}" for file in planted),
)
def test_planted_manifest_is_refused_before_anything_is_written(
    root: Path, tmp_path: Path, planted: list[File]
) -> None:
    (root / "own").write_text("own")

    with pytest.raises(Damaged):
        restore(str(root), planted, NOWHERE, lambda: False)

    assert [path.name for path in root.iterdir()] == ["own"]
    assert not (tmp_path / "evil").exists()


def test_link_that_lies_in_the_way_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("not ours")
    (root / "a").symlink_to(outside)
    (root / "b").symlink_to(outside / "file")

    assert restore(str(root), [_file("a/file"), _file("b")], NOWHERE, lambda: False)

    assert (outside / "file").read_text() == "not ours"
    assert (root / "a" / "file").read_bytes() == b"x"
    assert not (root / "b").is_symlink()


def test_no_bits_of_another_user_come_back(root: Path) -> None:
    assert restore(
        str(root),
        [_file("tool", mode=0o6755), File("folder", "folder", 0o6755)],
        NOWHERE,
        lambda: False,
    )

    assert stat.S_IMODE((root / "tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "folder").stat().st_mode) == 0o2755


def test_more_bytes_than_the_manifest_says_are_refused(root: Path) -> None:
    class Endless:
        def fetch(self, key: str, file: IO[bytes]) -> None:
            for _ in range(1000):
                file.write(b"0" * 1_000_000)

    begun = time.monotonic()
    bucket: Any = Endless()
    with pytest.raises(Damaged):
        restore(str(root), [_file("a", key="some-object", data="")], bucket, lambda: False)

    assert time.monotonic() - begun < 5
    assert list(root.iterdir()) == []


def test_restore_takes_away_what_was_not_saved(root: Path) -> None:
    (root / "old").mkdir()
    (root / "old" / "file").write_text("old")
    (root / "kept").mkdir()
    (root / "kept" / "file").write_text("old")

    assert restore(str(root), [_file("kept"), _file("new/file")], NOWHERE, lambda: False)

    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    assert found == ["kept", "new", "new/file"]
    assert (root / "kept").read_bytes() == b"x"
