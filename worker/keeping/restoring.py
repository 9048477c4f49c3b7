"""Makes a folder what it was when saved, and touches nothing outside it.

A manifest is data from a bucket, so it is believed only within bounds: every entry is looked at
before the first is written, folders are opened piece by piece without following links, and links
come last. Blocks are fetched many at once and held against their SHA-256 before anything of them is
written. What a capture looks like, and whether a checkpoint counts, is decided elsewhere.
"""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import os
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial

from steadyspot.paths import remove
from steadyspot.worker.keeping.checkpoint import Damaged
from steadyspot.worker.keeping.contents import fill
from steadyspot.worker.keeping.listing import Block, File, Piece
from steadyspot.worker.keeping.packing import BLOCK_BYTES
from steadyspot.worker.keeping.store import Bucket
from steadyspot.worker.keeping.together import together

MOST_ENTRIES = 2_000_000
MOST_BYTES = 200 << 30
"""The largest disk a Fargate task has."""

FILE_MODES = 0o777
FOLDER_MODES = 0o3777
"""Never the set-user-ID bit, nor the set-group-ID bit of a file."""


class Cancelled(Exception):
    """Nobody needs the folder any more."""


def restore(
    root: str,
    files: Sequence[File],
    bucket: Bucket,
    pool: Executor,
    cancelled: Callable[[], bool],
) -> bool:
    """Make the folder what it was; false when that was cancelled half-way.

    Raises ``Damaged`` for a manifest the worker would not write, or bytes that are not those it
    names; ``OSError`` where the disk does not do it.
    """
    check(files)
    os.makedirs(root, exist_ok=True)

    def go_on() -> None:
        if cancelled():
            raise Cancelled

    try:
        _restore(_Tree(root, go_on), files, bucket, pool)
    except Cancelled:
        return False
    return True


def _restore(tree: _Tree, files: Sequence[File], bucket: Bucket, pool: Executor) -> None:
    folders = {above for file in files for above in _above(file.path)}
    folders |= {file.path for file in files if file.kind == "folder" and file.path}
    tree.clear(folders)
    for folder in sorted(folders):
        tree.make(folder)
    of_kind: dict[str, list[File]] = {"file": [], "folder": [], "link": [], "hard link": []}
    for file in files:
        of_kind[file.kind].append(file)
    tree.begin(of_kind["file"])
    blocks = _blocks(of_kind["file"])
    together(pool, [partial(tree.fill, bucket, block, of) for block, of in blocks.items()])
    tree.end(of_kind["file"])
    for file in of_kind["hard link"]:
        tree.hard_link(file)
    for file in of_kind["link"]:
        tree.link(file)
    for file in sorted(of_kind["folder"], key=lambda file: file.path, reverse=True):
        tree.finish(file)


def _blocks(files: Sequence[File]) -> dict[Block, list[tuple[File, int, Piece]]]:
    """What of each block belongs to which file, from how many bytes on."""
    found: dict[Block, list[tuple[File, int, Piece]]] = {}
    for file in files:
        at = 0
        for piece in file.pieces:
            found.setdefault(piece.block, []).append((file, at, piece))
            at += piece.size
    return found


def check(files: Sequence[File]) -> None:
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
        if not _is_whole(file):
            raise _planted(f"has bytes that are none of an entry's, {file.path[:80]!r}")
    for file in files:
        if any(kinds.get(above, "folder") != "folder" for above in _above(file.path)):
            raise _planted(f"has an entry below one that is no folder, {file.path[:80]!r}")
        if file.kind == "hard link" and kinds.get(file.target) != "file":
            raise _planted(f"has a hard link to what is no file of it, {file.path[:80]!r}")


def _is_whole(file: File) -> bool:
    """Whether its bytes are as many as it says, each from within a block of the usual size."""
    if file.kind != "file":
        return not file.pieces and not file.data
    if not file.pieces:
        try:
            return len(b64decode(file.data, validate=True)) == file.size
        except binascii.Error:
            return False
    return sum(piece.size for piece in file.pieces) == file.size and all(
        piece.start >= 0
        and piece.size > 0
        and piece.start + piece.size <= piece.block.size <= BLOCK_BYTES
        for piece in file.pieces
    )


