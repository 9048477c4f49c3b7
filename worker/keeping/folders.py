"""Two folders for any command: one saved as a whole and restored, one whose files are published.

A running job may write while its folder is read, so a capture copies what changed, looks again, and
counts only when nothing moved meanwhile; after some tries the job is paused for the copy. Where the
bytes go, and when a capture counts, is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from steadyspot.paths import remove
from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.checkpoint import File
from steadyspot.worker.keeping.restoring import restore
from steadyspot.worker.keeping.store import Bucket

TRIES = 4
SETTLED_SECONDS = 0.02
"""Younger changes may share their time stamp with the next one: file systems stamp by the tick."""


ATTRIBUTES = ("user.", "system.posix_acl_")
"""Which extended attributes are a user's own to set."""


@dataclass(frozen=True)
class Seen:
    """What tells whether an entry changed since it was last looked at.

    The kind ``other`` stands for pipes, sockets and devices, which hold nothing to save.
    """

    kind: str
    mode: int
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    device: int = 0
    links: int = 1
    target: str = ""


@dataclass(frozen=True)
class Captured:
    """An entry of a capture; ``source`` holds the bytes of a changed file, else it is empty."""

    file: File
    seen: Seen
    source: str = ""


def scan(root: str) -> dict[str, Seen]:
    """Everything below, by relative path; the folder itself is there unless it is empty."""
    found: dict[str, Seen] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        entries = _entries(os.path.join(root, folder))
        if (entries or folder) and (seen := _look(os.path.join(root, folder))):
            found[folder] = seen
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
    ``left_out`` names what the last capture saw and could not hold: pipes, sockets and devices.
    """

    def __init__(
        self, root: str, spool: str, pause: Callable[[], None], go_on: Callable[[], None]
    ) -> None:
        self.root = root
        self._spool = spool
        self._pause = pause
        self._go_on = go_on
        self._saved: dict[str, Captured] = {}
        self.left_out: list[str] = []

    def restore(
        self, files: Iterable[File], bucket: Bucket, cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        """Make the folder what it was when saved; false when that was cancelled half-way.

        Raises ``SetupError`` where it fails, ``Damaged`` where the bucket has other bytes.
        """
        files = list(files)
        try:
            if not restore(self.root, files, bucket, cancelled):
                return False
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
        self.left_out = _left_out(now)
        return [
            self._unchanged(path, seen, target) or self._draft(path, seen, target)
            for path, seen, target in _to_save(now)
        ]

    def _unchanged(self, path: str, seen: Seen, target: str) -> Captured | None:
        saved = self._saved.get(path)
        if saved and saved.seen == seen and saved.file.target == (target or seen.target):
            return saved
        return None

    def _draft(self, path: str, seen: Seen, target: str) -> Captured:
        """An entry as it is now, whose bytes are read where it lies."""
        source = os.path.join(self.root, path) if seen.kind == "file" and not target else ""
        sha256 = _sha256_of(source) if source else ""
        return Captured(self._file(path, seen, target, sha256), seen, source)

    def _file(self, path: str, seen: Seen, target: str, sha256: str) -> File:
        if target:
            return File(path, "hard link", seen.mode, target=target)
        attributes = _attributes(os.path.join(self.root, path)) if seen.kind != "link" else {}
        return File(
            path,
            seen.kind,
            seen.mode,
            seen.size,
            sha256,
            target=seen.target,
            mtime_ns=seen.mtime_ns,
            attributes=attributes,
        )

    def _copy(self, now: dict[str, Seen], copies: dict[str, Captured]) -> list[Captured] | None:
        """Copy what changed and is not copied yet; none when a file went away or changed."""
        self.left_out = _left_out(now)
        captured: list[Captured] = []
        for path, seen, target in _to_save(now):
            one = self._unchanged(path, seen, target) or copies.get(path)
            if one is None or one.seen != seen:
                try:
                    one = self._copied(path, seen, target, f"{len(copies)}-{os.urandom(4).hex()}")
                except FileNotFoundError:
                    return None
                if one is None:
                    return None
                copies[path] = one
            captured.append(one)
        return captured

    def _copied(self, path: str, seen: Seen, target: str, name: str) -> Captured | None:
        if seen.kind != "file" or target:
            return self._draft(path, seen, target)
        copy = os.path.join(self._spool, name)
        sha256 = _copy_so_many(os.path.join(self.root, path), copy, seen.size)
        if not sha256:
            remove(copy)
            return None
        return Captured(self._file(path, seen, "", sha256), seen, copy)

    def _settled(self, now: dict[str, Seen]) -> bool:
        newest = max((seen.mtime_ns for seen in now.values()), default=0) / 1e9
        age = time.time() - newest
        if 0 <= age < SETTLED_SECONDS:
            time.sleep(SETTLED_SECONDS - age)
        return True


class OutputFolder:
    """The folder whose files are published; says which are new since they were last staged.

    ``ignore`` are patterns: a file is none to publish if its name, or that of a folder it lies in,
    matches one. ``leftovers`` were there before the attempt began, by ``paths.stamps``: no file of
    this attempt.
    """

    def __init__(
        self,
        root: str,
        ignore: tuple[str, ...],
        leftovers: dict[str, tuple[int, int, int, int]],
    ) -> None:
        self.root = root
        self._ignore = ignore
        self._leftovers = leftovers
        self._staged: dict[str, Seen] = {}

    def look(self, held: set[str]) -> dict[str, Seen]:
        """The files that are finished outputs; ``held`` are paths still open for writing."""
        return {
            path: seen
            for path, seen in scan(self.root).items()
            if seen.kind == "file"
            and not self._is_ignored(path)
            and not self._is_left_over(path, seen)
            and os.path.realpath(os.path.join(self.root, path)) not in held
        }

    def left_out(self) -> dict[str, list[str]]:
        """What is not published though it lies there: why, and the names."""
        found: dict[str, list[str]] = {}
        for path, seen in sorted(scan(self.root).items()):
            if seen.kind == "link":
                found.setdefault("links", []).append(path)
            elif seen.kind == "file" and self._is_ignored(path):
                found.setdefault(f"with names like {' '.join(self._ignore)}", []).append(path)
            elif seen.kind == "file" and self._is_left_over(path, seen):
                found.setdefault("there before the attempt began", []).append(path)
            elif seen.kind == "other":
                found.setdefault("that are no files", []).append(path)
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

    def _is_ignored(self, path: str) -> bool:
        names = path.split("/")
        return any(fnmatchcase(name, pattern) for name in names for pattern in self._ignore)

    def _is_left_over(self, path: str, seen: Seen) -> bool:
        stamp = (seen.inode, seen.size, seen.mtime_ns, seen.ctime_ns)
        return self._leftovers.get(path) == stamp


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
    if stat.S_ISDIR(found.st_mode):
        return Seen("folder", mode, 0, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    if not stat.S_ISREG(found.st_mode):
        return Seen("other", mode)
    return Seen(
        "file",
        mode,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_dev,
        found.st_nlink,
    )


def _sha256_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_save(now: dict[str, Seen]) -> Iterator[tuple[str, Seen, str]]:
    """The entries in order; of names of one file, each but the first with the first as target."""
    first: dict[tuple[int, int], str] = {}
    for path, seen in sorted(now.items()):
        if seen.kind != "other":
            hard = seen.kind == "file" and seen.links > 1
            one = first.setdefault((seen.device, seen.inode), path) if hard else path
            yield path, seen, one if one != path else ""


def _left_out(now: dict[str, Seen]) -> list[str]:
    return sorted(path for path, seen in now.items() if seen.kind == "other")


def _attributes(path: str) -> dict[str, str]:
    """Extended attributes in base64, where the file system has them."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for name in os.listxattr(path, follow_symlinks=False):
            if name.startswith(ATTRIBUTES):
                value = os.getxattr(path, name, follow_symlinks=False)
                found[name] = b64encode(value).decode()
    return found


def _copy_so_many(path: str, copy: str, size: int) -> str:
    """Copy a file of this size, and no more of one that grows; its SHA-256.

    Empty where it is shorter, or no file any more.
    """
    digest = hashlib.sha256()
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(number, "rb") as source, open(copy, "wb") as out:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return ""
        while size and (block := source.read(min(size, 1 << 20))):
            digest.update(block)
            out.write(block)
            size -= len(block)
    return "" if size else digest.hexdigest()
