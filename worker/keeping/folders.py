"""Two folders for any command: one saved as a whole and restored, one whose files are published.

A running job may write while its folder is read, so a capture copies what changed, looks again, and
counts only when nothing moved meanwhile; after some tries the job is paused for the copy. Where the
bytes go, and when a capture counts, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from steadyspot.paths import remove
from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.checkpoint import Damaged, File
from steadyspot.worker.keeping.store import Bucket

TRIES = 4
SETTLED_SECONDS = 0.02
"""Younger changes may share their time stamp with the next one: file systems stamp by the tick."""

HALF_MADE = (".tmp", ".part", "~")
"""Endings of names that are never taken for a finished output; a leading dot is the other sign."""


@dataclass(frozen=True)
class Seen:
    """What tells whether an entry changed since it was last looked at."""

    kind: str
    mode: int
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    target: str = ""


@dataclass(frozen=True)
class Captured:
    """An entry of a capture; ``source`` holds the bytes of a changed file, else it is empty."""

    file: File
    seen: Seen
    source: str = ""


def scan(root: str) -> dict[str, Seen]:
    """Every file, link and empty folder below, by relative path; no sockets and devices."""
    found: dict[str, Seen] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        entries = _entries(os.path.join(root, folder))
        if not entries and folder:
            mode = stat.S_IMODE(os.lstat(os.path.join(root, folder)).st_mode)
            found[folder] = Seen("folder", mode)
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif seen := _look(os.path.join(root, path)):
                found[path] = seen
    return found


class CheckpointFolder:
    """The folder that is saved and restored as a whole.

    ``spool`` is a folder for copies; ``pause`` and ``go_on`` stop the job and let it go on.
    """

    def __init__(
        self, root: str, spool: str, pause: Callable[[], None], go_on: Callable[[], None]
    ) -> None:
        self.root = root
        self._spool = spool
        self._pause = pause
        self._go_on = go_on
        self._saved: dict[str, Captured] = {}

    def restore(
        self, files: Iterable[File], bucket: Bucket, cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        """Make the folder what it was when saved; false when that was cancelled half-way.

        Raises ``SetupError`` where it fails.
        """
        files = list(files)
        try:
            os.makedirs(self.root, exist_ok=True)
            wanted = {file.path for file in files}
            for path in set(scan(self.root)) - wanted:
                remove(os.path.join(self.root, path))
            for file in files:
                if cancelled():
                    return False
                self._restore(file, bucket)
        except OSError as error:
            raise SetupError(
                f"The checkpoint cannot be restored into {self.root}: {error.strerror}.",
                "Give the worker a writable folder with enough room.",
            ) from None
        now = scan(self.root)
        self._saved = {f.path: Captured(f, now[f.path]) for f in files if f.path in now}
        return True

    def capture(
        self, running: bool, look: Callable[[], dict[str, Seen]]
    ) -> tuple[list[Captured], dict[str, Seen]]:
        """The folder at one instant, with the bytes of what changed since the last ``keep``.

        And what ``look`` saw elsewhere at that same instant: what a job has made beside what it
        notes of it.
        """
        if not running:
            return self._compare(scan(self.root)), look()
        copies: dict[str, Captured] = {}
        for _ in range(TRIES):
            before, beside = scan(self.root), look()
            captured = self._copy(before, copies)
            if (
                captured is not None
                and self._settled(before)
                and look() == beside
                and scan(self.root) == before
            ):
                return captured, beside
        self._pause()
        try:
            captured, beside = self._copy(scan(self.root), copies), look()
        finally:
            self._go_on()
        if captured is None:
            raise SetupError(
                f"The folder {self.root} changed while the job was paused.",
                "Let only the job itself write there.",
            )
        return captured, beside

    def keep(self, captured: list[Captured]) -> None:
        """A capture has become durable: later ones are compared with it."""
        self._saved = {one.file.path: replace(one, source="") for one in captured}

    def clear_spool(self) -> None:
        """Remove the copies of a capture."""
        for entry in _entries(self._spool):
            remove(entry.path)

    def _compare(self, now: dict[str, Seen]) -> list[Captured]:
        return [self._unchanged(p, s) or self._draft(p, s) for p, s in sorted(now.items())]

    def _unchanged(self, path: str, seen: Seen) -> Captured | None:
        saved = self._saved.get(path)
        return saved if saved and saved.seen == seen else None

    def _draft(self, path: str, seen: Seen) -> Captured:
        whole = os.path.join(self.root, path)
        sha256 = _sha256_of(whole) if seen.kind == "file" else ""
        file = File(path, seen.kind, seen.mode, seen.size, sha256, "", seen.target, seen.mtime_ns)
        return Captured(file, seen, whole if seen.kind == "file" else "")

    def _copy(self, now: dict[str, Seen], copies: dict[str, Captured]) -> list[Captured] | None:
        """Copy what changed and is not copied yet; none when a file went away or changed."""
        captured: list[Captured] = []
        for path, seen in sorted(now.items()):
            one = self._unchanged(path, seen) or copies.get(path)
            if one is None or one.seen != seen:
                try:
                    one = self._copied(path, seen, str(len(copies)) + "-" + os.urandom(4).hex())
                except FileNotFoundError:
                    return None
                if one is None:
                    return None
                copies[path] = one
            captured.append(one)
        return captured

    def _copied(self, path: str, seen: Seen, name: str) -> Captured | None:
        if seen.kind != "file":
            return self._draft(path, seen)
        copy = os.path.join(self._spool, name)
        shutil.copyfile(os.path.join(self.root, path), copy)
        if os.stat(copy).st_size != seen.size:
            os.unlink(copy)
            return None
        file = File(path, "file", seen.mode, seen.size, _sha256_of(copy), "", "", seen.mtime_ns)
        return Captured(file, seen, copy)

    def _settled(self, now: dict[str, Seen]) -> bool:
        newest = max((seen.mtime_ns for seen in now.values()), default=0) / 1e9
        age = time.time() - newest
        if 0 <= age < SETTLED_SECONDS:
            time.sleep(SETTLED_SECONDS - age)
        return True

    def _restore(self, file: File, bucket: Bucket) -> None:
        path = os.path.join(self.root, file.path)
        os.makedirs(path if file.kind == "folder" else os.path.dirname(path), exist_ok=True)
        if file.kind == "link":
            remove(path)
            os.symlink(file.target, path)
        elif file.kind == "file":
            half = f"{path}.{os.urandom(4).hex()}"
            with open(half, "wb") as out:
                if file.key:
                    bucket.fetch(file.key, out)
                else:
                    out.write(b64decode(file.data))
            if _sha256_of(half) != file.sha256:
                os.unlink(half)
                raise Damaged(
                    f"The saved file {file.path} is gone or was changed in the bucket.",
                    "Nothing need be done: the attempt goes on from the checkpoint before it.",
                )
            os.chmod(half, file.mode)
            os.utime(half, ns=(file.mtime_ns, file.mtime_ns))
            os.replace(half, path)


class OutputFolder:
    """The folder whose files are published; says which are new since they were last staged.

    ``leftovers`` were there before the attempt began, by ``paths.stamps``: no file of this attempt.
    """

    def __init__(self, root: str, leftovers: dict[str, tuple[int, int, int, int]]) -> None:
        self.root = root
        self._leftovers = leftovers
        self._staged: dict[str, Seen] = {}

    def look(self, held: set[str]) -> dict[str, Seen]:
        """The files that are finished outputs; ``held`` are paths still open for writing."""
        return {
            path: seen
            for path, seen in scan(self.root).items()
            if seen.kind == "file"
            and not _half_made(path)
            and not self._is_left_over(path, seen)
            and os.path.realpath(os.path.join(self.root, path)) not in held
        }

    def left_out(self) -> dict[str, list[str]]:
        """What is not published though it lies there: why, and the names."""
        found: dict[str, list[str]] = {}
        for path, seen in sorted(scan(self.root).items()):
            if seen.kind == "link":
                found.setdefault("links", []).append(path)
            elif seen.kind == "file" and _half_made(path):
                found.setdefault("with names of half-made or hidden files", []).append(path)
            elif seen.kind == "file" and self._is_left_over(path, seen):
                found.setdefault("there before the attempt began", []).append(path)
        return found

    def changed(self, now: dict[str, Seen]) -> tuple[dict[str, Seen], set[str]]:
        """Files to stage, and names that went away, of what ``look`` saw."""
        gone = set(self._staged) - set(now)
        return {p: s for p, s in now.items() if self._staged.get(p) != s}, gone

    def forget(self, names: set[str]) -> None:
        """Files that went away are new when they come back."""
        for name in names:
            del self._staged[name]

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def keep(self, name: str, seen: Seen) -> bool:
        """A file was staged; false when it changed meanwhile and has to be staged again."""
        if _look(self.path(name)) != seen:
            return False
        self._staged[name] = seen
        return True

    def _is_left_over(self, path: str, seen: Seen) -> bool:
        stamp = (seen.inode, seen.size, seen.mtime_ns, seen.ctime_ns)
        return self._leftovers.get(path) == stamp


def _half_made(path: str) -> bool:
    return path.endswith(HALF_MADE) or any(piece.startswith(".") for piece in path.split("/"))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _look(path: str) -> Seen | None:
    try:
        found = os.lstat(path)
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISLNK(found.st_mode):
            return Seen("link", mode, target=os.readlink(path))
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Seen("file", mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _sha256_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