class _Tree:
    """A folder in which every step is made from the folder above, and through no link.

    ``go_on`` is called before each step that may take time, and raises where it is not to be.
    """

    def __init__(self, root: str, go_on: Callable[[], None]) -> None:
        self._root = root
        self.go_on = go_on

    @contextlib.contextmanager
    def _hand(self) -> Iterator[_Hand]:
        """What writes files, in one thread."""
        hand = _Hand(self)
        try:
            yield hand
        finally:
            hand.close()

    def open(self, folder: str) -> int:
        """A folder below the root, by a descriptor that the caller closes."""
        here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for piece in filter(None, folder.split("/")):
                below = os.open(piece, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
        except BaseException:
            os.close(here)
            raise
        return here

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        here = self.open(folder)
        try:
            yield here
        finally:
            os.close(here)

    @contextlib.contextmanager
    def _place(self, path: str) -> Iterator[tuple[int, str]]:
        folder, _, name = path.rpartition("/")
        with self._opened(folder) as here:
            yield here, name

    def clear(self, folders: set[str]) -> None:
        """Remove all but the folders that are to be there."""
        left = deque([""])
        while left:
            self.go_on()
            folder = left.popleft()
            with os.scandir(os.path.join(self._root, folder)) as entries:
                for entry in entries:
                    path = os.path.join(folder, entry.name)
                    if path in folders and entry.is_dir(follow_symlinks=False):
                        os.chmod(entry.path, 0o700)
                        left.append(path)
                    else:
                        remove(entry.path)

    def make(self, folder: str) -> None:
        """Have a folder that can be written into; its own mode comes at the end."""
        with self._place(folder) as (above, name), contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)

    def begin(self, files: Sequence[File]) -> None:
        """Write files whose bytes are at hand, and begin those that are written in pieces."""
        with self._hand() as hand:
            for file in files:
                if not file.pieces:
                    hand.write(file, b64decode(file.data))
                elif len(file.pieces) > 1:
                    hand.begin(file)

    def end(self, files: Sequence[File]) -> None:
        """End files that were written in pieces."""
        with self._hand() as hand:
            for file in files:
                if len(file.pieces) > 1:
                    hand.finish(file)

    def fill(self, bucket: Bucket, block: Block, pieces: list[tuple[File, int, Piece]]) -> None:
        """Fetch a block, and write what of it belongs to each file, from so many bytes on."""
        data = _fetched(bucket, block, self.go_on)
        with self._hand() as hand:
            for file, at, piece in pieces:
                self.go_on()
                part = data[piece.start : piece.start + piece.size]
                if len(file.pieces) == 1:
                    hand.write(file, part)
                else:
                    hand.add(file, at, part)

    def hard_link(self, file: File) -> None:
        with (
            self._place(file.target) as (there, target),
            self._place(file.path) as (here, name),
        ):
            os.link(target, name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)

    def link(self, file: File) -> None:
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


class _Hand:
    """Writes files of a tree; it keeps the folder of the last one open, since many lie in one."""

    def __init__(self, tree: _Tree) -> None:
        self._tree = tree
        self._folder: str | None = None
        self._number = -1

    def close(self) -> None:
        if self._folder is not None:
            os.close(self._number)
            self._folder = None

    def write(self, file: File, data: bytes | memoryview) -> None:
        """A file that is made of these bytes."""
        self._tree.go_on()
        number = self._open(file, os.O_CREAT | os.O_EXCL)
        try:
            os.ftruncate(number, file.size)
            fill(number, data, 0)
            _dress(number, file)
        finally:
            os.close(number)

    def begin(self, file: File) -> None:
        """A file whose pieces come later, in any order, with ``add``; ``finish`` ends it."""
        number = self._open(file, os.O_CREAT | os.O_EXCL)
        try:
            os.ftruncate(number, file.size)
        finally:
            os.close(number)

    def add(self, file: File, at: int, data: bytes | memoryview) -> None:
        number = self._open(file, 0)
        try:
            fill(number, data, at)
        finally:
            os.close(number)

    def finish(self, file: File) -> None:
        number = self._open(file, 0)
        try:
            _dress(number, file)
        finally:
            os.close(number)

    def _open(self, file: File, how: int) -> int:
        folder, _, name = file.path.rpartition("/")
        if folder != self._folder:
            self.close()
            self._number, self._folder = self._tree.open(folder), folder
        return os.open(name, os.O_WRONLY | os.O_NOFOLLOW | how, 0o600, dir_fd=self._number)


class _Sink:
    """Takes the bytes of a block and no more."""

    def __init__(self, block: Block, go_on: Callable[[], None]) -> None:
        self._block = block
        self._go_on = go_on
        self.restart()

    def restart(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self._go_on()
        self.data += data
        if len(self.data) > self._block.size:
            raise _planted("names an object that is larger than it says")


def _fetched(bucket: Bucket, block: Block, go_on: Callable[[], None]) -> memoryview:
    go_on()
    sink = _Sink(block, go_on)
    bucket.fetch(block.key, sink)
    if len(sink.data) != block.size or hashlib.sha256(sink.data).hexdigest() != block.sha256:
        raise Damaged(
            f"The saved bytes {block.key} are gone or were changed in the bucket.",
            "Nothing need be done: the attempt goes on from the checkpoint before it.",
        )
    return memoryview(sink.data)


def _dress(number: int, file: File) -> None:
    """Give a file its attributes, its mode, and last its time."""
    _set_attributes(number, file)
    os.fchmod(number, file.mode & FILE_MODES)
    os.utime(number, ns=(file.mtime_ns, file.mtime_ns))


def _set_attributes(number: int, file: File) -> None:
    """Extended attributes, where the file system takes them."""
    for name, value in file.attributes:
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
