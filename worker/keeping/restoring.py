"""Makes a folder what it was when saved, and touches nothing outside it.

A manifest is data from a bucket, so it is believed only within bounds: every entry is looked at
before the first is written, folders are opened piece by piece without following links, and links
come last. What a capture looks like, and whether a checkpoint counts, is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from steadyspot.paths import remove
from steadyspot.worker.keeping.checkpoint import Damaged, File
from steadyspot.worker.keeping.store import Bucket

MOST_ENTRIES = 2_000_000
MOST_BYTES = 200 << 30
"""The largest disk a Fargate task has."""

FILE_MODES = 0o777
FOLDER_MODES = 0o3777
"""Never the set-user-ID bit, nor the set-group-ID bit of a file."""


def restore(root: str, files: list[File], bucket: Bucket, cancelled: Callable[[], bool]) -> bool:
    """Make the folder what it was; false when that was cancelled half-way.

    Raises ``Damaged`` for a manifest the worker would not write, or bytes that are not those it
    names; ``OSError`` where the disk does not do it.
    """
    check(files)
    os.makedirs(root, exist_ok=True)
    kinds = {file.path: file.kind for file in files}
    folders = {above for file in files for above in _above(file.path)}
    folders |= {path for path, kind in kinds.items() if kind == "folder" and path}
    tree = _Tree(root)
    tree.clear(kinds, folders)
    for folder in sorted(folders):
        tree.make(folder)
    for kind, put in (("file", tree.write), ("hard link", tree.hard_link), ("link", tree.link)):
        for file in files:
            if file.kind == kind:
                if cancelled():
                    return False
                put(file, bucket)
    for file in sorted(files, key=lambda file: file.path, reverse=True):
        if file.kind == "folder":
            tree.finish(file)
    return True


def check(files: Iterable[File]) -> None:
    """Hold a manifest's entries against what the worker writes. Raises ``Damaged``."""
    kinds: dict[str, str] = {}
    size = 0
    for file in files:
        if not _is_below(file.path) and not (file.path == "" and file.kind == "folder"):
            raise _planted(f"has an entry outside its folder, {file.path[:80]!r}")
        if file.kind not in ("file", "folder", "link", "hard link") or file.path in kinds:
            raise _planted(f"has an entry twice or of no known kind, {file.path[:80]!r}")
        kinds[file.path] = file.kind
        size += file.size
        if file.size < 0 or size > MOST_BYTES or len(kinds) > MOST_ENTRIES:
            raise _planted(
                f"has more than {MOST_ENTRIES:,} entries or {MOST_BYTES >> 30} GiB in them"
            )
    for file in files:
        if any(kinds.get(above, "folder") != "folder" for above in _above(file.path)):
            raise _planted(f"has an entry below one that is no folder, {file.path[:80]!r}")
        if file.kind == "hard link" and kinds.get(file.target) != "file":
            raise _planted(f"has a hard link to what is no file of it, {file.path[:80]!r}")


class _Tree:
    """A folder in which every step is made from the folder above, and through no link."""

    def __init__(self, root: str) -> None:
        self._root = root

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        """A folder below the root, by its descriptor."""
        here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for piece in filter(None, folder.split("/")):
                below = os.open(piece, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    @contextlib.contextmanager
    def _place(self, path: str) -> Iterator[tuple[int, str]]:
        folder, _, name = path.rpartition("/")
        with self._opened(folder) as here:
            yield here, name

    def clear(self, kinds: dict[str, str], folders: set[str]) -> None:
        """Remove what was not saved, or is of another kind than what was."""
        left = deque([""])
        while left:
            folder = left.popleft()
            with os.scandir(os.path.join(self._root, folder)) as entries:
                for entry in entries:
                    path = os.path.join(folder, entry.name)
                    if path in folders and entry.is_dir(follow_symlinks=False):
                        os.chmod(entry.path, 0o700)
                        left.append(path)
                    elif kinds.get(path) != "file" or not entry.is_file(follow_symlinks=False):
                        remove(entry.path)

    def make(self, folder: str) -> None:
        """Have a folder that can be written into; its own mode comes at the end."""
        with self._place(folder) as (above, name), contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)

    def write(self, file: File, bucket: Bucket) -> None:
        with self._place(file.path) as (folder, name):
            half = f".{os.urandom(8).hex()}"
            number = os.open(
                half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder
            )
            try:
                with os.fdopen(number, "wb") as out:
                    _fill(out, file, bucket)
                    out.flush()
                    _set_attributes(out.fileno(), file)
                    os.fchmod(out.fileno(), file.mode & FILE_MODES)
                    os.utime(out.fileno(), ns=(file.mtime_ns, file.mtime_ns))
                os.replace(half, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(half, dir_fd=folder)
                raise

    def hard_link(self, file: File, bucket: Bucket) -> None:
        with (
            self._place(file.target) as (there, target),
            self._place(file.path) as (here, name),
        ):
            os.link(target, name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)

    def link(self, file: File, bucket: Bucket) -> None:
        with self._place(file.path) as (folder, name):
            os.symlink(file.target, name, dir_fd=folder)

    def finish(self, file: File) -> None:
        """Give a folder its own mode and time, once all that lies in it is there."""
        with self._opened(file.path) as folder:
            _set_attributes(folder, file)
            try:
                os.fchmod(folder, file.mode & FOLDER_MODES)
                os.utime(folder, ns=(file.mtime_ns, file.mtime_ns))
            except PermissionError:
                if file.path:
                    raise
                # The folder itself may be a volume that belongs to another user.


class _Bounded:
    """A file that takes so many bytes and no more, and knows what they were."""

    def __init__(self, out: IO[bytes], most: int) -> None:
        self._out = out
        self._most = most
        self.restart()

    def restart(self) -> None:
        self._out.seek(0)
        self._out.truncate()
        self._left = self._most
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise _planted("names an object that is larger than it says")
        self.digest.update(data)
        return self._out.write(data)


def _fill(out: IO[bytes], file: File, bucket: Bucket) -> None:
    bounded = _Bounded(out, file.size)
    if file.key:
        bucket.fetch(file.key, bounded)
    else:
        bounded.write(b64decode(file.data))
    if bounded.digest.hexdigest() != file.sha256:
        raise Damaged(
            f"The saved file {file.path} is gone or was changed in the bucket.",
            "Nothing need be done: the attempt goes on from the checkpoint before it.",
        )


def _set_attributes(number: int, file: File) -> None:
    """Extended attributes, where the file system takes them."""
    for name, value in file.attributes.items():
        with contextlib.suppress(OSError):
            os.setxattr(number, name, b64decode(value))


def _is_below(path: str) -> bool:
    return "\0" not in path and all(piece not in ("", ".", "..") for piece in path.split("/"))


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _planted(what: str) -> Damaged:
    return Damaged(
        f"The checkpoint {what}: the worker writes no such manifest.",
        "Find out who else can write below checkpoints/ in the bucket; the attempt goes on from"
        " the checkpoint before it.",
    )
